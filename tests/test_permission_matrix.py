"""This file is the truth table at work: each cell is what the graph says, and nothing that it says is left out."""

import ast
import secrets
from itertools import product
from pathlib import Path

import pytest
from graphql import build_schema, extend_schema, parse

from proofs.databases import Databases
from proofs.permission_matrix import trial as truth
from proofs.permission_matrix.coverage import EXCEPTIONS, asked, exceptions_to, reaching
from proofs.permission_matrix.markdown import GROUPS, page
from proofs.permission_matrix.matrix import ALIKE, MEANINGS, WORD_LINES, told
from proofs.permission_matrix.trial import COMBINATIONS, PARTS, SURFACES, every_combination, every_row
from proofs.proof import BrokenPromiseError
from schema.graph import print_schema

HERE = Path(truth.__file__).parent
PAGE = HERE.parent.parent / "docs" / "permissions.md"
ROOMS = {"app", "schema", "resolvers", "permissions", "store"}
ROWS = {situation.row(asset) for situation, asset in COMBINATIONS}
NOBODY_SEES = 2  # a part, and the one that is done soonest
NEW = secrets.randbelow(1_000_000)
SCHEMA = build_schema(print_schema())


async def test_every_cell_is_what_the_graph_says(databases: Databases) -> None:
    assert await every_row(databases, NEW) > 49_000, f"seed {NEW}"


async def test_every_combination_of_a_part_is_what_the_graph_says(databases: Databases) -> None:
    assert PARTS[NOBODY_SEES] == (("anonymous", "off"), "PUBLIC")
    assert await every_combination(databases, NOBODY_SEES) > 5_000


async def test_a_cell_that_is_wrong_is_told(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    if databases.backend != "sqlite":
        return
    monkeypatch.setattr(truth, "told", lambda word, row: "yes" if word == "grants" else told(word, row))
    with pytest.raises(
        BrokenPromiseError, match=r"To the anonymous, while public sharing is off: 110 cells are wrong.\n`grants`"
    ):
        await every_combination(databases, NOBODY_SEES)


def test_the_table_says_something_of_every_row_and_the_same_of_those_that_are_alike() -> None:
    for word, row in product(MEANINGS, ROWS):
        assert told(word, row) == told(word, row._replace(status=ALIKE.get(row.status, row.status)))


def test_every_line_of_the_table_is_needed() -> None:
    used = {
        next(line for line in WORD_LINES if line.word == word and line.fits(row))
        for word, row in product(MEANINGS, ROWS)
    }
    assert [line for line in WORD_LINES if line not in used] == []


def test_every_word_is_said_somewhere_and_printed() -> None:
    assert {surface.word for surface in SURFACES} == {line.word for line in WORD_LINES} == {*MEANINGS}
    assert sorted(word for words in GROUPS.values() for word in words) == sorted(MEANINGS)


def _imported(path: Path) -> set[str]:
    """Return the names of what a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_table_knows_nothing_of_the_product_and_what_asks_it_nothing_of_permissions() -> None:
    assert not {name.split(".")[0] for name in _imported(HERE / "matrix.py")} & {*ROOMS, "tests", "proofs"}
    for path in HERE.glob("*.py"):
        assert "permissions" not in {name.split(".")[0] for name in _imported(path)}, path


def test_whatever_tells_of_assets_or_takes_their_ids_is_asked_for() -> None:
    left = reaching(SCHEMA) - asked(SCHEMA, SURFACES)
    assert sorted(each for each in left if not exceptions_to(each)) == [], (
        "let a surface of proofs/permission_matrix ask for it"
    )
    assert {pattern for each in left for pattern in exceptions_to(each)} == {*EXCEPTIONS}, "an exception to nothing"
    assert {each for surface in SURFACES for each in surface.covers} <= reaching(SCHEMA)


@pytest.mark.parametrize(
    ("added", "missed"),
    [
        ("extend type Topic { best: Asset }", {"Topic.best"}),
        ("extend type Query { search(text: String!): AssetConnection! }", {"Query.search"}),
        ("extend type Query { search: Hits! } type Hits { items: [Hit!]! } type Hit { node: Node! }", {"Hits.items"}),
        ("extend interface AssetFields { readme: String }", {"AssetFields.readme"}),
        ("extend type Collection { assetTags: [String!]! }", {"Collection.assetTags"}),
        ("extend type Query { isKnown(id: ID!): Boolean! }", {"Query.isKnown(id:)"}),
        ("extend input CollectionFilter { likeAsset: ID }", {"CollectionFilter.likeAsset"}),
        (
            "type Subscription { changed: AssetEdge! } extend schema { subscription: Subscription }",
            {"Subscription.changed"},
        ),
    ],
)
def test_what_comes_later_has_to_join(added: str, missed: set[str]) -> None:
    later = extend_schema(SCHEMA, parse(added))
    assert reaching(later) - reaching(SCHEMA) >= missed


def test_the_printed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it again: python -m proofs.permission_matrix > docs/permissions.md"
    )
