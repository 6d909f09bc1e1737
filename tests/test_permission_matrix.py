"""The permission matrix: the API equals it in every cell, and no part of the schema is left out."""

import ast
import secrets
from itertools import product
from pathlib import Path

import pytest
from graphql import build_schema, extend_schema, parse

from proofs.databases import Databases
from proofs.permission_matrix import trial
from proofs.permission_matrix.coverage import EXCEPTIONS, asset_coordinates, covered_coordinates, exceptions_to
from proofs.permission_matrix.markdown import SECTIONS, format_page
from proofs.permission_matrix.matrix import DESCRIPTIONS, EQUIVALENT_STATUS, RULES, expected_value
from proofs.permission_matrix.trial import COMBINATIONS, PARTS, SURFACES, check_every_row, check_part
from proofs.proof import BrokenPromiseError
from schema.graph import print_schema

FOLDER = Path(trial.__file__).parent
PAGE = FOLDER.parent.parent / "docs" / "permissions.md"
LAYERS = {"app", "engine", "schema", "resolvers", "permissions", "store"}
ROWS = {situation.row(asset) for situation, asset in COMBINATIONS}
NOTHING_VISIBLE = 2  # index of the fastest part: anonymous visitors, public sharing off
NEW_SEED = secrets.randbelow(1_000_000)
SCHEMA = build_schema(print_schema())


async def test_the_api_equals_the_matrix_in_every_row(databases: Databases) -> None:
    assert await check_every_row(databases, NEW_SEED) > 49_000, f"seed {NEW_SEED}"


async def test_the_api_equals_the_matrix_in_every_combination_of_a_part(databases: Databases) -> None:
    assert PARTS[NOTHING_VISIBLE] == (("anonymous", "off"), "PUBLIC")
    assert await check_part(databases, NOTHING_VISIBLE) > 5_000


async def test_a_wrong_cell_is_reported(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    if databases.backend != "sqlite":
        return
    monkeypatch.setattr(
        trial, "expected_value", lambda aspect, row: "yes" if aspect == "grants" else expected_value(aspect, row)
    )
    message = r"As the anonymous, with public sharing off: 205 cells differ.\n`grants`"
    with pytest.raises(BrokenPromiseError, match=message):
        await check_part(databases, NOTHING_VISIBLE)


def test_the_matrix_has_a_value_for_every_row_and_equal_ones_for_equivalent_statuses() -> None:
    for aspect, row in product(DESCRIPTIONS, ROWS):
        equivalent = row._replace(status=EQUIVALENT_STATUS.get(row.status, row.status))
        assert expected_value(aspect, row) == expected_value(aspect, equivalent)


def test_every_rule_of_the_matrix_applies_to_some_row() -> None:
    applied = {
        next(rule for rule in RULES if rule.aspect == aspect and rule.fits(row))
        for aspect, row in product(DESCRIPTIONS, ROWS)
    }
    assert [rule for rule in RULES if rule not in applied] == []


def test_every_aspect_has_a_surface_and_is_printed() -> None:
    assert {surface.aspect for surface in SURFACES} == {rule.aspect for rule in RULES} == {*DESCRIPTIONS}
    assert sorted(aspect for aspects in SECTIONS.values() for aspect in aspects) == sorted(DESCRIPTIONS)


def _imported_modules(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def _imported_packages(path: Path) -> set[str]:
    return {module.split(".")[0] for module in _imported_modules(path)}


def test_the_matrix_shares_no_code_with_the_product_nor_its_surfaces_with_permissions() -> None:
    assert not _imported_packages(FOLDER / "matrix.py") & {*LAYERS, "tests", "proofs"}
    for path in FOLDER.glob("*.py"):
        assert "permissions" not in _imported_packages(path), path


def test_every_part_of_the_schema_that_concerns_assets_has_a_surface() -> None:
    uncovered = asset_coordinates(SCHEMA) - covered_coordinates(SCHEMA, SURFACES)
    missing = sorted(coordinate for coordinate in uncovered if not exceptions_to(coordinate))
    assert missing == [], "add a surface to proofs/permission_matrix"
    used_exceptions = {pattern for coordinate in uncovered for pattern in exceptions_to(coordinate)}
    assert used_exceptions == {*EXCEPTIONS}, "remove the exceptions that match nothing"
    assert {coordinate for surface in SURFACES for coordinate in surface.covers} <= asset_coordinates(SCHEMA)


@pytest.mark.parametrize(
    ("addition", "coordinates"),
    [
        ("extend type Topic { best: Asset }", {"Topic.best"}),
        ("extend type Query { search(text: String!): AssetConnection! }", {"Query.search"}),
        ("extend type Query { search: Hits! } type Hits { items: [Hit!]! } type Hit { node: Node! }", {"Hits.items"}),
        ("extend interface AssetFields { readme: String }", {"AssetFields.readme"}),
        ("extend type Collection { assetTags: [String!]! }", {"Collection.assetTags"}),
        ("extend type Query { isKnown(id: ID!): Boolean! }", {"Query.isKnown(id:)"}),
        ("extend input CollectionFilter { likeAsset: ID }", {"CollectionFilter.likeAsset"}),
        (
            "extend type Subscription { changed: AssetEdge! }",
            {"Subscription.changed"},
        ),
    ],
)
def test_additions_to_the_schema_that_concern_assets_need_a_surface(addition: str, coordinates: set[str]) -> None:
    extended = extend_schema(SCHEMA, parse(addition))
    assert asset_coordinates(extended) - asset_coordinates(SCHEMA) >= coordinates


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == format_page(), "run make permissions"
