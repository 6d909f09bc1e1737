"""This file is the command line: what each command prints and leaves behind, and how it refuses."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import httpx
import pytest
from sqlalchemy import select

from schema.graph import print_schema as schema_text
from store import sql
from store.database import Database
from store.migrate import head_revision
from store.search.index import INDEXES
from tests.cli_process import CommandRunner, free_port, start_forker
from tests.conftest import World, catalogue_lines, write_lines
from tests.db_snapshot import DbSnapshot, db_snapshot

ME = "{ viewer { user { name } } }"
TOPICS = "{ topics { nodes { slug } } }"
SEEN = {"data": {"topics": {"nodes": [{"slug": "imaging"}, {"slug": "genomics"}]}}}  # by an anonymous visitor


@pytest.fixture(scope="module")
def forker() -> Iterator[Popen[str]]:
    """Start commands quickly."""
    with start_forker() as process:
        yield process


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, empty_url: str) -> CommandRunner:
    """Run commands on an empty database."""
    return CommandRunner(forker, tmp_path, empty_url)


@pytest.fixture
def atoll_world(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Run commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


@pytest.fixture
def atoll_nowhere(forker: Popen[str], tmp_path: Path) -> CommandRunner:
    """Run commands that should not come to use a database."""
    return CommandRunner(forker, tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'untouched.db'}")


# What a command says before it reaches a database is the same for both.
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")


def rows(url: str) -> DbSnapshot:
    async def read() -> DbSnapshot:
        database = Database(url)
        try:
            return await db_snapshot(database)
        finally:
            await database.close()

    return asyncio.run(read())


def ask(url: str, query: str, token: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{url}/graphql", json={"query": query}, headers=headers)


def test_import_tells_counts_by_kind_on_one_line(atoll: CommandRunner) -> None:
    file = str(write_lines(atoll.folder / "world.jsonl", catalogue_lines()))
    kinds = "6 user, 2 group, 3 topic, 5 collection, 2 CAPSULE, 2 PIPELINE, 1 NO_CODE_APP, 4 DATA_ASSET, 2 MODEL"
    first = atoll("import", file)
    assert (first.code, first.out, first.err) == (0, f"created: {kinds}; memberships added: 16\n", "")
    assert atoll("import", file).out == f"unchanged: {kinds}; memberships added: 0\n"


def test_a_bad_catalogue_is_told_line_by_line_and_nothing_of_it_is_written(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    file = atoll_world.folder / "bad.jsonl"
    file.write_text('{"kind": "user", "id": "new", "name": "New"}\n{\n{"kind": "user", "id": "x"}\n', encoding="utf-8")
    refused = atoll_world("import", str(file))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines() == [
        "Line 2: not valid JSON: unexpected end of data at character 2.",
        "Line 3: name is missing.",
        f"2 invalid lines in {file}: nothing was written.",
    ]
    assert rows(atoll_world.database_url) == before


def test_a_catalogue_that_cannot_be_read_leaves_the_database_alone(atoll_nowhere: CommandRunner) -> None:
    folder = atoll_nowhere.folder
    assert atoll_nowhere("import", "absent.jsonl").error_line == "absent.jsonl does not exist."
    assert atoll_nowhere("import", str(folder)).error_line == f"{folder} is a folder, not a file."
    assert not (folder / "untouched.db").exists()


def test_a_token_makes_its_user_the_viewer_until_it_is_revoked(atoll_world: CommandRunner) -> None:
    made = atoll_world("token", "mei", "--ttl", "15m")
    assert (made.code, made.err, len(made.out.splitlines())) == (0, "", 1)
    token = made.out.strip()
    with atoll_world.run_server() as served:
        assert ask(served.url, ME, token).json() == {"data": {"viewer": {"user": {"name": "mei"}}}}
        assert ask(served.url, ME).json() == {"data": {"viewer": None}}
        revoked = atoll_world("token", "--revoke", token)
        assert (revoked.code, revoked.out, revoked.err) == (0, "", "Revoked.\n")
        assert ask(served.url, ME, token).status_code == 401
    assert atoll_world("token", "--revoke", token).error_line == "No such token is live: nothing was changed."


@on_sqlite
def test_a_token_needs_a_user_that_is_there_and_a_span_of_time(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    for user in ("nobody", "lab", "everyone"):
        refused = atoll_world("token", user).error_line
        assert refused == f"There is no user {user!r}. The first users are ada, olu, mei, lou, sam."
    for ttl in ("", "5", "5x", "-1d", "0d", "367d", "1.5h", "٣d", "9999999999d"):
        refused = atoll_world("token", "mei", f"--ttl={ttl}").error_line
        assert refused == f"{ttl!r} is no span of time such as 30d, 12h or 15m, of at most 366d."
    assert "atoll token USER | --revoke TOKEN" in atoll_world("token").error_line
    assert "atoll token USER | --revoke TOKEN" in atoll_world("token", "mei", "--revoke", "atoll_x").error_line
    assert rows(atoll_world.database_url) == before


def test_a_token_of_an_empty_database_says_what_to_do_first(atoll: CommandRunner) -> None:
    assert (
        atoll("token", "mei").error_line == "There is no user 'mei'. There are no users yet: import a catalogue first."
    )


@on_sqlite
@pytest.mark.parametrize(("ttl", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("366d", 31_622_400)])
def test_a_token_is_good_for_the_span_that_was_asked(atoll_world: CommandRunner, ttl: str, seconds: int) -> None:
    atoll_world("token", "mei", "--ttl", ttl)
    *_, created_at, expires_at, _ = max(rows(atoll_world.database_url)["api_token"])
    assert expires_at - created_at == seconds * 1_000


def test_migrate_makes_the_tables_and_tells_their_revision(atoll: CommandRunner) -> None:
    for _ in range(2):
        done = atoll("migrate")
        assert (done.code, done.out, done.err) == (0, f"The database is at revision {head_revision()}.\n", "")


def test_schema_prints_the_graph_and_compares_a_file_with_it(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("schema").out == schema_text()
    file = atoll_nowhere.folder / "schema.graphql"
    assert atoll_nowhere("schema", "--check", str(file)).error_line == f"There is no file {file}. Write it: make schema"
    file.write_text(schema_text(), encoding="utf-8")
    assert atoll_nowhere("schema", "--check", str(file)).code == 0
    file.write_bytes(schema_text().encode() + b"\xff")
    changed = f"{file} is not the schema any more. Write it again: make schema"
    assert atoll_nowhere("schema", "--check", str(file)).error_line == changed
    assert not (atoll_nowhere.folder / "untouched.db").exists()


def test_check_lists_every_setting_and_the_state_of_the_database(atoll: CommandRunner) -> None:
    empty = atoll("check")
    assert empty.out.splitlines()[-1] == f"database revision none: this code's is {head_revision()}: run atoll migrate"
    atoll("migrate")
    checked = atoll("check", OIDC_ISSUER="https://id.example.org", OIDC_AUDIENCE="atoll")
    heading, *settings, database = [line.split() for line in checked.out.splitlines()]
    assert (checked.code, checked.err, heading) == (0, "", ["setting", "value", "source"])
    assert [(name, source) for name, *_, source in settings] == [
        ("ATOLL_DATABASE_URL", "environment"),
        ("ATOLL_GRAPHIQL", "default"),
        ("ATOLL_OIDC_ISSUER", "environment"),
        ("ATOLL_OIDC_AUDIENCE", "environment"),
    ]
    assert settings[2][1:-1] == ["https://id.example.org"]
    assert " ".join(database) == f"database revision {head_revision()}: up to date"


def test_the_index_of_search_can_be_made_anew(atoll_world: CommandRunner) -> None:
    sound = asyncio.run(_indexed(atoll_world.database_url))
    assert asyncio.run(_indexed(atoll_world.database_url, spoiling=True)) != sound
    checked = atoll_world("check", "--rebuild-search")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines()[-1] == "search finds 19 topics, collections and assets"
    assert asyncio.run(_indexed(atoll_world.database_url)) == sound


async def _indexed(url: str, *, spoiling: bool = False) -> list[set[tuple[object, ...]]]:
    """Return the index of search whole, once something in it is wrong, something missing, and something too much."""
    database = Database(url)
    index = INDEXES["sqlite" if database.is_sqlite else "postgresql"]["asset"]
    told = {column.name: "wrong" for column in index.c if column.name != "rowid"}
    try:
        async with database.write() as connection:
            if spoiling:
                first, second = (await connection.scalars(select(index.c.rowid).limit(2))).all()
                await connection.execute(index.delete().where(index.c.rowid == first))
                await connection.execute(index.update().where(index.c.rowid == second).values(told))
                await connection.execute(index.insert().values(rowid=9_999, **told))
                await connection.execute(sql.search_word.insert().values(word="wrong", backward="gnorw"))
            return [
                {tuple(row) for row in await connection.execute(select(table))} for table in (index, sql.search_word)
            ]
    finally:
        await database.close()


def test_check_of_a_database_that_is_not_there_makes_none(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("check").code == 0
    assert not (atoll_nowhere.folder / "untouched.db").exists()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+asyncpg://me:s3cret@127.0.0.1:1/atoll",
        "postgresql+asyncpg://me:s3c:r@127.0.0.1:1/atoll?password=s3cret",
        "mysql://me:s3cret@127.0.0.1/atoll",
        "postgresql+asyncpg//me:s3cret@127.0.0.1/atoll",
        "me:s3cret@127.0.0.1",
        "postgresql+asyncpg://me:s3cret@127.0.0.1:port/atoll",
    ],
)
def test_no_password_is_printed(atoll_nowhere: CommandRunner, address: str) -> None:
    for command in ("check", "migrate"):
        answer = atoll_nowhere(command, DATABASE_URL=address)
        assert answer.code == 2
        assert "s3c" not in answer.out + answer.err
        assert len(answer.err.splitlines()) == 1


BAD_SETTINGS = {
    "an unknown name": ({"X": "1"}, "ATOLL_X is no setting of Atoll. They are: ATOLL_DATABASE_URL, "),
    "no yes or no": ({"GRAPHIQL": "perhaps"}, "ATOLL_GRAPHIQL is 'perhaps'; it must be 1 or 0."),
    "no database": ({"DATABASE_URL": "atoll.db"}, "ATOLL_DATABASE_URL is not a valid database URL. Examples: "),
    "another driver": (
        {"DATABASE_URL": "sqlite:///a.db"},
        "ATOLL_DATABASE_URL has the unsupported driver 'sqlite'. Examples: ",
    ),
    "memory": ({"DATABASE_URL": "sqlite+aiosqlite://"}, "ATOLL_DATABASE_URL names no file, "),
    "an option": (
        {"DATABASE_URL": "sqlite+aiosqlite:///a?mode=ro"},
        "ATOLL_DATABASE_URL has an option that is not kno",
    ),
    "an issuer alone": ({"OIDC_ISSUER": "https://id.example.org"}, "ATOLL_OIDC_ISSUER is set, but ATOLL_OIDC_AUDIENCE"),
    "an audience alone": ({"OIDC_AUDIENCE": "atoll"}, "ATOLL_OIDC_AUDIENCE is set, but ATOLL_OIDC_ISSUER is not."),
}


@pytest.mark.parametrize(("settings", "reason"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
@pytest.mark.parametrize("command", ["serve", "check", "migrate"])
def test_a_bad_setting_is_refused_in_one_line(
    atoll_nowhere: CommandRunner, command: str, settings: dict[str, str], reason: str
) -> None:
    answer = atoll_nowhere(command, **settings)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert answer.err.startswith(reason)


def test_serve_answers_until_it_is_told_to_stop(atoll_world: CommandRunner) -> None:
    with atoll_world.run_server() as served:
        assert httpx.get(f"{served.url}/healthz").json() == {"status": "ok"}
        assert httpx.get(f"{served.url}/readyz").json() == {"status": "ready"}
        assert ask(served.url, TOPICS).json() == SEEN
        assert f"{served.url}/graphql" in served.output
        port = served.url.rpartition(":")[2]
        taken = atoll_world("serve", "--port", port).error_line
        reason = "Address already in use"
        assert taken == f"Port {port} at 127.0.0.1 cannot be had ({reason}). Choose another: --port {int(port) + 1}"


@on_sqlite
def test_several_workers_serve_and_stop_together(atoll_world: CommandRunner) -> None:
    with atoll_world.run_server("--workers", "2") as served:
        for _ in range(8):
            assert ask(served.url, TOPICS).json() == SEEN


def test_an_address_that_is_not_ours_is_refused_in_one_line(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("serve", "--host", "nowhere.invalid").error_line.startswith("nowhere.invalid is no address of")
    assert "cannot be had" in atoll_nowhere("serve", "--host", "192.0.2.1").error_line
    assert (
        "with one worker" in atoll_nowhere("serve", "--demo", "--workers", "2", "--port", str(free_port())).error_line
    )
    assert "it serves 127.0.0.1" in atoll_nowhere("serve", "--demo", "--host", "0.0.0.0").error_line  # noqa: S104 - refused


@on_sqlite
def test_the_demo_fills_an_empty_database_once_and_gives_accounts(atoll: CommandRunner) -> None:
    with atoll.run_server("--demo") as served:
        tokens = [word for word in served.output.split() if word.startswith("atoll_")]
        names = [ask(served.url, ME, token).json()["data"]["viewer"]["user"]["name"] for token in tokens]
        assert names == ["Ada Moreau", "Olu Adeyemi", "Mei Tanaka", "Sam Rivera"]
        assert ask(served.url, TOPICS).json()["data"]["topics"]["nodes"]
    before = rows(atoll.database_url)
    with atoll.run_server("--demo") as served:
        assert "Ada Moreau" in served.output
    after = rows(atoll.database_url)
    assert len(after.pop("api_token")) == len(before.pop("api_token")) + 4
    assert after == before


@on_sqlite
def test_the_demo_refuses_a_database_with_something_else_and_names_a_way_out(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    refused = atoll_world("serve", "--demo", "--port", str(free_port())).error_line
    assert "something else than the demo: serve it without --demo, or name another file" in refused
    assert rows(atoll_world.database_url) == before
