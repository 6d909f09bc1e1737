"""A small part of the proof of revocation, and faulty servers that the proof must find."""

import random
from collections.abc import Iterator

import pytest

from proofs.databases import Databases, open_databases
from proofs.proof import BrokenPromiseError
from proofs.revocation.actions import REFUSED
from proofs.revocation.grants import member_accesses
from proofs.revocation.probes import COLLECTION_PROBES, CONTENT_PROBES, EXISTENCE_PROBES
from proofs.revocation.trial import MEMBER_WORKERS, run_trial
from tests.conftest import World
from tests.memory_client import MemoryClient, read_ids

EVERY_ACCESS = len(member_accesses(0))
"""Number of revocations in which a worker revokes every access once."""


async def test_revoked_access_of_every_sort_is_gone_for_every_later_request(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), EVERY_ACCESS) == EVERY_ACCESS * (MEMBER_WORKERS + 1)


@pytest.fixture
def sqlite() -> Iterator[Databases]:
    """Open databases on SQLite: faults in a server's memory do not depend on the backend."""
    with open_databases("sqlite") as databases:
        yield databases


@pytest.mark.parametrize("cached", ["viewers", "rows", "answers", "versions"])
async def test_a_server_that_caches_across_operations_is_found(sqlite: Databases, cached: str) -> None:
    program = f"from tests.faulty_servers import serve; serve({cached!r})"
    found = r"(?m)^>.*: (saw|did not see) "
    if cached == "rows":  # they also make a server refuse a writer whose sign-in it does not know
        found += f"|{REFUSED.format('')}"
    with pytest.raises(BrokenPromiseError, match=found):
        await run_trial(sqlite, random.randrange(1 << 32), 6 * EVERY_ACCESS, program)


async def test_probes_of_each_sort_are_answered_from_memory(own_world: World) -> None:
    client = MemoryClient(own_world)
    try:
        await client.refresh()
        ids = await read_ids(client.database)
        variables = {"name": "open", "asset": ids["align"], "part": ids["lens"], "collection": ids["open"]}
        for probes, at_least in ((EXISTENCE_PROBES, 5), (CONTENT_PROBES, 3), (COLLECTION_PROBES, 4)):
            from_memory = []
            for probe in probes:
                used = {name: value for name, value in variables.items() if f"${name}:" in probe.document}
                await client.send("mei", probe.document, **used)
                from_memory += [probe.fields] if client.is_from_memory else []
            assert len(from_memory) >= at_least, from_memory
    finally:
        await client.close()
