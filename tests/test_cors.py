"""Cross-origin requests: pages of the allowed origins may call the API, and those of no other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.application import create_application
from app.cors import MAX_AGE_SECONDS
from app.settings import SettingError, Settings
from store.database import Database
from tests.conftest import World

SITE, OTHER = "https://app.example.org", "https://evil.example"
QUERY = {"query": "{ topics { totalCount } }"}
DATA = {"topics": {"totalCount": 3}}
MUTATION = {"query": 'mutation { topicCreate(input: {name: "New"}) { topic { name } } }'}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@asynccontextmanager
async def open_client(world: World, *origins: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an application that allows these origins, with a member's token."""
    database = Database(world.url)
    application = create_application(Settings(cors_origins=origins), database=database)
    transport = httpx.ASGITransport(application)
    headers = {"authorization": f"Bearer {world.tokens['eve']}"}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://atoll", headers=headers) as client:
            yield client
    finally:
        await database.close()


def names(response: httpx.Response, header: str) -> set[str]:
    """Return the members of a header that is a list."""
    return {name.strip().lower() for name in response.headers.get(header, "").split(",") if name.strip()}


async def test_a_page_of_an_allowed_origin_reads_responses(own_world: World) -> None:
    async with open_client(own_world, "http://localhost:3000", SITE) as client:
        response = await client.post("/graphql", json=QUERY, headers={"origin": SITE})
        assert response.json()["data"] == DATA
        assert response.headers["access-control-allow-origin"] == SITE
        assert names(response, "vary") == {"accept", "accept-encoding", "authorization", "origin"}
        assert names(response, "access-control-expose-headers") == {"etag", "retry-after", "x-request-id"}
        assert "access-control-allow-credentials" not in response.headers
        refused = await client.post("/graphql", content="{", headers={"origin": SITE})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (415, SITE)


async def test_a_preflight_is_answered_and_kept(own_world: World) -> None:
    async with open_client(own_world, SITE) as client:
        response = await client.options("/graphql", headers={"origin": SITE} | PREFLIGHT)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == SITE
        assert names(response, "access-control-allow-methods") == {"get", "post"}
        assert {"authorization", "content-type"} <= names(response, "access-control-allow-headers")
        assert response.headers["access-control-max-age"] == str(MAX_AGE_SECONDS)


async def test_pages_of_other_origins_read_nothing(own_world: World) -> None:
    for origins in ((), (SITE,)):
        async with open_client(own_world, *origins) as client:
            for origin in (OTHER, f"{SITE}.evil.example", "null"):
                preflight = await client.options("/graphql", headers={"origin": origin} | PREFLIGHT)
                assert preflight.is_client_error
                answered = await client.post("/graphql", json=QUERY, headers={"origin": origin})
                for response in (preflight, answered):
                    assert "access-control-allow-origin" not in response.headers


async def test_every_origin_is_allowed_by_an_asterisk(own_world: World) -> None:
    async with open_client(own_world, "*") as client:
        response = await client.post("/graphql", json=QUERY, headers={"origin": OTHER})
        assert response.json()["data"] == DATA
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ((SITE,), SITE, 200),
        (("*",), OTHER, 200),
        ((SITE,), OTHER, 403),
        ((SITE,), None, 403),
        (("*",), None, 403),
        ((), SITE, 403),
    ],
)
async def test_pages_of_allowed_origins_send_queries_by_get(
    own_world: World, origins: tuple[str, ...], origin: str | None, status: int
) -> None:
    headers = {"sec-fetch-site": "cross-site"} | ({"origin": origin} if origin else {})
    async with open_client(own_world, *origins) as client:
        response = await client.get("/graphql", params=QUERY, headers=headers)
        assert response.status_code == status
        assert (response.json().get("data") == DATA) is (status == 200)
        assert (await client.get("/graphql", params=MUTATION, headers=headers)).is_client_error


@pytest.mark.parametrize("text", ["app.example.org", "https://a.org/", "https://a.org/x", "https://*.a.org", "null"])
def test_an_invalid_origin_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"Invalid ATOLL_CORS_ORIGINS .*Use origins, such as https://"):
        Settings.from_environment({"ATOLL_CORS_ORIGINS": f"{SITE},{text}"})


def test_origins_are_read_from_the_environment() -> None:
    settings = Settings.from_environment({"ATOLL_CORS_ORIGINS": f" {SITE} , http://[::1]:3000"})
    assert settings.cors_origins == (SITE, "http://[::1]:3000")
