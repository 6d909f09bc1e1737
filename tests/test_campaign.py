"""This file is the campaign itself: how far it goes on, how it ends, and what the committed record says."""

import re
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from threading import Timer
from typing import Any, cast

import pytest

from proofs.__main__ import PROOFS
from proofs.campaign import Tally, tally
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError, Proof
from proofs.record import COLUMNS, RECORD, record


async def _trial(_databases: Databases, seed: int) -> int:
    return seed


SOME = Proof("some", "A promise.", "checks", 100, _trial)


class Here:
    """Stands in for a pool: what is submitted is done at once, without any place."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, int]] = []

    def submit(self, _tried: Callable[..., Any], proof: Proof, backend: str, seed: int) -> Future[int]:
        future: Future[int] = Future()
        self.tried.append((backend, seed))
        if proof.goal == 0 or seed < 30:
            future.set_result(seed)
        else:
            future.set_exception(BrokenPromiseError(f"seed {seed}"))
        return future


class Slow(Here):
    """Stands in for a pool that takes a while: one check each, and the later ones come first."""

    def submit(self, _tried: Callable[..., Any], _proof: Proof, backend: str, seed: int) -> Future[int]:
        future: Future[int] = Future()
        self.tried.append((backend, seed))
        Timer(0.05 * (4 - len(self.tried)), future.set_result, [1]).start()
        return future


def tallied(pool: Here, proof: Proof, seed: int, told: list[int] | None = None) -> Tally:
    """Return what the campaign comes to, two trials at a time."""
    report = [] if told is None else told
    return tally(cast("ProcessPoolExecutor", pool), proof, seed, report.append, 2)


def test_a_campaign_goes_on_until_each_backend_has_half_of_the_checks() -> None:
    pool, told = Here(), list[int]()
    done = tallied(pool, SOME, 20, told)
    assert done.checks == {"sqlite": 63, "postgresql": 63}
    assert (done.trials, sum(told), done.seed) == (6, 126, 20)
    assert sorted(pool.tried) == [(backend, seed) for backend in ("postgresql", "sqlite") for seed in (20, 21, 22)]


def test_a_proof_of_one_backend_has_all_of_its_checks_there() -> None:
    pool = Here()
    done = tallied(pool, replace(SOME, backends=("sqlite",)), 20)
    assert (done.checks, {backend for backend, _ in pool.tried}) == ({"sqlite": 135}, {"sqlite"})


def test_no_trial_is_begun_that_the_goal_does_not_need() -> None:
    one = replace(SOME, goal=3, backends=("sqlite",))
    pool = Slow()
    assert tallied(pool, one, 20).checks == {"sqlite": 3}
    assert len(pool.tried) == 3


def test_what_breaks_ends_the_campaign_with_its_text() -> None:
    with pytest.raises(BrokenPromiseError, match="seed 30"):
        tallied(Here(), SOME, 29)


def test_the_record_tells_each_promise_its_checks_and_how_to_try_it_again() -> None:
    where = {"day": "2026-01-01", "commit": "abc", "machine": "Python on 2 cores"}
    run: dict[str, Any] = {
        "promise": "A promise.",
        "unit": "checks",
        "seed": 7,
        "checks": {"sqlite": 1_000, "postgresql": 2_000},
    }
    run |= {"trials": 12, "seconds": 90.0} | where
    score: dict[str, Any] = {"killed": 9, "equivalent": 1, "survived": 0, "seconds": 60.0} | where
    told = record({"some": run}, score)
    assert "| some | A promise. | 1,000 | 2,000 | checks | 7 | 12 | 1.5 | 2026-01-01 | abc |" in told
    assert 'make prove ARGS="some --seed 7"' in told
    assert "Tests told 9 of 10; the other 1 change" in told
    assert "100%" in told


def test_the_committed_record_has_every_promise_tried_as_often_as_its_goal_says() -> None:
    rows = [line.strip("| ").split(" | ") for line in RECORD.read_text(encoding="utf-8").splitlines() if " | " in line]
    told = {row[0]: row for row in rows if len(row) == len(COLUMNS)}
    for name, proof in PROOFS.items():
        counts = [int(count.replace(",", "")) for count in told[name][2:4] if count.strip()]
        assert all(count >= proof.goal / len(proof.backends) for count in counts), name
        assert told[name][1] == proof.promise
        assert re.fullmatch("[0-9a-f]{10}", told[name][-1]), f"{name}: not tried at a commit"
    assert "None survived: 100%" in " ".join(RECORD.read_text(encoding="utf-8").split())
