"""Cursors: opaque, bound to list and viewer, and valid without their row; see test_walk.py for rows that move."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from permissions.viewer import viewer_by_external_id
from proofs.determinism import lift_cost_limits
from resolvers.listing.cursor import seal
from store import sql
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient
from tests.lists import ask_lists, every_list
from tests.test_listing import load_model

BAD = [("BAD_CURSOR", "This cursor does not belong to this list. Start again without a cursor.")]
OPEN = """query($s: String!, $after: String, $before: String, $first: Int, $last: Int) {
  collection(by: {slug: $s}) { assets(first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage endCursor startCursor } edges { cursor node { ... on AssetFields { externalId } } } } } }"""


async def page(ask: GraphQLClient, who: str, slug: str = "open", **bounds: Any) -> tuple[list[str], list[str]]:
    """Return the assets and the cursors of a page of the collection."""
    edges = (await ask(who, OPEN, s=slug, **bounds))["collection"]["assets"]["edges"]
    return [edge["node"]["externalId"] for edge in edges], [edge["cursor"] for edge in edges]


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_cursor_is_deterministic_and_contains_nothing_readable(ask: GraphQLClient, who: str) -> None:
    model = await load_model(ask)
    lists = [each for each in every_list(model, who) if each.exists(model, who)][::3]
    # Shorter words could occur in a cursor by chance.
    words = [word.encode() for word in (*model.ids, *(id_[4:] for id_ in model.ids.values())) if len(word) > 4]
    words += [form for rank in range(1, 13) for form in (b"%d" % (rank << 20), (rank << 20).to_bytes(8, "big"))]
    found = await ask_lists(ask, who, lists, body="edges { cursor }")
    assert await ask_lists(ask, who, lists, body="edges { cursor }") == found
    for cursor in (edge["cursor"] for each in found if each for edge in each["edges"]):
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert not any(word in sealed for word in words)


async def test_a_cursor_changed_anywhere_is_rejected_with_one_message(ask: GraphQLClient) -> None:
    _, cursors = await page(ask, "eve")
    cursor = cursors[1]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n"
    chance = random.Random(7)
    changed = [
        cursor[:place] + letter + cursor[place + 1 :]
        for place in range(len(cursor))
        for letter in chance.sample(letters, 2)
        if letter != cursor[place]
    ]
    changed += [
        cursor[:-1] + letter for letter in letters if letter != cursor[-1]
    ]  # base64 ignores the last bits of the last letter
    cut = [cursor[:length] for length in range(len(cursor))] + [cursor[1:]]
    longer = [cursor + more for more in ("A", "=", "==", "AAAA", " ", "\n", cursor)] + ["=" + cursor, " " + cursor]
    foreign = ["x" * 10_000, "é", "🦊" * 10, "null", "[]", base64.b64encode(b'["open"]').decode(), "\ud7ff", "0", "-1"]
    foreign += [base64.urlsafe_b64encode(chance.randbytes(size)).rstrip(b"=").decode() for size in range(1, 100, 7)]
    for bad in (*changed[::3], *changed[-len(letters) + 1 :], *cut[::5], *longer, *foreign):
        assert await ask.errors("eve", OPEN, s="open", after=bad) == BAD, bad
    for bad in ("", cursor[:-1], cursor + "=", "x" * 10_000, "é"):
        assert await ask.errors("eve", OPEN, s="open", before=bad) == BAD, bad


async def test_a_cursor_of_an_earlier_version_is_rejected(ask: GraphQLClient) -> None:
    model = await load_model(ask)
    async with ask.database.snapshot() as snapshot:
        viewer = await viewer_by_external_id(snapshot, "eve")
    assert viewer
    ids = [model.ids[name] for name in ("align", "lens")]
    former = seal(viewer, f"collection.assets|POSITION|asc|{model.ids['open']}", json.dumps(ids).encode())
    assert await ask.errors("eve", OPEN, s="open", after=former) == BAD


LISTS_OF_ASSETS = {
    "its own": 'collection(by: {slug: "open"}) { assets(after: $c) { totalCount nodes { __typename } } }',
    "order": 'collection(by: {slug: "open"}) { assets(after: $c, orderBy: {field: NAME}) { nodes { __typename } } }',
    "direction": 'collection(by: {slug: "open"}) { assets(after: $c, orderBy: {field: POSITION, direction: DESC}) {'
    " nodes { __typename } } }",
    "parent": 'collection(by: {slug: "inner"}) { assets(after: $c) { nodes { __typename } } }',
    "with descendants": 'collection(by: {slug: "open"}) { assets(after: $c, includeDescendants: true) {'
    " nodes { __typename } } }",
    "another field": 'collection(by: {slug: "open"}) { children(after: $c) { nodes { __typename } } }',
    "all assets": "assets(after: $c) { nodes { __typename } }",
    "topics": "topics(after: $c) { nodes { __typename } }",
}


async def test_a_cursor_is_valid_only_in_its_own_list_and_for_its_own_viewer(ask: GraphQLClient) -> None:
    _, cursors = await page(ask, "eve")
    queries = {name: f"query($c: String) {{ {text} }}" for name, text in LISTS_OF_ASSETS.items()}
    own = queries.pop("its own")
    assert (await ask("eve", own, c=cursors[0]))["collection"]["assets"]["totalCount"] == 4
    for name, query in queries.items():
        assert await ask.errors("eve", query, c=cursors[0]) == BAD, name
    for who in VIEWERS:
        if who != "eve":
            assert await ask.errors(who, own, c=cursors[0]) == BAD, who


async def test_cursors_of_orders_by_value_are_bound_to_the_order(ask: GraphQLClient) -> None:
    query = "query($c: String, $o: AssetOrder) { assets(after: $c, orderBy: $o) { edges { cursor } } }"
    orders = [
        {"field": field, "direction": direction}
        for field in ("RELEVANCE", "NAME", "CREATED_AT", "UPDATED_AT")
        for direction in ("ASC", "DESC")
    ]
    for order in orders:
        cursor = (await ask("eve", query, o=order))["assets"]["edges"][0]["cursor"]
        for other in orders:
            if other == order:
                assert len((await ask("eve", query, c=cursor, o=other))["assets"]["edges"]) == 5
            else:
                assert await ask.errors("eve", query, c=cursor, o=other) == BAD


FIRST = """{ open: collection(by: {slug: "open"}) { assets(first: 1) { pageInfo { endCursor } } }
  deep: collection(by: {slug: "deep"}) { assets(first: 1) { pageInfo { endCursor } } } }"""
NEXT = """query($open: String, $deep: String) {
  deep: collection(by: {slug: "deep"}) { assets(first: 1, after: $deep) { nodes { ... on AssetFields { name } } } }
  open: collection(by: {slug: "open"}) { assets(first: 1, after: $open) { nodes { ... on AssetFields { name } } } } }"""


async def test_cursors_of_the_same_asset_in_two_collections_mark_different_places(ask: GraphQLClient) -> None:
    # The first asset that eve sees is lens in both.
    first = await ask("eve", FIRST)
    cursors = {name: first[name]["assets"]["pageInfo"]["endCursor"] for name in first}
    following = await ask("eve", NEXT, **cursors)
    assert following["open"]["assets"]["nodes"] == [{"name": "align"}]
    assert following["deep"]["assets"]["nodes"] == []


async def test_a_bad_cursor_in_nested_lists_rejects_the_field_of_the_root(ask: GraphQLClient) -> None:
    _, cursors = await page(ask, "eve")
    query = "query($c: String) { collections(first: 5) { nodes { slug assets(after: $c) { totalCount } } } }"
    answer = (await ask.response("eve", query, c=cursors[0])).json()
    assert answer["data"] == {"collections": None}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_CURSOR"}
    assert {error["message"] for error in answer["errors"]} == {BAD[0][1]}
    assert all(error["path"][:2] == ["collections", "nodes"] for error in answer["errors"])


async def test_a_bad_cursor_leaves_the_fields_beside_it(ask: GraphQLClient) -> None:
    lists = "topics { nodes { assetCounts { total } } } assets { totalCount nodes { ... on AssetFields { name } } }"
    query = f'{{ collections(first: 5) {{ nodes {{ assets(after: "x") {{ totalCount }} }} }} {lists} }}'
    answer = (await ask.response("eve", query)).json()
    assert answer["data"] == {"collections": None} | await ask("eve", f"{{ {lists} }}")
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_CURSOR"}


async def test_a_value_cancelled_beside_a_rejected_field_is_still_loaded_for_others(ask: GraphQLClient) -> None:
    alone = 'topic(by: {slug: "genomics"}) { assetCounts { total } }'
    refused = "topics { nodes { assetCounts { total } } edges { node { history { nodes { id } } } } }"
    answer = (await ask.response("eve", f"{{ {alone} {refused} }}")).json()
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}


Between = Callable[[GraphQLClient, str], Any]


async def hide(ask: GraphQLClient, name: str) -> None:
    """Revoke every grant on the asset except its owner's."""
    async with ask.database.write() as connection:
        pk = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.name == name))
        await connection.execute(delete(sql.grant).where(sql.grant.c.asset_pk == pk, sql.grant.c.access < 4))


async def remove(ask: GraphQLClient, name: str) -> None:
    """Remove the asset from every collection."""
    async with ask.database.write() as connection:
        pk = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.name == name))
        await connection.execute(delete(sql.membership).where(sql.membership.c.asset_pk == pk))


async def rename(ask: GraphQLClient, name: str) -> None:
    """Give the asset a name that sorts first."""
    async with ask.database.write() as connection:
        await connection.execute(
            update(sql.asset).where(sql.asset.c.external_id == name).values(name="aaa", name_key="aaa")
        )


ORDERS = ("POSITION", "ADDED_AT", "NAME", "UPDATED_AT")
WALK = """query($o: MembershipOrder, $first: Int, $after: String, $last: Int, $before: String, $below: Boolean!) {
  collection(by: {slug: "open"}) { assets(first: $first, after: $after, last: $last, before: $before, orderBy: $o,
    includeDescendants: $below) { edges { cursor node { ... on AssetFields { externalId } } } } } }"""


@pytest.mark.parametrize("between", [hide, remove, rename])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_paging_continues_when_the_row_of_the_cursor_is_gone(
    ask_own: GraphQLClient, between: Between, direction: str
) -> None:
    model = await load_model(ask_own)
    for index, order in enumerate(ORDERS):
        below = index % 2 == 0
        before = await _edges(ask_own, "eve", o={"field": order, "direction": direction}, below=below)
        assert [name for name, _ in before] == model.collection_assets(
            "eve", "open", order, descending=direction == "DESC", include_descendants=below
        )
    marked = {
        order: await _edges(ask_own, "eve", o={"field": order, "direction": direction}, below=False) for order in ORDERS
    }
    await between(ask_own, "blast")
    for order, before in marked.items():
        other = {"o": {"field": order, "direction": direction}, "below": False}
        whole = [name for name, _ in before]
        place, cursor = next((place, cursor) for place, (name, cursor) in enumerate(before) if name == "blast")
        after = [name for name, _ in await _edges(ask_own, "eve", after=cursor, **other)]
        until = [name for name, _ in await _edges(ask_own, "eve", last=100, before=cursor, **other)]
        # A renamed row has another position now and may be returned again; each other row is returned once.
        assert [name for name in after if name != "blast"] == whole[place + 1 :], order
        assert [name for name in until if name != "blast"] == whole[:place], order


async def _edges(ask: GraphQLClient, who: str, **variables: Any) -> list[tuple[str, str]]:
    edges = (await ask(who, WALK, **variables))["collection"]["assets"]["edges"]
    return [(edge["node"]["externalId"], edge["cursor"]) for edge in edges]


async def test_a_ranked_cursor_survives_the_loss_of_all_rows_before_it(ask_own: GraphQLClient) -> None:
    whole, cursors = await page(ask_own, "eve")
    assert whole == ["lens", "align", "blast", "count"]
    await hide(ask_own, "blast")
    assert (await page(ask_own, "eve", after=cursors[2]))[0] == ["count"]
    await remove(ask_own, "align")
    assert (await page(ask_own, "eve", after=cursors[2]))[0] == ["count"]
    assert (await page(ask_own, "eve", last=5, before=cursors[2]))[0] == ["lens"]
    await hide(ask_own, "lens")
    await remove(ask_own, "lens")
    assert (await page(ask_own, "eve", after=cursors[2]))[0] == ["count"]
    assert (await page(ask_own, "eve", last=5, before=cursors[2]))[0] == []


async def test_new_cursors_contain_only_rows_that_are_still_in_the_list(ask_own: GraphQLClient) -> None:
    whole, cursors = await page(ask_own, "eve")
    await remove(ask_own, "blast")
    _, fresh = await page(ask_own, "eve")
    assert await page(ask_own, "eve", after=cursors[2]) == (["count"], fresh[2:])
    assert whole[3] == "count"


EVERYTHING = """{ deployment { publicSharing } topics { totalCount edges { cursor node {
    slug assetCounts { total } collections { totalCount edges { cursor node { slug } } } } } }
  collections(orderBy: {field: ASSET_COUNT}) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
    slug version updatedAt children { edges { cursor node { slug } } }
    assetCounts(includeDescendants: true) { total models }
    assets { totalCount pageInfo { startCursor endCursor } edges { cursor addedAt node { __typename } } }
    below: assets(includeDescendants: true, first: 3) { totalCount pageInfo { endCursor } edges { cursor } }
    short: assets(first: 2) { pageInfo { hasNextPage endCursor } edges { cursor } }
    late: assets(last: 2, orderBy: {field: ADDED_AT, direction: DESC}) { edges { cursor node { __typename } } } } } }
  assets { totalCount edges { cursor node { ... on AssetFields { id name tags
    collections { totalCount edges { cursor node { slug } } } uses { totalCount edges { cursor } }
    usedBy { totalCount edges { cursor } } } } } } }"""
PANEL = """{ viewer { collections { totalCount edges { cursor } } } collections { nodes { addableAssets { totalCount
  edges { cursor isMember } } } } }"""


async def test_changes_of_hidden_members_change_no_byte_of_any_response(ask_own: GraphQLClient) -> None:
    async def answers() -> dict[str, list[bytes]]:
        contents = {}
        for who in ("eve", "sam", ANONYMOUS):
            queries = [EVERYTHING] if who == ANONYMOUS else [EVERYTHING, PANEL]
            with lift_cost_limits():
                responses = [await ask_own.response(who, query) for query in queries]
            assert all("errors" not in response.json() for response in responses), responses[0].json()
            contents[who] = [response.content for response in responses]
        return contents

    async with ask_own.database.write() as connection:
        pks = dict(tuple(row) for row in await connection.execute(select(sql.asset.c.name, sql.asset.c.pk)))
        slugs = dict(tuple(row) for row in await connection.execute(select(sql.collection.c.slug, sql.collection.c.pk)))
    before, of_olu = await answers(), (await ask_own.response("olu", EVERYTHING)).content
    membership = sql.membership
    of_hidden = membership.c.asset_pk == pks["hidden"]
    changes = [
        update(membership).where(of_hidden).values(rank=1),  # to the front
        update(membership).where(of_hidden).values(rank=1 << 50, added_at=1, note="x"),  # and to the end
        delete(membership).where(of_hidden),
        *(
            membership.insert().values(collection_pk=pk, asset_pk=pks["genomes"], rank=3, added_at=5)
            for slug, pk in slugs.items()
            if slug not in {"deep", "members"}
        ),
        membership.insert().values(collection_pk=slugs["bare"], asset_pk=pks["hidden"], rank=4, added_at=5),
        update(sql.asset).where(sql.asset.c.name == "hidden").values(name="zzz", name_key="zzz", updated_at=1 << 40),
        update(sql.asset).where(sql.asset.c.pk == pks["images"]).values(status="FAILED", is_gold=1, gold_at=5),
        sql.asset_use.insert().values(asset_pk=pks["hidden"], uses_pk=pks["align"], rank=1),
        delete(sql.asset_use).where(sql.asset_use.c.uses_pk == pks["images"]),
        sql.asset_tag.insert().values(asset_pk=pks["hidden"], tag="secret", tag_key="secret"),
    ]
    for change in changes:
        async with ask_own.database.write() as connection:
            await connection.execute(change)
        assert await answers() == before, json.dumps(str(change))
    assert (await ask_own.response("olu", EVERYTHING)).content != of_olu  # olu sees the changed rows
