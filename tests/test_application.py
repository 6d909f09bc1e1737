"""Tests of the whole application: authentication, settings, health, revocation and isolation of operations."""

import asyncio
import shutil
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from sqlalchemy import delete, text, update
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from app.application import create_application
from app.settings import Executor, SettingError, Settings
from engine import execute
from store import sql
from store.database import ConnectionSnapshot, Database, Snapshot
from store.failure import StorageError
from store.migrate import head_revision, is_usable, migrate
from store.postgres_reader import PostgresSnapshot
from store.reader_threads import ThreadSnapshot
from tests.conftest import ANONYMOUS, GraphQLClient, World
from tests.oidc.fake_issuer import AUDIENCE, FakeIssuer, signing_key

VIEWER = "{ viewer { user { name } isAdmin } }"


def _client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://atoll.test")


async def _ask(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/graphql", json={"query": VIEWER}, headers={"authorization": f"Bearer {token}"})


async def test_an_issuers_token_authenticates_the_user_with_that_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = signing_key("k1", "ES256")
    database = Database(world.url)
    async with FakeIssuer(keys=[key.published()]) as issuer:
        monkeypatch.setattr("app.application.create_issuer", lambda *_settings: issuer.issuer())
        app = create_application(Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE), database=database)
        async with _client(app) as client:
            good = await _ask(client, issuer.token(key, sub="mei"))
            assert good.json()["data"] == {"viewer": {"user": {"name": "mei"}, "isAdmin": False}}
            own = await _ask(client, world.tokens["ada"])
            assert own.json()["data"]["viewer"]["isAdmin"] is True
            bad = [
                await _ask(client, issuer.token(key, sub="stranger")),
                await _ask(client, issuer.token(key, sub="lab")),  # a group, which cannot sign in
                await _ask(client, issuer.token(key, sub="mei", exp=1)),
                await _ask(client, issuer.token(key, sub="mei", aud="another")),
                await _ask(client, issuer.token(signing_key("k2", "ES256"), sub="mei")),
                await _ask(client, "atoll_unknown"),
            ]
            assert {answer.status_code for answer in bad} == {401}
            assert len({answer.content for answer in bad}) == 1
    await database.close()


async def test_an_issuers_tokens_are_unavailable_while_its_keys_cannot_be_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(world.url)
    issuer = FakeIssuer()
    async with issuer:
        pass  # it now has an address, but no longer listens
    monkeypatch.setattr("app.application.create_issuer", lambda *_settings: issuer.issuer())
    app = create_application(Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE), database=database)
    async with _client(app) as client:
        answer = await _ask(client, issuer.token(signing_key("k1", "ES256"), sub="mei"))
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        assert "retry-after" in answer.headers
        assert (await _ask(client, world.tokens["mei"])).status_code == 200
    await database.close()


@pytest.mark.parametrize("environment", [{"ATOLL_OIDC_ISSUER": "https://id.test"}, {"ATOLL_OIDC_AUDIENCE": "atoll"}])
def test_one_of_the_two_issuer_settings_alone_stops_the_start(environment: dict[str, str]) -> None:
    with pytest.raises(
        ValueError, match=r"ATOLL_OIDC_ISSUER.*ATOLL_OIDC_AUDIENCE|ATOLL_OIDC_AUDIENCE.*ATOLL_OIDC_ISSUER"
    ):
        create_application(Settings.from_environment(environment))


def test_a_misspelt_setting_stops_the_start() -> None:
    with pytest.raises(SettingError, match="Unknown setting ATOLL_DATABASE_URI"):
        Settings.from_environment({"ATOLL_DATABASE_URI": "x"})
    with pytest.raises(SettingError, match="Use 1 or 0"):
        Settings.from_environment({"ATOLL_GRAPHIQL": "perhaps"})
    assert Settings.from_environment({"ATOLL_IDLE_SECONDS": "5"}).idle_seconds == 5
    assert Settings.from_environment({"ATOLL_IDLE_SECONDS": ""}).idle_seconds == 75
    assert Settings.from_environment({"ATOLL_DRAIN_SECONDS": "0"}).drain_seconds == 0
    for number in ("0", "-1", "86401", "5s", "1e3", "٣", "9" * 5_000):
        with pytest.raises(SettingError, match=r"Invalid ATOLL_IDLE_SECONDS .*Use a number from 1 to 86,400\."):
            Settings.from_environment({"ATOLL_IDLE_SECONDS": number})
    with pytest.raises(SettingError, match=r"Invalid ATOLL_ENGINE 'fast'\. Use on or reference\."):
        Settings.from_environment({"ATOLL_ENGINE": "fast"})


def test_variables_of_the_build_and_of_the_tests_are_not_settings() -> None:
    environment = {"ATOLL_WITHOUT_GRAPHIQL": "1", "ATOLL_REQUIRE_ALL": "1"}
    assert Settings.from_environment(environment) == Settings()


@pytest.mark.parametrize(
    ("text", "executor"), [("reference", Executor.REFERENCE), ("on", Executor.ON), ("", Executor.ON)]
)
def test_the_executor_is_a_setting(text: str, executor: Executor) -> None:
    assert Settings.from_environment({"ATOLL_ENGINE": text}).engine is executor


@pytest.mark.parametrize("executor", Executor)
async def test_the_engine_executes_queries_unless_graphql_core_is_to(own_world: World, executor: Executor) -> None:
    database = Database(own_world.url)
    app = create_application(Settings(engine=executor), database=database)
    with patch("app.query_engine.execute", wraps=execute) as engine:
        async with _client(app) as client:
            response = await client.post("/graphql", json={"query": "{ deployment { publicSharing } }"})
    assert response.json()["data"] == {"deployment": {"publicSharing": True}}
    assert engine.called is (executor is Executor.ON)
    await database.close()


class _PassThrough:
    """Middleware that only records the paths of requests."""

    def __init__(self, app: ASGIApp, paths: list[str]) -> None:
        self._app, self._paths = app, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._paths.append(scope["path"])
        await self._app(scope, receive, send)


async def test_the_endpoint_responds_the_same_in_front_of_the_routing_and_behind_it(world: World) -> None:
    database = Database(world.url)
    direct, routed = (create_application(Settings(), database=database) for _ in range(2))
    paths: list[str] = []
    routed.add_middleware(_PassThrough, paths=paths)
    headers = {"authorization": f"Bearer {world.tokens['mei']}", "x-request-id": "7"}
    requests: list[dict[str, Any]] = [
        {"method": "POST", "json": {"query": VIEWER}},
        {"method": "POST", "json": {"query": "{"}},
        {"method": "POST", "content": "x"},
        {"method": "GET", "params": {"query": VIEWER}},
        {"method": "DELETE"},
    ]
    async with _client(direct) as one, _client(routed) as other:
        for request in requests:
            responses = [await client.request(url="/graphql", headers=headers, **request) for client in (one, other)]
            assert len({(answer.status_code, str(answer.headers.raw), answer.content) for answer in responses}) == 1
    assert paths == ["/graphql"] * len(requests)
    await database.close()


def test_passwords_are_masked() -> None:
    environment = {"ATOLL_DATABASE_URL": "postgresql+asyncpg://atoll:sesame@db/atoll"}
    rows = Settings.from_environment(environment).describe(environment)
    assert ("ATOLL_DATABASE_URL", "postgresql+asyncpg://atoll:***@db/atoll", "environment") in rows
    assert ("ATOLL_GRAPHIQL", "False", "default") in rows


async def test_the_server_is_ready_while_its_database_has_the_current_revision(
    ask_own: GraphQLClient,
) -> None:
    assert (await ask_own.client.get("/healthz")).json() == {"status": "ok"}
    ready = await ask_own.client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    async with ask_own.database.write() as connection:
        await connection.execute(text("update alembic_version set version_num = 'from the future'"))
    ready = await ask_own.client.get("/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (
        503,
        "The database has another revision. Run a newer version of Atoll.",
    )


async def test_the_server_is_ready_on_a_newer_revision_that_it_can_use(ask_own: GraphQLClient) -> None:
    async with ask_own.database.write() as connection:
        newer = {"revision": f"9999_{head_revision()[:4]}"}
        await connection.execute(text("update alembic_version set version_num = :revision"), newer)
    assert (await ask_own.client.get("/readyz")).json() == {"status": "ready"}
    assert await migrate(ask_own.database) == newer["revision"]


@pytest.mark.parametrize(
    ("revision", "usable"),
    [
        ("{head}", True),
        ("9999_{number}", True),
        ("9999_0001", True),
        ("9999_9998", False),
        ("9999", False),
        (None, False),
    ],
)
def test_the_name_of_a_revision_says_which_code_can_use_it(revision: str | None, usable: bool) -> None:  # noqa: FBT001 - a column of the table
    head = head_revision()
    assert is_usable(revision and revision.format(head=head, number=head[:4])) is usable


async def test_without_its_database_the_server_answers_503_and_keeps_running(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    folder = tmp_path / "gone"
    folder.mkdir()
    database = Database(f"sqlite+aiosqlite:///{folder}/atoll.db")
    shutil.rmtree(folder)
    async with _client(create_application(Settings(), database=database)) as client:
        answer = await client.post("/graphql", json={"query": VIEWER})
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (
            503,
            "The service is temporarily unavailable. Try again in a few seconds.",
        )
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
    await database.close()
    # The driver's threads report their failure to the event loop, which must not be closed before.
    for thread in set(threading.enumerate()) - others:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


async def test_graphiql_is_off_by_default(world: World) -> None:
    page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}  # as browsers send it
    for settings, status in ((Settings(), 404), (Settings(graphiql=True), 200)):
        database = Database(world.url)
        async with _client(create_application(settings, database=database)) as client:
            assert (await client.get("/graphql", headers=page)).status_code == status
            assert (await client.get("/graphql/ide/config.json")).status_code == status
        await database.close()


async def test_a_revoked_grant_takes_effect_with_the_next_operation(ask_own: GraphQLClient) -> None:
    query = (
        '{ asset(by: {externalId: "genomes"}) { __typename } collection(by: {slug: "deep"}) { assetCounts { total } } }'
    )
    assert await ask_own("mei", query) == {
        "asset": {"__typename": "DataAsset"},
        "collection": {"assetCounts": {"total": 2}},
    }
    async with ask_own.database.write() as connection:
        await connection.execute(delete(sql.grant).where(sql.grant.c.access == 2))
    assert await ask_own("mei", query) == {"asset": None, "collection": {"assetCounts": {"total": 0}}}


async def test_leaving_a_group_takes_effect_with_the_next_operation(ask_own: GraphQLClient) -> None:
    query = '{ asset(by: {externalId: "images"}) { ... on AssetFields { viewerAccess } } }'
    assert await ask_own("lou", query) == {"asset": {"viewerAccess": "OWNER"}}
    async with ask_own.database.write() as connection:
        await connection.execute(delete(sql.group_member))
    assert await ask_own("lou", query) == {"asset": None}


async def test_an_operation_reads_one_snapshot_from_its_first_statement_to_its_last(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATOLL_INDEX", "off")  # the index is one snapshot by itself
    client, other = GraphQLClient(own_world), Database(own_world.url)
    archived = asyncio.Event()

    async def archive_between(*_: object) -> None:
        async with other.write() as connection:
            await connection.execute(update(sql.asset).values(status="ARCHIVED"))
        archived.set()

    first, loop = True, asyncio.get_running_loop()

    def interrupt(rows: Any) -> Any:
        async def interrupted(self: Snapshot, *arguments: object) -> object:
            nonlocal first
            answer = await rows(self, *arguments)
            if first:
                first = False
                archiving = asyncio.run_coroutine_threadsafe(archive_between(), loop)
                archiving.result() if isinstance(self, ThreadSnapshot) else await asyncio.wrap_future(archiving)
            return answer

        return interrupted

    with pytest.MonkeyPatch.context() as patch:
        for kind in (ConnectionSnapshot, PostgresSnapshot, ThreadSnapshot):
            patch.setattr(kind, "rows", interrupt(kind.rows))
        data = await client("eve", "{ assets { totalCount nodes { __typename } } }")
    assert archived.is_set()
    assert (data["assets"]["totalCount"], len(data["assets"]["nodes"])) == (6, 6)
    assert (await client("eve", "{ assets { totalCount } }"))["assets"]["totalCount"] == 0
    await other.close()
    await client.close()


async def test_concurrent_operations_do_not_mix_viewers(ask: GraphQLClient) -> None:
    query = "{ viewer { user { name } } assets { totalCount } }"
    people = ["olu", "eve", ANONYMOUS, "mei"] * 15
    headers = [{} if who == ANONYMOUS else {"authorization": f"Bearer {ask.tokens[who]}"} for who in people]
    answers = await asyncio.gather(
        *(ask.client.post("/graphql", json={"query": query}, headers=header) for header in headers)
    )
    expected = {"olu": 11, "eve": 6, ANONYMOUS: 2, "mei": 8}
    for who, answer in zip(people, answers, strict=True):
        data = answer.json()["data"]
        assert data["assets"]["totalCount"] == expected[who]
        assert (data["viewer"] or {"user": {"name": ANONYMOUS}})["user"]["name"] == who


async def test_a_snapshot_cannot_write(world: World) -> None:
    database = Database(world.url)
    async with database.snapshot() as snapshot:
        with pytest.raises(StorageError, match=r"not writable|read-only"):
            await snapshot.rows(delete(sql.grant).returning(sql.grant.c.access))
    await database.close()
