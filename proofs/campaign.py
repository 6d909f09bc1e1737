"""Campaigns: trials of a proof on each of its backends, in parallel, until the goal is reached."""

import asyncio
import atexit
import gc
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from multiprocessing import get_context

from proofs.databases import BACKENDS, Databases, open_databases
from proofs.proof import BrokenPromiseError, Proof

ReportChecks = Callable[[int], None]
"""Called with the number of newly passed checks."""

_databases: dict[str, Databases] = {}  # of this worker process, by backend


@dataclass
class CampaignResult:
    """Result of a campaign of one proof."""

    promise: str
    unit: str
    seed: int  # of the first trial
    checks: dict[str, int]  # by backend
    trials: int = 0
    seconds: float = 0


@dataclass(frozen=True)
class Workload:
    """Work of a campaign: its goal, less the checks of earlier campaigns, until a time is up."""

    goal: int
    processes: int = 2
    done: Mapping[str, int] = field(default_factory=dict)  # by backend
    deadline: float = math.inf  # of the monotonic clock; no trial starts after it

    def missing(self, checks: Mapping[str, int]) -> dict[str, int]:
        """Return the missing checks of each backend that is below its share of the goal, the most first."""
        share = math.ceil(self.goal / len(checks))
        missing = {name: share - count - self.done.get(name, 0) for name, count in checks.items()}
        return {
            name: missing[name] for name in sorted(missing, key=missing.__getitem__, reverse=True) if missing[name] > 0
        }


@contextmanager
def open_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes, each with databases of its own. Pending trials are cancelled on exit."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _open_worker_databases) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def run_campaign(
    pool: ProcessPoolExecutor,
    proof: Proof,
    first_seed: int,
    report: ReportChecks,
    workload: Workload,
) -> CampaignResult:
    """Run trials until the goal is reached or the time is up. Raises the first exception of a trial, if any.

    Every backend starts at the first seed and counts up.
    """
    result = CampaignResult(proof.promise, proof.unit, first_seed, dict.fromkeys(proof.backends, 0))
    started = time.monotonic()
    seeds = {backend: count(first_seed) for backend in proof.backends}
    running: dict[Future[int], str] = {}
    while missing := workload.missing(result.checks):
        # Each running trial is counted as one check, the least it adds, to start no more trials than the goal needs.
        running_by_backend = Counter(running.values())
        startable = [backend for backend, checks in missing.items() if running_by_backend[backend] < checks]
        if time.monotonic() >= workload.deadline:
            startable = []
        for backend in islice(cycle(startable), workload.processes - len(running)):
            running[pool.submit(_run_trial, proof, backend, next(seeds[backend]))] = backend
        if not running:
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            checks = future.result()
            result.checks[running.pop(future)] += checks
            result.trials += 1
            report(checks)
    for future in running:
        future.cancel()
    result.seconds = time.monotonic() - started
    return result


def _open_worker_databases() -> None:
    stack = ExitStack()
    for backend in BACKENDS:
        _databases[backend] = stack.enter_context(open_databases(backend))
    atexit.register(stack.close)
    gc.collect()
    gc.freeze()  # exempts the imported modules from collection
    gc.set_threshold(20_000)


def _run_trial(proof: Proof, backend: str, seed: int) -> int:
    try:
        return asyncio.run(proof.trial(_databases[backend], seed))
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f'{error}\nReproduce: make prove ARGS="{proof.name} --seed {seed}"') from None
