"""Mixed load on one server: queries, mutations, jobs, clients that leave, malformed requests and slow sockets."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from random import Random
from typing import Any, Final, NamedTuple

import httpx

from proofs.differential.generator import Request
from proofs.malformed.exchange import run_exchange
from proofs.malformed.generator import MalformedRequests
from proofs.proof import BrokenPromiseError

DASHBOARD: Final = """query Dashboard($topic: ID!) { topic(by: {id: $topic}) { name collections(first: 20) { nodes {
  id name assets(first: 20) { totalCount nodes { ... on AssetFields { id name owner { name } } } } } } } }"""
SEARCH: Final = """query Search($words: String!) { assets(query: $words, first: 20) { totalCount
  facets { kinds { count } tags { tag count } } nodes { ... on AssetFields { id name } } } }"""
ADD: Final = """mutation Add($input: CollectionAssetsAddInput!) { collectionAssetsAdd(input: $input) {
  job { id } results { status } userErrors { code } } }"""
REMOVE: Final = """mutation Remove($input: CollectionAssetsRemoveInput!) { collectionAssetsRemove(input: $input) {
  results { status } userErrors { code } } }"""
SLOW: Final = """{ collections(first: 100) { nodes { assets(first: 50, orderBy: {field: NAME}) { totalCount
  facets { tags { count } owners { count } } nodes { ... on AssetFields { id name owner { name } } } } } } }"""
WORDS: Final = ("balato", "corine", "dim", "fen osk", "asset", "zzz")
LEAVE_SECONDS = 0.1
JOB_ITEMS = 1_001  # more than run within a request
CLIENT_SECONDS = 120
KEYED_SHARE = 0.5  # of the bulk mutations


class Target(NamedTuple):
    """A server, and the ids of its world that the load uses."""

    port: int
    token: str
    topics: Sequence[str]
    collections: Sequence[str]
    assets: Sequence[str]
    """Assets that the viewer owns."""


class Load:
    """Clients of one server, which count their requests and failures."""

    def __init__(self, target: Target, seed: int) -> None:
        """Take the server, and the seed of all choices."""
        self.done = Counter[str]()
        self._target, self._random, self._keys = target, Random(seed), count()
        self._headers = {"authorization": f"Bearer {target.token}"}
        self._client = httpx.AsyncClient(timeout=CLIENT_SECONDS, limits=httpx.Limits(max_connections=None))
        valid = [Request(SEARCH, {"words": "x"}), Request(DASHBOARD, {"topic": target.topics[0]})]
        self._malformed = MalformedRequests(self._random, valid, target.token)

    async def run(self) -> None:
        """Load the server for ever."""
        work: list[tuple[Callable[[], Awaitable[None]], int, float]] = [
            (self._read_dashboard, 4, 0.1),
            (self._search, 2, 0.3),
            (self._change, 1, 1.0),
            (self._queue_job, 1, 60.0),
            (self._leave, 2, 1.0),
            (self._send_malformed, 8, 0.1),
            (self._stay_half_open, 20, 0.0),
        ]
        clients = [self._repeat(step, pause) for step, number, pause in work for _ in range(number)]
        await asyncio.gather(*clients)

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause: float) -> None:
        name = step.__name__.strip("_")
        while True:
            try:
                await step()
                self.done[name] += 1
            except (httpx.HTTPError, OSError, BrokenPromiseError) as error:
                self.done[f"{name}: {type(error).__name__}"] += 1
            await asyncio.sleep(pause)

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        body = {"query": query, "variables": variables}
        url = f"http://127.0.0.1:{self._target.port}/graphql"
        response = (await self._client.post(url, json=body, headers=self._headers)).raise_for_status()
        return response.json()["data"]

    async def _read_dashboard(self) -> None:
        await self._ask(DASHBOARD, {"topic": self._random.choice(self._target.topics)})

    async def _search(self) -> None:
        await self._ask(SEARCH, {"words": self._random.choice(WORDS)})

    async def _change(self) -> None:
        """Add assets to a collection, send the same once more if it has a key, and remove them."""
        collection, assets = self._random.choice(self._target.collections), list(self._target.assets)
        given: dict[str, Any] = {"collectionId": collection, "assetIds": assets, "mode": "BEST_EFFORT"}
        if self._random.random() < KEYED_SHARE:
            keyed = given | {"idempotencyKey": f"soak-{self._random.random()}-{next(self._keys)}"}
            await self._ask(ADD, {"input": keyed})
            await self._ask(ADD, {"input": keyed})
        else:
            await self._ask(ADD, {"input": given})
        await self._ask(REMOVE, {"input": given})

    async def _queue_job(self) -> None:
        unknown = [f"ast_{self._random.getrandbits(120):024x}" for _ in range(JOB_ITEMS)]
        given = {"collectionId": self._random.choice(self._target.collections), "mode": "BEST_EFFORT"}
        await self._ask(ADD, {"input": given | {"assetIds": unknown}})

    async def _leave(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ask(SLOW, {}), LEAVE_SECONDS)

    async def _send_malformed(self) -> None:
        await run_exchange(self._target.port, self._malformed.draw())

    async def _stay_half_open(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target.port)
        writer.write(b"POST /graphql HTTP/1.1\r\nhost: x\r\n")
        with suppress(ConnectionError):
            await reader.read()  # until the server closes the connection
        writer.close()


def run_load(target: Target, seed: int, report: Connection) -> None:
    """Load the server until anything is sent on the connection; then send the numbers of requests as JSON."""

    async def run() -> None:
        load = Load(target, seed)
        running = asyncio.create_task(load.run())
        await asyncio.to_thread(report.recv)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        report.send(json.dumps(load.done))

    asyncio.run(run())
