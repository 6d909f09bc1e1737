"""Undo: of each mutation, of undos, and never past a later change."""

import random

from proofs.databases import Databases
from proofs.undo.trial import run_trial

MUTATIONS = 12


async def test_undoing_random_mutations_restores_the_world(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), MUTATIONS) == MUTATIONS
