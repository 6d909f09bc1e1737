"""Sync tokens: exactly the changes for a viewer since an earlier pull, and nothing that they could not see."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from proofs.mirror.mirror import LISTS, SYNC, Mirror, Page, read_page, sync
from store import sql
from store.pulls import MAX_PULLS, TOKEN_MS
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, set_public_sharing
from tests.graph_client import pull
from tests.test_people import People

EXPIRED = (
    "This sync token is older than 30 days, or many others were created since. Pull everything again, without `since`:"
    " the last page has a new token."
)
INVALID = (
    "This is not a sync token of this viewer. Use the `syncToken` of the last page of a pull by the same user, or pull"
    " everything, without `since`."
)
NOTHING = dict.fromkeys(LISTS, 0)


class Watch:
    """The syncs of one viewer: the number of rows that each brings."""

    def __init__(self, ask: GraphQLClient, who: str) -> None:
        """Take the client and the viewer."""
        self.ask, self.who, self.mirror = ask, who, Mirror(who)

    async def sync(self, first: int = 1_000) -> Page:
        """Sync the copy, compare it with a fresh pull, and return the number of rows in each list that has any."""
        changes = await sync(self.ask, self.who, self.mirror.token, first)
        self.mirror.apply(changes)
        fresh = Mirror(self.who)
        fresh.apply(await sync(self.ask, self.who, None))
        assert self.mirror.contents() == fresh.contents()
        return {name: len(changes[name]) for name in LISTS if changes[name]}

    async def tear(self, change: Callable[[], Awaitable[None]]) -> None:
        """Pull everything, with the change after the first page."""
        rows: Page = {name: [] for name in LISTS}
        page, after = await read_page(self.ask, self.who, 1, None, None), None
        await change()
        while True:
            for name in LISTS:
                rows[name] += page[name]
            if page["syncToken"] is not None:
                break
            after = page["pageInfo"]["endCursor"]
            page = await read_page(self.ask, self.who, 2, after, None)
        self.mirror.apply(rows | {"syncToken": page["syncToken"]}, is_torn=True)


@pytest.fixture(params=["on", "reference"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with the engine, and with graphql-core."""
    monkeypatch.setenv("ATOLL_ENGINE", request.param)


async def execute(ask: GraphQLClient, *statements: str, **values: Any) -> None:
    """Run the statements with the values; `:name` of others is the primary key of the object of that name."""
    async with ask.database.write() as connection:
        pks: dict[str, Any] = {}
        for table, name in ((sql.principal, "external_id"), (sql.asset, "external_id"), (sql.collection, "slug")):
            pks |= {row[1]: row[0] for row in await connection.execute(select(table.c.pk, table.c[name]))}
        for statement in statements:
            await connection.execute(text(statement), pks | values)


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("who", VIEWERS)
async def test_without_changes_a_sync_is_empty_and_the_token_the_same(ask: GraphQLClient, who: str) -> None:
    first = await sync(ask, who, None)
    assert {name: first[name] for name in LISTS if name.startswith("removed")} == {
        "removedIds": [],
        "removedMemberships": [],
        "removedUses": [],
    }
    second = await sync(ask, who, first["syncToken"])
    assert second == {name: [] for name in LISTS} | {"syncToken": first["syncToken"]}


@pytest.mark.usefixtures("engine_on")
async def test_the_engine_answers(engine_answers: list[bytes | None], ask: GraphQLClient) -> None:
    await sync(ask, "eve", (await sync(ask, "eve", None, 7))["syncToken"])
    assert len(engine_answers) > 2
    assert None not in engine_answers


CHANGES: dict[str, tuple[str, str, Page]] = {
    "a renamed topic": ("eve", "UPDATE topic SET name = 'x' WHERE slug = 'empty'", {"topics": 1}),
    "a renamed collection": ("eve", "UPDATE collection SET name = 'x' WHERE pk = :open", {"collections": 1}),
    "a renamed asset": ("eve", "UPDATE asset SET name = 'x' WHERE pk = :align", {"assets": 1}),
    "a renamed user": ("eve", "UPDATE principal SET name = 'x' WHERE pk = :mei", {"users": 1}),
    "a renamed user, for a visitor": (ANONYMOUS, "UPDATE principal SET name = 'x' WHERE pk = :mei", {}),
    "a changed URL of an asset that is visible with its content": (
        "eve",
        "UPDATE asset SET url = 'https://x.org' WHERE pk = :blast",
        {"assets": 1},
    ),
    "a changed URL of an asset without its content": (
        "eve",
        "UPDATE asset SET url = 'https://x.org' WHERE pk = :count",
        {},
    ),
    "another access": ("mei", "UPDATE access_grant SET access = 2 WHERE asset_pk = :images", {"assets": 1, "uses": 0}),
    "a revoked grant": (
        "eve",
        "DELETE FROM access_grant WHERE asset_pk = :blast AND principal_pk = :everyone",
        {"removedIds": 1, "removedMemberships": 2, "memberships": 3},
    ),
    "a grant of others": ("eve", "DELETE FROM access_grant WHERE asset_pk = :genomes AND principal_pk = :lab", {}),
    "a withdrawn asset": (
        "eve",
        "UPDATE asset SET status = 'WITHDRAWN' WHERE pk = :lens",
        {"removedIds": 1, "removedMemberships": 2, "removedUses": 1, "memberships": 3},
    ),
    "a withdrawn asset, for its owner": (
        "sam",
        "UPDATE asset SET status = 'WITHDRAWN' WHERE pk = :lens",
        {"assets": 1},
    ),
    "a hidden asset that moves": ("eve", "UPDATE membership SET rank = 1 WHERE asset_pk = :hidden", {}),
    "a hidden asset that leaves": ("eve", "DELETE FROM membership WHERE asset_pk = :hidden", {}),
    "another order": (
        "eve",
        "UPDATE membership SET rank = -1 WHERE asset_pk = :count AND collection_pk = :open",
        {"memberships": 4},
    ),
    "another order than that of a hidden asset": (
        "eve",
        "UPDATE membership SET rank = rank - 1 WHERE asset_pk = :hidden AND collection_pk = :open",
        {},
    ),
    "a note": (
        "eve",
        "UPDATE membership SET note = 'x' WHERE asset_pk = :align AND collection_pk = :inner",
        {"memberships": 2},
    ),
    "a note on a hidden asset": ("eve", "UPDATE membership SET note = 'x' WHERE asset_pk = :hidden", {}),
    "a removed membership": (
        "eve",
        "DELETE FROM membership WHERE asset_pk = :explore",
        {"removedMemberships": 1, "memberships": 1},
    ),
    "the last visible membership of a collection": (
        "eve",
        "DELETE FROM membership WHERE collection_pk = :members AND asset_pk = :blast",
        {"removedMemberships": 1},
    ),
    "a removed use": (
        "eve",
        "DELETE FROM asset_use WHERE asset_pk = :explore AND uses_pk = :count",
        {"removedUses": 1, "uses": 1},
    ),
    "a hidden use": ("eve", "DELETE FROM asset_use WHERE asset_pk = :count", {}),
    "a published collection": (
        ANONYMOUS,
        "UPDATE collection SET visibility = 'PUBLIC' WHERE pk = :inner",
        {"collections": 2, "assets": 1, "memberships": 2},  # of the collection below, the parent appears
    ),
    "an internal collection": (
        ANONYMOUS,
        "UPDATE collection SET visibility = 'INTERNAL' WHERE pk = :open",
        {"removedIds": 2, "removedMemberships": 2, "removedUses": 1},  # lens is in another one
    ),
    "the rank of a topic": ("eve", "UPDATE topic SET rank = -1 WHERE slug = 'empty'", {}),
    "another user who created": (ANONYMOUS, "UPDATE collection SET created_by_pk = :olu", {}),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_sync_has_exactly_what_changed(ask_own: GraphQLClient, name: str) -> None:
    who, statement, expected = CHANGES[name]
    watch = Watch(ask_own, who)
    await watch.sync()
    await execute(ask_own, statement)
    assert await watch.sync() == {part: number for part, number in expected.items() if number}
    assert await watch.sync() == {}


async def _turn_sharing_off(ask: GraphQLClient) -> None:
    await set_public_sharing(ask.database, is_on=False)


async def _leave_group(ask: GraphQLClient) -> None:
    await execute(ask, "DELETE FROM group_member WHERE user_pk = :mei")


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    ("who", "change", "expected"),
    [
        (ANONYMOUS, _turn_sharing_off, {"removedIds": 7, "removedMemberships": 3, "removedUses": 1}),
        ("eve", _turn_sharing_off, {"removedIds": 3, "removedMemberships": 5, "collections": 1}),
        ("mei", _leave_group, {"removedIds": 2, "removedMemberships": 4, "assets": 1, "removedUses": 2}),
    ],
)
async def test_a_sync_has_what_left_the_sight(
    ask_own: GraphQLClient, who: str, change: Callable[[GraphQLClient], Awaitable[None]], expected: Page
) -> None:
    watch = Watch(ask_own, who)
    await watch.sync()
    await change(ask_own)
    found = await watch.sync(first=2)
    assert {name: number for name, number in found.items() if name not in {"memberships", "uses"}} == expected


async def test_a_deleted_collection_whose_key_is_used_again(ask_own: GraphQLClient) -> None:
    watch = Watch(ask_own, "eve")
    await watch.sync()
    await execute(
        ask_own,
        "DELETE FROM membership WHERE collection_pk = :bare",
        "INSERT INTO collection (id, slug, name, name_key, sort_key, description, visibility, topic_pk, rank, version,"
        " created_at, updated_at) SELECT 'col_new', 'new', 'new', 'new', '', '', visibility, topic_pk, -1, 1, 0, 0"
        " FROM collection WHERE pk = :bare",
        "DELETE FROM collection WHERE pk = :bare",
        "UPDATE collection SET pk = :bare WHERE slug = 'new'",
        "INSERT INTO membership (collection_pk, asset_pk, rank, added_at) VALUES (:bare, :align, 1, 0)",
    )
    assert await watch.sync() == {"removedIds": 1, "collections": 1, "memberships": 1}


async def test_a_deactivated_user_is_a_changed_one(ask_own: GraphQLClient) -> None:
    watch = Watch(ask_own, "eve")
    await watch.sync()
    await People(ask_own.database).set_active("mei", is_active=False)
    assert await watch.sync() == {"users": 1}


async def test_a_sync_has_the_parts_of_the_token_unless_others_are_selected(ask_own: GraphQLClient) -> None:
    ask = ask_own
    token = (await sync(ask, "eve", None, include=["TOPICS", "ASSETS"]))["syncToken"]
    await execute(
        ask, "UPDATE asset SET name = 'x' WHERE pk = :align", "UPDATE collection SET name = 'x' WHERE pk = :open"
    )
    changes = await sync(ask, "eve", token)
    assert {name: len(rows) for name, rows in changes.items() if name != "syncToken" and rows} == {"assets": 1}
    changes = await sync(ask, "eve", token, include=["ASSETS", "COLLECTIONS"])
    assert [row["externalId"] for row in changes["assets"]] == ["align"]
    assert len(changes["collections"]) == len((await pull(ask, "eve"))["collections"])
    assert changes["removedIds"] == (await sync(ask, "eve", token, include=["ASSETS"]))["removedIds"]


@pytest.mark.usefixtures("executor")
async def test_a_token_belongs_to_its_viewer(ask: GraphQLClient) -> None:
    token = (await sync(ask, "eve", None))["syncToken"]
    invalid = [("SYNC_TOKEN_INVALID", INVALID)]
    assert await ask.errors("mei", SYNC, since=token) == invalid
    assert await ask.errors(ANONYMOUS, SYNC, first=1, since=token) == invalid
    assert await ask.errors("eve", SYNC, since=token[:-1]) == invalid
    assert await ask.errors("eve", SYNC, since="") == invalid
    page = (await ask("eve", SYNC, first=1))["collectionGraph"]
    assert await ask.errors("eve", SYNC, since=page["pageInfo"]["endCursor"]) == invalid


async def test_the_pages_of_a_sync_have_its_token(ask: GraphQLClient) -> None:
    token = (await sync(ask, "eve", None))["syncToken"]
    page = (await ask("eve", SYNC, first=1))["collectionGraph"]
    errors = await ask.errors("eve", SYNC, first=1, after=page["pageInfo"]["endCursor"], since=token)
    assert [code for code, _ in errors] == ["BAD_CURSOR"]


async def test_a_token_is_valid_for_thirty_days(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = ask_own
    await execute(ask, "DELETE FROM pull_chunk", "DELETE FROM pull")
    token = (await sync(ask, ANONYMOUS, None))["syncToken"]
    async with ask.database.snapshot() as snapshot:
        [[expires_at]] = await snapshot.rows(select(func.max(sql.pull.c.expires_at)))
    assert TOKEN_MS == 30 * 24 * 3_600_000
    monkeypatch.setattr("store.ids.clock_ns", lambda: (expires_at - 1_000) * 1_000_000)
    await ask(ANONYMOUS, SYNC, since=token, first=0)
    await execute(ask, "UPDATE pull SET expires_at = :at", at=expires_at)
    monkeypatch.setattr("store.ids.clock_ns", lambda: expires_at * 1_000_000)
    assert await ask.errors(ANONYMOUS, SYNC, first=1, since=token) == [("SYNC_TOKEN_EXPIRED", EXPIRED)]


async def test_a_pull_whose_token_was_not_requested_is_deleted_after_an_hour(ask_own: GraphQLClient) -> None:
    await execute(ask_own, "DELETE FROM pull_chunk", "DELETE FROM pull")
    await pull(ask_own, "eve")
    async with ask_own.database.snapshot() as snapshot:
        [[difference]] = await snapshot.rows(select(sql.pull.c.expires_at - sql.pull.c.served_until))
    assert difference == 0


async def test_a_token_expires_when_many_others_were_created(ask_own: GraphQLClient) -> None:
    ask = ask_own
    tokens = [(await sync(ask, "eve", None))["syncToken"]]
    for number in range(MAX_PULLS):
        await execute(ask, "UPDATE topic SET name = :new WHERE slug = 'empty'", new=f"t{number}")
        tokens.append((await sync(ask, "eve", None))["syncToken"])
    assert await ask.errors("eve", SYNC, since=tokens[0]) == [("SYNC_TOKEN_EXPIRED", EXPIRED)]
    assert len((await sync(ask, "eve", tokens[-MAX_PULLS + 5]))["topics"]) == 1


@pytest.mark.usefixtures("executor")
async def test_removed_rows_are_never_those_that_were_hidden(ask_own: GraphQLClient) -> None:
    """Delete everything hidden, and see no key of it."""
    watch = Watch(ask_own, "eve")
    await watch.sync()
    async with ask_own.database.write() as connection:
        visible_ids = {*watch.mirror.objects["assets"]}
        rows = await connection.execute(select(sql.asset.c.pk, sql.asset.c.id))
        hidden = [row.pk for row in rows if row.id not in visible_ids]
        assert hidden
        await connection.execute(delete(sql.membership).where(sql.membership.c.asset_pk.in_(hidden)))
        await connection.execute(update(sql.asset).where(sql.asset.c.pk.in_(hidden)).values(status="WITHDRAWN"))
        of_others = sql.grant.c.asset_pk.in_(hidden), sql.grant.c.access < 4
        await connection.execute(delete(sql.grant).where(*of_others))
    assert await watch.sync() == {}


async def test_a_token_outlives_the_server(ask_own: GraphQLClient, own_world: Any) -> None:
    watch = Watch(ask_own, "eve")
    await watch.sync()
    await execute(ask_own, "UPDATE topic SET name = 'x' WHERE slug = 'empty'")
    watch.ask = GraphQLClient(own_world)
    try:
        assert await watch.sync() == {"topics": 1}
    finally:
        await watch.ask.close()


TEARS = {
    "a hidden asset": (
        "UPDATE asset SET status = 'WITHDRAWN' WHERE pk = :align",
        "UPDATE asset SET status = 'RELEASED' WHERE pk = :align",
        {"assets": 1, "memberships": 6, "uses": 3},
    ),
    "another name": (
        "UPDATE asset SET name = 'x' WHERE pk = :align",
        "UPDATE asset SET name = 'align' WHERE pk = :align",
        {"assets": 1},
    ),
    "a renamed collection": (
        "UPDATE collection SET name = 'x' WHERE pk = :open",
        "UPDATE collection SET name = 'open' WHERE pk = :open",
        {"collections": 1},
    ),
    "a note": (
        "UPDATE membership SET note = 'x' WHERE asset_pk = :explore",
        "UPDATE membership SET note = NULL WHERE asset_pk = :explore",
        {"memberships": 2},
    ),
    "a use": (
        "DELETE FROM asset_use WHERE asset_pk = :explore AND uses_pk = :align",
        "INSERT INTO asset_use (asset_pk, uses_pk, rank) VALUES (:explore, :align, 9)",
        {"uses": 2},
    ),
    "a group": (
        "INSERT INTO group_member (group_pk, user_pk) VALUES (:lab, :eve)",
        "DELETE FROM group_member WHERE user_pk = :eve",
        {"assets": 1},
    ),
    "a changed URL of an asset without its content": (
        "UPDATE asset SET url = 'https://x.org' WHERE pk = :count",
        "UPDATE asset SET url = 'https://example.org/count' WHERE pk = :count",
        {},
    ),
}


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("name", TEARS)
async def test_a_row_that_changed_between_two_pages_and_back_is_sent_again(ask_own: GraphQLClient, name: str) -> None:
    change, reversal, expected = TEARS[name]
    watch = Watch(ask_own, "eve")
    await watch.tear(lambda: execute(ask_own, change))
    await execute(ask_own, reversal)
    assert await watch.sync() == expected
    assert await watch.sync() == {}
