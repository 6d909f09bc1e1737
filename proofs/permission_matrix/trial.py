"""This file is the graph held to the truth table: every surface, for every viewer, on the world of combinations."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import product
from random import Random
from typing import NamedTuple

from proofs.databases import Databases
from proofs.permission_matrix.matrix import ALIKE, SHARINGS, VIEWERS, VISIBILITIES, Row, row_of, told
from proofs.permission_matrix.mutations import ACTS
from proofs.permission_matrix.queries import SIGHTS
from proofs.permission_matrix.surface import Asking, Shape, Surface
from proofs.permission_matrix.world import ASSETS, Asset, TruthWorld, written
from proofs.proof import BrokenPromiseError, Proof
from tests.conftest import GraphQLClient, World, set_public_sharing
from tests.db_snapshot import db_snapshot

MOST_TOLD = 10
SURFACES: Sequence[Surface] = (*SIGHTS, *ACTS)
PASSING = [surface for surface in SURFACES if not surface.shape.is_lasting]
LASTING = [surface for surface in SURFACES if surface.shape.is_lasting]


class Situation(NamedTuple):
    """Who asks, and whether the deployment shares publicly."""

    who: str
    sharing: str

    def row(self, asset: Asset) -> Row:
        """Return what the asset is to the viewer."""
        return row_of(self.who, asset.grants, asset.status, asset.visibility, self.sharing)

    def __str__(self) -> str:
        """Return the situation as a sentence begins."""
        return f"To the {self.who}, while public sharing is {self.sharing}"


SITUATIONS = [Situation(*situation) for situation in product(VIEWERS, SHARINGS)]
COMBINATIONS = list(product(SITUATIONS, ASSETS))
PARTS = list(product(SITUATIONS, VISIBILITIES))
CELLS = sum(surface.is_about(asset) for surface, (_, asset) in product(SURFACES, COMBINATIONS))


async def every_row(databases: Databases, seed: int) -> int:
    """Return how many cells of the table held: what each surface says in each row.

    What tells of many assets at once is asked about all of them, all else about one for each row, by chance.
    """
    few = picked(Random(seed))
    async with _world(databases, seed) as world:
        return sum([await _held(databases, world, situation, ASSETS, few[situation]) for situation in SITUATIONS])


async def every_combination(databases: Databases, seed: int) -> int:
    """Return how many cells held of a part of all: of one viewer, one visibility, and sharing on or off.

    The seed tells which, so that as many trials in a row as there are parts are all.
    """
    situation, visibility = PARTS[seed % len(PARTS)]
    assets = [asset for asset in ASSETS if asset.visibility == visibility]
    async with _world(databases, seed) as world:
        return await _held(databases, world, situation, assets, assets)


def picked(chance: Random) -> Mapping[Situation, Sequence[Asset]]:
    """Return assets by situation, one for each row among all situations."""
    alike: dict[Row, list[tuple[Situation, Asset]]] = defaultdict(list)
    for situation, asset in COMBINATIONS:
        row = situation.row(asset)
        alike[row._replace(status=ALIKE.get(row.status, row.status))].append((situation, asset))
    found: dict[Situation, list[Asset]] = {situation: [] for situation in SITUATIONS}
    for of_a_row in alike.values():
        situation, asset = chance.choice(of_a_row)
        found[situation].append(asset)
    return found


@asynccontextmanager
async def _world(databases: Databases, seed: int) -> AsyncIterator[TruthWorld]:
    """Open the world; what is broken in it tells of the seed."""
    world = await written(databases)
    try:
        yield world
    except BrokenPromiseError as broken:
        raise BrokenPromiseError(f"Seed {seed} on {databases.backend}. {broken}") from None
    finally:
        databases.drop(world.url)


async def _held(
    databases: Databases, world: TruthWorld, situation: Situation, assets: Sequence[Asset], some: Sequence[Asset]
) -> int:
    """Return how many cells held, asked of a copy of the world."""
    url = databases.copy(world.url)
    try:
        async with _asking(world, url, situation) as asking:
            cells = await _passing(asking, situation, assets, some)
            return cells + await _cells(asking, situation, LASTING, assets, some)
    except BrokenPromiseError as broken:
        raise BrokenPromiseError(f"{situation}: {broken}") from None
    finally:
        databases.drop(url)


async def _passing(asking: Asking, situation: Situation, assets: Sequence[Asset], some: Sequence[Asset]) -> int:
    """Return how many cells held of what leaves the world as it was, once it has."""
    before = await db_snapshot(asking.ask.database)
    cells = await _cells(asking, situation, PASSING, assets, some)
    if await db_snapshot(asking.ask.database) != before:
        raise BrokenPromiseError("What was tried, or refused, or so already, has changed the world.")
    return cells


@asynccontextmanager
async def _asking(world: TruthWorld, url: str, situation: Situation) -> AsyncIterator[Asking]:
    ask = GraphQLClient(World(url, dict(world.tokens)))
    try:
        await set_public_sharing(ask.database, is_on=situation.sharing == "on")
        yield Asking(ask, situation.who, world.ids)
    finally:
        await ask.close()


async def _cells(
    asking: Asking,
    situation: Situation,
    surfaces: Sequence[Surface],
    assets: Sequence[Asset],
    some: Sequence[Asset],
) -> int:
    """Return how many cells are as the table says. Raises BrokenPromiseError with those that are not."""
    cells, wrong = 0, []
    by_shape: dict[Shape, list[Surface]] = defaultdict(list)
    for surface in surfaces:
        by_shape[surface.shape].append(surface)
    for shape, alike in by_shape.items():
        async for surface, asset, value in shape.ask(asking, alike, assets if shape.is_of_many else some):
            expected = told(surface.word, situation.row(asset))
            cells += 1
            if value != expected:
                wrong.append(f"{surface} of {asset} says {value}, not {expected}")
    if wrong:
        raise BrokenPromiseError("\n".join([f"{len(wrong)} cells are wrong.", *wrong[:MOST_TOLD]]))
    return cells


TRUTH = Proof(
    "truth",
    "Whatever the graph says of an asset is what the table says, for every viewer, grant, status and collection.",
    unit="cells",
    goal=2 * CELLS,
    trial=every_combination,
)
