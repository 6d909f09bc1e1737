"""The API compared with the permission matrix: every surface, for every viewer, in a world of all combinations."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import product
from random import Random
from typing import NamedTuple

from proofs.databases import Databases
from proofs.determinism import lift_cost_limits
from proofs.permission_matrix.events import EVENT_SURFACES
from proofs.permission_matrix.exports import EXPORT_SURFACES
from proofs.permission_matrix.matrix import (
    EQUIVALENT_STATUS,
    SHARINGS,
    VIEWERS,
    VISIBILITIES,
    Row,
    expected_value,
    row_for,
)
from proofs.permission_matrix.mutations import MUTATION_SURFACES
from proofs.permission_matrix.queries import QUERY_SURFACES
from proofs.permission_matrix.surface import RequestForm, Surface, ViewerClient
from proofs.permission_matrix.world import ASSETS, Asset, MatrixWorld, create_world
from proofs.proof import BrokenPromiseError, Proof
from tests.conftest import GraphQLClient, World, set_public_sharing
from tests.db_snapshot import db_snapshot

MAX_REPORTED = 10
SURFACES: Sequence[Surface] = (*QUERY_SURFACES, *EVENT_SURFACES, *EXPORT_SURFACES, *MUTATION_SURFACES)
SURFACES_WITHOUT_EFFECT = [surface for surface in SURFACES if not surface.request.has_effect]
SURFACES_WITH_EFFECT = [surface for surface in SURFACES if surface.request.has_effect]


class Situation(NamedTuple):
    """Viewer, and whether public sharing is on."""

    who: str
    sharing: str

    def row(self, asset: Asset) -> Row:
        """Return the row of the matrix for an asset."""
        return row_for(self.who, asset.grants, asset.status, asset.visibility, self.sharing)

    def __str__(self) -> str:
        """Return the start of a message."""
        return f"As the {self.who}, with public sharing {self.sharing}"


SITUATIONS = [Situation(*situation) for situation in product(VIEWERS, SHARINGS)]
COMBINATIONS = list(product(SITUATIONS, ASSETS))
PARTS = list(product(SITUATIONS, VISIBILITIES))
CELLS = sum(surface.applies_to(asset) for surface, (_, asset) in product(SURFACES, COMBINATIONS))


async def check_every_row(databases: Databases, seed: int) -> int:
    """Check every surface in every row of the matrix and return the number of cells.

    Batched surfaces are checked for all assets, the others for one random asset of each row.
    """
    picked = pick_assets(Random(seed))
    async with _world(databases, seed) as world:
        return sum([await _check(databases, world, situation, ASSETS, picked[situation]) for situation in SITUATIONS])


async def check_part(databases: Databases, seed: int) -> int:
    """Check every combination of one viewer, one visibility, and sharing on or off; return the number of cells.

    The seed selects the part; as many consecutive seeds as there are parts cover all combinations.
    """
    situation, visibility = PARTS[seed % len(PARTS)]
    assets = [asset for asset in ASSETS if asset.visibility == visibility]
    async with _world(databases, seed) as world:
        return await _check(databases, world, situation, assets, assets)


def pick_assets(random: Random) -> Mapping[Situation, Sequence[Asset]]:
    """Pick a random situation and asset for each row. Returns the assets by situation."""
    combinations: dict[Row, list[tuple[Situation, Asset]]] = defaultdict(list)
    for situation, asset in COMBINATIONS:
        row = situation.row(asset)
        row = row._replace(status=EQUIVALENT_STATUS.get(row.status, row.status))
        combinations[row].append((situation, asset))
    picked: dict[Situation, list[Asset]] = {situation: [] for situation in SITUATIONS}
    for combinations_of_row in combinations.values():
        situation, asset = random.choice(combinations_of_row)
        picked[situation].append(asset)
    return picked


@asynccontextmanager
async def _world(databases: Databases, seed: int) -> AsyncIterator[MatrixWorld]:
    """Create the world, and add the seed to the message of a failure."""
    world = await create_world(databases)
    try:
        yield world
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"Seed {seed} on {databases.backend}. {error}") from None
    finally:
        databases.drop(world.url)


async def _check(
    databases: Databases, world: MatrixWorld, situation: Situation, assets: Sequence[Asset], picked: Sequence[Asset]
) -> int:
    """Check the surfaces on a copy of the world, batched ones for all assets; return the number of cells."""
    url = databases.copy(world.url)
    try:
        async with _open_client(world, url, situation) as client:
            cells = await _check_without_effect(client, situation, assets, picked)
            return cells + await _check_surfaces(client, situation, SURFACES_WITH_EFFECT, assets, picked)
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{situation}: {error}") from None
    finally:
        databases.drop(url)


async def _check_without_effect(
    client: ViewerClient, situation: Situation, assets: Sequence[Asset], picked: Sequence[Asset]
) -> int:
    """Check the surfaces without effect, and that they leave the world unchanged; return the number of cells."""
    before = await db_snapshot(client.graphql.database)
    cells = await _check_surfaces(client, situation, SURFACES_WITHOUT_EFFECT, assets, picked)
    if await db_snapshot(client.graphql.database) != before:
        raise BrokenPromiseError("A query, dry run, refused or unchanged mutation changed the database.")
    return cells


@asynccontextmanager
async def _open_client(world: MatrixWorld, url: str, situation: Situation) -> AsyncIterator[ViewerClient]:
    graphql = GraphQLClient(World(url, dict(world.tokens)))
    try:
        await set_public_sharing(graphql.database, is_on=situation.sharing == "on")
        with lift_cost_limits():
            yield ViewerClient(graphql, situation.who, world.ids)
    finally:
        await graphql.close()


async def _check_surfaces(
    client: ViewerClient,
    situation: Situation,
    surfaces: Sequence[Surface],
    assets: Sequence[Asset],
    picked: Sequence[Asset],
) -> int:
    """Compare the surfaces with the matrix; return the number of cells. Raises BrokenPromiseError if any differ."""
    cells, differences = 0, []
    surfaces_by_request: dict[RequestForm, list[Surface]] = defaultdict(list)
    for surface in surfaces:
        surfaces_by_request[surface.request].append(surface)
    for request, surfaces_of_request in surfaces_by_request.items():
        requested = assets if request.is_batched else picked
        async for surface, asset, value in request.cells(client, surfaces_of_request, requested):
            expected = expected_value(surface.aspect, situation.row(asset))
            cells += 1
            if value != expected:
                differences.append(f"{surface} of {asset} is {value}, expected {expected}")
    if differences:
        raise BrokenPromiseError("\n".join([f"{len(differences)} cells differ.", *differences[:MAX_REPORTED]]))
    return cells


PERMISSION_MATRIX = Proof(
    "matrix",
    "Everything that the API says about an asset equals the permission matrix, for every viewer, grant, status and"
    " collection.",
    unit="cells",
    goal=2 * CELLS,
    trial=check_part,
)
