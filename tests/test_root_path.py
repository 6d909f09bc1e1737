"""Atoll below a prefix: behind a proxy that removes it from paths, and behind one that does not."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from app.application import create_application
from app.settings import SettingError, Settings
from store.database import Database
from tests.http_server import run_server

PAGE = {"accept": "text/html"}
HELLO = {"query": "{ __typename }"}
NAME = "atoll.example.org"


@asynccontextmanager
async def open_client(root_path: str, *, is_mounted: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an application whose database is never opened."""
    database = Database("sqlite+aiosqlite:///nowhere.db")
    app = create_application(Settings(root_path=root_path, graphiql=True, allowed_hosts=(NAME,)), database=database)
    served = Starlette(routes=[Mount("/atoll", app)]) if is_mounted else app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url=f"http://{NAME}") as client:
        yield client
    await database.close()


async def test_a_path_is_answered_with_and_without_the_prefix() -> None:
    async with open_client("/tools/atoll") as client:
        for prefix in ("/tools/atoll", ""):
            assert "<html" in (await client.get(f"{prefix}/graphql", headers=PAGE)).text
            assert (await client.post(f"{prefix}/graphql", json={"query": "{"})).status_code == 200
            assert (await client.get(f"{prefix}/graphql/ide/config.json")).status_code == 200
            assert (await client.get(f"{prefix}/healthz", headers={"host": "10.0.0.7"})).json() == {"status": "ok"}
            assert (await client.get(f"{prefix}/nowhere")).status_code == 404
            assert (await client.post(f"{prefix}/graphql", headers={"host": "evil.example"})).status_code == 421
        for path in ("/tools/graphql", "/tools/atoll-two/graphql", "/tools/atoll/tools/atoll/graphql", "/graphql/"):
            assert (await client.get(path, headers=PAGE)).status_code == 404


@pytest.mark.parametrize(
    ("root_path", "path", "location"),
    [
        ("", "/", "/graphql"),
        ("/atoll", "/", "/atoll/graphql"),
        ("/atoll", "/atoll/", "/atoll/graphql"),
        ("/atoll", "/atoll", "/atoll/graphql"),
    ],
)
async def test_the_redirect_to_the_page_keeps_the_prefix_and_the_host(root_path: str, path: str, location: str) -> None:
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "evil.example", "x-forwarded-prefix": "/evil"}
    async with open_client(root_path) as client:
        response = await client.get(path, headers=forwarded)
    assert (response.status_code, response.headers["location"]) == (307, location)


async def test_without_the_setting_a_prefix_is_unknown() -> None:
    async with open_client("") as client:
        assert (await client.get("/atoll/graphql", headers=PAGE)).status_code == 404


async def test_an_application_can_be_mounted() -> None:
    async with open_client("", is_mounted=True) as client:
        assert "<html" in (await client.get("/atoll/graphql", headers=PAGE)).text
        assert (await client.get("/atoll/graphql/ide/config.json")).status_code == 200


@pytest.mark.parametrize(
    "text", ["atoll", "/", "/atoll/", "//atoll", "/a b", "/../atoll", "/a//b", "https://a.org/b", "/ü"]
)
def test_an_invalid_prefix_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"Invalid ATOLL_ROOT_PATH .*Use a path such as /atoll, without a slash"):
        Settings.from_environment({"ATOLL_ROOT_PATH": text})


def test_a_prefix_is_read_from_the_environment() -> None:
    for text in ("", "/atoll", "/tools/atoll-2"):
        assert Settings.from_environment({"ATOLL_ROOT_PATH": text}).root_path == text


# A proxy


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Yield the origin of a server behind trusted proxies."""
    settings = Settings(root_path="/atoll", graphiql=True, allowed_hosts=(NAME,))
    app = create_application(settings, database=Database("sqlite+aiosqlite:///nowhere.db"))
    with run_server(app, proxy_headers=True, forwarded_allow_ips=["127.0.0.1"]) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module", params=["removes the prefix", "keeps the prefix"])
def proxy(request: pytest.FixtureRequest, origin: str) -> Iterator[str]:
    """Yield the public address of Atoll behind each kind of proxy."""

    async def forward(incoming: Request) -> Response:
        path = incoming.url.path
        path = path.removeprefix("/atoll") if request.param == "removes the prefix" else path
        headers = dict(incoming.headers) | {
            "host": NAME,
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-proto": "https",
            "x-forwarded-host": "evil.example",
        }
        async with httpx.AsyncClient(base_url=origin) as client:
            answer = await client.request(
                incoming.method, path, params=incoming.query_params, content=await incoming.body(), headers=headers
            )
        passed = ("content-type", "location", "etag")
        named = {name: answer.headers[name] for name in passed if name in answer.headers}
        return Response(answer.content, answer.status_code, named)

    routes = [Route("/atoll{path:path}", forward, methods=["GET", "POST"])]
    with run_server(Starlette(routes=routes)) as port:
        yield f"http://127.0.0.1:{port}/atoll"


def test_a_client_of_a_proxy_uses_one_address(proxy: str) -> None:
    response = httpx.get(f"{proxy}/", headers=PAGE, follow_redirects=True)
    assert (str(response.url), response.status_code) == (f"{proxy}/graphql", 200)
    assert httpx.post(f"{proxy}/graphql", json={"query": "{"}).json()["errors"]
    assert httpx.get(f"{proxy}/healthz").json() == {"status": "ok"}


def test_a_proxy_cannot_name_another_host_by_its_headers(origin: str) -> None:
    headers = {"host": "evil.example", "x-forwarded-host": NAME}
    assert httpx.post(f"{origin}/graphql", json=HELLO, headers=headers).status_code == 421
    headers = {"host": NAME, "x-forwarded-host": "evil.example"}
    assert httpx.post(f"{origin}/graphql", json={"query": "{"}, headers=headers).status_code == 200
