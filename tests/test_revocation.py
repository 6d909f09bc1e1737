"""A small part of the proof of revocation, and faulty servers that the proof must find."""

import random
from collections.abc import Iterator

import pytest

from proofs.databases import Databases, open_databases
from proofs.proof import BrokenPromiseError
from proofs.revocation.grants import member_accesses
from proofs.revocation.trial import MEMBER_WORKERS, run_trial

EVERY_ACCESS = len(member_accesses(0))
"""Number of revocations in which a worker revokes every access once."""


async def test_revoked_access_of_every_sort_is_gone_for_every_later_request(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), EVERY_ACCESS) == EVERY_ACCESS * (MEMBER_WORKERS + 1)


@pytest.fixture
def sqlite() -> Iterator[Databases]:
    """Open databases on SQLite: faults in a server's memory do not depend on the backend."""
    with open_databases("sqlite") as databases:
        yield databases


@pytest.mark.parametrize("cached", ["viewers", "rows", "answers"])
async def test_a_server_that_caches_across_operations_is_found(sqlite: Databases, cached: str) -> None:
    program = f"from tests.faulty_servers import serve; serve({cached!r})"
    with pytest.raises(BrokenPromiseError, match=r"(?m)^>.*: (saw|did not see) "):
        await run_trial(sqlite, random.randrange(1 << 32), 6 * EVERY_ACCESS, program)
