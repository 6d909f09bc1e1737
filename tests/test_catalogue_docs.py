"""`docs/catalogue.md`: its fields, limits, defaults, kinds, examples and messages are those of the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import orjson
import pytest
from pydantic import ValidationError

from store.asset_columns import ALL_KINDS, ASSET_COLUMNS
from store.catalogue.file import MAX_LINE_BYTES
from store.catalogue.importer import import_catalogue
from store.catalogue.lines import AnyLine, AssetLine, GrantLine, Line
from store.catalogue.messages import MAX_SHOWN_ERRORS
from store.catalogue.parsed import MAX_PROBLEMS, InvalidCatalogueError
from store.database import Database
from store.migrate import migrate
from store.tables import MAX_COLLECTION_DEPTH

TEXT = (Path(__file__).parents[1] / "docs" / "catalogue.md").read_text(encoding="utf-8")
LINES: dict[str, type[Line]] = {line.__name__.removesuffix("Line"): line for line in get_args(AnyLine)}
VALID, INVALID = re.findall(r"```jsonl\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = {example["kind"].title(): example for example in map(orjson.loads, VALID.splitlines())}


class Row(NamedTuple):
    """A row of a table of fields."""

    field: str
    value: str
    default: str
    kinds: str = "all"


def rows(line: str) -> Iterator[Row]:
    section = re.search(rf"^## {line}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, line
    for row in re.findall(r"^\| `(.*) \|$", section[1], re.MULTILINE):
        field, *rest = (cell.strip() for cell in row.split(" |"))
        yield Row(field.rstrip("`"), *rest)


ROWS = [(line, row) for line in LINES for row in rows(line)]
IDS = [f"{line}.{row.field}" for line, row in ROWS]
for_each_row = pytest.mark.parametrize(("line", "row"), ROWS, ids=IDS)


def is_valid(line: str, field: str, value: Any) -> bool:
    """Return whether the example of the line is valid with the value."""
    values = EXAMPLES[line] | {field: value}
    try:
        LINES[line].model_validate(values)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("line", LINES)
def test_each_field_of_a_line_is_documented(line: str) -> None:
    assert [row.field for row in rows(line)] == list(LINES[line].model_fields)


@for_each_row
def test_defaults_are_those_of_the_code(line: str, row: Row) -> None:
    field = LINES[line].model_fields[row.field]
    columns = {column.line_name: column for column in ASSET_COLUMNS} if line == "Asset" else {}
    default = field.default
    if row.field in columns:
        default = columns[row.field].default or default
    assert row.default == ("" if field.is_required() else f"`{orjson.dumps(default).decode()}`")


@for_each_row
def test_limits_are_those_of_the_code(line: str, row: Row) -> None:
    if limit := re.search(r"at most ([\d,]+) characters", row.value):
        length = int(limit[1].replace(",", ""))
        start = "https://" if row.value.startswith("URL") else ""
        longest, too_long = (start.ljust(length + more, "x") for more in (0, 1))
        is_list = row.value.startswith("list")
        assert is_valid(line, row.field, [longest] if is_list else longest)
        assert not is_valid(line, row.field, [too_long] if is_list else too_long)
    elif limit := re.fullmatch(r"0 to ([\d,]+)", row.value):
        greatest = int(limit[1].replace(",", ""))
        assert is_valid(line, row.field, greatest)
        assert not is_valid(line, row.field, greatest + 1)
        assert not is_valid(line, row.field, -1)


@for_each_row
def test_enumerated_values_are_those_of_the_code(line: str, row: Row) -> None:
    documented = re.findall(r"`([A-Z][A-Z_]+)`", row.value)
    if not documented:
        return
    try:
        LINES[line].model_validate(EXAMPLES[line] | {row.field: "?"})
    except ValidationError as error:
        [details] = error.errors()
        assert re.findall(r"'(\w+)'", details["ctx"]["expected"]) == documented


def test_roles_are_those_of_the_code() -> None:
    [roles] = re.findall(r"`role` is (.*?);", TEXT, re.DOTALL)
    assert re.findall(r"`(\w+)`", roles) == list(get_args(GrantLine.model_fields["role"].annotation))


def test_kinds_of_asset_fields_are_those_of_the_code() -> None:
    columns = {column.line_name: column for column in ASSET_COLUMNS}
    for row in rows("Asset"):
        kinds = columns[row.field].kinds if row.field in columns else ALL_KINDS
        assert set(row.kinds.split(", ")) == ({"all"} if kinds == ALL_KINDS else set(kinds)), row.field


def test_limits_of_files_are_those_of_the_code() -> None:
    assert f"at most {MAX_LINE_BYTES:,} bytes" in TEXT
    assert f"stops after {MAX_PROBLEMS:,} problems and prints at most {MAX_SHOWN_ERRORS} per line" in TEXT
    assert f"at most {MAX_COLLECTION_DEPTH} levels deep" in TEXT


def test_the_example_has_every_kind_of_line() -> None:
    assert EXAMPLES.keys() == LINES.keys()


async def test_the_examples_give_the_printed_problems_and_result(empty_url: str, tmp_path: Path) -> None:
    database = Database(empty_url)
    await migrate(database)
    path = tmp_path / "catalogue.jsonl"
    path.write_text(INVALID, encoding="utf-8")
    with pytest.raises(InvalidCatalogueError) as error:
        await import_catalogue(database, path, "req_test", lambda _bytes: None)
    messages = "\n".join(map(str, error.value.problems))
    assert f"```text\n{messages}\n```" in TEXT
    path.write_text(VALID, encoding="utf-8")
    result = await import_catalogue(database, path, "req_test", lambda _bytes: None)
    printed = re.findall(r"(\d+) (\w+)", re.search(r"created: (.*);", TEXT)[1])  # type: ignore[index]  # in the file
    assert {kind: int(count) for count, kind in printed} == result.created
    assert f"memberships added: {result.memberships}" in TEXT
    await database.close()


def test_the_status_of_an_asset_is_the_first_that_applies() -> None:
    [order] = re.findall(r"\*\*Status\.\*\* The first that applies: (.*?)\. Only", TEXT, re.DOTALL)
    statuses = [
        AssetLine.model_validate(EXAMPLES["Asset"] | fields).status
        for fields in (
            {"withdrawn": True, "archived": True, "state": "FAILED"},
            {"archived": True, "state": "FAILED"},
            {"state": "FAILED"},
            {},
            {"state": "DRAFT"},
        )
    ]
    assert re.findall(r"\b[A-Z]{4,}\b(?!`)", order) == statuses
