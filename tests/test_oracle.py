"""A small part of the oracle proof, and tests of the proof itself."""

import ast
import secrets
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random

import pytest

from proofs.databases import Databases
from proofs.model_reader import read_model
from proofs.oracle.trial import Transcript, compare_transcripts, trial
from proofs.oracle.world import random_catalogue, vary_database
from proofs.proof import BrokenPromiseError
from store.database import Database
from tests.conftest import VIEWERS, GraphQLClient
from tests.lists import every_list
from tests.oracle import Line, Model
from tests.test_listing import vary_world

KNOWN_SEED = 21  # a world of two assets in three collections
PAGES = 40
LAYERS = {"app", "engine", "schema", "resolvers", "permissions", "store"}
ROOT = Path(__file__).parent.parent


def new_seed() -> int:
    """Return a random seed of a small world."""
    seeds = (secrets.randbelow(1 << 32) for _ in count())
    return next(seed for seed in seeds if is_small(random_catalogue(Random(seed))))


def is_small(lines: list[Line]) -> bool:
    """Return whether the world has one, two or four assets, and two or three collections."""
    kinds = [line["kind"] for line in lines]
    return kinds.count("asset") in {1, 2, 4} and kinds.count("collection") in {2, 3}


@pytest.mark.parametrize("seed", [lambda: KNOWN_SEED, new_seed], ids=["known", "new"])
async def test_the_api_equals_the_oracle_in_a_small_world(
    databases: Databases, seed: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofs.oracle.trial.PAGES", PAGES)
    assert await trial(databases, seed()) > 0


async def test_a_failure_reports_everything_needed_to_reproduce_it(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "sees_asset", lambda _model, _who, _asset: False)
    with pytest.raises(BrokenPromiseError) as error:
        await trial(databases, KNOWN_SEED)
    message = str(error.value)
    assert message.startswith(f"seed {KNOWN_SEED} on {databases.backend}, as ")
    parts = ("{ list: ", "first: 100", "actual ", "expected ", '{"kind": "asset", "id": "asset-0"', "Actions:\n")
    assert [part for part in parts if part not in message] == []


def test_databases_that_respond_with_different_bytes_are_reported() -> None:
    postgresql, sqlite = (Transcript(1, [("ann: { viewer }", content)]) for content in (b"{}", b"{ }"))
    with pytest.raises(BrokenPromiseError, match="seed 7"):
        compare_transcripts(7, postgresql, sqlite)
    compare_transcripts(7, postgresql, postgresql)


async def test_the_model_read_from_a_database_equals_that_of_its_catalogue_and_later_changes(
    ask_own: GraphQLClient,
) -> None:
    model, read = await vary_world(ask_own), await read_model(ask_own.database)
    for who in VIEWERS:
        for listing in every_list(model, who):
            assert listing.expected(read, who, None) == listing.expected(model, who, None), (who, listing)
    assert (read.gold, read.changed_at, read.added_at) == (model.gold, model.changed_at, model.added_at)


async def test_importing_the_lines_of_a_model_recreates_its_world(databases: Databases) -> None:
    original = await import_and_read(databases, random_catalogue(Random(0)), is_varied=True)
    recreated = await import_and_read(databases, original.lines, is_varied=False)
    assert sorted(map(str, recreated.lines)) == sorted(map(str, original.lines))


async def import_and_read(databases: Databases, lines: Sequence[Line], *, is_varied: bool) -> Model:
    """Import the lines, optionally vary the database, and return its model."""
    url = await databases.create_from_catalogue(lines)
    database = Database(url)
    if is_varied:
        await vary_database(database, Random(0))
    model = await read_model(database)
    await database.close()
    databases.drop(url)
    return model


def test_the_oracle_shares_no_code_with_the_product() -> None:
    for path in (ROOT / "tests" / "oracle.py", ROOT / "proofs" / "oracle" / "expected.py"):
        assert not imported_packages(path) & {*LAYERS, "sqlalchemy", "sqlmodel"}, path
    assert imported_packages(ROOT / "proofs" / "model_reader.py") & LAYERS == {"store"}


def imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    imports = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = [alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names]
    modules += [str(node.module) for node in imports if isinstance(node, ast.ImportFrom)]
    return {module.split(".")[0] for module in modules}
