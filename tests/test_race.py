"""Race of `make bench`: its operations, the comparison of answers, and its report."""

import math
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from benchmarks.race import operations
from benchmarks.race.contest import Row
from benchmarks.race.load import Measurement
from benchmarks.race.report import draw_rates, format_number, format_rows, format_summary, replace_measured
from benchmarks.race.servers.plain_strawberry import schema as plain_schema
from benchmarks.race.world import Sizes, World

ROOT = Path(__file__).parent.parent
WORLD = World(Sizes(assets=600, collections=40, members=20, users=30, groups=5))
VARIABLES = operations.draw_variables(WORLD)
ROWS = [
    Row("D", "Atoll", 1_000, Measurement(50, 20, 80, 90), 150),
    Row("D", "SQL floor", 1_000, Measurement(200, 5, 20, 30), 60),
    Row("ND", "Atoll", 300, Measurement(1_234, math.nan, 0.5, 2), 150),
]


def schema_of(dialect: str) -> GraphQLSchema:
    text = plain_schema.as_str() if dialect == "lists" else (ROOT / "schema.graphql").read_text(encoding="utf-8")
    return build_schema(text)


@pytest.mark.parametrize("dialect", ["connections", "lists"])
def test_the_operations_are_valid(dialect: str) -> None:
    schema = schema_of(dialect)
    raced = getattr(operations, dialect)(VARIABLES)
    faults = {name: validate(schema, parse(operation.query)) for name, operation in raced.items()}
    assert [name for name, found in faults.items() if found] == []


def test_connections_lists_and_rows_of_postgraphile_compare_equal() -> None:
    connection = {"assets": {"nodes": [{"__typename": "Model", "id": "a", "kind": "MODEL"}]}}
    rows = {"assets": {"nodes": [{"assetByAssetPk": {"kind": "MODEL", "id": "a", "__typename": "Asset"}}]}}
    assert operations.plain(connection) == operations.plain(rows) == {"assets": [{"id": "a", "kind": "MODEL"}]}
    assert operations.plain({"data": {}, "extensions": {"cost": {}}}) == {"data": {}}
    assert operations.plain({"assets": [{"id": "b"}]}) != operations.plain({"assets": [{"id": "a"}]})


def test_equal_sizes_give_an_equal_world() -> None:
    again = World(WORLD.sizes)
    assert list(again.assets()) == list(WORLD.assets())
    assert list(again.memberships()) == list(WORLD.memberships())


def test_the_parent_of_a_collection_comes_before_it_in_the_same_topic() -> None:
    by_pk = {row.pk: row for row in WORLD.collections()}
    below = [row for row in by_pk.values() if row.parent_pk is not None]
    assert len(below) == 32
    assert all(row.parent_pk in by_pk and by_pk[row.parent_pk].topic_pk == row.topic_pk for row in below)
    assert all(row.parent_pk < row.pk for row in below if row.parent_pk is not None)


def test_ratios_are_those_to_the_rate_of_atoll() -> None:
    lines = format_rows(ROWS).splitlines()
    assert lines[2:] == [
        "| D | Atoll | 50.0 |  | 20.0 |  | 80.0 | 90.0 | 150 | 1,000 |",
        "| D | SQL floor | 200 | 0.250 | 5.00 | 0.250 | 20.0 | 30.0 | 60 | 1,000 |",
        "| ND | Atoll | 1,234 |  |  |  | 0.500 | 2.00 | 150 | 300 |",
    ]


def test_the_summary_has_a_row_for_each_server() -> None:
    assert format_summary(ROWS).splitlines()[2:] == ["| **Atoll** | 50.0 | 1,234 |", "| SQL floor | 200 |  |"]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0123, "0.012"), (9.876, "9.88"), (98.76, "98.8"), (math.nan, "")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_only_the_text_between_the_markers_is_replaced() -> None:
    before = "# A\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n## B\n"
    after = "# A\n<!-- measured: begin -->\none\n\ntwo\n<!-- measured: end -->\n## B\n"
    assert replace_measured(before, ["one", "two"]) == after
    assert replace_measured(after, ["one", "two"]) == after


def test_the_picture_has_a_bar_for_each_row() -> None:
    assert draw_rates(ROWS).count("<rect") == 1 + len(ROWS)
