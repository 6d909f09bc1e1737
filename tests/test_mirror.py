"""The proof of copies kept by sync tokens: random histories, and planted faults that it finds."""

import random
from collections.abc import Sequence

import pytest

from proofs.databases import Databases
from proofs.mirror.trial import run_trial
from proofs.proof import BrokenPromiseError
from resolvers.listing.statement_cache import clear
from resolvers.pull import row_set
from resolvers.pull.row_set import Difference, compare
from store.pulls import Row
from tests.conftest import ENDS_EARLY

STEPS, MAX_STEPS = 300, 600
pytestmark = ENDS_EARLY


async def test_copies_equal_fresh_pulls_in_a_random_history(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), STEPS) == STEPS


def remove_everything_hidden(before: Sequence[Row], after: Sequence[Row]) -> Difference:
    """Return the difference, with all assets that the viewer does not see among the removed ones."""
    seen = {row[1] for row in after if row[0] == row_set.ASSET}
    return compare(before, after)._replace(assets=[pk for pk in range(1, 37) if pk not in seen])


def forget_the_order(before: Sequence[Row], after: Sequence[Row]) -> Difference:
    """Return the difference of the rows in the order of their keys."""
    return compare(*(sorted(rows, key=lambda row: tuple(row[:3])) for rows in (before, after)))


@pytest.mark.parametrize(
    ("name", "fault", "found"),
    [
        ("page.compare", remove_everything_hidden, "unknown id .* was removed"),
        ("page.compare", forget_the_order, "memberships of"),
        ("page.mark_torn", lambda rows, _keys: list(rows), "(is|are) .*not"),
        ("part.CONTENT", frozenset[str](), "is unchanged"),
    ],
    ids=["removed ids of hidden assets", "order", "changes between pages", "content"],
)
async def test_the_proof_finds_a_planted_fault(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, name: str, fault: object, found: str
) -> None:
    if databases.backend != "sqlite":  # the faults do not depend on the backend
        return
    monkeypatch.setattr(f"resolvers.pull.{name}", fault)
    clear()  # a cached statement has no fault
    with pytest.raises(BrokenPromiseError, match=rf"(?s)seed 1: .*{found}.*Last writes:"):
        await run_trial(databases, 1, MAX_STEPS)
    clear()
