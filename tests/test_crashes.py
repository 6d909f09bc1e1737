"""A small part of the proof that crashes lose nothing, and a faulty server that the proof must find."""

import random

import pytest

from proofs.crashes.load import ACTIONS, OMITTED
from proofs.crashes.server import PRELUDE
from proofs.crashes.trial import run_trial
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError
from tests.model_write import MUTATIONS

KILLS = 3
MAX_KILLS = 20
"""Number of kills within which a fault must be found."""


async def test_killed_servers_and_databases_keep_what_they_acknowledged(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), KILLS) == KILLS


async def test_a_server_that_acknowledges_before_it_commits_is_found(databases: Databases) -> None:
    fault = f"from tests.faulty_servers import acknowledge_early; acknowledge_early(); {PRELUDE}"
    with pytest.raises(BrokenPromiseError, match=r"(?i)acknowledged .*lost"):
        await run_trial(databases, random.randrange(1 << 32), MAX_KILLS, fault)


def test_each_mutation_of_the_model_is_sent_or_omitted_for_a_reason() -> None:
    assert {mutation for _, mutation, *_ in ACTIONS} == (MUTATIONS.keys() | {"status"}) - OMITTED.keys()
