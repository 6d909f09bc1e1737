"""Run of the race: databases and servers, the loads on them, and the comparisons with statements by hand."""

import asyncio
import json
import os
import tempfile
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from rich.progress import Progress

from app.graphiql.build import Node
from benchmarks import bulk, search
from benchmarks.comparison import Comparison
from benchmarks.race import competitors, contest
from benchmarks.race.catch_up import measure_catch_up
from benchmarks.race.competitors import ATOLL, ATOLL_POSTGRESQL, NAMES, PEERS, POSTGRAPHILE, Databases
from benchmarks.race.contest import Plan, Row
from benchmarks.race.export import compare_exports
from benchmarks.race.live import measure_events
from benchmarks.race.pull import pull
from benchmarks.race.server import LOAD_CORE, Server, ServerStartError
from benchmarks.race.world import Sizes, World
from benchmarks.race.writer import WRITES_PER_SECOND, Membership
from tests.postgres import Postgres
from tests.postgres_binaries import PostgresUnavailableError

OPERATIONS = {
    "D": "dashboard: one topic, its 20 collections and the first 20 assets of each with their owners",
    "N": "one asset by id",
    "T": "tree of all collections",
    "C": "asset counts by kind of all collections",
    "E": "dashboard with filtered assets in another order",
    "ND": "N while another connection sends D in a loop",
    "W": f"D, N and T while another process of Atoll writes {WRITES_PER_SECOND} times a second; Atoll only",
    "G": "all memberships, pulled by pages, beside statements by hand; Atoll only",
    "X": "export and pull of all that the viewer sees, beside a bare read and write; Atoll only",
    "L": "an event to 200 and 1,000 subscribers; Atoll only",
    "P": "asset panel with search and facets, beside a statement by hand; Atoll only",
    "B": "addition of 1,000 assets, beside a bare executemany; Atoll only",
}
LOADED = ("D", "N", "T", "C", "E")
WRITTEN_BESIDE = ("D", "N", "T")
NODE_FOLDER = Path("build/bench/node")
POSTGRES_SETTINGS = {"shared_buffers": "256MB"}
MIN_SEARCHED_ASSETS = 10_000  # of the world of P and B, half of which its viewer owns


@dataclass
class Request:
    """Operations and servers to measure, the sizes of the world, and the length of the measurement."""

    operations: Collection[str]
    servers: Collection[str]
    sizes: Sizes
    rounds: int
    seconds: int


@dataclass
class Results:
    """Measurements of a run, versions of the peers, and remarks."""

    is_complete: bool = False
    rows: list[Row] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


class Bar:
    """Progress bar; each step advances it when the next one begins."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Add the bar to the display."""
        self._progress, self._total, self._begun = progress, total, 0
        self._task = progress.add_task("", total=total)

    def step(self, description: str) -> None:
        """Begin a step."""
        self._progress.update(self._task, description=description, completed=self._begun)
        self._begun += 1

    def finish(self) -> None:
        """Complete the bar."""
        self._progress.update(self._task, description="done", completed=self._total)


@dataclass
class Run:
    """A request, the databases and servers that can be had for it, and the results so far."""

    request: Request
    databases: Databases
    names: set[str]
    plan: Plan
    progress: Progress
    results: Results = field(default_factory=Results)

    def leave_out(self, name: str, reason: str) -> None:
        """Leave a server out of the run, and say why."""
        if name in self.names:
            self.names.remove(name)
            self.results.remarks.append(f"{name} is left out. {reason}")
            self.progress.console.print(self.results.remarks[-1], markup=False)


def run(request: Request, progress: Progress) -> Results:
    """Measure; exit if two servers answer differently or a request fails."""
    needs_servers = not {*LOADED, "ND", "W", "G", "X", "L"}.isdisjoint(request.operations)
    names = set(request.servers) if needs_servers else set[str]()
    bar = Bar(progress, _count_steps(request))
    node, missing = competitors.prepare_node(NODE_FOLDER, names, bar.step)
    with ExitStack() as opened:
        postgres, without_postgres = _start_postgres(opened, request)
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="atoll-bench-")))
        databases = Databases(World(request.sizes), folder, postgres)
        this = Run(request, databases, names, Plan(request.rounds, request.seconds, bar.step), progress)
        this.results.versions = _read_versions(node, postgres)
        for name, reason in (missing | without_postgres).items():
            this.leave_out(name, reason)
        if needs_servers:
            _race_servers(this, node)
        if not {"P", "B"}.isdisjoint(request.operations):
            _compare_by_hand(this)
    bar.finish()
    this.results.is_complete = names == set(NAMES) and set(request.operations) == set(OPERATIONS)
    return this.results


def _count_steps(request: Request) -> int:
    """Return the number of steps if nothing is missing."""
    operations, names = set(request.operations), set(request.servers)
    atolls = len({ATOLL, ATOLL_POSTGRESQL} & names)
    loads = len(names) * len({*LOADED, "ND"} & operations)
    loads -= len({"C", "E"} & operations) * (POSTGRAPHILE in names)  # it offers neither
    loads += atolls * len(WRITTEN_BESIDE) * ("W" in operations)
    return (
        5
        + loads * request.rounds
        + atolls * len({"G", "X", "L"} & operations)
        + 2 * (1 + 3 * ("P" in operations) + ("B" in operations))
    )


def _start_postgres(opened: ExitStack, request: Request) -> tuple[Postgres | None, dict[str, str]]:
    """Start PostgreSQL; return it, or None and why the servers that need it are left out, by name."""
    of_postgres = {ATOLL_POSTGRESQL, POSTGRAPHILE}
    if not (of_postgres & set(request.servers) or {"P", "B"} & set(request.operations)):
        return None, {}
    try:
        return opened.enter_context(Postgres(durable=True, settings=POSTGRES_SETTINGS)), {}
    except PostgresUnavailableError as error:
        return None, dict.fromkeys(of_postgres, str(error))


def _read_versions(node: Node | None, postgres: Postgres | None) -> dict[str, str]:
    """Return the versions of the peers, Node.js and PostgreSQL."""
    found: dict[str, str] = {}
    if node is not None:
        found["Node.js"] = node.version
        for file in sorted(PEERS.glob("*/package.json")):
            found |= json.loads(file.read_text(encoding="utf-8"))["dependencies"]
    if postgres is not None:
        found["PostgreSQL"] = asyncio.run(_read_version(competitors.libpq_url(postgres.url())))
    return found


async def _read_version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _race_servers(this: Run, node: Node | None) -> None:
    """Write the databases, start the servers, and measure the requested operations on them."""
    tokens = this.databases.write(this.plan.advance)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    with ExitStack() as started:
        listed = competitors.list_servers(this.databases, tokens, this.names, node)
        servers = []
        for server in listed:
            try:
                servers.append(started.enter_context(server))
            except ServerStartError as error:
                this.leave_out(server.name, str(error))
        for name in LOADED:
            if name in this.request.operations:
                this.results.rows += contest.race(servers, name, this.plan)
        if "ND" in this.request.operations:
            this.results.rows += contest.race_beside(servers, "N", "D", this.plan)
        _load_atoll(this, [server for server in servers if server.name in {ATOLL, ATOLL_POSTGRESQL}])
    os.sched_setaffinity(0, cores)


def _load_atoll(this: Run, servers: Sequence[Server]) -> None:
    """Measure the operations that only Atoll answers."""
    if "W" in this.request.operations and servers:
        membership, rates = Membership(this.databases.world), list[float]()
        for name in WRITTEN_BESIDE:
            this.results.rows += contest.race_writes(servers, name, membership, this.plan, rates)
        achieved = f"between {min(rates):.1f} and {max(rates):.1f} a second"
        this.results.remarks.append(f"Writes beside WD, WN and WT: {achieved}.")
        for server in servers:
            seconds = measure_catch_up(server, _url(server), membership)
            this.results.remarks.append(f"{server.name}: the index follows a write in {seconds * 1_000:.2f} ms.")
    if "G" in this.request.operations:
        for server in servers:
            this.plan.advance(f"G: {server.name}")
            this.results.comparisons.append(pull(server, this.databases.world, this.databases.peers))
    if "X" in this.request.operations:
        for server in servers:
            this.plan.advance(f"X: {server.name}")
            this.results.comparisons += compare_exports(server, _url(server), this.databases.world)
    if "L" in this.request.operations:
        membership = Membership(this.databases.world)
        for server in servers:
            this.plan.advance(f"L: {server.name}")
            reached = measure_events(server, _url(server), this.databases.world, membership)
            times = " and ".join(f"{count:,} subscribers in {each:.2f} s" for count, each in reached.items())
            this.results.remarks.append(f"{server.name}: an event reaches {times}.")


def _url(server: Server) -> str:
    """Return the URL of the database of an Atoll."""
    return server.environment["ATOLL_DATABASE_URL"]


def _compare_by_hand(this: Run) -> None:
    """Measure P and B on both databases, in this process."""
    urls = {"SQLite": f"sqlite+aiosqlite:///{this.databases.folder / 'search.db'}"}
    if this.databases.postgres is not None:
        urls["PostgreSQL"] = this.databases.postgres.create_database("search")
    for name, url in urls.items():
        this.plan.advance(f"P and B: tables on {name}")
        asyncio.run(_compare_on(this, name, url))


async def _compare_on(this: Run, name: str, url: str) -> None:
    def report(comparison: Comparison) -> None:
        this.results.comparisons.append(comparison)
        this.plan.advance(comparison.title)

    operations = this.request.operations
    world = await search.build_search_world(url, max(this.request.sizes.assets, MIN_SEARCHED_ASSETS))
    try:
        if "P" in operations:
            await search.compare_searches(world, f"P, {name}", this.plan.rounds, report)
        if "B" in operations:
            await bulk.compare_inline(world, f"B, {name}", this.plan.rounds, report)
    finally:
        await world.close()
