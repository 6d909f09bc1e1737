"""The proof of re-imports: it passes, and finds planted faults."""

from typing import Any

import pytest

from proofs.databases import Databases
from proofs.proof import BrokenPromiseError
from proofs.reimports.trial import run_trial
from store.catalogue import match, member, plan
from store.catalogue.merge import Merged

STEPS = 60


@pytest.mark.parametrize("seed", [1, 2])
async def test_imports_and_edits_at_random_follow_the_model(databases: Databases, seed: int) -> None:
    assert await run_trial(databases, seed, STEPS) == STEPS


def _overwrite(line: Any, _imported: Any, _current: Any) -> Merged:
    return Merged(dict(line), [])


def _ignore_the_file(line: Any, imported: Any, current: Any) -> Merged:
    return Merged({name: current[name] for name in line}, []) if imported else Merged(dict(line), [])


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (plan, "merge", _overwrite),
        (plan, "merge", _ignore_the_file),
        (member, "_is_made", lambda _entry, _membership: True),
        (member, "_is_made", lambda _entry, _membership: False),
        (match.Matches, "successor", lambda _matches, id_: id_),
    ],
    ids=[
        "edits are overwritten",
        "the file has no effect",
        "members of people are removed",
        "no member is removed",
        "objects made again take collections back",
    ],
)
async def test_a_planted_fault_is_found(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, fault: Any
) -> None:
    if databases.backend == "postgresql":
        pytest.skip("the faults are in Python, and found on SQLite")
    monkeypatch.setattr(module, name, fault)
    with pytest.raises(BrokenPromiseError):
        await _run_trials(databases)


async def _run_trials(databases: Databases) -> None:
    for seed in range(10):
        await run_trial(databases, seed, STEPS)
