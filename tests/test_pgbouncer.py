"""PgBouncer in transaction mode: every transaction gets another session of the server."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import pytest

from store.database import Database
from store.error import DatabaseUrlError
from tests.conftest import GraphQLClient, World
from tests.missing import skip_or_fail
from tests.postgres import Postgres
from tests.test_topic_write import CREATE, order

BINARY = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
QUERIES = (
    "{ topics { nodes { slug collections { nodes { slug } } } } }",
    '{ assets(query: "a", first: 5) { nodes { ... on AssetFields { name tags } } totalCount } }',
    "{ collections { nodes { slug assets { nodes { ... on AssetFields { name } } } } } }",
)


@pytest.fixture(params=["on", "reference"])
async def ask(
    own_world: World, postgres: Postgres, backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GraphQLClient]:
    """Yield a client of a copy of the world, whose server reaches the database through PgBouncer."""
    if backend == "sqlite":
        pytest.skip("SQLite has no pooler")
    if BINARY is None:
        skip_or_fail("pgbouncer is not installed")
    monkeypatch.setenv("ATOLL_ENGINE", request.param)
    with postgres.pooled(BINARY) as port:
        await asyncio.sleep(0.5)
        url = own_world.url.replace(f":{postgres.port}/", f":{port}/")
        client = GraphQLClient(World(f"{url}?statement_cache_size=0", own_world.tokens))
        yield client
        await client.close()


async def test_responses_through_pgbouncer_are_the_same(ask: GraphQLClient, own_world: World) -> None:
    direct = GraphQLClient(own_world)
    for query in QUERIES:
        expected = await direct("mei", query)
        assert await asyncio.gather(*(ask("mei", query) for _ in range(12))) == [expected] * 12
    await direct.close()
    assert (await ask.client.get("/readyz")).json() == {"status": "ready"}


async def test_mutations_through_pgbouncer_are_made(ask: GraphQLClient) -> None:
    await asyncio.gather(*(CREATE(ask, "ada", name=f"New {number}") for number in range(8)))
    slugs = await order(ask)
    assert sorted(slugs[3:]) == [f"new-{number}" for number in range(8)]


def test_options_of_the_url_that_are_no_numbers_are_rejected() -> None:
    with pytest.raises(DatabaseUrlError, match="invalid statement_cache_size 'none'"):
        Database("postgresql+asyncpg://atoll@db/atoll?statement_cache_size=none")
