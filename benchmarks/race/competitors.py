"""Databases and servers of the race: all hold the same world and know the same token."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.graphiql.build import Node
from benchmarks.race import operations, peers
from benchmarks.race.atoll_tables import write_atoll
from benchmarks.race.node import MissingError, find_node, install_packages
from benchmarks.race.server import SERVER_CORE, Server, python
from benchmarks.race.world import World
from tests.postgres import Postgres

PEERS = Path(__file__).parent / "servers"
FAR_FUTURE = 4_102_444_800_000  # milliseconds; the peers' copy of the token never expires
WITHOUT_LIMITS = {"ATOLL_RATE_POINTS": "0", "ATOLL_MAX_CONNECTIONS": "2000"}
ATOLL, ATOLL_POSTGRESQL = "Atoll", "Atoll, PostgreSQL"
STRAWBERRY, MERCURIUS, MERCURIUS_JIT = "plain Strawberry", "Mercurius", "Mercurius + jit"
POSTGRAPHILE, FLOOR = "PostGraphile 5", "SQL floor"
NAMES = (ATOLL, STRAWBERRY, MERCURIUS, MERCURIUS_JIT, FLOOR, ATOLL_POSTGRESQL, POSTGRAPHILE)
UVICORN = ("-m", "uvicorn", "--port", "{port}", "--log-level", "warning", "--no-access-log")
SERVE = ("-c", "from app.cli import main; main()", "serve", "--port", "{port}")
PRODUCTION = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
Progress = Callable[[str], None]


def prepare_node(folder: Path, names: set[str], progress: Progress) -> tuple[Node | None, dict[str, str]]:
    """Install Node.js and the packages of the named peers; return Node.js and why peers are left out, by name."""
    of_mercurius, of_postgraphile = names & {MERCURIUS, MERCURIUS_JIT}, names & {POSTGRAPHILE}
    missing: dict[str, str] = {}
    if not of_mercurius | of_postgraphile:
        return None, missing
    progress("Node.js and the peers' npm packages")
    try:
        node = find_node(folder)
    except MissingError as error:
        return None, dict.fromkeys(of_mercurius | of_postgraphile, str(error))
    for peers_names, package in ((of_mercurius, "mercurius"), (of_postgraphile, "postgraphile")):
        try:
            if peers_names:
                install_packages(node, PEERS / package, compiles=package == "mercurius")
        except MissingError as error:
            missing |= dict.fromkeys(peers_names, str(error))
    return node, missing


@dataclass
class Databases:
    """The world in the databases of the named servers, and the folder that holds those on SQLite."""

    world: World
    folder: Path
    postgres: Postgres | None

    @property
    def peers(self) -> Path:
        """The peers' database on SQLite."""
        return self.folder / "peers.db"

    @property
    def atoll_url(self) -> str:
        """The URL of Atoll's database on SQLite."""
        return f"sqlite+aiosqlite:///{self.folder / 'atoll.db'}"

    def write(self, progress: Progress) -> dict[str, str]:
        """Write all databases; return the tokens by server."""
        progress("Atoll's tables on SQLite")
        token = asyncio.run(write_atoll(self.world, self.atoll_url))
        tokens = dict.fromkeys(NAMES, token)
        progress("the peers' tables on SQLite")
        rows = peers.rows(self.world, sha256(token.encode()).hexdigest(), FAR_FUTURE)
        peers.write_sqlite(self.peers, rows)
        if self.postgres is not None:
            os.sched_setaffinity(self.postgres.pid, {SERVER_CORE})  # connections inherit it
            progress("the peers' tables on PostgreSQL")
            url = libpq_url(self.postgres.create_database("peers"))
            asyncio.run(peers.write_postgresql(url, rows))
            progress("Atoll's tables on PostgreSQL")
            url = self.postgres.create_database("atoll")
            tokens[ATOLL_POSTGRESQL] = asyncio.run(write_atoll(self.world, url))
        return tokens


def list_servers(databases: Databases, tokens: Mapping[str, str], names: set[str], node: Node | None) -> list[Server]:
    """Return the named servers, not yet started, in the order of NAMES."""
    variables = operations.draw_variables(databases.world)
    connections, lists = operations.connections(variables), operations.lists(variables)
    found: dict[str, Server] = {}

    def add(
        name: str,
        command: list[str],
        dialect: Mapping[str, operations.Operation],
        environment: dict[str, str],
        companions: tuple[int, ...] = (),
    ) -> None:
        log = databases.folder / f"{name}.log"
        found[name] = Server(name, command, dialect, tokens[name], log, environment, companions)

    database = {"DATABASE": str(databases.peers)}
    add(ATOLL, python(*SERVE), connections, {"ATOLL_DATABASE_URL": databases.atoll_url} | WITHOUT_LIMITS)
    add(STRAWBERRY, python(*UVICORN, "benchmarks.race.servers.plain_strawberry:app"), lists, database)
    add(FLOOR, python(*UVICORN, "benchmarks.race.servers.sql_floor:app"), lists, database)
    if node is not None:
        command = [node.node, str(PEERS / "mercurius" / "server.js")]
        add(MERCURIUS, command, lists, database | PRODUCTION | {"JIT": "0"})
        add(MERCURIUS_JIT, command, lists, database | PRODUCTION | {"JIT": "1"})
    if (postgres := databases.postgres) is not None:
        companions = (postgres.pid,)
        add(
            ATOLL_POSTGRESQL,
            python(*SERVE),
            connections,
            {"ATOLL_DATABASE_URL": postgres.url("atoll")} | WITHOUT_LIMITS,
            companions,
        )
        if node is not None:
            owner = libpq_url(postgres.url("peers"))
            urls = {"OWNER_URL": owner, "VIEWER_URL": _with_user(owner, peers.VIEWER)}
            command = [node.node, str(PEERS / "postgraphile" / "server.mjs")]
            add(POSTGRAPHILE, command, operations.postgraphile(variables), PRODUCTION | urls, companions)
    return [found[name] for name in NAMES if name in names and name in found]


def libpq_url(url: str) -> str:
    """Return a SQLAlchemy URL as libpq writes it."""
    return url.replace("+asyncpg", "")


def _with_user(url: str, user: str) -> str:
    """Return a libpq URL for another role, whose password is its name."""
    scheme, rest = url.split("://")
    return f"{scheme}://{user}:{user}@{rest.rpartition('@')[2]}"
