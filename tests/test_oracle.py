"""This file is a small part of the proof of agreement, and what the proof itself is held to."""

import ast
import secrets
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random

import pytest

from proofs import model_reader
from proofs.databases import Databases
from proofs.oracle.trial import Told, compare_bytes, trial
from proofs.oracle.world import drawn, vary
from proofs.proof import BrokenPromiseError
from store.database import Database
from tests.conftest import VIEWERS, GraphQLClient
from tests.lists import every_list
from tests.oracle import Line, Model
from tests.test_listing import vary_world

KNOWN = 21  # two assets in three collections
PAGES = 40  # that a viewer asks for here
PRODUCT = {"app", "schema", "resolvers", "permissions", "store"}
ROOT = Path(__file__).parent.parent


def small() -> int:
    """Return a seed that was not tried before, of a world that is small."""
    return next(seed for seed in (secrets.randbelow(1 << 32) for _ in count()) if is_small(drawn(Random(seed))))


def is_small(lines: list[Line]) -> bool:
    """Return whether there are a few assets in two collections or three."""
    kinds = [line["kind"] for line in lines]
    return kinds.count("asset") in {1, 2, 4} and kinds.count("collection") in {2, 3}


@pytest.mark.parametrize("seed_of", [lambda: KNOWN, small], ids=["known", "new"])
async def test_whoever_asks_whatever_of_a_small_world_the_model_says_the_same(
    databases: Databases, seed_of: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofs.oracle.trial.PAGES", PAGES)
    assert await trial(databases, seed_of()) > 0


async def test_a_failure_tells_all_that_is_needed_to_see_it_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "sees", lambda _model, _who, _asset: False)
    with pytest.raises(BrokenPromiseError) as broken:
        await trial(databases, KNOWN)
    told = str(broken.value)
    assert told.startswith(f"seed {KNOWN} on {databases.backend}, as ")
    for part in ("{ list: ", "first: 100", "answered ", "expected ", '{"kind": "asset", "id": "asset-0"', "Done:\n"):
        assert part in told


def test_databases_that_answer_in_other_bytes_are_found() -> None:
    here, there = (Told(1, [("ann: { viewer }", content)]) for content in (b"{}", b"{ }"))
    with pytest.raises(BrokenPromiseError, match="seed 7"):
        compare_bytes(7, here, there)
    compare_bytes(7, here, here)


async def test_the_oracle_of_a_database_is_that_of_its_catalogue_and_of_what_was_changed_since(
    ask_own: GraphQLClient,
) -> None:
    told, read = await vary_world(ask_own), await model_reader.read_model(ask_own.database)
    for who in VIEWERS:
        for each in every_list(told, who):
            assert each.expected(read, who, None) == each.expected(told, who, None), (who, each)
    assert (read.gold, read.changed_at, read.added_at) == (told.gold, told.changed_at, told.added_at)


async def test_what_was_read_of_a_world_writes_the_same_world(databases: Databases) -> None:
    first = await read(databases, drawn(Random(0)), is_varied=True)
    again = await read(databases, first.lines, is_varied=False)
    assert sorted(map(str, again.lines)) == sorted(map(str, first.lines))


async def read(databases: Databases, lines: Sequence[Line], *, is_varied: bool) -> Model:
    """Return the oracle of a world of these lines, perhaps varied."""
    url = await databases.written(lines)
    database = Database(url)
    if is_varied:
        await vary(database, Random(0))
    model = await model_reader.read_model(database)
    await database.close()
    databases.drop(url)
    return model


def test_the_model_shares_no_code_with_what_it_judges() -> None:
    for path in (ROOT / "tests" / "oracle.py", ROOT / "proofs" / "oracle" / "expected.py"):
        assert not rooms(path) & {*PRODUCT, "sqlalchemy", "sqlmodel"}, path
    assert rooms(ROOT / "proofs" / "model_reader.py") & PRODUCT == {"store"}


def rooms(path: Path) -> set[str]:
    """Return what a file imports, as the first parts of names."""
    imports = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = [alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names]
    modules += [str(node.module) for node in imports if isinstance(node, ast.ImportFrom)]
    return {module.split(".")[0] for module in modules}
