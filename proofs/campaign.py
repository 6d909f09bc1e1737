"""Campaigns: trials of a proof on each of its backends, in parallel, until the goal is reached."""

import asyncio
import atexit
import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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

    def unfinished_backends(self, goal: int) -> list[str]:
        """Return the backends below their share of the goal, the one with the fewest checks first."""
        share = goal / len(self.checks)
        return sorted((name for name, checks in self.checks.items() if checks < share), key=self.checks.__getitem__)


@contextmanager
def open_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes, each with databases of its own. Pending trials are cancelled on exit."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _open_worker_databases) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def run_campaign(
    pool: ProcessPoolExecutor, proof: Proof, first_seed: int, report: ReportChecks, processes: int
) -> CampaignResult:
    """Run trials until the goal is reached. Raises the first exception of a trial, usually BrokenPromiseError.

    Every backend starts at the first seed and counts up.
    """
    result = CampaignResult(proof.promise, proof.unit, first_seed, dict.fromkeys(proof.backends, 0))
    started = time.monotonic()
    seeds = {backend: count(first_seed) for backend in proof.backends}
    running: dict[Future[int], str] = {}
    while unfinished := result.unfinished_backends(proof.goal):
        # Each running trial is counted as one check, the least it adds, to start no more trials than the goal needs.
        running_by_backend = Counter(running.values())
        startable = [
            backend
            for backend in unfinished
            if result.checks[backend] + running_by_backend[backend] < proof.goal / len(proof.backends)
        ]
        for backend in islice(cycle(startable), processes - len(running)):
            running[pool.submit(_run_trial, proof, backend, next(seeds[backend]))] = backend
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
