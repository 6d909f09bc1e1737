"""This file is a small part of the proof that what is taken back stays taken, and servers that it finds at fault."""

import random
from collections.abc import Iterator

import pytest

from proofs.databases import Databases, open_databases
from proofs.proof import BrokenPromiseError
from proofs.revocation.grants import sights_of_members
from proofs.revocation.trial import LANES, tried

EACH_WAY = len(sights_of_members(0))
"""Revocations of a lane that has every sight once."""


async def test_what_is_taken_back_in_any_way_is_seen_by_nobody_who_asks_later(databases: Databases) -> None:
    assert await tried(databases, random.randrange(1 << 32), EACH_WAY) == EACH_WAY * (LANES + 1)


@pytest.fixture
def lite() -> Iterator[Databases]:
    """Give a place on SQLite: what a server keeps of its own is on no database."""
    with open_databases("sqlite") as made:
        yield made


@pytest.mark.parametrize("kept", ["viewers", "rows", "answers"])
async def test_a_server_that_keeps_for_a_moment_what_one_operation_read_is_found(lite: Databases, kept: str) -> None:
    program = f"from tests.faulty_servers import serve; serve({kept!r})"
    with pytest.raises(BrokenPromiseError, match=r"(?m)^>.*: (saw|did not see) "):
        await tried(lite, random.randrange(1 << 32), 6 * EACH_WAY, program)
