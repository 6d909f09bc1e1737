"""This file is a campaign: trials of a proof on both backends, two at a time, until there are enough checks."""

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
from proofs.proof import Proof

Report = Callable[[int], None]
"""Is told how many more checks held."""

_databases: dict[str, Databases] = {}  # of this worker


@dataclass
class Tally:
    """What a campaign of one proof came to."""

    promise: str
    unit: str
    seed: int  # of the first trial
    checks: dict[str, int]  # by backend
    trials: int = 0
    seconds: float = 0

    def waiting(self, goal: int) -> list[str]:
        """Return the backends that have not had their share of the checks, the one with the fewest first."""
        share = goal / len(self.checks)
        return sorted((each for each, done in self.checks.items() if done < share), key=self.checks.__getitem__)


@contextmanager
def workers(number: int) -> Iterator[ProcessPoolExecutor]:
    """Open so many processes, each with places of its own; what they still do is dropped at the end."""
    with ProcessPoolExecutor(number, get_context("spawn"), _open_worker_databases) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def tally(pool: ProcessPoolExecutor, proof: Proof, first_seed: int, report: Report, at_once: int) -> Tally:
    """Return what the proof came to; raise what a trial raised, BrokenPromiseError that is, if one did.

    All its backends are tried with the same seeds, which grow from the first.
    """
    done = Tally(proof.promise, proof.unit, first_seed, dict.fromkeys(proof.backends, 0))
    started = time.monotonic()
    seeds = {backend: count(first_seed) for backend in proof.backends}
    under_way: dict[Future[int], str] = {}
    while waiting := done.waiting(proof.goal):
        # What each trial under way adds is at least one: none is begun that the goal does not need.
        tried = Counter(under_way.values())
        wanted = [each for each in waiting if done.checks[each] + tried[each] < proof.goal / len(proof.backends)]
        for backend in islice(cycle(wanted), at_once - len(under_way)):
            under_way[pool.submit(_tried, proof, backend, next(seeds[backend]))] = backend
        for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
            checks = ended.result()
            done.checks[under_way.pop(ended)] += checks
            done.trials += 1
            report(checks)
    for ended in under_way:
        ended.cancel()
    done.seconds = time.monotonic() - started
    return done


def _open_worker_databases() -> None:
    opened = ExitStack()
    for backend in BACKENDS:
        _databases[backend] = opened.enter_context(open_databases(backend))
    atexit.register(opened.close)
    gc.collect()
    gc.freeze()  # what was imported stays
    gc.set_threshold(20_000)


def _tried(proof: Proof, backend: str, seed: int) -> int:
    return asyncio.run(proof.trial(_databases[backend], seed))
