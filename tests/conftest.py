"""The tests' world (a few users, assets and collections, written as tables) and its fixtures on both databases."""

import asyncio
import gc
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import event, update

from app.application import create_application
from app.query_engine import QueryEngine
from app.settings import Settings
from app.tokens import create_token
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.cli_process import start_forker
from tests.engine_log import ENGINE_ERRORS
from tests.in_process import InProcessTransport
from tests.postgres import Postgres, postgres_or_skip

if TYPE_CHECKING:
    from proofs.databases import Databases

PEOPLE = """
ada   administrator
olu   owns nearly all
mei   in the group lab
lou   in the group core, which owns what it is granted
sam   owns lens
eve   a member with nothing of her own
"""
GROUPS = {"lab": ["mei"], "core": ["lou"]}

ASSETS = """
# name    kind         owner  status     granted                             uses
align     CAPSULE      olu    RELEASED   everyone:VIEWER,public:VIEWER       -
blast     CAPSULE      olu    RELEASED   everyone:VIEWER                     -
count     PIPELINE     olu    RELEASED   everyone:DISCOVERABLE,lab:VIEWER    hidden,align
draft     PIPELINE     olu    DRAFT      everyone:VIEWER                     -
explore   NO_CODE_APP  olu    RELEASED   everyone:VIEWER,public:DISCOVERABLE count,align
genomes   DATA_ASSET   olu    RELEASED   lab:VIEWER                          -
hidden    DATA_ASSET   olu    RELEASED   -                                   -
images    DATA_ASSET   olu    RELEASED   core:OWNER,lab:EDITOR               -
junk      DATA_ASSET   olu    ARCHIVED   everyone:VIEWER,public:VIEWER       -
kept      MODEL        olu    WITHDRAWN  everyone:VIEWER,core:OWNER          genomes
lens      MODEL        sam    RELEASED   public:VIEWER                       images,align
"""

TOPICS = ("imaging", "genomics", "empty")

COLLECTIONS = """
# slug    topic     parent  visibility  holds, in order
open      imaging   -       PUBLIC      lens,hidden,align,blast,count,junk,kept
inner     imaging   open    INTERNAL    align,explore,images
deep      imaging   inner   PUBLIC      genomes,lens
members   genomics  -       INTERNAL    blast,genomes,images,hidden
bare      genomics  -       PUBLIC      -
"""

ANONYMOUS = "anonymous"
MEMBERS = tuple(line.split()[0] for line in PEOPLE.strip().splitlines())
VIEWERS = (*MEMBERS, ANONYMOUS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `slow_tests`, which pyproject.toml sets."""
    parser.addini("slow_tests", "Files and tests that `make quick` leaves out.", type="linelist")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of `make quick`, before `-m quick` selects them."""
    slow_tests = tuple(f"tests/{name}" for name in config.getini("slow_tests"))
    for item in items:
        if not item.nodeid.startswith(slow_tests) and not _needs_postgres(item):
            item.add_marker("quick")


def _needs_postgres(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return "postgres" in fixtures or ("backend" in fixtures and "postgresql" in item.name)


def pytest_collection_finish() -> None:
    """Collect garbage seldom and freeze imported modules: garbage collection took a fifth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def parse_table(text: str) -> list[list[str]]:
    """Return the rows of one of the tables above."""
    return [line.split() for line in text.strip().splitlines() if not line.startswith("#")]


def catalogue_lines() -> list[dict[str, Any]]:
    """Return the world as the lines of a catalogue."""
    users = [
        {"kind": "user", "id": name, "name": name, "email": f"{name}@example.org", "isAdmin": name == "ada"}
        for name in MEMBERS
    ]
    groups = [{"kind": "group", "id": name, "name": name, "members": [*members]} for name, members in GROUPS.items()]
    topics = [{"kind": "topic", "slug": slug, "name": slug} for slug in TOPICS]
    return [*users, *groups, *topics, *map(_asset, parse_table(ASSETS)), *map(_collection, parse_table(COLLECTIONS))]


def _listed(text: str) -> list[str]:
    return [] if text == "-" else text.split(",")


def _asset(row: list[str]) -> dict[str, Any]:
    name, kind, owner, status, granted, uses = row
    grants = [dict(zip(("to", "role"), grant.split(":"), strict=True)) for grant in _listed(granted)]
    line: dict[str, Any] = {"kind": "asset", "id": name, "type": kind, "name": name, "owner": owner, "grants": grants}
    line |= {"uses": _listed(uses), "tags": [name[0], "all"], "url": f"https://example.org/{name}"}
    line |= {"createdAt": "2024-01-01T00:00:00Z", "updatedAt": f"2025-01-{ord(name[0]) - 96:02}T00:00:00Z"}
    line |= {"license": "MIT"} if name[0] in "bc" else {}
    line |= {"source": f"s3://bucket/{name}"} if kind in {"DATA_ASSET", "MODEL"} else {}
    return line | {"released": status != "DRAFT", "archived": status == "ARCHIVED", "withdrawn": status == "WITHDRAWN"}


def _collection(row: list[str]) -> dict[str, Any]:
    slug, topic, parent, visibility, holds = row
    parent_slug = None if parent == "-" else parent
    line = {"kind": "collection", "slug": slug, "name": slug, "topic": topic, "parent": parent_slug}
    return line | {"visibility": visibility, "assets": _listed(holds)}


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write lines as a catalogue file and return its path."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@dataclass
class World:
    """A database with the world in it, and a token for each member."""

    url: str
    tokens: dict[str, str] = field(default_factory=dict)


async def _make(url: str, path: Path) -> World:
    database = Database(url)
    try:
        await migrate(database)
        await import_catalogue(database, path, "world", lambda _bytes: None)
        await set_public_sharing(database)
        return World(url, {name: await create_token(database, name, 3_600) for name in MEMBERS})
    finally:
        await database.close()


async def set_public_sharing(database: Database, *, is_on: bool = True) -> None:
    """Turn public sharing on or off."""
    async with database.write() as connection:
        await connection.execute(update(sql.deployment).values(public_sharing=is_on))


@pytest.fixture
def engine_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with engine and index, also where ATOLL_ENGINE names graphql-core alone."""
    monkeypatch.setenv("ATOLL_ENGINE", "on")


@pytest.fixture
def engine_answers(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """Return a list that gets the engine's response to each query; None for one that it leaves to graphql-core."""
    answer, answers = QueryEngine.answer, list[bytes | None]()

    async def answer_and_keep(engine: QueryEngine, *arguments: Any) -> bytes | None:
        answers.append(await answer(engine, *arguments))
        return answers[-1]

    monkeypatch.setattr(QueryEngine, "answer", answer_and_keep)
    return answers


# After an error in a field, graphql-core does not await the coroutines of its siblings, and Python warns about each. If
# one is garbage-collected while nothing can be imported, that warning fails, and Python reports an ignored exception.
ENDS_EARLY = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. .coroutine object:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.usefixtures("collect_coroutines"),
]
"""Marks of tests whose operations end early."""


@pytest.fixture
def collect_coroutines() -> Iterator[None]:
    """Collect the dropped coroutines within the test that dropped them, where their warnings are expected."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def forker() -> Iterator[Popen[str]]:
    """Start the process that commands are forked from."""
    with start_forker() as process:
        yield process


@pytest.fixture(autouse=True)
def _forget_engine_errors() -> Iterator[None]:
    """Drop the engine's errors after the test that caused them: the next one is not to fail because of them."""
    yield
    ENGINE_ERRORS.take()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every account can reach."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start the PostgreSQL server of the run."""
    with postgres_or_skip() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Return "sqlite" or "postgresql"; the test runs once on each."""
    return str(request.param)


@pytest.fixture(scope="session")
def world(backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the shared world, which tests must not change."""
    folder = tmp_path_factory.mktemp(backend)
    url = _empty(backend, request, folder / "world.db", "world")
    return asyncio.run(_make(url, write_lines(folder / "world.jsonl", catalogue_lines())))


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database for one test."""
    return _empty(backend, request, tmp_path / "empty.db", _name(request))


@pytest.fixture
def own_world(world: World, backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Return a copy of the world that the test may change."""
    return copied(world, backend, request, tmp_path / "own.db", f"{_name(request)}_own")


def copied(world: World, backend: str, request: pytest.FixtureRequest, path: Path, name: str) -> World:
    """Return a copy of the world: a file at the path, or a database of the name."""
    if backend == "sqlite":
        shutil.copy(str(Database(world.url).url.database), path)
        return World(f"sqlite+aiosqlite:///{path}", world.tokens)
    server: Postgres = request.getfixturevalue("postgres")
    return World(server.create_database(name, template="world"), world.tokens)


def _empty(backend: str, request: pytest.FixtureRequest, path: Path, name: str) -> str:
    if backend == "sqlite":
        return f"sqlite+aiosqlite:///{path}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database(name)


def _name(request: pytest.FixtureRequest) -> str:
    return f"t{abs(hash(request.node.nodeid)):x}"


@pytest.fixture(scope="session")
def databases(backend: str, request: pytest.FixtureRequest) -> Iterator["Databases"]:
    """Return a factory of temporary databases, for the proofs' trials."""
    from proofs.databases import open_databases  # noqa: PLC0415 - that module imports this one

    with open_databases(backend, request.getfixturevalue("postgres") if backend == "postgresql" else None) as made:
        yield made


PATIENT_SECONDS = 60
"""Longest time of an operation in tests, which read much at once, and on busy machines."""


def settings_of(url: str) -> Settings:
    """Return the settings of a test: no rate limit, and the executor that ATOLL_ENGINE names."""
    return replace(Settings.from_environment(), database_url=url, operation_seconds=PATIENT_SECONDS, rate_points=0)


class GraphQLClient:
    """GraphQL client over HTTP, in process, for any user or an anonymous visitor."""

    def __init__(self, world: World, settings: Settings | None = None) -> None:
        """Serve the world's database, with the settings of the tests unless others are given."""
        self.database = Database(world.url, operation_seconds=PATIENT_SECONDS)
        self.tokens = world.tokens
        self.statements: list[str] = []
        for engine in self.database.engines:
            event.listen(engine.sync_engine, "before_cursor_execute", self._count)
        self.database.observe_reads(lambda statement, _values: self.statements.append(statement))
        app = create_application(settings or settings_of(world.url), database=self.database)
        self.transport = InProcessTransport(app)
        self.client = httpx.AsyncClient(transport=self.transport, base_url="http://atoll.test")

    async def __call__(self, who: str, query: str, /, **variables: Any) -> dict[str, Any]:
        """Run the operation and return its data; fail on any error."""
        answer = (await self.response(who, query, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    async def errors(self, who: str, query: str, /, **variables: Any) -> list[tuple[str, str]]:
        """Run the operation and return the code and message of each error; fail when there is none."""
        answer = (await self.response(who, query, **variables)).json()
        return [(error["extensions"]["code"], error["message"]) for error in answer["errors"]]

    async def response(self, who: str, query: str, /, **variables: Any) -> httpx.Response:
        """Run the operation and return the HTTP response; `statements` then has the SQL statements that it took.

        Fail if the engine failed, although graphql-core then responds.
        """
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self.tokens[who]}"}
        await self.transport.refresh()
        self.statements.clear()
        response = await self.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        failure = ENGINE_ERRORS.take()
        assert not failure, failure
        return response

    def _count(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(statement)

    async def close(self) -> None:
        """Close every connection."""
        await self.client.aclose()
        await self.database.close()


@pytest.fixture
async def ask(world: World) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the shared world, which tests must not change."""
    asking = GraphQLClient(world)
    yield asking
    await asking.close()


@pytest.fixture
async def ask_own(own_world: World) -> AsyncIterator[GraphQLClient]:
    """Yield a client of a copy of the world, which the test may change."""
    asking = GraphQLClient(own_world)
    yield asking
    await asking.close()
