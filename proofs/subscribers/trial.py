"""Trial of many subscribers on two server processes, while assets are added, hidden ones among them, and removed.

Subscribers lose their connections at random and resume by their last cursor, often at the other process. Some more
read nothing. In the middle, the tokens of some are revoked.
"""

import asyncio
import resource
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
from sqlalchemy import select

from app.tokens import create_token, revoke_token
from proofs.databases import Databases
from proofs.memory import MAX_GROWTH, resident_bytes
from proofs.proof import BrokenPromiseError, Proof
from proofs.subscribers.subscriber import LARGE, Subscriber, subscribe
from store import sql
from store.database import Database
from tests.cli_process import Server, environment, run_server

OWNER: Final = "owner"
CONNECTIONS_OF_USER: Final = 10
"""Connections of a user, who may have 20, old ones that are being closed included."""

OPENING: Final = 20
"""Connections that are opened at the same time."""

HIDDEN_SHARE: Final = 0.2
REMOVED_SHARE: Final = 0.4
CAUGHT_UP_SHARE: Final = 0.5
"""Share of the writes after which the next one waits until all events have come."""

CATCH_UP_SECONDS: Final = 120
QUIET_SECONDS: Final = 2
SETTLE_BYTES: Final = 8 * 2**20
"""Memory by which a process may grow in any case: a short trial fills no caches before the first measurement."""

TOKEN_SECONDS: Final = 86_400
WRITE: Final = """mutation($input: CollectionAssets{0}Input!) {{ collectionAssets{0}(input: $input) {{
  summary {{ changed }} userErrors {{ message }} }} }}"""


@dataclass(frozen=True)
class Sizes:
    """Numbers of a trial."""

    subscribers: int = 1_000
    silent: int = 100
    """Subscribers that read nothing."""
    events: int = 100

    @property
    def revoked_users(self) -> int:
        """Users whose token is revoked."""
        return -(-self.users // 10)

    @property
    def users(self) -> int:
        """Users of the subscribers."""
        return -(-self.subscribers // CONNECTIONS_OF_USER)


@dataclass
class Stage:
    """Database with its servers, and the collection that is watched."""

    database: Database
    servers: Sequence[Server]
    tokens: dict[str, str]
    ids: dict[str, str]
    client: httpx.AsyncClient
    members: set[str] = field(default_factory=set)
    """Visible members of the collection."""

    async def write(self, action: str, asset: str) -> None:
        """Add the asset to the collection or remove it, at any server."""
        variables = {"input": {"collectionId": self.ids["c"], "assetIds": [self.ids[asset]]}}
        headers = {"authorization": f"Bearer {self.tokens[OWNER]}"}
        body = {"query": WRITE.format(action), "variables": variables}
        response = await self.client.post(f"{self.servers[0].url}/graphql", json=body, headers=headers)
        payload = response.json()["data"][f"collectionAssets{action}"]
        if payload["userErrors"] or payload["summary"]["changed"] != 1:
            raise BrokenPromiseError(f"The write failed: {payload}")


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of events that subscribers received."""
    return await run_trial(databases, seed, Sizes())


async def run_trial(databases: Databases, seed: int, sizes: Sizes) -> int:
    """Run a trial of these sizes."""
    random = Random(seed)
    context = f"on {databases.backend}, seed {seed}, {sizes}"
    _allow_files(sizes.subscribers + sizes.silent)
    url = await databases.create_from_catalogue(_lines(sizes))
    try:
        async with _open_stage(url, sizes) as stage:
            return await _run(stage, random, sizes)
    except (BrokenPromiseError, ExceptionGroup) as error:
        broken = error if isinstance(error, BrokenPromiseError) else error.exceptions[0]
        raise BrokenPromiseError(f"{broken}, {context}") from error
    finally:
        databases.drop(url)


async def _run(stage: Stage, random: Random, sizes: Sizes) -> int:
    tokens = [stage.tokens[f"user-{number % sizes.users}"] for number in range(sizes.subscribers)]
    urls = [server.url for server in stage.servers]
    subscribers = [Subscriber(urls, token, stage.ids["c"], Random(random.random())) for token in tokens]
    async with asyncio.TaskGroup() as running, _open_silent(stage, random, sizes):
        tasks = []
        for start in range(0, len(subscribers), OPENING):
            group = subscribers[start : start + OPENING]
            tasks += [running.create_task(subscriber.run()) for subscriber in group]
            await _wait_until(partial(_are_subscribed, group), "first events are missing")
        watched = await _write_all(stage, random, sizes, subscribers)
        await _assert_quiet(stage, watched)
        for task in tasks:
            task.cancel()
    return sum(subscriber.events for subscriber in subscribers)


def _are_subscribed(subscribers: Sequence[Subscriber]) -> bool:
    return all(each.is_subscribed for each in subscribers)


async def _write_all(
    stage: Stage, random: Random, sizes: Sizes, subscribers: Sequence[Subscriber]
) -> Sequence[Subscriber]:
    """Write, and check all subscribers; return those whose token is valid at the end."""
    watched, memory = subscribers, list[int]()
    for number in range(sizes.events):
        if number == sizes.events // 2:
            watched = await _revoke(stage, sizes, subscribers)
        if number == sizes.events // 4:
            memory = _memory(stage)
        await _write(stage, random, number)
        if random.random() < CAUGHT_UP_SHARE:
            await _catch_up(stage, watched)
    await _catch_up(stage, watched)
    for before, now in zip(memory, _memory(stage), strict=True):
        if now > before * (1 + MAX_GROWTH) + SETTLE_BYTES:
            raise BrokenPromiseError(f"a server grew from {before // 2**20} to {now // 2**20} MiB")
    return watched


async def _write(stage: Stage, random: Random, number: int) -> None:
    """Add an asset, sometimes one that no subscriber sees, or remove one."""
    if stage.members and random.random() < REMOVED_SHARE:
        asset = random.choice(sorted(stage.members))
        stage.members.remove(asset)
        await stage.write("Remove", asset)
    elif random.random() < HIDDEN_SHARE:
        await stage.write("Add", f"hidden-{number}")
    else:
        stage.members.add(f"asset-{number}")
        await stage.write("Add", f"asset-{number}")


async def _revoke(stage: Stage, sizes: Sizes, subscribers: Sequence[Subscriber]) -> Sequence[Subscriber]:
    """Revoke the tokens of some users, who must get no event of later writes. Return the other subscribers."""
    await _catch_up(stage, subscribers)
    users = sizes.revoked_users
    for number in range(users):
        await revoke_token(stage.database, stage.tokens[f"user-{number}"])
    revoked = [each for number, each in enumerate(subscribers) if number % sizes.users < users]
    seen = [set(each.members) for each in revoked]
    stage.members.add("after-revocation")
    await stage.write("Add", "after-revocation")
    await _wait_until(lambda: all(each.is_refused for each in revoked), "a revoked token is still connected")
    if [each.members for each in revoked] != seen:
        raise BrokenPromiseError("an event came after the revocation of its token was acknowledged")
    return [each for number, each in enumerate(subscribers) if number % sizes.users >= users]


async def _catch_up(stage: Stage, subscribers: Sequence[Subscriber]) -> None:
    expected = {stage.ids[name] for name in stage.members}
    await _wait_until(lambda: all(each.members == expected for each in subscribers), "an event is lost")


async def _assert_quiet(stage: Stage, subscribers: Sequence[Subscriber]) -> None:
    """Fail if a write that nobody sees causes an event."""
    # An asset that was added and removed at once is an event too, of which the mirrors do not show that it came.
    stage.members.add("last")
    await stage.write("Add", "last")
    await _catch_up(stage, subscribers)
    events = [each.events for each in subscribers]
    await stage.write("Add", "hidden-last")
    await asyncio.sleep(QUIET_SECONDS)
    if events != [each.events for each in subscribers]:
        raise BrokenPromiseError("a hidden write caused an event")


async def _wait_until(is_done: Callable[[], bool], fault: str) -> None:
    """Wait for the condition. Raises BrokenPromiseError with the fault when the time is up."""
    try:
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while not is_done():  # noqa: ASYNC110 - a thousand subscribers change it
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BrokenPromiseError(f"{fault} after {CATCH_UP_SECONDS} seconds") from None


@asynccontextmanager
async def _open_silent(stage: Stage, random: Random, sizes: Sizes) -> AsyncIterator[None]:
    """Open subscriptions whose clients read nothing, until the end of the block."""
    opened = []
    for number in range(sizes.silent):
        token = stage.tokens[f"silent-{number // CONNECTIONS_OF_USER}"]
        connection = await subscribe(random.choice(stage.servers).url, token, LARGE, id=stage.ids["c"])
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.transport.pause_reading()
        opened.append(connection)
    try:
        yield
    finally:
        for connection in opened:
            connection.transport.abort()


@asynccontextmanager
async def _open_stage(url: str, sizes: Sizes) -> AsyncIterator[Stage]:
    """Start two servers on the database, and create a token for each user."""
    database = Database(url)
    try:
        with _start_servers(url) as servers:
            async with httpx.AsyncClient(timeout=CATCH_UP_SECONDS) as client:
                tokens = {name: await create_token(database, name, TOKEN_SECONDS) for name in _names(sizes)}
                yield Stage(database, servers, tokens, await _read_ids(database), client)
    finally:
        await database.close()


@contextmanager
def _start_servers(database_url: str) -> Iterator[list[Server]]:
    variables = environment(DATABASE_URL=database_url, LOG_LEVEL="error", MAX_CONNECTIONS="2000")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atoll-proof-")))
        yield [stack.enter_context(run_server(folder, variables)) for _ in range(2)]


async def _read_ids(database: Database) -> dict[str, str]:
    """Return the ids of assets, by external id, and of the collection, by slug."""
    async with database.snapshot() as snapshot:
        assets = await snapshot.rows(select(sql.asset.c.external_id, sql.asset.c.id))
        collections = await snapshot.rows(select(sql.collection.c.slug, sql.collection.c.id))
    return {row.external_id: row.id for row in assets} | {row.slug: row.id for row in collections}


def _memory(stage: Stage) -> list[int]:
    return [resident_bytes(server.process.pid) for server in stage.servers]


def _names(sizes: Sizes) -> list[str]:
    silent = range(-(-sizes.silent // CONNECTIONS_OF_USER))
    return [OWNER, *(f"user-{number}" for number in range(sizes.users)), *(f"silent-{number}" for number in silent)]


def _lines(sizes: Sizes) -> list[dict[str, Any]]:
    """Return the catalogue: users, an empty collection, and an asset that all see and a hidden one for each write."""
    users: list[dict[str, Any]] = [{"kind": "user", "id": name, "name": name} for name in _names(sizes)]
    topic = {"kind": "topic", "slug": "t", "name": "t"}
    names = {"slug": "c", "name": "c", "topic": "t"}
    collection = {"kind": "collection", **names, "visibility": "INTERNAL", "assets": []}
    everyone = [{"to": "everyone", "role": "VIEWER"}]
    shared = [_asset(f"asset-{number}", everyone) for number in range(sizes.events)]
    hidden = [_asset(f"hidden-{number}", []) for number in (*range(sizes.events), "last")]
    return [
        *users,
        topic,
        collection,
        *shared,
        *hidden,
        *(_asset(name, everyone) for name in ("after-revocation", "last")),
    ]


def _asset(name: str, grants: Sequence[dict[str, str]]) -> dict[str, Any]:
    texts = {"name": name, "description": "Long text of an asset. " * 200}
    return {"kind": "asset", "id": name, "type": "MODEL", "owner": OWNER, "grants": grants, **texts}


def _allow_files(count: int) -> None:
    """Raise the limit of open files for so many sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count + 100)), hard))


SUBSCRIBERS = Proof(
    "subscribers",
    "Each subscriber gets each visible change once, also after lost connections; others are no harm to them.",
    unit="events",
    goal=100_000,
    trial=trial,
)
