"""The proof of malformed requests: some of its requests in each run, and planted faults, which it finds."""

import secrets
import sys
from collections import Counter
from random import Random

import pytest

from proofs.databases import Databases
from proofs.differential.trial import RandomWorld, make_world
from proofs.malformed.exchange import End
from proofs.malformed.generator import SLOW_SHARE
from proofs.malformed.serve import FAULTS
from proofs.malformed.server import run_server_process
from proofs.malformed.trial import Served, draw, send_malformed
from proofs.proof import BrokenPromiseError

REQUESTS, BATCH = 300, 100
MESSAGES = {
    "header": "A server error: .* 500 ",
    "descriptors": "descriptors are open",
    "memory": "MiB of memory are in use",
    "time-out": "neither answered nor closed",
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="figures of the process are read from /proc")


@pytest.fixture
async def malformed_world(databases: Databases) -> RandomWorld:
    """Return a random world."""
    return await make_world(databases, Random(7))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the server more often."""
    monkeypatch.setattr("proofs.malformed.trial.BATCH", BATCH)


@pytest.mark.usefixtures("small_batches")
async def test_malformed_requests_leave_nothing_behind(malformed_world: RandomWorld) -> None:
    seed = secrets.randbelow(1_000_000)
    with run_server_process(malformed_world.url) as server:
        try:
            assert await send_malformed(Served(malformed_world, server), seed, REQUESTS, BATCH) == REQUESTS
        except BrokenPromiseError as error:
            raise AssertionError(f"seed {seed}: {error}") from None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("small_batches")
async def test_a_fault_of_the_server_is_found(
    malformed_world: RandomWorld, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "time-out":  # others need the patience, on a busy machine
        monkeypatch.setattr("proofs.malformed.exchange.PATIENCE_SECONDS", 5)
    monkeypatch.setattr("proofs.malformed.server.SETTLE_SECONDS", 3)
    with (
        run_server_process(malformed_world.url, fault) as server,
        pytest.raises(BrokenPromiseError, match=MESSAGES[fault]),
    ):
        await send_malformed(Served(malformed_world, server), 1, REQUESTS, BATCH)


async def test_a_seed_draws_each_kind_of_request_the_same_way_again(malformed_world: RandomWorld) -> None:
    malformed_world.requests.clear()
    exchanges = list(draw(malformed_world, 3, 2_000))
    malformed_world.requests.clear()
    assert list(draw(malformed_world, 3, 2_000)) == exchanges
    kinds = Counter(exchange.kind.split(",")[0] for exchange in exchanges)
    assert len(kinds) == 12
    assert min(kinds.values()) > 50
    assert {exchange.end for exchange in exchanges} == set(End)
    slow = sum(exchange.end is End.SERVER for exchange in exchanges)
    assert SLOW_SHARE * 0.6 < slow / len(exchanges) < SLOW_SHARE * 1.5
