"""Operations that the limits allow take little time: random ones, and the proof itself on a planted fault."""

import re
import secrets
from random import Random

import pytest

from benchmarks.race.world import Sizes
from proofs.costs.trial import COSTLY_SHARE, cost_share, draw, measure_operations
from proofs.costs.world import LargeWorld, create_large_world
from proofs.databases import Databases
from proofs.differential.generator import Request
from proofs.interference.operations import PREFIXES, Vocabulary
from proofs.memory import MAX_GROWTH, WARM_UP_TRIALS, MemoryWatch, settled_bytes
from proofs.proof import BrokenPromiseError
from tests.conftest import ENDS_EARLY

pytestmark = ENDS_EARLY

SIZES = Sizes(assets=2_000, collections=100, members=50)
NOTHING = Vocabulary({prefix: ["x"] for prefix in PREFIXES}, ["a"], ["b"])
SECONDS, STALL_SECONDS = 3, 1.5  # of CPU time: a busy machine takes longer


@pytest.fixture
async def large_world(databases: Databases) -> LargeWorld:
    """Return a world that is large enough for pages of 100."""
    return await create_large_world(databases, SIZES)


async def test_random_operations_within_the_limits_take_little_time(large_world: LargeWorld) -> None:
    seed = secrets.randbelow(1_000_000)
    try:
        await measure_operations(large_world, seed, 150, SECONDS, STALL_SECONDS)
    except BrokenPromiseError as error:
        raise AssertionError(f"seed {seed}: {error}") from None
    with pytest.raises(BrokenPromiseError, match=re.escape("s of CPU time")):
        await measure_operations(large_world, seed, 10, 0)
    with pytest.raises(BrokenPromiseError, match="was stalled for"):
        await measure_operations(large_world, seed, 10, SECONDS, 0)


def test_memory_that_a_trial_leaves_in_use_is_found() -> None:
    watch = MemoryWatch()
    for _ in range(WARM_UP_TRIALS + 1):
        watch.check("sqlite")
    leaked = b"x" * int(settled_bytes() * MAX_GROWTH * 2)
    with pytest.raises(BrokenPromiseError, match="MiB are in use"):
        watch.check("sqlite")
    del leaked
    watch.check("sqlite")


def test_half_of_the_operations_are_costly() -> None:
    world = LargeWorld("", {"member": ""}, NOTHING)
    random = Random(4)
    shares = [cost_share(draw(random, world, "member", is_costly=True), is_visitor=False) for _ in range(20)]
    assert sum(share is not None and share >= COSTLY_SHARE for share in shares) >= 10


def test_refused_operations_have_no_share() -> None:
    pages = "nodes { children(first: 100) { nodes { assets(first: 100) { nodes { __typename } } } } }"
    costly = f"{{ collections(first: 100) {{ {pages} }} }}"
    assert cost_share(Request(costly, {}), is_visitor=False) is None
    assert cost_share(Request("query A { __typename } query B { __typename }", {}), is_visitor=False) is None
    assert cost_share(Request("{ topics(first: 100) { nodes { id } } }", {}), is_visitor=True) == 101 / 5_000
