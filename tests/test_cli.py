"""Tests of the command line: output, effects, errors and exit codes of each command."""

import asyncio
from pathlib import Path
from runpy import run_path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from resolvers.deployment import installed_version
from schema.federation import print_subgraph
from schema.graph import print_schema
from store import sql
from store.database import Database
from store.migrate import head_revision
from store.search.index import INDEXES
from tests.cli_process import ROOT, CommandRunner, free_port
from tests.conftest import GROUPS, MEMBERS, World, catalogue_lines, write_lines
from tests.db_snapshot import DbSnapshot, db_snapshot

TOKEN_NOT_VALID = "The token is unknown, expired or already revoked: nothing was changed."
VIEWER = "{ viewer { user { name } } }"
TOPICS = "{ topics { nodes { slug } } }"
PUBLIC_TOPICS = {"topics": {"nodes": [{"slug": "imaging"}, {"slug": "genomics"}]}}


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, empty_url: str) -> CommandRunner:
    """Return a runner of commands on an empty database."""
    return CommandRunner(forker, tmp_path, empty_url)


@pytest.fixture
def atoll_world(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


@pytest.fixture
def atoll_nowhere(forker: Popen[str], tmp_path: Path) -> CommandRunner:
    """Return a runner of commands that must not use a database."""
    return CommandRunner(forker, tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'untouched.db'}")


# Errors raised before the database is used are the same for both databases, so one is enough.
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


def test_import_prints_counts_by_kind_on_one_line(atoll: CommandRunner) -> None:
    file = str(write_lines(atoll.folder / "world.jsonl", catalogue_lines()))
    kinds = "6 user, 2 group, 3 topic, 5 collection, 2 CAPSULE, 2 PIPELINE, 1 NO_CODE_APP, 4 DATA_ASSET, 2 MODEL"
    first = atoll("import", file)
    hidden = "visible to administrators only, while public sharing is off: 3 PUBLIC collection"
    assert (first.code, first.out, first.err) == (0, f"created: {kinds}; memberships added: 16\n{hidden}\n", "")
    assert atoll("import", file).out == f"unchanged: {kinds}; memberships added: 0\n{hidden}\n"


def test_a_dry_run_prints_each_change_and_writes_nothing(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    lines = [line for line in catalogue_lines() if line.get("id") != "lens"]
    lines = [line | ({"assets": ["align", "blast"]} if line["kind"] == "collection" else {}) for line in lines]
    lines = [line | ({"name": "Images"} if line.get("slug") == "imaging" else {}) for line in lines]
    file = str(write_lines(atoll_world.folder / "platform.jsonl", lines))
    kinds = "6 user, 2 group, 2 topic, 5 collection, 2 CAPSULE, 2 PIPELINE, 1 NO_CODE_APP, 4 DATA_ASSET, 1 MODEL"
    counts = f"updated: 1 topic; unchanged: {kinds}"
    assert atoll_world("import", file, "--dry-run").out.splitlines() == [
        "UPDATED topic 'Images': name 'imaging' → 'Images'",
        "ASSETS_REMOVED collection 'open': 5 assets",
        "ASSETS_REMOVED collection 'inner': 2 assets",
        "ASSETS_REMOVED collection 'deep': 2 assets",
        "ASSETS_REMOVED collection 'members': 3 assets",
        "ASSETS_ADDED collection 'inner': 1 asset",
        "ASSETS_ADDED collection 'deep': 2 assets",
        "ASSETS_ADDED collection 'members': 1 asset",
        "ASSETS_ADDED collection 'bare': 2 assets",
        f"dry run, nothing was imported: {counts}; memberships added: 6; memberships removed: 12",
    ]
    assert rows(atoll_world.database_url) == before


def test_pruning_needs_a_source_and_stops_above_a_tenth(atoll: CommandRunner) -> None:
    file = str(write_lines(atoll.folder / "platform.jsonl", catalogue_lines()))
    refused = atoll("import", file, "--prune")
    assert refused.usage_error == "--prune needs the name of the source whose assets to withdraw: --source NAME."
    assert atoll("import", file, "--source", "platform").code == 0
    used = {"align", "genomes", "hidden", "images", "count"}
    lines = [line for line in catalogue_lines() if line["kind"] != "asset" or line["id"] in used]
    lines = [line | ({"assets": []} if line["kind"] == "collection" else {}) for line in lines]
    file = str(write_lines(atoll.folder / "platform.jsonl", lines))
    refused = atoll("import", file, "--source", "platform", "--prune")
    assert (refused.code, refused.out) == (1, "")
    assert refused.error_line == (
        "5 of the 11 assets of the source 'platform' are not in the file, more than 10 %: nothing was imported."
        " If that is right, import it again with --yes."
    )
    withdrawn = "withdrawn, because the source has them no longer: 5"
    assert withdrawn in atoll("import", file, "--source", "platform", "--prune", "--dry-run").out.splitlines()
    assert withdrawn in atoll("import", file, "--source", "platform", "--prune", "--yes").out.splitlines()
    assert withdrawn not in atoll("import", file, "--source", "platform", "--prune").out


def test_urls_have_the_schemes_of_the_setting(atoll: CommandRunner) -> None:
    lines: list[dict[str, Any]] = [
        {"kind": "user", "id": "ada", "name": "ada"},
        {"kind": "asset", "id": "a", "type": "MODEL", "name": "a", "owner": "ada", "grants": [], "url": "DX://p/f"},
    ]
    file = str(write_lines(atoll.folder / "catalogue.jsonl", lines))
    problem = "Line 2: url must begin with https://, http://, s3://, gs://, az:// or ftp://, not 'DX://p/f'."
    assert atoll("import", file).err.splitlines()[0] == problem
    assert atoll("import", file, URL_SCHEMES="https, dx").out.startswith("created: 1 user, 1 MODEL")
    exported = atoll.folder / "export.jsonl"
    atoll("export", str(exported))
    assert '"url":"dx://p/f"' in exported.read_text(encoding="utf-8").replace(" ", "")


def test_an_invalid_catalogue_is_reported_line_by_line_and_not_imported(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    file = atoll_world.folder / "bad.jsonl"
    file.write_text('{"kind": "user", "id": "new", "name": "New"}\n{\n{"kind": "user", "id": "x"}\n', encoding="utf-8")
    refused = atoll_world("import", str(file))
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.splitlines() == [
        "Line 2: not valid JSON: unexpected end of data at character 2.",
        "Line 3: name is missing.",
        f"{file} has 2 invalid lines: nothing was imported.",
    ]
    assert rows(atoll_world.database_url) == before


def test_an_unreadable_catalogue_leaves_the_database_unchanged(atoll_nowhere: CommandRunner) -> None:
    folder = atoll_nowhere.folder
    assert atoll_nowhere("import", "absent.jsonl").error_line == "absent.jsonl does not exist."
    assert atoll_nowhere("import", str(folder)).error_line == f"{folder} is a folder, not a file."
    assert not (folder / "untouched.db").exists()


def test_a_token_authenticates_its_user_until_it_is_revoked(atoll_world: CommandRunner) -> None:
    created = atoll_world("token", "mei", "--ttl", "15m")
    assert (created.code, created.err, len(created.out.splitlines())) == (0, "", 1)
    token = created.out.strip()
    with atoll_world.run_server() as served:
        assert ask(served.url, VIEWER, token).json()["data"] == {"viewer": {"user": {"name": "mei"}}}
        assert ask(served.url, VIEWER).json()["data"] == {"viewer": None}
        revoked = atoll_world("token", "--revoke", token)
        assert (revoked.code, revoked.out, revoked.err) == (0, "", "Revoked.\n")
        assert ask(served.url, VIEWER, token).status_code == 401
    assert atoll_world("token", "--revoke", token).error_line == TOKEN_NOT_VALID


@on_sqlite
def test_a_token_needs_an_existing_user_and_a_valid_lifetime(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    for user in ("nobody", "lab", "everyone"):
        refused = atoll_world("token", user).error_line
        assert refused == f"There is no user {user!r}. The first users are ada, olu, mei, lou, sam."
    for ttl in ("", "5", "5x", "-1d", "0d", "367d", "1.5h", "٣d", "9999999999d"):
        refused = atoll_world("token", "mei", f"--ttl={ttl}").usage_error
        assert refused == f"Invalid --ttl {ttl!r}. Use for example 30d, 12h or 15m (at most 366d)."
    assert "or atoll token --revoke-all USER" in atoll_world("token").usage_error
    assert "or atoll token --revoke-all USER" in atoll_world("token", "mei", "--revoke", "atoll_x").usage_error
    assert rows(atoll_world.database_url) == before


def test_tokens_are_listed_and_revoked_by_their_ids(atoll_world: CommandRunner) -> None:
    before = len(atoll_world("token", "--list", "mei").out.splitlines())
    for name in ("First", "Second"):
        atoll_world("token", "mei", "--name", name)
    lines = atoll_world("token", "--list", "mei").out.splitlines()
    assert len(lines) == before + 2
    assert [line.split()[1] + line.split()[-1] for line in lines[-2:]] == ["validFirst", "validSecond"]
    assert atoll_world("token", "--revoke", lines[-2].split()[0]).err == "Revoked.\n"
    assert atoll_world("token", "--list", "mei").out.splitlines()[-2].split()[1] == "revoked"
    assert atoll_world("token", "--revoke-all", "mei").err == f"Revoked {before:,} tokens.\n"
    assert atoll_world("token", "--list", "nobody").error_line.startswith("There is no user 'nobody'.")
    assert atoll_world("token", "mei", "--name", " ").usage_error.startswith("The --name is empty.")


def test_a_token_for_an_empty_database_asks_for_an_import_first(atoll: CommandRunner) -> None:
    assert (
        atoll("token", "mei").error_line == "There is no user 'mei'. There are no users yet: import a catalogue first."
    )


@on_sqlite
@pytest.mark.parametrize(("ttl", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("366d", 31_622_400)])
def test_a_token_has_the_requested_lifetime(atoll_world: CommandRunner, ttl: str, seconds: int) -> None:
    atoll_world("token", "mei", "--ttl", ttl)
    *_, created_at, expires_at, _, _ = max(rows(atoll_world.database_url)["api_token"])
    assert expires_at - created_at == seconds * 1_000


def test_migrate_creates_the_tables_and_prints_their_revision(atoll: CommandRunner) -> None:
    for _ in range(2):
        done = atoll("migrate")
        assert (done.code, done.out, done.err) == (0, f"The database is at revision {head_revision()}.\n", "")


def test_schema_prints_the_schema_or_compares_a_file_with_it(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("schema").out == print_schema()
    file = atoll_nowhere.folder / "schema.graphql"
    assert (
        atoll_nowhere("schema", "--check", str(file)).error_line == f"{file} does not exist. Write it with: make schema"
    )
    file.write_text(print_schema(), encoding="utf-8")
    assert atoll_nowhere("schema", "--check", str(file)).code == 0
    file.write_bytes(print_schema().encode() + b"\xff")
    changed = f"{file} is out of date. Write it again with: make schema"
    assert atoll_nowhere("schema", "--check", str(file)).error_line == changed
    assert not (atoll_nowhere.folder / "untouched.db").exists()


def test_schema_lists_the_changes_that_break_clients_of_a_release(atoll_nowhere: CommandRunner) -> None:
    file = atoll_nowhere.folder / "released.graphql"
    assert "cannot be read: " in atoll_nowhere("schema", "--compatible-with", str(file)).error_line
    file.write_text("{", encoding="utf-8")
    assert "is no schema: Syntax Error" in atoll_nowhere("schema", "--compatible-with", str(file)).error_line
    file.write_text(print_schema(), encoding="utf-8")
    done = atoll_nowhere("schema", "--compatible-with", str(file))
    assert (done.code, done.out, done.err) == (0, "", "")
    file.write_text(
        print_schema().replace("type Viewer implements Node {", "type Viewer implements Node {\n  nick: String"),
        encoding="utf-8",
    )
    done = atoll_nowhere("schema", "--compatible-with", str(file))
    assert done.code == 1
    assert done.err.splitlines()[-2:] == ["- Field Viewer.nick was removed.", "See docs/schema.md."]


def test_schema_prints_the_subgraph_that_the_settings_select(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("schema", "--federation").out == print_subgraph()
    assert "  viewer: Viewer" not in print_subgraph()
    with_common_fields = atoll_nowhere("schema", "--federation", FEDERATION_COMMON_FIELDS="1").out
    assert with_common_fields == print_subgraph(has_common_fields=True)
    assert "  viewer: Viewer" in with_common_fields
    file = atoll_nowhere.folder / "subgraph.graphql"
    file.write_text(with_common_fields, encoding="utf-8")
    changed = f"{file} is out of date. Write it again with: atoll schema --federation >{file}"
    assert atoll_nowhere("schema", "--federation", "--check", str(file)).error_line == changed


def test_check_lists_every_setting_and_fails_until_the_database_is_migrated(atoll: CommandRunner) -> None:
    empty = atoll("check")
    assert (empty.code, empty.err) == (1, "")
    pending = f"error   database revision  none: this version needs {head_revision()}. Run: atoll migrate"
    assert empty.out.splitlines()[-1] == pending
    atoll("migrate")
    checked = atoll("check", OIDC_ISSUER="https://id.example.org", OIDC_AUDIENCE="atoll")
    heading, *lines = [line.split() for line in checked.out.splitlines()]
    assert (checked.code, checked.err, heading) == (0, "", ["setting", "value", "source"])
    settings = [line for line in lines if line[0].startswith("ATOLL_")]
    assert [(name, source) for name, *_, source in settings] == [
        ("ATOLL_DATABASE_URL", "environment"),
        ("ATOLL_GRAPHIQL", "default"),
        ("ATOLL_OIDC_ISSUER", "environment"),
        ("ATOLL_OIDC_AUDIENCE", "environment"),
        ("ATOLL_OIDC_PROVISIONING", "default"),
        ("ATOLL_OIDC_NAME_CLAIM", "default"),
        ("ATOLL_OIDC_EMAIL_CLAIM", "default"),
        ("ATOLL_OIDC_GROUPS_CLAIM", "default"),
        ("ATOLL_OIDC_ADMIN_GROUP", "default"),
        ("ATOLL_SCIM_TOKEN", "default"),
        ("ATOLL_SCIM_TOKEN_FILE", "default"),
        ("ATOLL_SCIM_USER_ID", "default"),
        ("ATOLL_ENGINE", "default"),
        ("ATOLL_INDEX", "default"),
        ("ATOLL_ALLOWED_HOSTS", "default"),
        ("ATOLL_CORS_ORIGINS", "default"),
        ("ATOLL_ROOT_PATH", "default"),
        ("ATOLL_DOCUMENTS", "default"),
        ("ATOLL_DOCUMENTS_ONLY", "default"),
        ("ATOLL_EXPORT_FOLDER", "default"),
        ("ATOLL_URL_SCHEMES", "default"),
        ("ATOLL_OPERATION_SECONDS", "default"),
        ("ATOLL_IDLE_SECONDS", "default"),
        ("ATOLL_LOG", "default"),
        ("ATOLL_LOG_LEVEL", "default"),
        ("ATOLL_SLOW_MS", "default"),
        ("ATOLL_METRICS", "default"),
        ("ATOLL_TRACES", "default"),
        ("ATOLL_DRAIN_SECONDS", "environment"),
        ("ATOLL_POOL_SIZE", "default"),
        ("ATOLL_MIGRATE", "default"),
        ("ATOLL_RATE_POINTS", "environment"),
        ("ATOLL_RATE_BURST", "default"),
        ("ATOLL_TRUSTED_PROXIES", "default"),
        ("ATOLL_MAX_CONNECTIONS", "default"),
        ("ATOLL_MAX_OPERATIONS", "default"),
        ("ATOLL_MAX_LIVE_CONNECTIONS", "default"),
        ("ATOLL_MAX_LIVE_CONNECTIONS_OF_USER", "default"),
        ("ATOLL_FEDERATION", "default"),
        ("ATOLL_FEDERATION_COMMON_FIELDS", "default"),
    ]
    assert settings[2][1:-1] == ["https://id.example.org"]
    assert ["ok", "database", "revision", f"{head_revision()},", "up", "to", "date"] in lines
    assert ["ok", "search", "index", "up", "to", "date"] in lines


def test_serve_without_migrations_refuses_an_old_database(atoll: CommandRunner) -> None:
    refused = atoll("serve", "--port", str(free_port()), MIGRATE="0")
    message = f"The database is at revision none; this version needs {head_revision()}. Run: atoll migrate"
    assert refused.error_line == message
    atoll("migrate")
    with atoll.run_server(MIGRATE="0") as served:
        assert httpx.get(f"{served.url}/readyz").json() == {"status": "ready"}


def test_check_of_a_newer_database_names_a_newer_version(atoll: CommandRunner) -> None:
    atoll("migrate")
    compatible = f"9999_{head_revision()[:4]}"
    states = {
        "9999": "error   database revision  9999: too new for this version. Run a newer version of Atoll.",
        compatible: f"ok      database revision  {compatible}, newer, and compatible with this version",
    }
    for revision, line in states.items():
        asyncio.run(_set_revision(atoll.database_url, revision))
        assert line in atoll("check").out.splitlines()


async def _set_revision(url: str, revision: str) -> None:
    database = Database(url)
    async with database.write() as connection:
        update = text("update alembic_version set version_num = :revision")
        await connection.execute(update, {"revision": revision})
    await database.close()


def test_check_rebuilds_the_search_index(atoll_world: CommandRunner) -> None:
    intact = asyncio.run(_index_rows(atoll_world.database_url))
    assert asyncio.run(_index_rows(atoll_world.database_url, corrupting=True)) != intact
    checked = atoll_world("check", "--rebuild-search")
    assert (checked.code, checked.err) == (0, "")
    principals = len(MEMBERS) + len(GROUPS) + 2  # everyone and public
    line = f"ok      search index       rebuilt from {19 + principals} rows"
    assert line in checked.out.splitlines()
    assert asyncio.run(_index_rows(atoll_world.database_url)) == intact


async def _index_rows(url: str, *, corrupting: bool = False) -> list[set[tuple[object, ...]]]:
    """Return all rows of the search index, after corrupting it if requested: a row wrong, one missing, one too many."""
    database = Database(url)
    index = INDEXES["sqlite" if database.is_sqlite else "postgresql"]["asset"]
    wrong = {column.name: "wrong" for column in index.c if column.name != "rowid"}
    try:
        async with database.write() as connection:
            if corrupting:
                first, second = (await connection.scalars(select(index.c.rowid).limit(2))).all()
                await connection.execute(index.delete().where(index.c.rowid == first))
                await connection.execute(index.update().where(index.c.rowid == second).values(wrong))
                await connection.execute(index.insert().values(rowid=9_999, **wrong))
                await connection.execute(sql.search_word.insert().values(word="wrong", backward="gnorw"))
            return [
                {tuple(row) for row in await connection.execute(select(table))} for table in (index, sql.search_word)
            ]
    finally:
        await database.close()


def test_check_fails_while_rows_are_not_indexed_for_search(atoll_world: CommandRunner) -> None:
    asyncio.run(_mark_stale(atoll_world.database_url))
    checked = atoll_world("check")
    assert (checked.code, checked.err) == (1, "")
    line = "error   search index       1 rows are not indexed. Run: atoll migrate"
    assert line in checked.out.splitlines()
    assert atoll_world("migrate").code == 0
    assert atoll_world("check").code == 0


async def _mark_stale(url: str) -> None:
    database = Database(url)
    try:
        async with database.engines[0].begin() as connection:
            await connection.execute(sql.search_unindexed.insert().values(kind="asset", row_pk=1))
    finally:
        await database.close()


def test_check_of_a_missing_database_does_not_create_it(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("check").code == 1
    assert not (atoll_nowhere.folder / "untouched.db").exists()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql+asyncpg://me:s3cret@127.0.0.1:1/atoll", 1),
        ("postgresql+asyncpg://me:s3c:r@127.0.0.1:1/atoll?password=s3cret", 1),
        ("mysql://me:s3cret@127.0.0.1/atoll", 2),
        ("postgresql+asyncpg//me:s3cret@127.0.0.1/atoll", 2),
        ("me:s3cret@127.0.0.1", 2),
        ("postgresql+asyncpg://me:s3cret@127.0.0.1:port/atoll", 2),
    ],
)
def test_passwords_are_not_printed(atoll_nowhere: CommandRunner, url: str, code: int) -> None:
    for command in ("check", "migrate"):
        answer = atoll_nowhere(command, DATABASE_URL=url)
        assert answer.code == code
        assert "s3c" not in answer.out + answer.err
        assert len(answer.err.splitlines()) == 1


INVALID_SETTINGS = {
    "an unknown name": ({"X": "1"}, "Unknown setting ATOLL_X. The settings are: ATOLL_DATABASE_URL, "),
    "not a boolean": ({"GRAPHIQL": "perhaps"}, "Invalid ATOLL_GRAPHIQL 'perhaps'. Use 1 or 0."),
    "no database": ({"DATABASE_URL": "atoll.db"}, "ATOLL_DATABASE_URL is not a valid database URL. Examples: "),
    "another driver": (
        {"DATABASE_URL": "sqlite:///a.db"},
        "ATOLL_DATABASE_URL has the unsupported driver 'sqlite'. Examples: ",
    ),
    "memory": ({"DATABASE_URL": "sqlite+aiosqlite://"}, "ATOLL_DATABASE_URL names no file, "),
    "an option": (
        {"DATABASE_URL": "sqlite+aiosqlite:///a?mode=ro"},
        "ATOLL_DATABASE_URL has unknown options: mode.",
    ),
    "an unsafe scheme": (
        {"URL_SCHEMES": "https,javascript"},
        "ATOLL_URL_SCHEMES names 'javascript', which is unsafe: a browser that opens such a URL runs its text as code",
    ),
    "data": ({"URL_SCHEMES": "data"}, "ATOLL_URL_SCHEMES names 'data', which is unsafe"),
    "vbscript": ({"URL_SCHEMES": "s3,vbscript"}, "ATOLL_URL_SCHEMES names 'vbscript', which is unsafe"),
    "file": ({"URL_SCHEMES": "file,s3"}, "ATOLL_URL_SCHEMES names 'file', which is unsafe"),
    "no scheme": (
        {"URL_SCHEMES": "https,s3://"},
        "Invalid ATOLL_URL_SCHEMES 's3://'. Use names such as https,http,s3,",
    ),
    "capitals": ({"URL_SCHEMES": "JavaScript"}, "Invalid ATOLL_URL_SCHEMES 'JavaScript'. Use names such as https,"),
    "no schemes": ({"URL_SCHEMES": ""}, "Invalid ATOLL_URL_SCHEMES ''. Use names such as https,"),
    "an issuer alone": ({"OIDC_ISSUER": "https://id.example.org"}, "ATOLL_OIDC_ISSUER is set, but ATOLL_OIDC_AUDIENCE"),
    "an audience alone": ({"OIDC_AUDIENCE": "atoll"}, "ATOLL_OIDC_AUDIENCE is set, but ATOLL_OIDC_ISSUER is not."),
}


@pytest.mark.parametrize(("settings", "reason"), INVALID_SETTINGS.values(), ids=INVALID_SETTINGS)
@pytest.mark.parametrize("command", ["serve", "check", "migrate"])
def test_an_invalid_setting_is_reported_on_one_line(
    atoll_nowhere: CommandRunner, command: str, settings: dict[str, str], reason: str
) -> None:
    answer = atoll_nowhere(command, **settings)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert answer.err.startswith(reason)


def test_serve_answers_until_it_is_stopped(atoll_world: CommandRunner) -> None:
    with atoll_world.run_server() as served:
        assert httpx.get(f"{served.url}/healthz").json() == {"status": "ok"}
        assert httpx.get(f"{served.url}/readyz").json() == {"status": "ready"}
        assert ask(served.url, TOPICS).json()["data"] == PUBLIC_TOPICS
        assert f"{served.url}/graphql" in served.output
        port = served.url.rpartition(":")[2]
        taken = atoll_world("serve", "--port", port).error_line
        other = f"--port {int(port) + 1}"
        assert taken == f"Cannot listen on 127.0.0.1:{port}: address already in use. Use for example {other}."


@on_sqlite
def test_several_workers_serve_and_stop_together(atoll_world: CommandRunner) -> None:
    with atoll_world.run_server("--workers", "2") as served:
        for _ in range(8):
            assert ask(served.url, TOPICS).json()["data"] == PUBLIC_TOPICS


def test_serve_reports_an_unusable_address_on_one_line(atoll_nowhere: CommandRunner) -> None:
    unknown = atoll_nowhere("serve", "--host", "nowhere.invalid").error_line
    assert unknown.startswith("Cannot listen on nowhere.invalid: not an address of this machine.")
    remote = atoll_nowhere("serve", "--host", "192.0.2.1").error_line
    assert remote.startswith("Cannot listen on 192.0.2.1:8000: cannot assign requested address.")


def test_the_demo_is_served_to_this_machine_only(atoll_nowhere: CommandRunner) -> None:
    for options in (("--workers", "2"), ("--host", "0.0.0.0")):  # noqa: S104 - must be rejected
        refused = atoll_nowhere("serve", "--demo", *options).usage_error
        assert refused.endswith("use it with --host 127.0.0.1 and --workers 1.")


def test_an_unknown_option_is_a_usage_error(atoll_nowhere: CommandRunner) -> None:
    assert atoll_nowhere("serve", "--prot", "8000").code == 2
    assert atoll_nowhere("serve", "--port", "0").code == 2


def test_the_version_is_printed(atoll_nowhere: CommandRunner) -> None:
    printed = atoll_nowhere("--version")
    assert (printed.code, printed.out, printed.err) == (0, f"atoll {installed_version()}\n", "")


def test_the_module_runs_as_a_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["cli.py", "--version"])
    with pytest.raises(SystemExit) as ended:
        run_path(str(ROOT / "app/cli.py"), run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (0, f"atoll {installed_version()}\n")


@on_sqlite
def test_the_demo_is_loaded_into_an_empty_database_once_and_has_accounts(atoll: CommandRunner) -> None:
    with atoll.run_server("--demo") as served:
        tokens = [word for word in served.output.split() if word.startswith("atoll_")]
        names = [ask(served.url, VIEWER, token).json()["data"]["viewer"]["user"]["name"] for token in tokens]
        assert names == ["Ada Moreau", "Olu Adeyemi", "Mei Tanaka", "Sam Rivera"]
        assert ask(served.url, TOPICS).json()["data"]["topics"]["nodes"]
    before = rows(atoll.database_url)
    with atoll.run_server("--demo") as served:
        assert "Ada Moreau" in served.output
        config = f"{served.url}/graphql/ide/config.json"
        statuses = [httpx.get(config, headers={"host": host}).status_code for host in ("localhost", "evil.example")]
        assert statuses == [200, 421]  # a name of another site may resolve to this machine
        assert httpx.get(config, headers={"x": "a" * 40_000}).status_code == 431
    after = rows(atoll.database_url)
    assert len(after.pop("api_token")) == len(before.pop("api_token")) + 4
    assert after == before


@on_sqlite
def test_the_demo_is_not_loaded_into_a_database_with_other_data(atoll_world: CommandRunner) -> None:
    before = rows(atoll_world.database_url)
    refused = atoll_world("serve", "--demo", "--port", str(free_port())).error_line
    assert (
        "has other data than the demo. Serve it without --demo, or name another file in ATOLL_DATABASE_URL." in refused
    )
    assert rows(atoll_world.database_url) == before
