"""Campaigns: their end, their reports, and the completeness of the committed record."""

import re
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from threading import Timer
from typing import Any, cast

import pytest

from proofs.__main__ import MUTANTS, PROOFS
from proofs.campaign import CampaignResult, Workload, run_campaign
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError, Proof
from proofs.record import COLUMNS, RECORD, format_record, load_runs

UNFINISHED = set[str]()
"""Proofs whose runs on record, if any, do not reach the goal yet; the next `make prove` continues them."""


async def _trial(_databases: Databases, seed: int) -> int:
    return seed


PROOF = Proof("some", "A promise.", "checks", 100, _trial)


class ImmediatePool:
    """Stub of a pool that runs a trial at once: it passes as many checks as its seed, and fails from seed 30."""

    def __init__(self) -> None:
        self.submitted: list[tuple[str, int]] = []

    def submit(self, _function: Callable[..., Any], proof: Proof, backend: str, seed: int) -> Future[int]:
        future: Future[int] = Future()
        self.submitted.append((backend, seed))
        if proof.goal == 0 or seed < 30:
            future.set_result(seed)
        else:
            future.set_exception(BrokenPromiseError(f"seed {seed}"))
        return future


class DelayedPool(ImmediatePool):
    """Stub of a pool whose trials take a while and end in reverse order, with one check each."""

    def submit(self, _function: Callable[..., Any], _proof: Proof, backend: str, seed: int) -> Future[int]:
        future: Future[int] = Future()
        self.submitted.append((backend, seed))
        Timer(0.05 * (4 - len(self.submitted)), future.set_result, [1]).start()
        return future


def run(
    pool: ImmediatePool, proof: Proof, seed: int, reports: list[int] | None = None, workload: Workload | None = None
) -> CampaignResult:
    """Run a campaign with two parallel trials."""
    report = ([] if reports is None else reports).append
    return run_campaign(cast("ProcessPoolExecutor", pool), proof, seed, report, workload or Workload(proof.goal))


def test_a_campaign_runs_until_each_backend_has_half_of_the_checks() -> None:
    pool, reports = ImmediatePool(), list[int]()
    result = run(pool, PROOF, 20, reports)
    assert result.checks == {"sqlite": 63, "postgresql": 63}
    assert (result.trials, sum(reports), result.seed) == (6, 126, 20)
    assert sorted(pool.submitted) == [(backend, seed) for backend in ("postgresql", "sqlite") for seed in (20, 21, 22)]


def test_a_proof_with_one_backend_runs_all_checks_on_it() -> None:
    pool = ImmediatePool()
    result = run(pool, replace(PROOF, backends=("sqlite",)), 20)
    assert (result.checks, {backend for backend, _ in pool.submitted}) == ({"sqlite": 135}, {"sqlite"})


def test_no_trial_starts_that_the_goal_does_not_need() -> None:
    proof = replace(PROOF, goal=3, backends=("sqlite",))
    pool = DelayedPool()
    assert run(pool, proof, 20).checks == {"sqlite": 3}
    assert len(pool.submitted) == 3


def test_a_counterexample_ends_the_campaign() -> None:
    with pytest.raises(BrokenPromiseError, match="seed 30"):
        run(ImmediatePool(), PROOF, 29)


def test_the_record_has_each_promise_its_checks_and_how_to_repeat_them() -> None:
    origin = {"day": "2026-01-01", "commit": "abc", "machine": "Python on 2 cores"}
    run: dict[str, Any] = {
        "promise": "A promise.",
        "unit": "checks",
        "seed": 7,
        "checks": {"sqlite": 1_000, "postgresql": 2_000},
    }
    run |= {"trials": 12, "seconds": 90.0} | origin
    score: dict[str, Any] = {"killed": 9, "equivalent": 1, "survived": 0, "seconds": 60.0} | origin
    text = format_record({"some": [run]}, score)
    assert "| some | A promise. | 1,000 | 2,000 | checks | 7 | 12 | 1.5 | 2026-01-01 | abc |" in text
    assert 'make prove ARGS="some --seed 7"' in text
    assert "Tests killed 9 of 10 mutants; the other 1 are equivalent" in text
    assert "100%" in text


def test_the_checks_of_runs_that_continue_each_other_add_up() -> None:
    first = {"promise": "A promise.", "unit": "checks", "seed": 7, "checks": {"sqlite": 10, "postgresql": 20}}
    first |= {"trials": 3, "seconds": 60.0, "day": "2026-01-01", "commit": "abc", "machine": "Python"}
    second = first | {"seed": 8, "day": "2026-01-02", "commit": "def"}
    score = {"killed": 1, "equivalent": 0, "survived": 0, "seconds": 0.0, "commit": "abc"}
    text = format_record({"some": [first, second]}, score)
    assert "| some | A promise. | 20 | 40 | checks | 7, 8 | 6 | 2.0 | 2026-01-02 | abc, def |" in text


def test_a_campaign_ends_when_its_time_is_up_and_the_next_continues_it() -> None:
    pool = ImmediatePool()
    late = run(pool, PROOF, 20, workload=Workload(100, deadline=0))
    assert (late.checks, pool.submitted) == ({"sqlite": 0, "postgresql": 0}, [])
    rest = run(pool, PROOF, 20, workload=Workload(100, done={"sqlite": 50, "postgresql": 30}))
    assert rest.checks == {"sqlite": 0, "postgresql": 41}


def test_the_record_shows_the_saved_runs() -> None:
    runs = load_runs()
    recorded = {name: runs[name] for name in PROOFS if name in runs or name not in UNFINISHED}
    text = format_record(recorded, runs[MUTANTS][-1])
    assert RECORD.read_text(encoding="utf-8") == text


def test_the_committed_record_has_every_promise_with_as_many_checks_as_its_goal() -> None:
    rows = [line.strip("| ").split(" | ") for line in RECORD.read_text(encoding="utf-8").splitlines() if " | " in line]
    row_by_name = {row[0]: row for row in rows if len(row) == len(COLUMNS)}
    for name, proof in PROOFS.items():
        if name in UNFINISHED and name not in row_by_name:
            continue
        counts = [int(count.replace(",", "")) for count in row_by_name[name][2:4] if count.strip()]
        assert all(count >= proof.goal / len(proof.backends) for count in counts) or name in UNFINISHED, name
        assert row_by_name[name][1] == proof.promise
        assert re.fullmatch("[0-9a-f]{10}(, [0-9a-f]{10})*", row_by_name[name][-1]), (
            f"{name}: not run at a clean commit"
        )
    assert "None survived: mutation score 100%" in " ".join(RECORD.read_text(encoding="utf-8").split())
