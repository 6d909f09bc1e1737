"""Polling by trusted documents over GET: 304 while the response is the same, on each way to answer queries."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest

from app.application import create_application
from app.settings import Executor
from app.tokens import revoke_token
from app.trusted_documents import TrustedDocuments
from store.database import Database
from tests.conftest import ANONYMOUS, GraphQLClient, World, settings_of
from tests.mutations import Mutation

LIST = """query Members($id: ID!) { node(id: $id) { ... on Collection {
    name updatedAt assetCounts { total }
    assets(first: 1) {
        totalCount pageInfo { hasNextPage endCursor } edges { cursor node { ... on AssetFields { name } } }
    }
} } }"""
REFUSED = "query Log { topics { totalCount } auditLog { nodes { id } } }"
PULL = "query Pull { collectionGraph(first: 100) { topics { name } syncToken } }"
SYNC = "query Sync($since: String) { collectionGraph(since: $since) { removedMemberships { assetId } syncToken } }"
DOCUMENTS = {sha256(text.encode()).hexdigest(): text for text in (LIST, REFUSED, PULL, SYNC)}
WAYS: dict[str, dict[str, Any]] = {
    "memory": {},
    "engine": {"index": False},
    "reference": {"engine": Executor.REFERENCE},
}
ADD = Mutation("collectionAssetsAdd", "results { status }")
REMOVE = Mutation("collectionAssetsRemove", "results { status }")
GRANT = Mutation("assetGrantsUpdate", "asset { __typename }")


class Poller:
    """Client that requests trusted documents by GET, from a process of its own."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        self.database = Database(world.url)
        self.app = create_application(
            replace(settings_of(world.url), **settings),
            database=self.database,
            documents=TrustedDocuments(DOCUMENTS, is_only=True),
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://atoll")

    async def get(self, who: str, document: str, variables: str = "{}", tag: str | None = None) -> httpx.Response:
        """Request a document by its id, with the tag of an earlier response if there is one."""
        if self.app.state.memory:
            await self.app.state.memory.refresh()
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self.world.tokens[who]}"}
        headers |= {} if tag is None else {"if-none-match": tag}
        params = {"documentId": sha256(document.encode()).hexdigest(), "variables": variables}
        return await self.client.get("/graphql", params=params, headers=headers)

    async def close(self) -> None:
        await self.client.aclose()
        await self.database.close()


@pytest.fixture
async def opened(own_world: World) -> AsyncIterator[Callable[..., Poller]]:
    """Yield a function that opens pollers."""
    pollers: list[Poller] = []

    def open_poller(**settings: Any) -> Poller:
        pollers.append(Poller(own_world, **settings))
        return pollers[-1]

    yield open_poller
    for poller in pollers:
        await poller.close()


@pytest.fixture(params=WAYS)
def poller(request: pytest.FixtureRequest, opened: Callable[..., Poller]) -> Poller:
    return opened(**WAYS[request.param])


@pytest.fixture
async def ids(ask_own: GraphQLClient) -> dict[str, str]:
    """Return the ids of the world's assets and collections, and of the users, by name."""
    query = """{
        assets { nodes { ... on AssetFields { id name } } }
        collections { nodes { id slug } }
        users { nodes { id name } }
    }"""
    data = await ask_own("ada", query)
    rows = [row for part in data.values() for row in part["nodes"]]
    return {row.get("slug") or row["name"]: row["id"] for row in rows}


def members(ids: dict[str, str]) -> str:
    return f'{{"id": "{ids["members"]}"}}'


async def test_an_unchanged_response_is_304_without_a_body(
    poller: Poller, opened: Callable[..., Poller], ids: dict[str, str]
) -> None:
    first = await poller.get("eve", LIST, members(ids))
    assert (first.status_code, first.json()["data"]["node"]["assets"]["totalCount"]) == (200, 1)
    tag = first.headers["etag"]
    for process in (poller, opened()):
        again = await process.get("eve", LIST, members(ids), tag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in again.headers["vary"]


async def write_hidden(ask: GraphQLClient, ids: dict[str, str]) -> None:
    """Write to objects that are hidden from eve, who sees nothing but blast in `members`."""
    for mutation in (REMOVE, ADD):
        payload = await mutation(ask, "olu", collectionId=ids["members"], assetIds=[ids["hidden"]])
        assert payload["userErrors"] == []
    grants = [{"to": {"userId": ids["lou"]}, "access": "VIEWER"}]
    assert (await GRANT(ask, "olu", assetId=ids["hidden"], set=grants))["userErrors"] == []


async def test_hidden_writes_leave_a_response_unchanged(
    poller: Poller, ask_own: GraphQLClient, ids: dict[str, str]
) -> None:
    tag = (await poller.get("eve", LIST, members(ids))).headers["etag"]
    await write_hidden(ask_own, ids)
    assert (await poller.get("eve", LIST, members(ids), tag)).status_code == 304
    await REMOVE(ask_own, "olu", collectionId=ids["members"], assetIds=[ids["blast"]])
    changed = await poller.get("eve", LIST, members(ids), tag)
    assert (changed.status_code, changed.json()["data"]["node"]["assets"]["totalCount"]) == (200, 0)


async def test_a_viewer_who_lost_an_access_gets_the_new_response(
    poller: Poller, ask_own: GraphQLClient, ids: dict[str, str]
) -> None:
    tag = (await poller.get("mei", LIST, members(ids))).headers["etag"]
    payload = await GRANT(ask_own, "olu", assetId=ids["blast"], revoke=[{"everyone": True}])
    assert payload["userErrors"] == []
    response = await poller.get("mei", LIST, members(ids), tag)
    assert (response.status_code, response.json()["data"]["node"]["assets"]["totalCount"]) == (200, 2)


async def test_a_tag_confirms_nothing_to_another_viewer(poller: Poller, ids: dict[str, str]) -> None:
    tag = (await poller.get("mei", LIST, members(ids))).headers["etag"]
    assert (await poller.get("eve", LIST, members(ids), tag)).status_code == 200
    assert (await poller.get(ANONYMOUS, LIST, members(ids), tag)).json()["data"] == {"node": None}


async def test_a_revoked_token_gets_an_error_and_not_304(
    poller: Poller, ask_own: GraphQLClient, ids: dict[str, str]
) -> None:
    tag = (await poller.get("eve", LIST, members(ids))).headers["etag"]
    await revoke_token(ask_own.database, ask_own.tokens["eve"])
    response = await poller.get("eve", LIST, members(ids), tag)
    assert (response.status_code, response.headers["cache-control"]) == (401, "private, no-store")
    assert "etag" not in response.headers


async def test_a_response_with_an_error_has_no_tag(poller: Poller) -> None:
    response = await poller.get("eve", REFUSED, tag="*")
    assert response.json()["data"] == {"topics": {"totalCount": 3}, "auditLog": None}
    assert (response.status_code, response.headers["cache-control"]) == (200, "private, no-store")
    assert "etag" not in response.headers


@pytest.mark.parametrize("way", WAYS)
async def test_304_takes_the_points_of_the_query(opened: Callable[..., Poller], ids: dict[str, str], way: str) -> None:
    poller = opened(rate_points=1, rate_burst=4, **WAYS[way])
    tag, statuses = None, []
    for _ in range(6):
        response = await poller.get("eve", LIST, members(ids), tag)
        statuses.append(response.status_code)
        tag = tag or response.headers["etag"]
    assert statuses[:4] == [200, 304, 304, 304]
    assert 429 in statuses[4:]


async def test_a_pull_and_a_sync_of_the_same_rows_are_304(
    poller: Poller, ask_own: GraphQLClient, ids: dict[str, str]
) -> None:
    pull = await poller.get("eve", PULL)
    since = json.dumps({"since": pull.json()["data"]["collectionGraph"]["syncToken"]})
    sync = await poller.get("eve", SYNC, since)
    await write_hidden(ask_own, ids)
    assert (await poller.get("eve", PULL, tag=pull.headers["etag"])).status_code == 304
    assert (await poller.get("eve", SYNC, since, sync.headers["etag"])).status_code == 304
    await REMOVE(ask_own, "olu", collectionId=ids["members"], assetIds=[ids["blast"]])
    changed = await poller.get("eve", SYNC, since, sync.headers["etag"])
    removed = [{"assetId": ids["blast"]}]
    assert (changed.status_code, changed.json()["data"]["collectionGraph"]["removedMemberships"]) == (200, removed)
