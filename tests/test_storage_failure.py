"""Failing storage: lost, frozen and full databases give one error, or none where the operation can be repeated."""

import asyncio
import errno
import logging
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from store.database import Database
from store.failure import Failure, StorageError, classify
from tests.conftest import GraphQLClient, World
from tests.db_snapshot import db_snapshot
from tests.mutations import Mutation
from tests.postgres import Postgres
from tests.stalling_proxy import open_proxy
from tests.test_topic_write import CREATE, order

MANY_FIELDS = "{ collections { nodes { slug topic { slug } assets { nodes { ... on AssetFields { name } } } } } }"
SEARCH = '{ assets(query: "confidentialmerger") { nodes { ... on AssetFields { name } } } }'
LOST = "The service is temporarily unavailable. Try again in a few seconds."
MAY_BE_SAVED = "The database was lost, and the change may be saved. Repeat it with its idempotencyKey, or reload."
FULL = "The server's disk is full or read-only: nothing was changed. Its operator has to free some space."


def _sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (_sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), Failure.BUSY),
        (_sqlite_error(sqlite3.SQLITE_FULL), Failure.FULL),
        (_sqlite_error(sqlite3.SQLITE_READONLY_DIRECTORY), Failure.FULL),
        (_sqlite_error(sqlite3.SQLITE_IOERR_WRITE), Failure.FULL),
        (_sqlite_error(sqlite3.SQLITE_IOERR_READ), Failure.UNUSABLE),
        (_sqlite_error(sqlite3.SQLITE_CORRUPT), Failure.UNUSABLE),
        (_sqlite_error(sqlite3.SQLITE_CONSTRAINT), None),
        (OperationalError("SELECT", {}, _sqlite_error(sqlite3.SQLITE_LOCKED)), Failure.BUSY),
        (IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed")), None),
        (asyncpg.AdminShutdownError("terminating connection"), Failure.LOST),
        (asyncpg.CannotConnectNowError("starting up"), Failure.LOST),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"), Failure.LOST),
        (asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE"), Failure.LOST),
        (asyncpg.InterfaceError("connection is closed"), Failure.LOST),
        (asyncpg.InterfaceError("the server expects 2 arguments for this query, 1 was passed"), None),
        (asyncpg.InternalClientError("cannot switch to state 12"), Failure.LOST),
        (asyncpg.DeadlockDetectedError("deadlock detected"), Failure.BUSY),
        (asyncpg.SerializationError("could not serialize"), Failure.BUSY),
        (asyncpg.LockNotAvailableError("lock timeout"), Failure.BUSY),
        (asyncpg.TooManyConnectionsError("too many clients"), Failure.BUSY),
        (asyncpg.DiskFullError("No space left on device"), Failure.FULL),
        (asyncpg.UniqueViolationError("duplicate key"), None),
        (asyncpg.UndefinedColumnError("no such column"), None),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), Failure.LOST),
        (OSError(errno.EROFS, "Read-only file system"), Failure.FULL),
        (TimeoutError(), Failure.SLOW),
        (PoolTimeoutError(), Failure.BUSY),
        (ValueError(), None),
    ],
    ids=repr,
)
def test_every_drivers_errors_are_classified_in_one_place(error: Exception, failure: Failure | None) -> None:
    assert classify(error) is failure


@pytest.fixture(params=["on", "reference"])
async def ask(
    own_world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GraphQLClient]:
    """Yield a client of a copy of the world, with the engine and index, or with graphql-core alone."""
    monkeypatch.setenv("ATOLL_ENGINE", request.param)
    client = GraphQLClient(own_world)
    yield client
    await client.close()


def assert_unavailable(response: httpx.Response, code: str, message: str) -> None:
    """Fail unless the response is this one error, with 503."""
    assert response.json() == {"errors": [{"message": message, "extensions": {"code": code}}]}
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"


Hook = Callable[[], None]


def before_statements(ask: GraphQLClient, hook: Hook) -> None:
    """Call the hook before each statement of the engine and of SQLAlchemy."""
    ask.database.observe_reads(lambda *_: hook())
    for engine in ask.database.engines:
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: hook())


def at_statement(number: int, act: Hook) -> Hook:
    """Return a hook that acts at its call of that number only."""
    calls = iter(range(1, 1_000_000))
    return lambda: act() if next(calls) == number else None


@pytest.fixture
def only_postgresql(backend: str) -> None:
    """Skip the test on SQLite, which has no connection to lose."""
    if backend == "sqlite":
        pytest.skip("SQLite has no server")


@pytest.mark.usefixtures("only_postgresql")
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_query_that_loses_its_connection_is_read_again(
    ask: GraphQLClient, postgres: Postgres, number: int
) -> None:
    expected = (await ask.response("mei", MANY_FIELDS)).json()
    ask.transport.forget_fragments()
    before_statements(ask, at_statement(number, postgres.terminate_sessions))
    response = await ask.response("mei", MANY_FIELDS)
    assert (response.status_code, response.json()) == (200, expected)


@pytest.mark.usefixtures("only_postgresql")
async def test_a_query_that_loses_every_connection_is_one_error(
    ask: GraphQLClient, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    await ask.response("mei", SEARCH)
    before_statements(ask, postgres.terminate_sessions)
    assert_unavailable(await ask.client.post("/graphql", json={"query": SEARCH}), "UNAVAILABLE", LOST)
    logged = "\n".join(map(logging.Formatter().format, caplog.records))
    assert not any(word in logged.lower() for word in ("select", "confidentialmerger", "traceback"))


@pytest.mark.usefixtures("only_postgresql")
async def test_a_query_of_a_stopped_server_is_one_error() -> None:
    with Postgres() as server:
        client = GraphQLClient(World(server.url()))
    assert_unavailable(await client.client.post("/graphql", json={"query": MANY_FIELDS}), "UNAVAILABLE", LOST)
    await client.close()


@pytest.mark.usefixtures("only_postgresql")
@pytest.mark.parametrize("number", [1, 2, 5])
async def test_a_mutation_that_loses_its_connection_before_its_commit_is_repeated(
    ask: GraphQLClient, postgres: Postgres, number: int
) -> None:
    await order(ask)
    hook = at_statement(number, postgres.terminate_sessions)
    event.listen(ask.database.engines[0].sync_engine, "before_cursor_execute", lambda *_: hook())
    assert (await CREATE(ask, "ada", name="New"))["topic"]["slug"] == "new"
    assert await order(ask) == ["imaging", "genomics", "empty", "new"]


@pytest.mark.usefixtures("only_postgresql")
async def test_a_connection_lost_after_the_last_read_changes_no_response(
    ask: GraphQLClient, postgres: Postgres
) -> None:
    ends: list[object] = []

    def lose(connection: object) -> None:
        ends.append(connection)
        postgres.terminate_sessions()

    event.listen(ask.database.engines[1].sync_engine, "rollback", lose)
    assert (await CREATE(ask, "ada", name="New"))["topic"]["slug"] == "new"
    assert len(ends) == 2, "before the mutation, and after its payload"


@pytest.mark.usefixtures("only_postgresql")
@pytest.mark.parametrize("command", ["BEGIN", "ROLLBACK"])
async def test_a_connection_whose_transaction_did_not_begin_or_end_is_not_used_again(
    ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    execute = asyncpg.Connection.execute
    refused: list[str] = []

    async def refuse_once(connection: Any, query: str, *arguments: Any, **options: Any) -> Any:
        if query.startswith(command) and not refused:
            refused.append(query)
            raise asyncpg.QueryCanceledError("canceling statement due to user request")
        return await execute(connection, query, *arguments, **options)

    await order(ask)
    monkeypatch.setattr(asyncpg.Connection, "execute", refuse_once)
    headers = {"authorization": f"Bearer {ask.tokens['ada']}"}
    await ask.client.post(
        "/graphql", json={"query": CREATE.query, "variables": {"input": {"name": "First"}}}, headers=headers
    )
    assert refused
    assert (await CREATE(ask, "ada", name="New"))["topic"]["slug"] == "new"


@pytest.mark.usefixtures("only_postgresql")
async def test_a_dry_run_that_loses_its_connection_before_the_rollback_is_unavailable(
    ask: GraphQLClient, postgres: Postgres
) -> None:
    nodes = (await ask("ada", "{ topics { nodes { id } } }"))["topics"]["nodes"]
    merge = Mutation("topicMerge", "topic { id }")
    event.listen(ask.database.engines[0].sync_engine, "rollback", lambda _: postgres.terminate_sessions())
    given = {"sourceIds": [nodes[0]["id"]], "targetId": nodes[1]["id"], "dryRun": True}
    assert_unavailable(await ask.response("ada", merge.query, input=given), "UNAVAILABLE", LOST)
    assert await order(ask) == ["imaging", "genomics", "empty"]


@pytest.fixture(params=[True, False], ids=["committed", "rolled-back"])
def lose_commit(
    ask: GraphQLClient, postgres: Postgres, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Lose the answer to the next COMMIT; return whether it reaches the server."""
    dialect = ask.database.engines[0].sync_engine.dialect
    commit = dialect.do_commit

    def do_commit(connection: Any) -> None:
        monkeypatch.undo()
        if request.param:
            commit(connection)
        postgres.terminate_sessions()
        connection.cursor().execute("select 1")

    monkeypatch.setattr(dialect, "do_commit", do_commit)
    return bool(request.param)


@pytest.mark.usefixtures("only_postgresql")
async def test_a_lost_commit_with_an_idempotency_key_is_made_once(ask: GraphQLClient, lose_commit: bool) -> None:  # noqa: FBT001 - a fixture
    del lose_commit
    payload = await CREATE(ask, "ada", name="New", idempotencyKey="once")
    assert (payload["topic"]["slug"], payload["userErrors"]) == ("new", [])
    assert await order(ask) == ["imaging", "genomics", "empty", "new"]


@pytest.mark.usefixtures("only_postgresql")
async def test_a_lost_commit_without_a_key_is_not_repeated(ask: GraphQLClient, lose_commit: bool) -> None:  # noqa: FBT001 - a fixture
    response = await ask.response("ada", CREATE.query, input={"name": "New"})
    assert_unavailable(response, "UNAVAILABLE", MAY_BE_SAVED)
    assert await order(ask) == ["imaging", "genomics", "empty", *(["new"] if lose_commit else [])]


@pytest.mark.usefixtures("only_postgresql", "lose_commit")
async def test_a_lost_commit_whose_repetition_is_lost_as_well_may_be_saved(
    ask: GraphQLClient, postgres: Postgres
) -> None:
    engine = ask.database.engines[0].sync_engine

    def lose(_connection: object) -> None:
        event.listen(engine, "before_cursor_execute", lambda *_: postgres.terminate_sessions())

    event.listen(engine, "commit", lose)
    response = await ask.response("ada", CREATE.query, input={"name": "New", "idempotencyKey": "once"})
    assert_unavailable(response, "UNAVAILABLE", MAY_BE_SAVED)


async def test_a_full_disk_is_storage_full_and_changes_nothing(ask: GraphQLClient, backend: str) -> None:
    async with ask.database.write() as connection:
        if backend == "sqlite":
            await connection.execute(text("PRAGMA max_page_count=1"))
        else:
            body = "begin raise 'x' using errcode = '53100'; end"
            create = f"create function full_disk() returns trigger language plpgsql as $$ {body} $$"
            await connection.execute(text(create))
            await connection.execute(text("create trigger t before insert on topic execute function full_disk()"))
    before = await db_snapshot(ask.database)
    response = await ask.response("ada", CREATE.query, input={"name": "New", "description": "x" * 9_000})
    assert_unavailable(response, "STORAGE_FULL", FULL)
    assert await db_snapshot(ask.database) == before
    assert await order(ask) == ["imaging", "genomics", "empty"]


async def test_a_read_only_file_is_storage_full(ask: GraphQLClient, backend: str) -> None:
    if backend != "sqlite":
        pytest.skip("of a file only")
    async with ask.database.write() as connection:
        await connection.execute(text("PRAGMA query_only=ON"))
    assert_unavailable(await ask.response("ada", CREATE.query, input={"name": "New"}), "STORAGE_FULL", FULL)


Freeze = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["server", "network"])
async def freeze(
    request: pytest.FixtureRequest, backend: str, own_world: World, postgres: Postgres
) -> AsyncIterator[Freeze]:
    """Yield a context manager in which the database answers nothing, on open connections and new ones."""
    if backend == "sqlite":
        pytest.skip("SQLite has no server")
    if request.param == "server":
        yield postgres.freeze
        return
    async with open_proxy(postgres.port) as proxy:
        own_world.url = own_world.url.replace(f":{postgres.port}/", f":{proxy.port}/")
        yield proxy.stall


async def test_a_frozen_database_is_unavailable_in_time_and_used_again_afterwards(
    freeze: Freeze, ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.postgres_reader.ACQUIRE_SECONDS", 1)
    ask.database.operation_seconds = 1
    await order(ask)
    await CREATE(ask, "ada", name="Before")
    requests = [MANY_FIELDS, 'mutation { topicCreate(input: {name: "During"}) { topic { slug } } }']
    headers = {"authorization": f"Bearer {ask.tokens['ada']}"}
    with freeze():
        begun = time.monotonic()
        assert (await ask.client.get("/readyz")).status_code == 503
        assert time.monotonic() - begun < 1
        for query in [*requests, *requests]:
            begun = time.monotonic()
            async with asyncio.timeout(30):
                response = await ask.client.post("/graphql", json={"query": query}, headers=headers)
            assert_unavailable(response, "UNAVAILABLE", response.json()["errors"][0]["message"])
            assert time.monotonic() - begun < 3
    assert await order(ask) == ["imaging", "genomics", "empty", "before"]
    await CREATE(ask, "ada", name="After")


@pytest.fixture
def file(ask: GraphQLClient, backend: str) -> Path:
    """Return the database's file."""
    if backend != "sqlite":
        pytest.skip("of a file only")
    return Path(str(ask.database.url.database))


def remove(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def replace(file: Path) -> None:
    shutil.copy(file, file.with_suffix(".backup"))
    remove(file)
    file.with_suffix(".backup").rename(file)


@pytest.mark.parametrize("act", [remove, replace])
async def test_nothing_is_written_to_a_file_that_is_no_longer_the_databases(
    ask: GraphQLClient, file: Path, act: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    await CREATE(ask, "ada", name="Before")
    assert (await ask.client.get("/readyz")).status_code == 200
    act(file)
    # Not by `ask.response`, which refreshes the index first: that fails if a reader opens its first connection then.
    request = {"query": CREATE.query, "variables": {"input": {"name": "New"}}}
    headers = {"authorization": f"Bearer {ask.tokens['ada']}"}
    response = await ask.client.post("/graphql", json=request, headers=headers)
    assert_unavailable(response, "UNAVAILABLE", LOST)
    ready = await ask.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert f"{file} was moved, replaced or deleted while Atoll was running" in caplog.messages[-1]
    assert "restart Atoll" in caplog.messages[-1]
    assert file.exists() == (act is replace)


async def test_no_connection_creates_a_file(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    database = Database(f"sqlite+aiosqlite:///{path}")
    for use in (database.snapshot, database.write):
        with pytest.raises(StorageError):
            await use().__aenter__()
    with pytest.raises(StorageError):
        await database.read(lambda _: asyncio.sleep(0))
    await database.close()
    assert not path.exists()
