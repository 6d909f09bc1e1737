"""Lines of operations in the log: the same fields however an operation is answered, and no data in any line."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.application import create_application
from app.log import OWN_LOGGERS, Event, LogFormatter
from app.operation import OperationRecord
from app.operation_log import STDERR, OperationLog, fields_of
from app.settings import Executor, LogFormat, LogLevel, Settings
from store.database import Database
from tests.conftest import World
from tests.engine_log import ENGINE_ERRORS
from tests.in_process import InProcessTransport

DOC = Path(__file__).parents[1] / "docs" / "operations.md"

TOPICS = "query Topics { topics { nodes { slug } } }"
SEARCH = "query Search($words: String) { assets(query: $words) { totalCount } }"
CREATE = (
    "mutation Create($input: TopicCreateInput!) { topicCreate(input: $input) { topic { slug } userErrors { code } } }"
)
PLANTED = "planted"
SQL = re.compile(r"\b(SELECT|FROM|WHERE|INSERT|UPDATE)\b")


class Client:
    """Client of an application in this process, whose operations are logged as JSON."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world, self.database = world, Database(world.url)
        self.records: list[OperationRecord] = []
        self.statements: list[str] = []
        for engine in self.database.engines:
            event.listen(engine.sync_engine, "before_cursor_execute", self._count)
        self.database.observe_reads(lambda statement, _values: self.statements.append(statement))
        log = OperationLog(LogFormat.JSON, LogLevel.INFO, slow_ms=60_000)
        app = create_application(
            Settings(database_url=world.url, **settings),
            database=self.database,
            observe=[self.records.append, log.write],
        )
        self.transport = InProcessTransport(app)
        self.http = httpx.AsyncClient(transport=self.transport, base_url="http://atoll")

    async def post(self, body: object, *, token: str | None = None, **headers: str) -> httpx.Response:
        """Send a body: JSON, or text as it is."""
        content = body if isinstance(body, str) else json.dumps(body)
        headers = (
            {"content-type": "application/json"} | headers | ({"authorization": f"Bearer {token}"} if token else {})
        )
        self.statements.clear()
        return await self.http.post("/graphql", content=content, headers=headers)

    async def ask(self, who: str | None, query: str, **variables: Any) -> OperationRecord:
        """Send an operation and return its record."""
        await self.post({"query": query, "variables": variables}, token=self.world.tokens[who] if who else None)
        return self.records[-1]

    def _count(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(statement)

    async def close(self) -> None:
        await self.http.aclose()
        await self.database.close()


@pytest.fixture(params=["memory", "engine", "reference"])
async def client(request: pytest.FixtureRequest, own_world: World) -> AsyncIterator[Client]:
    """Yield a client of a copy of the world, for each way to answer queries."""
    engine = Executor.REFERENCE if request.param == "reference" else Executor.ON
    client = Client(own_world, engine=engine, index=request.param == "memory")
    await client.transport.refresh()
    yield client
    await client.close()


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[pytest.CaptureFixture[str]]:
    """Write the log to stderr as a server does, and yield the capture of stderr."""
    for name in OWN_LOGGERS:
        caplog.set_level(logging.INFO, name)
    with open(STDERR, "w", closefd=False) as stderr:
        handler = logging.StreamHandler(stderr)
        handler.setFormatter(LogFormatter(LogFormat.JSON))
        logging.getLogger().addHandler(handler)
        yield capfd
        logging.getLogger().removeHandler(handler)


async def test_the_record_of_a_query_is_the_same_whichever_way_it_is_answered(client: Client) -> None:
    record = await client.ask("mei", TOPICS)
    response = await client.http.post("/graphql", json={"query": TOPICS}, headers=_bearer(client, "mei"))
    assert (record.operation_name, record.operation_type, record.status) == ("Topics", "query", 200)
    assert record.document_hash == sha256(TOPICS.encode()).hexdigest()[:16]
    assert record.response_bytes == len(response.content)
    assert record.error_counts == {}
    assert (
        record.viewer_id
        == (
            await client.http.post(
                "/graphql", json={"query": "{ viewer { user { id } } }"}, headers=_bearer(client, "mei")
            )
        ).json()["data"]["viewer"]["user"]["id"]
    )
    assert 0 < record.use.nanoseconds < record.nanoseconds


@pytest.mark.parametrize(
    "query", [TOPICS, SEARCH, "{ viewer { isAdmin } a: topics { totalCount } b: assets { totalCount } }"]
)
async def test_statements_are_counted_whichever_way_a_query_is_answered(client: Client, query: str) -> None:
    for _ in ("cold", "warm"):
        record = await client.ask("mei", query)
        assert record.use.statements == len(client.statements) > 0


async def test_statements_of_a_mutation_are_counted(client: Client) -> None:
    record = await client.ask("ada", CREATE, input={"name": "new"})
    assert (record.operation_name, record.operation_type, record.status) == ("Create", "mutation", 200)
    assert record.use.statements == len(client.statements) > 3


async def test_concurrent_operations_have_records_of_their_own(client: Client) -> None:
    await asyncio.gather(
        *(client.post({"query": f"query N{number} {{ topics {{ totalCount }} }}"}) for number in range(8))
    )
    assert {record.operation_name for record in client.records} == {f"N{number}" for number in range(8)}
    assert {record.use.statements for record in client.records if record.viewer_id is None} <= {1, 2, 3}


async def test_a_visitor_has_no_id(client: Client) -> None:
    assert fields_of(await client.ask(None, TOPICS))["viewer"] is None


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [
        ("{", 400, {"BAD_REQUEST": 1}),
        ({"query": "{"}, 200, {"GRAPHQL_PARSE_FAILED": 1}),
        ({"query": "{ a b }"}, 200, {"GRAPHQL_VALIDATION_FAILED": 2}),
        ({"query": TOPICS, "operationName": "Other"}, 200, {"OPERATION_RESOLUTION_FAILURE": 1}),
        ({"query": CREATE, "variables": {"input": {"name": "x"}}}, 200, {"UNAUTHENTICATED": 1}),
        ({"query": SEARCH, "variables": {"words": 5}}, 200, {"BAD_USER_INPUT": 1}),
    ],
)
async def test_errors_are_counted_by_code(client: Client, body: object, status: int, errors: dict[str, int]) -> None:
    await client.post(body)
    [record] = client.records
    assert (record.status, record.error_counts) == (status, errors)


async def test_a_refused_token_has_an_event_with_its_reason(client: Client, log: pytest.CaptureFixture[str]) -> None:
    await client.post({"query": TOPICS}, token="atoll_unknown", **{"x-request-id": "7"})
    refused, operation = _lines(log)
    assert (refused["event"], refused["requestId"]) == ("tokenRefused", "7")
    assert refused["message"] == "Rejected a bearer token: unknown, expired or revoked."
    assert (operation["event"], operation["requestId"], operation["status"]) == ("operation", "7", 401)


async def test_a_cancelled_operation_is_logged_without_status(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("app.endpoint.read_request", wait)
    asking = asyncio.create_task(client.post({"query": TOPICS}))
    await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    [record] = client.records
    assert "status" not in fields_of(record)


async def test_other_requests_have_no_line(own_world: World, log: pytest.CaptureFixture[str]) -> None:
    client = Client(own_world, graphiql=True)
    for path in ("/healthz", "/readyz", "/unknown"):
        await client.http.get(path)
    await client.http.get("/graphql", headers={"accept": "text/html"})
    await client.close()
    assert (client.records, _lines(log)) == ([], [])


async def test_no_line_has_data(
    client: Client, log: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plant a word in every place that clients and the database fill, and fail in every way."""
    await _send_requests_with_the_planted_word(client)
    await _fail_unexpectedly(client, monkeypatch)
    await _lose_a_table(client)
    ENGINE_ERRORS.take()
    stderr = log.readouterr().err
    lines = [json.loads(line) for line in stderr.splitlines()]
    assert {line["event"] for line in lines} >= {"operation", "tokenRefused", "error", "unavailable"}
    for secret in (PLANTED, "@example.org", *client.world.tokens.values()):
        assert secret not in stderr.lower(), next(line for line in stderr.splitlines() if secret in line.lower())
    assert not SQL.search(stderr), SQL.search(stderr)


async def _send_requests_with_the_planted_word(client: Client) -> None:
    ada, mei = client.world.tokens["ada"], client.world.tokens["mei"]
    await client.ask("ada", CREATE, input={"name": PLANTED, "description": PLANTED})
    await client.ask("ada", CREATE, input={"name": PLANTED})  # it exists
    await client.ask("mei", CREATE, input={"name": PLANTED})
    await client.ask("mei", SEARCH, words=f"{PLANTED} {PLANTED}@example.org")
    await client.ask("mei", SEARCH, words={PLANTED: PLANTED})
    await client.ask("mei", f'{{ collection(by: {{ slug: "{PLANTED}" }}) {{ name }} }}')
    await client.ask("mei", f'{{ assets(query: "\\"{PLANTED}") {{ totalCount }} }}')
    for query in (f"{{ {PLANTED}", f"{{ {PLANTED} }}", f'{{ topics(first: "{PLANTED}") {{ totalCount }} }}'):
        await client.post({"query": query}, token=mei)
    await client.post({"query": TOPICS, "operationName": f"{PLANTED}@example.org"}, token=ada)
    await client.post({"query": TOPICS, "operationName": PLANTED}, token=ada)
    await client.post(PLANTED, token=mei)
    await client.post({"query": TOPICS}, token=mei, **{"content-type": f"text/{PLANTED}"})
    await client.post({"query": TOPICS}, **{"x-request-id": f"{PLANTED} {PLANTED}"})
    for token in (PLANTED, f"atoll_{PLANTED}", f"{PLANTED}.{PLANTED}.{PLANTED}"):
        await client.post({"query": TOPICS}, token=token)
    await client.http.put("/graphql", params={"query": PLANTED})
    await client.http.get("/graphql", params={"query": f"{{ {PLANTED} }}", "variables": PLANTED})


async def _fail_unexpectedly(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail with exceptions that hold the word: in a resolver, in the endpoint, in the driver, and in a task."""

    def fail(*_: object) -> None:
        raise KeyError(PLANTED) from ValueError(PLANTED)

    async def fail_to_identify(*_: object) -> None:
        raise OperationalError(f"SELECT {PLANTED}", {"name": PLANTED}, ConnectionResetError(f"{PLANTED} is wrong"))

    with monkeypatch.context() as patch:
        patch.setattr("resolvers.context.Context.loader", fail)
        await client.ask("mei", SEARCH, words=PLANTED)
    with monkeypatch.context() as patch:
        patch.setattr("app.endpoint.read_request", fail)
        await client.ask("mei", TOPICS)
    with monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.ext.asyncio.AsyncConnection.execute", fail_to_identify)
        patch.setattr("app.query_engine.load_viewer", fail_to_identify)
        await client.ask("mei", TOPICS)
    loop = asyncio.get_running_loop()
    loop.call_exception_handler(
        {"message": f"Exception in f('{PLANTED}')", "exception": ExceptionGroup(PLANTED, [ValueError(PLANTED)])}
    )


async def _lose_a_table(client: Client) -> None:
    async with client.database.engines[0].begin() as connection:
        await connection.execute(text("ALTER TABLE asset RENAME TO lost"))
    await client.ask("mei", SEARCH, words=PLANTED)
    await client.ask("ada", CREATE, input={"name": f"{PLANTED} again"})


def test_a_slow_operation_has_a_second_line(log: pytest.CaptureFixture[str]) -> None:
    record = OperationRecord("7")
    for milliseconds, events in ((999, ["operation"]), (1_000, ["operation", "slowOperation"])):
        record.nanoseconds = milliseconds * 1_000_000
        OperationLog(LogFormat.JSON, LogLevel.INFO, slow_ms=1_000).write(record)
        assert [line["event"] for line in _lines(log)] == events
    OperationLog(LogFormat.JSON, LogLevel.WARNING, slow_ms=1_000).write(record)
    [line] = _lines(log)
    assert (line["event"], line["level"], line["totalMs"]) == ("slowOperation", "warning", 1_000.0)
    OperationLog(LogFormat.JSON, LogLevel.ERROR, slow_ms=1_000).write(record)
    assert _lines(log) == []


def test_the_cost_is_logged_once_it_is_set(log: pytest.CaptureFixture[str]) -> None:
    record = OperationRecord("7")
    assert "cost" not in fields_of(record)
    record.cost = {"objects": 3, "fields": 5, "reads": 2}
    OperationLog(LogFormat.JSON, LogLevel.INFO, slow_ms=1_000).write(record)
    [line] = _lines(log)
    assert line["cost"] == {"objects": 3, "fields": 5, "reads": 2}


def test_text_has_the_same_fields(log: pytest.CaptureFixture[str]) -> None:
    record = OperationRecord("7")
    record.error_counts = {"INTERNAL": 2}
    OperationLog(LogFormat.TEXT, LogLevel.INFO, slow_ms=1_000).write(record)
    line = log.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO operation requestId=7 viewer=null .*\n", line)
    assert 'errors={"INTERNAL":2}' in line


def test_every_field_and_event_is_documented() -> None:
    record = OperationRecord("7")
    record.set_document(TOPICS, "id")
    record.operation_name = record.operation_type = ""
    record.cost, record.status, record.error_counts, record.queue_nanoseconds = {}, 200, {"INTERNAL": 1}, 0
    section = DOC.read_text(encoding="utf-8").split("\n## Logs\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    others = {"time", "level", "event", "logger", "message", "traceback"}
    assert documented == {*fields_of(record), *others, *Event}


def _bearer(client: Client, who: str) -> dict[str, str]:
    return {"authorization": f"Bearer {client.world.tokens[who]}"}


def _lines(log: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.readouterr().err.splitlines()]
