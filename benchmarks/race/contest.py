"""The contest: databases written, servers started one beside another, answers compared, loads alternated."""

import asyncio
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.race import operations, peers
from benchmarks.race.atoll_tables import TOKEN_SECONDS, write_atoll
from benchmarks.race.load import Measurement, measure
from benchmarks.race.operations import plain
from benchmarks.race.server import Server, python
from benchmarks.race.world import NOW, World
from tests.postgres import Postgres

HERE = Path(__file__).parent / "servers"
WARM_UP_REQUESTS = 5
FAR_FUTURE = 4_102_444_800_000  # milliseconds; the peers' copy of the token never expires here
Progress = Callable[[str], None]


class Row(NamedTuple):
    """A server's medians for one operation."""

    operation: str
    server: str
    bytes: int
    measurement: Measurement
    memory: float


@dataclass
class Contest:
    """Servers that hold the same world, and the folder and PostgreSQL that they live in."""

    world: World
    folder: Path
    postgres: Postgres | None
    token: str = ""

    @property
    def atoll_url(self) -> str:
        """The URL of Atoll's SQLite database."""
        return f"sqlite+aiosqlite:///{self.folder / 'atoll.db'}"

    def prepare(self, progress: Progress) -> None:
        """Write all databases."""
        progress("Atoll's tables on SQLite")
        self.token = asyncio.run(write_atoll(self.world, self.atoll_url))
        progress("the peers' tables on SQLite")
        rows = peers.rows(self.world, sha256(self.token.encode()).hexdigest(), FAR_FUTURE)
        peers.write_sqlite(self.folder / "peers.db", rows)
        if self.postgres is not None:
            progress("the peers' tables on PostgreSQL")
            asyncio.run(peers.write_postgresql(plain_url(self.postgres.create_database("peers")), rows))
            progress("Atoll's tables on PostgreSQL")
            self.postgres_token = asyncio.run(write_atoll(self.world, self.postgres.create_database("atoll")))

    def servers(self, names: Sequence[str], node: str) -> list[Server]:
        """Return the servers of those names."""
        of_connections, of_lists = operations.connections(self.world), operations.lists(self.world)
        uvicorn = ("-m", "uvicorn", "--port", "{port}", "--log-level", "warning", "--no-access-log")
        atoll = ["-c", "from app.cli import main; main()", "serve", "--port", "{port}"]
        database = {"DATABASE": str(self.folder / "peers.db")}
        mercurius = ["node", str(HERE / "mercurius" / "server.js")]
        every = [
            Server("Atoll", python(*atoll), of_connections, {"ATOLL_DATABASE_URL": self.atoll_url}),
            Server(
                "plain Strawberry", python(*uvicorn, "benchmarks.race.servers.plain_strawberry:app"), of_lists, database
            ),
            Server("Mercurius", mercurius, of_lists, database | {"JIT": "0", "NODE_ENV": "production"}),
            Server("Mercurius + jit", mercurius, of_lists, database | {"JIT": "1", "NODE_ENV": "production"}),
            Server("SQL floor", python(*uvicorn, "benchmarks.race.servers.sql_floor:app"), of_lists, database),
        ]
        if self.postgres is not None:
            every += self._postgres_servers(self.postgres, atoll, node)
        for server in every:
            server.token = server.token or self.token
        return [server for server in every if server.name in names]

    def _postgres_servers(self, postgres: Postgres, atoll: list[str], node: str) -> list[Server]:
        urls = {"OWNER_URL": plain_url(postgres.url("peers")), "VIEWER_URL": plain_url(postgres.url("peers"), "viewer")}
        environment = urls | {"GRAPHILE_ENV": "production", "NODE_ENV": "production"}
        command = [node, str(HERE / "postgraphile" / "server.mjs")]
        return [
            Server(
                "Atoll, PostgreSQL",
                python(*atoll),
                operations.connections(self.world),
                {"ATOLL_DATABASE_URL": postgres.url("atoll")},
                companion_pids=(postgres.pid,),
                token=self.postgres_token,
            ),
            Server(
                "PostGraphile 5",
                command,
                operations.postgraphile(self.world),
                environment,
                companion_pids=(postgres.pid,),
            ),
        ]


def compare(servers: Sequence[Server], name: str) -> Mapping[str, int]:
    """Return the size in bytes of each server's answer; end the contest where two differ."""
    import json

    first: tuple[str, Any] | None = None
    sizes = {}
    for server in servers:
        if name not in server.operations:
            continue
        answer = server.ask(name)
        sizes[server.name] = len(json.dumps(answer, separators=(",", ":")))
        common = plain(answer)
        if first is None:
            first = server.name, common
        elif common != first[1]:
            raise SystemExit(f"{name}: {server.name} and {first[0]} answer differently.")
    return sizes


def race(
    servers: Sequence[Server], names: Sequence[str], rounds: int, seconds: float, advance: Callable[[str], None]
) -> Iterator[Row]:
    """Yield the medians of each server for each operation; loads alternate between servers, round by round."""
    for name in names:
        sizes = compare(servers, name)
        runners = [server for server in servers if server.name in sizes]
        for server in runners:
            for _ in range(WARM_UP_REQUESTS):
                server.ask(name)
        measured: dict[str, list[Measurement]] = {server.name: [] for server in runners}
        for _ in range(rounds):
            for server in runners:
                advance(f"{name} {server.name}")
                measured[server.name].append(measure(server, name, seconds))
        for server in runners:
            medians = Measurement(*map(statistics.median, zip(*measured[server.name], strict=True)))
            yield Row(name, server.name, sizes[server.name], medians, server.memory())


def plain_url(url: str, user: str | None = None) -> str:
    """Return a SQLAlchemy URL as libpq writes it, for another role where one is named."""
    scheme, rest = url.replace("+asyncpg", "").split("://")
    return f"{scheme}://{rest}" if user is None else f"{scheme}://{user}:{user}@{rest.partition('@')[2]}"


def install_node_packages() -> None:
    """Install the locked npm packages of the peers."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("make bench needs npm, for Mercurius and PostGraphile.")
    for package in ("mercurius", "postgraphile"):
        folder = HERE / package
        if (folder / "node_modules" / ".package-lock.json").exists():
            continue
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
