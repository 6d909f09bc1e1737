"""Allowed hosts, and the headers of every response."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Message

from app.application import create_application
from app.hosts import AllowedHosts
from app.settings import Settings
from store.database import Database

NAMES = ("atoll.example.org", "*.internal", "[::1]")


def scope(*hosts: str) -> dict[str, Any]:
    """Return the scope of a request with these `Host` headers."""
    return {"type": "http", "headers": [(b"host", host.encode("latin-1")) for host in hosts]}


@pytest.mark.parametrize("host", ["atoll.example.org", "ATOLL.example.org:8000", "a.b.internal", "[::1]:80", "[::1]"])
def test_an_allowed_name_is_answered_on_any_port(host: str) -> None:
    assert AllowedHosts(NAMES).allow(scope(host))


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"],
        ["atoll.example.org.evil.example"],
        ["evilatoll.example.org"],
        ["internal"],
        [".internal.evil"],
        ["atoll.example.org:80:80"],
        ["atoll.example.org@evil.example"],
        ["evil.example/atoll.example.org"],
        ["atoll.example.org\n"],
        ["ätoll.example.org"],
        [""],
        [],
        ["atoll.example.org", "evil.example"],
        ["atoll.example.org", "atoll.example.org"],
    ],
)
def test_any_other_host_is_refused(hosts: list[str]) -> None:
    assert not AllowedHosts(NAMES).allow(scope(*hosts))


def test_without_names_every_host_is_answered() -> None:
    assert AllowedHosts(()).allow(scope("evil.example"))
    assert AllowedHosts(()).allow(scope())


def test_names_are_read_from_the_environment() -> None:
    settings = Settings.from_environment({"ATOLL_ALLOWED_HOSTS": " atoll.example.org, *.internal ,"})
    assert settings.allowed_hosts == ("atoll.example.org", "*.internal")
    rows = settings.describe({"ATOLL_ALLOWED_HOSTS": ""})
    assert ("ATOLL_ALLOWED_HOSTS", "atoll.example.org, *.internal", "environment") in rows
    assert ("ATOLL_ALLOWED_HOSTS", "(none)", "default") in Settings().describe({})


@asynccontextmanager
async def client(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an application whose database is never opened."""
    database = Database("sqlite+aiosqlite:///nowhere.db")
    app = create_application(Settings(**settings), database=database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as opened:
        yield opened
    await database.close()


async def test_a_request_for_another_host_is_refused_on_every_path() -> None:
    evil = {"host": "evil.example"}
    async with client(allowed_hosts=("localhost",), graphiql=True) as guarded:
        for path in ("/graphql", "/graphql/", "/", "/graphql/ide/config.json", "/nowhere"):
            response = await guarded.get(path, headers=evil)
            assert response.status_code == 421
            (error,) = response.json()["errors"]
            assert error["extensions"]["code"] == "MISDIRECTED_REQUEST"
            assert "ATOLL_ALLOWED_HOSTS" in error["message"]
            assert "location" not in response.headers
            assert (await guarded.get(path)).status_code != 421
        assert (await guarded.get("/healthz", headers=evil)).status_code == 200


async def test_a_handshake_for_another_host_is_refused() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    database = Database("sqlite+aiosqlite:///nowhere.db")
    app = create_application(Settings(allowed_hosts=("localhost",)), database=database)
    await app(scope("evil.example") | {"type": "websocket", "path": "/graphql"}, receive, send)
    await database.close()
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_no_path_redirects_to_the_host_of_the_request() -> None:
    async with client() as unguarded:
        for path in ("/graphql/", "/healthz/", "/graphql//", "/graphql/?query=é"):
            response = await unguarded.get(path, headers={"host": "evil.example"})
            assert (response.status_code, response.headers.get("location")) == (404, None), path


async def test_every_response_has_security_headers() -> None:
    async with client(graphiql=True) as opened:
        for path in ("/graphql", "/healthz", "/nowhere", "/", "/graphql/ide/config.json"):
            headers = (await opened.get(path)).headers
            assert headers.get_list("x-content-type-options") == ["nosniff"], path
            (policy,) = headers.get_list("content-security-policy")
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
