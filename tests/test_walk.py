"""Walks through lists by cursors go on from where they were, while rows move, leave and come."""

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from proofs.databases import Databases
from proofs.proof import BrokenPromiseError
from proofs.walks.trial import run_trial
from resolvers.listing.timeline import Timeline
from store import sql
from store.catalogue.importer import import_catalogue
from tests.conftest import GraphQLClient, write_lines

ADA = "ada"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
GONE = [("BAD_CURSOR", "The rows that this cursor marks have left the list. Start again without a cursor.")]
STATEMENTS_OF_STALE = 8
STEPS = 150
MAX_STEPS = 2_000
"""Number of steps within which the fault must be found."""
PAGE = """query($slug: String!, $first: Int, $after: String, $last: Int, $before: String) {
  collection(by: {slug: $slug}) { assets(first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node {
      ... on AssetFields { id name: externalId } } } } } }"""
TOPICS = """query($first: Int, $after: String, $last: Int, $before: String) {
  topics(first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id name: slug } } } }"""


COLLECTIONS = """query($first: Int, $after: String, $last: Int, $before: String) { topic(by: {slug: "empty"}) {
  collections(first: $first, after: $after, last: $last, before: $before) { edges { cursor node { name } } } } }"""


class Shelf:
    """Collection `shelf` with an asset for each letter, visible to members unless it is hidden."""

    def __init__(self, ask: GraphQLClient) -> None:
        """Take the client, and keep the ids by letter."""
        self.ask = ask
        self.ids: dict[str, str] = {}
        self.collection = ""

    async def fill(self, letters: str, hidden: str = "") -> None:
        """Create the collection."""
        topic = (await self.ask(ADA, '{ topic(by: {slug: "empty"}) { id } }'))["topic"]["id"]
        made = await self.write(
            ADA, "collectionCreate", name="shelf", slug="shelf", topicId=topic, payload="collection { id }"
        )
        self.collection = made["collection"]["id"]
        async with self.ask.database.write() as connection:
            owner = await connection.scalar(select(sql.principal.c.pk).where(sql.principal.c.external_id == "olu"))
            for letter in letters:
                id_ = (
                    f"ast_{letter * 24}"
                    if letter < "w"
                    else f"ast_{letter.translate({119: 48, 120: 49, 121: 50, 122: 51}) * 24}"
                )
                self.ids[letter] = id_
                values: dict[str, Any] = {
                    "id": id_,
                    "external_id": letter,
                    "kind": "MODEL",
                    "status": "RELEASED",
                    "name": letter,
                }
                values |= {
                    "name_key": letter,
                    "owner_pk": owner,
                    "tags": [],
                    "created_at": 1,
                    "updated_at": 1,
                    "is_gold": 0,
                }
                await connection.execute(insert(sql.asset).values(values))
                pk = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.id == id_))
                grants = [(owner, 4)] if letter in hidden else [(owner, 4), (1, 2)]
                await connection.execute(
                    insert(sql.grant), [{"asset_pk": pk, "principal_pk": of, "access": access} for of, access in grants]
                )
        await self.add(letters)

    async def write(self, who: str, mutation: str, payload: str = "change { id }", **fields: Any) -> dict[str, Any]:
        """Run a mutation without errors and return its payload."""
        input_type = f"{mutation[0].upper()}{mutation[1:]}Input"
        document = (
            f"mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {payload} userErrors {{ message }} }} }}"
        )
        found = (await self.ask(who, document, input=fields))[mutation]
        assert not found["userErrors"], found
        return dict(found)

    async def add(self, letters: str, **position: Any) -> None:
        """Add assets."""
        place = self._position(position or {"atEnd": True})
        await self.write("olu", "collectionAssetsAdd", **self._block(letters), position=place)

    async def remove(self, letters: str) -> str:
        """Remove assets and return the id of the change."""
        return str((await self.write("olu", "collectionAssetsRemove", **self._block(letters)))["change"]["id"])

    async def move(self, letters: str, **position: Any) -> None:
        """Move a block of assets to a position: `atEnd=True`, or `after` or `before` a letter."""
        await self.write(ADA, "collectionAssetsReorder", **self._block(letters), position=self._position(position))

    async def undo(self, change: str) -> None:
        """Undo a change."""
        await self.write("olu", "changeUndo", payload="changes { id }", changeId=change)

    async def share(self, letter: str, *, is_shared: bool) -> None:
        """Show an asset to members, or hide it from them."""
        fields = (
            {"set": [{"to": {"everyone": True}, "access": "VIEWER"}]} if is_shared else {"revoke": [{"everyone": True}]}
        )
        await self.write("olu", "assetGrantsUpdate", payload="asset { __typename }", assetId=self.ids[letter], **fields)

    async def page(self, who: str, **bounds: Any) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return the letters of a page, their cursors, and its information."""
        found = (await self.ask(who, PAGE, slug="shelf", **bounds))["collection"]["assets"]
        cursors = {edge["node"]["name"]: edge["cursor"] for edge in found["edges"]}
        return "".join(cursors), cursors, found["pageInfo"]

    async def cursor(self, who: str, letter: str) -> str:
        """Return the cursor of an asset."""
        return (await self.page(who, first=100))[1][letter]

    async def after(self, who: str, cursor: str, size: int = 3) -> str:
        """Return the letters of the page after a cursor."""
        return (await self.page(who, first=size, after=cursor))[0]

    async def before(self, who: str, cursor: str, size: int = 3) -> str:
        """Return the letters of the page before a cursor."""
        return (await self.page(who, last=size, before=cursor))[0]

    def _block(self, letters: str) -> dict[str, Any]:
        return {"collectionId": self.collection, "assetIds": [self.ids[letter] for letter in letters]}

    def _position(self, position: dict[str, Any]) -> dict[str, Any]:
        ((side, value),) = position.items()
        return {side: value} if side.startswith("at") else {f"{side}Id": self.ids[value]}


@pytest.fixture
async def shelf(ask_own: GraphQLClient) -> Shelf:
    """Return a shelf that is still empty."""
    return Shelf(ask_own)


@pytest.mark.parametrize("who", [ADA, "mei"])
@pytest.mark.parametrize("position", [{"atEnd": True}, {"atStart": True}])
async def test_a_page_goes_on_where_the_cursors_row_was_before_it_moved(
    shelf: Shelf, who: str, position: dict[str, bool]
) -> None:
    await shelf.fill("abcdefghij")
    of_c, of_h = await shelf.cursor(who, "c"), await shelf.cursor(who, "h")
    await shelf.move("c", **position)
    assert await shelf.after(who, of_c) == "def"
    await shelf.move("h", **position)
    assert await shelf.before(who, of_h, 4) == "defg"


@pytest.mark.parametrize("who", [ADA, "mei"])
async def test_a_page_goes_on_after_all_rows_before_it_were_removed(shelf: Shelf, who: str) -> None:
    await shelf.fill(LETTERS)
    after_t, before_d = await shelf.cursor(who, "t"), await shelf.cursor(who, "d")
    await shelf.remove("abcdefghijklmnopqrst")
    assert await shelf.after(who, after_t) == "uvw"
    assert await shelf.before(who, before_d) == ""
    await shelf.remove("uvwxy")
    assert await shelf.after(who, after_t) == "z"


async def test_a_page_goes_on_after_the_only_row_before_it_was_removed(shelf: Shelf) -> None:
    await shelf.fill("abc")
    of_a = await shelf.cursor("mei", "a")
    await shelf.remove("a")
    assert await shelf.after("mei", of_a) == "bc"
    assert await shelf.before("mei", of_a) == ""


async def test_a_page_goes_on_where_a_whole_page_was_before_it_moved(shelf: Shelf) -> None:
    await shelf.fill(LETTERS)
    _, _, info = await shelf.page("mei", first=12)
    await shelf.move("abcdefghijkl", atEnd=True)
    assert await shelf.after("mei", info["endCursor"]) == "mno"
    _, _, info = await shelf.page("mei", last=10)
    assert await shelf.before("mei", info["startCursor"], 2) == "ab"
    await shelf.move("cdefghijkl", atStart=True)
    assert await shelf.before("mei", info["startCursor"], 2) == "ab"


async def test_a_removal_that_is_undone_shows_no_row_twice(shelf: Shelf) -> None:
    await shelf.fill("abcdefghij")
    of_c, of_d = await shelf.cursor("mei", "c"), await shelf.cursor("mei", "d")
    change = await shelf.remove("bcd")
    assert await shelf.after("mei", of_c) == "efg"
    await shelf.undo(change)
    assert await shelf.after("mei", of_c) == "def"
    assert await shelf.before("mei", of_d) == "abc"


@pytest.mark.parametrize(
    ("letters", "row", "expected"), [("abxcydefghij", "c", "ydefg"), ("xaybcdefghij", "a", "ybcde")]
)
@pytest.mark.parametrize("moves_first", [False, True])
async def test_rows_that_came_into_sight_on_both_sides_of_a_moved_row_are_met(
    shelf: Shelf, letters: str, row: str, expected: str, *, moves_first: bool
) -> None:
    await shelf.fill(letters, hidden="xy")
    cursor = await shelf.cursor("mei", row)
    if moves_first:
        await shelf.move(row, atEnd=True)
    for letter in "xy":
        await shelf.share(letter, is_shared=True)
    if not moves_first:
        await shelf.move(row, atEnd=True)
    assert await shelf.after("mei", cursor, 5) == expected


async def test_a_move_before_the_last_former_places_is_seen_by_its_neighbours(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.listing.part.MAX_FORMER_ROWS", 2)
    await shelf.fill("abcdefghij")
    of_c = await shelf.cursor("mei", "c")
    await shelf.move("c", atEnd=True)
    await shelf.move("gh", atStart=True)
    assert await shelf.after("mei", of_c) == "def"


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_in_a_list_that_is_too_long_the_rows_around_the_cursor_decide(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    monkeypatch.setattr("resolvers.listing.part.MAX_ORDER_ROWS", 3)
    monkeypatch.setattr(
        f"{__name__}.PAGE", PAGE.replace("assets(", f"assets(orderBy: {{field: POSITION, direction: {direction}}}, ")
    )
    await shelf.fill("abcdefghij")
    after_c, before_c = ("def", "ab") if direction == "ASC" else ("ba", "def"[::-1])
    of_c = await shelf.cursor("mei", "c")
    for change in (
        lambda: shelf.move("c", atEnd=True),
        lambda: shelf.move("c", atStart=True),
        lambda: shelf.remove("c"),
    ):
        await change()
        # The row that moved may be met again.
        assert (await shelf.after("mei", of_c)).replace("c", "") == after_c
        assert (await shelf.before("mei", of_c)).replace("c", "") == before_c


async def test_new_cursors_of_a_page_after_a_stale_one_are_those_of_a_new_walk(shelf: Shelf) -> None:
    await shelf.fill(LETTERS)
    stale = await shelf.cursor("mei", "l")
    await shelf.move("l", atStart=True)
    await shelf.remove("jk")
    _, fresh, _ = await shelf.page("mei", first=100)
    assert await shelf.after("mei", stale) == "mno"
    for bounds in ({"first": 3, "after": stale}, {"last": 3, "before": stale}, {"last": 2, "after": stale}):
        _, cursors, _ = await shelf.page("mei", **bounds)
        assert cursors
        assert cursors.items() <= fresh.items(), bounds


async def test_a_move_past_hidden_rows_changes_no_byte(shelf: Shelf) -> None:
    await shelf.fill("abcdefghijklmno", hidden="hijk")
    before = [await shelf.page("mei", first=size) for size in (2, 100)]
    stale = await shelf.cursor("mei", "g")
    await shelf.move("g", after="j")
    assert [await shelf.page("mei", first=size) for size in (2, 100)] == before
    assert await shelf.cursor("mei", "g") == stale


@pytest.mark.parametrize("moves", [False, True])
async def test_what_comes_beside_a_row_shows_nothing_of_its_moves_past_hidden_rows(
    shelf: Shelf, *, moves: bool
) -> None:
    await shelf.fill("abcdefghijklmno", hidden="hijk")
    await shelf.remove("ab")
    stale = await shelf.cursor("mei", "g")
    if moves:
        await shelf.move("g", after="j")
    await shelf.add("a", after="g")
    await shelf.add("b", before="g")
    assert await shelf.after("mei", stale) == "alm"
    assert await shelf.before("mei", stale) == "efb"


@pytest.mark.parametrize("act", ["stays", "moves", "leaves"])
async def test_what_a_hidden_row_does_shows_in_no_page_after_its_cursor(shelf: Shelf, act: str) -> None:
    await shelf.fill("abcdefghijklmno")
    stale = await shelf.cursor("mei", "g")
    await shelf.share("g", is_shared=False)
    if act == "moves":
        await shelf.move("g", atEnd=True)
        await shelf.move("g", after="b")
    if act == "leaves":
        await shelf.remove("g")
    assert await shelf.after("mei", stale) == "hij"
    assert len(shelf.ask.statements) == STATEMENTS_OF_STALE
    assert await shelf.before("mei", stale) == "def"
    await shelf.move("hi", atEnd=True)
    assert await shelf.after("mei", stale) == "jkl"
    assert len(shelf.ask.statements) == STATEMENTS_OF_STALE


async def test_a_cursor_all_of_whose_rows_are_hidden_is_rejected(shelf: Shelf) -> None:
    await shelf.fill("abcdefghijklmno")
    stale = await shelf.cursor("mei", "h")
    for letter in "bcdefghij":
        assert await shelf.after("mei", stale)
        await shelf.share(letter, is_shared=False)
    assert await shelf.ask.errors("mei", PAGE, slug="shelf", first=1, after=stale) == GONE
    await shelf.share("j", is_shared=True)
    assert await shelf.after("mei", stale) == "jkl"


async def test_a_page_goes_on_after_the_list_was_renumbered(shelf: Shelf) -> None:
    await shelf.fill(LETTERS)
    of_m, of_x = await shelf.cursor("mei", "m"), await shelf.cursor("mei", "x")
    await shelf.move("m", atEnd=True)
    async with shelf.ask.database.write() as connection:  # so that no rank is left between a and b
        pks = {
            letter: select(sql.asset.c.pk).where(sql.asset.c.id == shelf.ids[letter]).scalar_subquery()
            for letter in "ab"
        }
        select_rank = select(sql.membership.c.rank).where(sql.membership.c.asset_pk == pks["a"])
        rank = (await connection.scalars(select_rank)).one()
        await connection.execute(
            update(sql.membership).where(sql.membership.c.asset_pk == pks["b"]).values(rank=rank + 1)
        )
    await shelf.move("x", after="a")
    assert await shelf.after("mei", of_m) == "nop"
    assert await shelf.after("mei", of_x, 2) == "yz"


async def test_topics_and_cursors_of_them_survive_a_merge_of_the_whole_page(ask_own: GraphQLClient) -> None:
    shelf = Shelf(ask_own)
    for letter in LETTERS[:20]:
        made = await shelf.write(ADA, "topicCreate", name=letter, slug=f"topic-{letter}", payload="topic { id }")
        shelf.ids[letter] = made["topic"]["id"]
    edges = (await ask_own("mei", TOPICS, first=50))["topics"]["edges"]
    cursors = {edge["node"]["name"][-1]: edge["cursor"] for edge in edges if edge["node"]["name"].startswith("topic-")}
    sources = [shelf.ids[letter] for letter in "cdefghijklmn"]
    await shelf.write(ADA, "topicMerge", sourceIds=sources, targetId=shelf.ids["a"], payload="topic { id }")
    found = (await ask_own("mei", TOPICS, first=2, after=cursors["l"]))["topics"]["edges"]
    assert [edge["node"]["name"] for edge in found] == ["topic-o", "topic-p"]
    await shelf.write(ADA, "topicReorder", id=shelf.ids["p"], position={"atStart": True}, payload="topic { id }")
    found = (await ask_own("mei", TOPICS, last=1, before=cursors["p"]))["topics"]["edges"]
    assert [edge["node"]["name"] for edge in found] == ["topic-o"]


async def test_a_searched_and_a_filtered_list_go_on_as_the_whole_list_does(shelf: Shelf) -> None:
    await shelf.fill("abcdefghij")
    async with shelf.ask.database.write() as connection:
        to_search = sql.asset.c.external_id.in_(list("abcfij"))
        await connection.execute(update(sql.asset).where(to_search).values(description="rare", status="DRAFT"))
    for argument in ('query: "rare", orderBy: {field: POSITION}, ', "filter: {statuses: [DRAFT]}, "):
        query = PAGE.replace("assets(", f"assets({argument}")
        edges = (await shelf.ask("mei", query, slug="shelf", first=9))["collection"]["assets"]["edges"]
        cursors = {edge["node"]["name"]: edge["cursor"] for edge in edges}
        assert "".join(cursors) == "abcfij"
        await shelf.move("c", atEnd=True)
        found = await shelf.ask("mei", query, slug="shelf", first=2, after=cursors["c"])
        assert [edge["node"]["name"] for edge in found["collection"]["assets"]["edges"]] == ["f", "i"]
        await shelf.move("c", after="b")


async def test_a_page_after_a_current_cursor_takes_one_statement_more_than_the_first(shelf: Shelf) -> None:
    await shelf.fill("abcdefghij")
    query = PAGE.replace("assets(", "assets(filter: {kinds: [MODEL]}, ")  # the index does not answer it
    edges = (await shelf.ask("mei", query, slug="shelf", first=2))["collection"]["assets"]["edges"]
    first = len(shelf.ask.statements)
    await shelf.ask("mei", query, slug="shelf", first=2, after=edges[1]["cursor"])
    assert len(shelf.ask.statements) == first + 1


async def test_walks_are_right_in_a_random_history(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), STEPS) == STEPS


async def test_the_proof_finds_a_walk_that_follows_a_moved_row(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.listing.part.Timeline", lambda keys, _steps: Timeline(keys))
    with pytest.raises(BrokenPromiseError, match=r"(?s)seed 7: met .*Last writes:"):
        await run_trial(databases, 7, MAX_STEPS)


async def test_a_walk_goes_on_after_an_import_moved_collections(ask_own: GraphQLClient, tmp_path: Path) -> None:
    def line(name: str, parent: str | None = None) -> dict[str, Any]:
        place = {"topic": "empty", "parent": parent}
        return {"kind": "collection", "slug": name, "name": name, "visibility": "INTERNAL", "assets": [], **place}

    async def load(*lines: dict[str, Any]) -> None:
        await import_catalogue(
            ask_own.database, write_lines(tmp_path / "lines.jsonl", list(lines)), "req", lambda _: None
        )

    async def names(**bounds: Any) -> list[str]:
        edges = (await ask_own("mei", COLLECTIONS, **bounds))["topic"]["collections"]["edges"]
        return [edge["node"]["name"] for edge in edges]

    await load(*map(line, LETTERS[:16]))
    edges = (await ask_own("mei", COLLECTIONS, first=50))["topic"]["collections"]["edges"]
    cursors = {edge["node"]["name"]: edge["cursor"] for edge in edges}
    await load(line("a-child", "a"), line("f", "n"), line("g", "n"), line("j"))
    assert await names(first=50) == ["a", "a-child", *"bcdehijklmn", "f", "g", "o", "p"]
    assert await names(first=2, after=cursors["g"]) == ["h", "i"]
    assert await names(last=2, before=cursors["f"]) == ["d", "e"]
    assert await names(first=3, after=cursors["a"]) == ["a-child", "b", "c"]
    assert await names(first=1, after=cursors["j"]) == ["k"]
