"""Collection graph: everything that a viewer sees, in pages of rows that are fixed at the first one."""

from typing import Any

import pytest
from sqlalchemy import delete, func, insert, literal, select, true, update

from proofs.model_reader import read_model
from resolvers.pull.part import GraphPart
from store import sql
from store.pulls import CHUNK_ROWS, MAX_PULLS, MAX_VISITORS_PULLS, SERVED_MS
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, World, set_public_sharing
from tests.graph_client import PARTS, PULL, expected_rows, name_rows, next_page, pull

EXPIRED = (
    "The pages of this pull are not served any more: its first page was requested more than an hour ago, or many others"
    " since. Start again without `after`."
)
FOREIGN = "This cursor does not belong to this list. Start again without a cursor."


@pytest.fixture(params=["on", "reference"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with the engine, and with graphql-core."""
    monkeypatch.setenv("ATOLL_ENGINE", request.param)


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("who", VIEWERS)
async def test_each_viewer_pulls_what_the_oracle_says(ask: GraphQLClient, who: str) -> None:
    model = await read_model(ask.database)
    assert name_rows(await pull(ask, who), model) == expected_rows(model, who)


@pytest.mark.usefixtures("executor")
async def test_small_pages_have_the_same_rows_in_the_same_order(ask: GraphQLClient) -> None:
    whole = await pull(ask, "ada")
    assert {first: await pull(ask, "ada", first) == whole for first in (1, 2, 7)} == {1: True, 2: True, 7: True}


async def test_pages_across_chunks_have_every_row_once(ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await pull(ask, "mei")
    for module in ("store.pulls", "resolvers.pull.page"):
        monkeypatch.setattr(f"{module}.CHUNK_ROWS", 2)
    assert sum(map(len, whole.values())) < CHUNK_ROWS
    await forget_pulls(ask)
    assert await pull(ask, "mei", 3) == whole
    assert await pull(ask, "mei", 9) == whole
    size = sum(map(len, whole.values()))
    before_last = await next_page(ask, "mei", size - 1)
    last = await next_page(ask, "mei", 7, before_last["pageInfo"]["endCursor"])
    after_last = await next_page(ask, "mei", 7, last["pageInfo"]["endCursor"])
    assert (last["pageInfo"]["hasNextPage"], after_last["pageInfo"]["endCursor"]) == (False, None)


async def forget_pulls(ask: GraphQLClient) -> None:
    """Delete the pulls of other tests."""
    async with ask.database.write() as connection:
        await connection.execute(delete(sql.pull_chunk))
        await connection.execute(delete(sql.pull))


async def test_page_info_says_where_a_page_is(ask: GraphQLClient) -> None:
    first = await next_page(ask, "eve", 4)
    second = await next_page(ask, "eve", 1_000, first["pageInfo"]["endCursor"])
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)
    nothing = await next_page(ask, "eve", 4, second["pageInfo"]["endCursor"])
    assert nothing["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": None,
        "endCursor": None,
    }


async def test_parts_can_be_selected(ask: GraphQLClient) -> None:
    whole = await pull(ask, "ada")
    some = await pull(ask, "ada", 3, include=["MEMBERSHIPS", "TOPICS"])
    assert some == {part: whole[part] if part in {"topics", "memberships"} else [] for part in PARTS}
    assert await pull(ask, "ada", include=[]) == {part: [] for part in PARTS}


async def test_a_membership_has_its_columns(ask_own: GraphQLClient) -> None:
    async with ask_own.database.write() as connection:
        adder = await connection.scalar(select(sql.principal.c.pk).where(sql.principal.c.external_id == "olu"))
        await connection.execute(update(sql.membership).values(added_at=1_000, added_by_pk=adder, note="why"))
    rows = await pull(ask_own, "eve")
    olu = next(user["id"] for user in rows["users"] if user["externalId"] == "olu")
    columns = {"addedAt": "1970-01-01T00:00:01.000Z", "addedBy": {"id": olu}, "note": "why"}
    assert {(row["addedAt"], row["addedBy"]["id"], row["note"]) for row in rows["memberships"]} == {
        (columns["addedAt"], olu, "why")
    }


@pytest.mark.usefixtures("executor")
async def test_the_rows_are_those_of_the_first_page(ask_own: GraphQLClient) -> None:
    ask = ask_own
    expected = await pull(ask, "eve")
    first = await next_page(ask, "eve", 5)
    async with ask.database.write() as connection:
        members = (await connection.execute(select(sql.membership).order_by(sql.membership.c.rank))).all()
        for rank, row in enumerate(reversed(members)):  # every collection in the reverse order
            is_row = sql.membership.c.collection_pk == row.collection_pk, sql.membership.c.asset_pk == row.asset_pk
            await connection.execute(update(sql.membership).where(*is_row).values(rank=rank + 1_000_000_000_000))
        lens = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.external_id == "hidden"))
        everyone = await connection.scalar(select(sql.principal.c.pk).where(sql.principal.c.kind == "EVERYONE"))
        await connection.execute(insert(sql.grant).values(asset_pk=lens, principal_pk=everyone, access=2))
    rest = await pull(ask, "eve", 5, first["pageInfo"]["endCursor"])
    assert {part: first[part] + rest[part] for part in PARTS} == expected
    assert len((await pull(ask, "eve"))["assets"]) == len(expected["assets"]) + 1


@pytest.mark.usefixtures("executor")
async def test_rows_that_were_hidden_meanwhile_are_omitted(ask_own: GraphQLClient) -> None:
    ask = ask_own
    first = await next_page(ask, "eve", 1)
    async with ask.database.write() as connection:
        align = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.external_id == "align"))
        await connection.execute(delete(sql.grant).where(sql.grant.c.asset_pk == align, sql.grant.c.access < 4))
    rest = await pull(ask, "eve", 2, first["pageInfo"]["endCursor"])
    assert {part: first[part] + rest[part] for part in PARTS} == await pull(ask, "eve")
    assert "align" not in {asset["externalId"] for asset in rest["assets"]}


async def test_visitors_see_nothing_more_after_sharing_is_turned_off(ask_own: GraphQLClient) -> None:
    first = await next_page(ask_own, ANONYMOUS, 1)
    await set_public_sharing(ask_own.database, is_on=False)
    rest = await pull(ask_own, ANONYMOUS, 1, first["pageInfo"]["endCursor"])
    assert rest == {part: [] for part in PARTS}


@pytest.mark.usefixtures("executor")
async def test_a_pull_belongs_to_its_viewer_and_its_parts(ask: GraphQLClient) -> None:
    after = (await next_page(ask, "eve", 1))["pageInfo"]["endCursor"]
    foreign = [("BAD_CURSOR", FOREIGN)]
    assert await ask.errors("mei", PULL, first=1, after=after) == foreign
    assert await ask.errors(ANONYMOUS, PULL, first=1, after=after) == foreign
    assert await ask.errors("eve", PULL, first=1, after=after, include=["TOPICS"]) == foreign
    assert await ask.errors("eve", PULL, first=1, after=after[:-1]) == foreign


async def test_pages_are_served_for_an_hour(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # Visitors, because the tokens of the members expire after an hour.
    await forget_pulls(ask_own)
    after = (await next_page(ask_own, ANONYMOUS, 1))["pageInfo"]["endCursor"]
    now_ms = int(await stored(ask_own, select(func.max(sql.pull.c.served_until)))) - SERVED_MS
    assert SERVED_MS == 3_600_000
    monkeypatch.setattr("store.ids.clock_ns", lambda: (now_ms + SERVED_MS - 1_000) * 1_000_000)
    await next_page(ask_own, ANONYMOUS, 1, after)
    monkeypatch.setattr("store.ids.clock_ns", lambda: (now_ms + SERVED_MS) * 1_000_000)
    assert await ask_own.errors(ANONYMOUS, PULL, first=1, after=after) == [("BAD_CURSOR", EXPIRED)]
    await next_page(ask_own, ANONYMOUS, 1, include=["TOPICS"])
    assert await stored(ask_own, select(func.count()).select_from(sql.pull)) == 1  # the expired one is deleted


async def stored(ask: GraphQLClient, statement: Any) -> Any:
    async with ask.database.snapshot() as snapshot:
        [[value]] = await snapshot.rows(statement)
        return value


async def test_the_same_rows_are_the_same_pull(ask_own: GraphQLClient) -> None:
    await forget_pulls(ask_own)
    pages = [await next_page(ask_own, who, 1) for who in ("eve", "eve", ANONYMOUS, ANONYMOUS)]
    assert pages[0] == pages[1]
    assert pages[2] == pages[3]
    assert await stored(ask_own, select(func.count()).select_from(sql.pull)) == 2


async def test_a_user_has_a_number_of_pulls_at_most(ask_own: GraphQLClient) -> None:
    ask = ask_own
    others = (await next_page(ask, "mei", 1))["pageInfo"]["endCursor"]
    cursors = []
    for number in range(MAX_PULLS + 1):
        async with ask.database.write() as connection:
            row = {"id": f"top_{number}", "slug": f"t{number}", "name": f"t{number}", "name_key": f"t{number}"}
            times = {"description": "", "rank": -number - 1, "version": 1, "created_at": 0, "updated_at": 0}
            await connection.execute(insert(sql.topic).values(row | times))
        cursors.append((await next_page(ask, "eve", 1))["pageInfo"]["endCursor"])
    assert await ask.errors("eve", PULL, first=1, after=cursors[0]) == [("BAD_CURSOR", EXPIRED)]
    for after in (*cursors[1:],):
        await next_page(ask, "eve", 1, after)
    await next_page(ask, "mei", 1, others)


async def test_visitors_cannot_end_the_pulls_of_other_visitors(ask_own: GraphQLClient) -> None:
    """Pull all combinations of parts, more than there are pulls of visitors."""
    after = (await next_page(ask_own, ANONYMOUS, 1))["pageInfo"]["endCursor"]
    combinations = [[part for bit, part in enumerate(GraphPart) if number >> bit & 1] for number in range(63)]
    assert len(combinations) > MAX_VISITORS_PULLS
    for parts in combinations:
        await next_page(ask_own, ANONYMOUS, 1, include=parts)
    await next_page(ask_own, ANONYMOUS, 1, after)


async def test_hidden_writes_change_no_byte(ask_own: GraphQLClient) -> None:
    before = (await ask_own.response("eve", PULL, first=5)).content
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.asset).where(sql.asset.c.external_id == "hidden").values(name="other"))
        hidden = select(sql.asset.c.pk).where(sql.asset.c.external_id == "hidden").scalar_subquery()
        of_hidden = sql.membership.c.asset_pk == hidden
        await connection.execute(update(sql.membership).where(of_hidden).values(rank=sql.membership.c.rank - 1))
        await connection.execute(delete(sql.membership).where(of_hidden))
    assert (await ask_own.response("eve", PULL, first=5)).content == before


@pytest.mark.usefixtures("engine_on")
async def test_a_page_takes_the_same_statements_however_large_the_pull_is(ask_own: GraphQLClient) -> None:
    ask = ask_own

    async def statements() -> list[str]:
        first = await next_page(ask, "ada", 12, include=["COLLECTIONS", "MEMBERSHIPS"])
        await next_page(ask, "ada", 12, first["pageInfo"]["endCursor"], include=["COLLECTIONS", "MEMBERSHIPS"])
        return list(ask.statements)

    before = await statements()
    async with ask.database.write() as connection:
        await connection.execute(
            insert(sql.membership).from_select(
                ["collection_pk", "asset_pk", "rank", "added_at"],
                select(sql.collection.c.pk, sql.asset.c.pk, sql.asset.c.pk, literal(0))
                .select_from(sql.collection.join(sql.asset, true()))
                .where(sql.collection.c.slug == "bare"),
            )
        )
    assert await statements() == before


@pytest.mark.parametrize(
    ("selected", "objects"),
    [
        ("topics { id }", 1 + 500),
        ("topics { id } assets { ... on AssetFields { id } } memberships { assetId }", 1 + 500),
        ("topics { id } memberships { addedBy { id } }", 1 + 500 + 500),
    ],
)
async def test_the_cost_is_that_of_the_most_expensive_rows(ask: GraphQLClient, selected: str, objects: int) -> None:
    query = f"query($after: String) {{ collectionGraph(first: 500, after: $after) {{ {selected} }} }}"
    cost = (await ask.response("eve", query)).json()["extensions"]["cost"]
    assert cost["objects"] == objects
    after = (await next_page(ask, "eve", 1))["pageInfo"]["endCursor"]
    assert (await ask.response("eve", query, after=after)).json()["extensions"]["cost"]["reads"] < cost["reads"] / 10


@pytest.mark.parametrize("first", [-1, 1_001])
async def test_a_page_size_out_of_bounds_is_refused(ask: GraphQLClient, first: int) -> None:
    message = f"first is {first}; it must be from 0 to 1,000."
    assert await ask.errors("eve", PULL, first=first) == [("BAD_USER_INPUT", message)]


async def test_a_pull_beside_an_answer_from_memory_is_stored(ask: GraphQLClient, world: World) -> None:
    del world
    both = PULL.replace("collectionGraph(", "topics { nodes { id } } collectionGraph(")
    after = (await ask("lou", both, first=2))["collectionGraph"]["pageInfo"]["endCursor"]
    assert sum(map(len, (await pull(ask, "lou", 1_000, after)).values())) > 0
