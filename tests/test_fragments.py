"""Answers from memory are those of the engine, and of the latest state."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import orjson
import pytest

from app.settings import Executor
from proofs.differential.index_faults import INDEX_FAULTS, IndexFault
from proofs.leaks import disable_logging
from proofs.proof import BrokenPromiseError
from tests.conftest import ANONYMOUS, VIEWERS, World
from tests.index_writes import BEFORE, SETUP, compare_after_writes
from tests.memory_client import MemoryClient, fill, read_ids
from tests.memory_queries import ASSET, OTHER_QUERIES, PAGE, PARTIAL_QUERIES, QUERIES, QUERIES_OF_MEMBERS
from tests.test_row_versions import execute


@pytest.fixture
async def clients(own_world: World) -> AsyncIterator[tuple[MemoryClient, MemoryClient]]:
    """Yield clients of two applications on a copy of the world: one with the index, and the reference."""
    indexed, reference = MemoryClient(own_world), MemoryClient(own_world, engine=Executor.REFERENCE)
    await execute(reference.database, *SETUP)
    await indexed.refresh()
    yield indexed, reference
    await indexed.close()
    await reference.close()


Clients = tuple[MemoryClient, MemoryClient]


def whole_queries(who: str) -> dict[str, str]:
    """Return the queries that the index answers for the viewer."""
    return QUERIES if who == ANONYMOUS else QUERIES | QUERIES_OF_MEMBERS


@pytest.mark.parametrize("who", VIEWERS)
async def test_answers_from_memory_are_those_of_the_reference(clients: Clients, who: str) -> None:
    indexed, reference = clients
    ids, whole = await read_ids(reference.database), whole_queries(who)
    for name, query in (QUERIES | QUERIES_OF_MEMBERS | PARTIAL_QUERIES | OTHER_QUERIES).items():
        expected = await reference.send(who, fill(query, ids))
        for state in ("cold", "warm"):
            assert await indexed.send(who, fill(query, ids)) == expected, f"{state}: {name}"
            assert indexed.is_from_memory == (name in whole or name in PARTIAL_QUERIES), f"{state}: {name}"
        # With warm fragments there is one statement: the guard.
        assert len(indexed.statements) == 1 or name not in whole, f"{name}: {indexed.statements}"


async def test_the_engine_executes_none_of_them(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise AssertionError("The engine executes the operation.")

    monkeypatch.setattr("app.query_engine.execute", fail)
    indexed, reference = clients
    ids = await read_ids(reference.database)
    for who in ("ada", "mei", ANONYMOUS):
        for query in (whole_queries(who) | PARTIAL_QUERIES).values():
            assert orjson.loads(await indexed.send(who, fill(query, ids))).keys() == {"data", "extensions"}
    with pytest.raises(AssertionError, match="The engine executes the operation"):
        await indexed.send("ada", OTHER_QUERIES["a filter"])


async def test_variables_choose_fields_and_arguments(clients: Clients) -> None:
    query = """query($first: Int, $yes: Boolean!, $id: ID!, $slug: String!) { topics(first: $first) { nodes { slug
        name @include(if: $yes) } pageInfo { endCursor } } node(id: $id) { __typename ... on Collection { name } }
        collection(by: {slug: $slug}) { assets(first: $first) { nodes { __typename } } } }"""
    indexed, reference = clients
    ids = await read_ids(reference.database)
    for variables in (
        {"first": 1, "yes": True, "id": ids["open"], "slug": "open"},
        {"first": 2, "yes": False, "id": ids["align"], "slug": "deep"},
        {"first": None, "yes": True, "id": ids["imaging"], "slug": "none"},
        {"yes": False, "id": ids["hidden"], "slug": "inner"},
    ):
        for who in ("mei", ANONYMOUS, "mei"):
            expected = await reference.send(who, query, **variables)
            assert await indexed.send(who, query, **variables) == expected, variables
            # A slug that no visible collection has may be a former one, which the index does not hold.
            assert indexed.is_from_memory == (orjson.loads(expected)["data"]["collection"] is not None), variables
    assert await indexed.send("mei", query, yes=1) == await reference.send("mei", query, yes=1)


LISTS = {
    "topics": f"query($first: Int, $after: String, $last: Int, $before: String) {{ topics(first: $first, after: $after,"
    f" last: $last, before: $before) {{ edges {{ cursor node {{ slug }} }} {PAGE} }} }}",
    "collections of a topic": f"""query($first: Int, $after: String, $last: Int, $before: String) {{
        topic(by: {{slug: "imaging"}}) {{ name collections(first: $first, after: $after, last: $last, before: $before)
        {{ edges {{ node {{ slug }} cursor }} {PAGE} }} }} }}""",
    "assets": f"""query($first: Int, $after: String, $last: Int, $before: String) {{ collection(by: {{slug: "open"}}) {{
        assets(first: $first, after: $after, last: $last, before: $before) {{ edges {{ cursor node {{ {ASSET} }} }}
        {PAGE} }} }} }}""",
    "assets, descending": f"""query($first: Int, $after: String, $last: Int, $before: String) {{
        collection(by: {{slug: "open"}}) {{ assets(first: $first, after: $after, last: $last, before: $before,
        orderBy: {{field: POSITION, direction: DESC}}) {{ edges {{ cursor node {{ {ASSET} }} }} {PAGE} }} }} }}""",
}
REMOVALS: tuple[Sequence[str], ...] = (
    (),
    (
        "DELETE FROM membership WHERE asset_pk = :align",
        "DELETE FROM topic WHERE pk = :empty",
        "UPDATE asset SET status = 'ARCHIVED' WHERE pk = :hidden",
        "UPDATE collection SET parent_pk = NULL, topic_pk = :genomics WHERE pk = :inner",
    ),
    ("DELETE FROM membership WHERE asset_pk IN (:lens, :hidden, :blast)",),
)
"""Statements that remove rows from the lists."""


@pytest.mark.parametrize("name", LISTS)
async def test_pages_between_cursors_are_those_of_the_reference(clients: Clients, name: str) -> None:
    """Cursors are of rows that are in the list, or that left it."""
    indexed, reference = clients
    query, cursors = (
        LISTS[name],
        {who: await read_cursors(reference, who, LISTS[name]) for who in ("olu", "mei")},
    )
    for removal in REMOVALS:
        await execute(reference.database, *removal)
        from_memory = 0
        for who, known in cursors.items():
            for bounds in pages(known):
                expected = await reference.send(who, query, **bounds)
                assert await indexed.send(who, query, **bounds) == expected, f"{removal}, as {who}: {bounds}"
                from_memory += indexed.is_from_memory
        assert from_memory > len(cursors) or removal  # where rows have left, SQL finds the place
    other = LISTS["assets" if name == "topics" else "topics"]
    invalid = {"first": 2, "after": cursors["mei"][0]}  # a cursor of another list
    assert await indexed.send("mei", other, **invalid) == await reference.send("mei", other, **invalid)


async def read_cursors(client: MemoryClient, who: str, query: str) -> list[str]:
    """Return the cursors of the whole list."""
    body = orjson.loads(await client.send(who, query, first=50))
    return re.findall(r"'cursor': '([^']+)'", str(body))


def pages(cursors: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield bounds of pages before, after and between the cursors."""
    for index, cursor in enumerate(cursors):
        yield {"first": 2, "after": cursor}
        yield {"last": 2, "before": cursor}
        if index % 2:
            yield {"last": 1, "after": cursors[index // 2], "before": cursor}
            yield {"first": 50, "after": cursor, "before": cursors[0]}
    yield from ({"first": 50}, {"last": 50}, {"first": 0, "after": cursors[0]})


async def test_a_write_while_fragments_are_read_is_in_the_answer(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed, reference = clients
    read, writes = indexed.database.read, iter(["UPDATE collection SET name = 'Late' WHERE pk = :open"])

    async def write_and_read(operation: Any) -> Any:
        for statement in writes:
            await execute(reference.database, statement)
        return await read(operation)

    monkeypatch.setattr(indexed.database, "read", write_and_read)
    for _ in range(2):
        query = "{ collections { nodes { name parent { name } } } }"
        assert await indexed.send("mei", query) == await reference.send("mei", query)
        assert indexed.is_from_memory
    assert next(writes, None) is None


async def test_after_each_write_the_next_answers_are_those_of_the_reference(own_world: World) -> None:
    await compare_after_writes(own_world)


@pytest.mark.parametrize("fault", INDEX_FAULTS, ids=lambda fault: fault.description)
async def test_a_fault_of_the_index_is_found(own_world: World, backend: str, fault: IndexFault) -> None:
    if backend == "sqlite":  # the faults are the same on both backends
        found_after = fault.writes[-1] if fault.writes else BEFORE
        with fault.plant(), disable_logging(), pytest.raises(BrokenPromiseError, match=f"^{found_after}, as "):
            await compare_after_writes(own_world, fault.writes)


TRIGGERS = {
    "principal_row_version_update": "an owner is renamed",
    "collection_row_version_update": "a collection is renamed",
    "asset_row_version_update": "an asset is renamed",
    "access_grant_row_version_insert": "a grant is added",
    "membership_row_version_delete": "assets are removed",
}


@pytest.mark.parametrize(("trigger", "write"), TRIGGERS.items())
async def test_a_missing_trigger_is_found(own_world: World, backend: str, trigger: str, write: str) -> None:
    table = "" if backend == "sqlite" else f" ON {trigger.partition('_row')[0]}"
    with pytest.raises(BrokenPromiseError, match=f"^{write}, as "):
        await compare_after_writes(own_world, [write], [f"DROP TRIGGER {trigger}{table}"])
