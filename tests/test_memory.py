"""The index of a process follows all changes of the database."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sqlalchemy import update

from app import query_engine
from engine import Plan
from fragments import memory
from fragments.program import Program, compile_program
from store import sql
from tests.conftest import ANONYMOUS, World
from tests.memory_client import MemoryClient
from tests.test_row_versions import execute

NAMES = "{ topics { nodes { name } totalCount } }"
RENAME = "UPDATE topic SET name = 'New' WHERE pk = :empty"
RENAME_AGAIN = "UPDATE topic SET name = 'Newer' WHERE pk = :empty"
TOPICS = ["imaging", "genomics", "empty"]


@pytest.fixture
async def client(own_world: World) -> AsyncIterator[MemoryClient]:
    """Yield a client of an application on a copy of the world, with an index."""
    created = MemoryClient(own_world)
    await created.refresh()
    yield created
    await created.close()


@pytest.fixture
async def other(own_world: World) -> AsyncIterator[MemoryClient]:
    """Yield a client of another process on the same database."""
    created = MemoryClient(own_world)
    await created.refresh()
    yield created
    await created.close()


async def names(client: MemoryClient, who: str = "mei") -> list[str]:
    """Return the names of the topics, as the application answers."""
    return [node["name"] for node in orjson.loads(await client.send(who, NAMES))["data"]["topics"]["nodes"]]


def index_of(client: MemoryClient) -> Any:
    assert client.memory
    return client.memory._index  # noqa: SLF001 - whether it is the same


async def built(client: MemoryClient) -> None:
    """Wait until the index is built."""
    assert client.memory
    await client.memory._building  # type: ignore[misc]  # noqa: SLF001 - the background task


async def test_plans_of_queries_that_left_the_cache_are_freed(
    client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[weakref.ref[Plan]] = []

    def compile_and_note(plan: Plan) -> Program:
        plans.append(weakref.ref(plan))
        return compile_program(plan)

    monkeypatch.setattr(query_engine, "compile_program", compile_and_note)
    monkeypatch.setattr(query_engine, "CACHE_SIZE", 2)
    for number in range(6):
        await client.send("mei", f"query Number{number} {{ topics {{ nodes {{ name }} }} }}")
    gc.collect()
    assert [plan() is not None for plan in plans] == [False] * 4 + [True] * 2


async def test_another_process_answers_the_next_query_with_the_new_state(
    client: MemoryClient, other: MemoryClient
) -> None:
    mutation = 'mutation { topicCreate(input: {name: "Made here"}) { topic { name } userErrors { code } } }'
    for each in (client, other):
        assert await names(each) == TOPICS
    await client.send("ada", mutation)
    for each in (other, client):
        assert await names(each) == [*TOPICS, "Made here"]
        assert each.is_from_memory
    await execute(other.database, RENAME)
    for each in (client, other):
        assert await names(each) == ["imaging", "genomics", "New", "Made here"]
        assert each.is_from_memory


async def test_concurrent_queries_after_a_write_share_one_reading(client: MemoryClient) -> None:
    await execute(client.database, RENAME)
    client.statements.clear()
    answers = await asyncio.gather(*(client.send("mei", NAMES) for _ in range(8)))
    assert len(set(answers)) == 1
    assert b"New" in answers[0]
    assert sum("FROM row_version" in statement for statement in client.statements) == 1


async def test_a_query_before_the_index_is_built_is_executed(own_world: World) -> None:
    client = MemoryClient(own_world)
    try:
        assert await names(client) == TOPICS
        assert not client.is_from_memory
        await built(client)
        assert await names(client) == TOPICS
        assert client.is_from_memory
    finally:
        await client.close()


async def test_more_changes_than_the_limit_lead_to_a_new_index(
    client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_CHANGES", 2)
    index = index_of(client)
    await execute(client.database, RENAME)
    assert (await names(client))[2] == "New"
    assert index_of(client) is index
    await execute(client.database, "UPDATE topic SET name = name || '!'")
    assert (await names(client))[2] == "New!"
    assert not client.is_from_memory  # the query does not wait for the new index
    await built(client)
    assert (await names(client))[2] == "New!"
    assert client.is_from_memory
    assert index_of(client) is not index


async def test_a_lower_version_leads_to_a_new_index(client: MemoryClient) -> None:
    """A database that was restored from a backup has a lower version."""
    index = index_of(client)
    assert await names(client) == TOPICS
    async with client.database.write() as connection:
        await connection.execute(update(sql.topic).where(sql.topic.c.slug == "empty").values(name="Restored"))
        await connection.execute(update(sql.deployment).values(row_version=0))
    assert (await names(client))[2] == "Restored"
    assert not client.is_from_memory
    await built(client)
    assert (await names(client))[2] == "Restored"
    assert client.is_from_memory
    assert index_of(client) is not index


async def test_an_index_that_cannot_be_updated_is_built_anew(
    client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("It cannot be updated.")

    index = index_of(client)
    with monkeypatch.context() as faulty:
        faulty.setattr("permissions.visibility_index.VisibilityIndex._update_members", fail)
        await execute(client.database, RENAME)
        with pytest.raises(AssertionError, match="It cannot be updated"):  # in the log; graphql-core answers
            await client.send("mei", NAMES)
    assert (await names(client))[2] == "New"
    await built(client)
    assert (await names(client))[2] == "New"
    assert client.is_from_memory
    assert index_of(client) is not index


async def test_with_constant_writes_the_engine_answers(client: MemoryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    read_one = client.database.read_one

    async def write_and_read(operation: Any) -> Any:
        await execute(other_database, RENAME_AGAIN)
        return await read_one(operation)

    other_database = client.database
    monkeypatch.setattr(client.database, "read_one", write_and_read)
    assert (await names(client))[2] == "Newer"
    assert not client.is_from_memory


async def test_a_stopped_index_answers_nothing(client: MemoryClient) -> None:
    assert client.memory
    await client.memory.stop()
    assert await names(client, ANONYMOUS) == TOPICS[:2]
    assert not client.is_from_memory


async def test_fragments_of_a_bounded_cache_are_read_again(own_world: World) -> None:
    client = MemoryClient(own_world)
    assert client.memory
    client.memory._cache._max_bytes = 2_000  # noqa: SLF001 - small: some of ten fragments are dropped
    query = "{ collections { nodes { name } } topics { nodes { name } } }"
    try:
        await client.refresh()
        answers = {await client.send("mei", query) for _ in range(5)}
        assert len(answers) == 1
    finally:
        await client.close()
