"""Contest: answers compared, then loads alternated between the servers, and medians taken."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.race.load import Measurement, measure, measure_beside, measure_one_by_one, wait_until_idle
from benchmarks.race.operations import plain
from benchmarks.race.server import Server
from benchmarks.race.writer import Membership, Writer

WARM_UP_REQUESTS = 5
SLOW_SECONDS = 0.2  # of an answer; slower operations are counted instead of loaded
MIN_ANSWERS = 40  # of a load, so that the requests that are not completed at its end do not count much
Advance = Callable[[str], None]


class Row(NamedTuple):
    """Medians of a server for one operation; `size` is that of its answer in bytes, `memory` in MB."""

    operation: str
    server: str
    size: int
    measurement: Measurement
    memory: float


class Plan(NamedTuple):
    """Rounds of each measurement, seconds of each round, and the callback that advances the progress bar."""

    rounds: int
    seconds: float
    advance: Advance

    def load_seconds(self, answer_seconds: float) -> float:
        """Return the length of a load whose answers take so long."""
        return max(self.seconds, answer_seconds * MIN_ANSWERS)


def compare(servers: Sequence[Server], name: str) -> dict[str, int]:
    """Return the size of each server's answer; exit if two answers differ, or one needs no token.

    The answers for all variables of the operation are compared, not only the measured one.
    """
    sizes = {server.name: server.ask(name).size for server in servers}
    operation = servers[0].operations[name]
    for place in range(1 + len(operation.others)):
        answers = [_answer(server, name, place) for server in servers]
        for server, answer in zip(servers, answers, strict=True):
            if answer != answers[0]:
                raise SystemExit(f"{name}: {servers[0].name} and {server.name} answer differently (variables {place}).")
    if name in {"D", "N", "E"}:
        for server in servers:
            if _reveals_assets(server, name):
                raise SystemExit(f"{name}: {server.name} shows assets for an unknown token.")
    return sizes


def race(servers: Sequence[Server], name: str, plan: Plan) -> Iterator[Row]:
    """Yield the medians of each server that has the operation."""
    runners, sizes = _line_up(servers, name)
    if not runners:
        return
    times = {server.name: _warm_up(server, name) for server in runners}

    def run(server: Server) -> Measurement:
        if max(times.values()) > SLOW_SECONDS:
            return measure_one_by_one(server, name, plan.seconds)
        return measure(server, name, plan.load_seconds(times[server.name]))

    yield from _alternate(runners, name, sizes, plan, run)
    compare(runners, name)


def race_beside(servers: Sequence[Server], name: str, other: str, plan: Plan) -> Iterator[Row]:
    """Yield the medians of an operation while one connection sends another in a loop."""
    runners, sizes = _line_up(servers, name)
    yield from _alternate(
        runners, name + other, sizes, plan, lambda server: measure_beside(server, name, other, plan.seconds)
    )


def race_writes(
    servers: Sequence[Server], name: str, membership: Membership, plan: Plan, rates: list[float]
) -> Iterator[Row]:
    """Yield the medians of an operation while a second process of the server writes.

    Its writes per second are added to `rates`.
    """
    runners, sizes = _line_up(servers, name)
    times = {server.name: _warm_up(server, name) for server in runners}

    def run(server: Server) -> Measurement:
        with server.twin() as twin, Writer(twin, membership) as writer:
            measured = measure(server, name, plan.load_seconds(times[server.name]))
        rates.append(writer.rate)
        return measured._replace(cpu=float("nan"))

    yield from _alternate(runners, f"W{name}", sizes, plan, run)
    compare(runners, name)


def _line_up(servers: Sequence[Server], name: str) -> tuple[list[Server], dict[str, int]]:
    runners = [server for server in servers if name in server.operations]
    return runners, compare(runners, name) if runners else {}


def _alternate(
    runners: Sequence[Server], title: str, sizes: dict[str, int], plan: Plan, run: Callable[[Server], Measurement]
) -> Iterator[Row]:
    measured: dict[str, list[Measurement]] = {server.name: [] for server in runners}
    for _ in range(plan.rounds):
        for server in runners:
            plan.advance(f"{title}: {server.name}")
            measured[server.name].append(run(server))
    for server in runners:
        medians = Measurement(*map(statistics.median, zip(*measured[server.name], strict=True)))
        yield Row(title, server.name, sizes[server.name], medians, server.memory())


def _warm_up(server: Server, name: str) -> float:
    """Return the median seconds of an answer, once background work, such as building an index, is done."""
    wait_until_idle(server)
    return statistics.median(server.ask(name).seconds for _ in range(WARM_UP_REQUESTS))


def _answer(server: Server, name: str, place: int) -> Any:
    operation = server.operations[name]
    variables = (operation.variables, *operation.others)[place]
    return plain(server.ask(name, variables).content)


def _reveals_assets(server: Server, name: str) -> bool:
    """Return whether an unknown token gets an asset; PostGraphile answers it as a viewer who sees none."""
    return '"kind"' in server.ask_without_token(name)
