"""Readers of exported files, and the rows that they should have: those of a JSON Lines export, by plain loops."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zipfile import ZipFile

import networkx as nx
from pyarrow import parquet

from resolvers.export.file_format import ExportFormat
from tests.oracle import Line
from tests.test_export import status_of

TableRow = dict[str, Any]
Tables = dict[str, list[TableRow]]

COLUMNS = {
    "users": "id name email isAdmin isActive",
    "groups": "id name",
    "group_members": "group user",
    "topics": "slug id name description",
    "assets": "id type status name owner description tags properties license doi url version createdAt updatedAt"
    " language stepCount appKind dataKind sizeBytes fileCount source framework goldStandardAwardedAt goldStandardNote",
    "uses": "asset uses",
    "grants": "asset to role",
    "collections": "slug id name topic parent visibility description",
    "memberships": "collection asset position note addedAt addedBy",
}
KINDS = {"users": "user", "groups": "group", "topics": "topic", "assets": "asset", "collections": "collection"}
KEYS = {"topics": "slug", "collections": "slug"}
PRINCIPALS = {"user", "group", "everyone", "public"}


def expected_tables(lines: list[Line], *, is_signed_in: bool) -> Tables:
    """Return the rows of the lines by table."""
    tables: Tables = {name: [] for name in COLUMNS}
    for line in lines:
        for table, row in _rows_of(line, is_signed_in=is_signed_in):
            tables[table].append({column: row.get(column) for column in COLUMNS[table].split()})
    positions: dict[str, int] = {}
    for row in tables["memberships"]:
        row["position"] = positions[row["collection"]] = positions.get(row["collection"], 0) + 1
    return tables


def _rows_of(line: Line, *, is_signed_in: bool) -> Iterator[tuple[str, Line]]:
    if line["kind"] == "user":
        yield "users", {**({"isAdmin": False, "isActive": True} if is_signed_in else {}), **line}
    elif line["kind"] == "group":
        yield "groups", line
        yield from (("group_members", {"group": line["id"], "user": user}) for user in line["members"])
    elif line["kind"] == "topic":
        yield "topics", {"description": "", **line}
    elif line["kind"] == "asset":
        award = line.get("goldStandard", {})
        gold = {"goldStandardAwardedAt": award.get("awardedAt"), "goldStandardNote": award.get("note")}
        yield "assets", {"tags": [], "properties": {}, "status": status_of(line), **line, **gold}
        yield from (("uses", {"asset": line["id"], "uses": used}) for used in line.get("uses", ()))
        yield from (("grants", {"asset": line["id"], **grant}) for grant in line["grants"])
    else:
        if line["kind"] == "collection":
            yield "collections", {"description": "", **line}
        collection = line.get("slug") or line["collection"]
        for member in line["assets"]:
            yield "memberships", {**member, "collection": collection, "asset": member["id"]}


def read_csv(exported: bytes) -> Mapping[str, list[dict[str, str]]]:
    """Return the cells by table and column, without the apostrophes of escaped texts."""
    tables = {}
    for name, raw in _files(exported, ".csv"):
        assert raw.startswith(b"\xef\xbb\xbf")
        rows = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
        tables[name] = [{column: cell.removeprefix("'") for column, cell in row.items()} for row in rows]
    return tables


def as_cells(tables: Tables) -> Mapping[str, list[dict[str, str]]]:
    """Return rows as `read_csv` returns them."""
    return {
        name: [{column: _as_cell(value) for column, value in row.items()} for row in rows]
        for name, rows in tables.items()
    }


def _as_cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def read_parquet(exported: bytes) -> Tables:
    """Return the rows by table, timestamps as in lines."""
    return {
        name: [
            {column: _from_parquet(column, value) for column, value in row.items()}
            for row in parquet.read_table(io.BytesIO(raw)).to_pylist()
        ]
        for name, raw in _files(exported, ".parquet")
    }


def _from_parquet(column: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return dict(value) if column == "properties" and value is not None else value


def read_graphml(exported: bytes) -> Tables:
    """Return the rows that the nodes and edges stand for, and check the labels and the edges of columns."""
    graph = nx.read_graphml(io.BytesIO(exported), force_multigraph=True)
    assert graph.is_directed()
    kinds = nx.get_node_attributes(graph, "kind")
    tables: Tables = {
        name: [_from_node(name, id_, dict(values)) for id_, values in graph.nodes(data=True) if values["kind"] == kind]
        for name, kind in KINDS.items()
    }
    edges = [
        (source.partition(":")[2], kinds[target], target.partition(":")[2], kinds[source], values)
        for source, target, values in graph.edges(data=True)
    ]
    labelled = {label: [each for each in edges if each[-1]["label"] == label] for label in ("MEMBER", "USES", "GRANT")}
    tables["group_members"] = [{"group": source, "user": target} for source, _, target, *_ in labelled["MEMBER"]]
    tables["uses"] = [{"asset": source, "uses": target} for source, _, target, *_ in labelled["USES"]]
    tables["grants"] = [
        {"asset": target, "to": source, "role": values["role"]} for source, _, target, _, values in labelled["GRANT"]
    ]
    tables["memberships"] = [
        {"collection": source, "asset": target}
        | {column: values.get(column) for column in COLUMNS["memberships"].split()[2:]}
        for source, kind, target, _, values in edges
        if (values["label"], kind) == ("CONTAINS", "asset")
    ]
    owned = [(source, target) for source, _, target, _, values in edges if values["label"] == "OWNS"]
    assert sorted(owned) == sorted((asset["owner"], asset["id"]) for asset in tables["assets"])
    nested = [
        (kind_of_source, source, target)
        for source, kind, target, kind_of_source, values in edges
        if (values["label"], kind) == ("CONTAINS", "collection")
    ]
    assert sorted(nested) == sorted(
        ("collection", row["parent"], row["slug"]) if row["parent"] else ("topic", row["topic"], row["slug"])
        for row in tables["collections"]
    )
    return tables


def _from_node(table: str, id_: str, values: dict[str, Any]) -> TableRow:
    assert (values["label"], values["kind"]) == (values["name"], KINDS[table])
    row = {column: values.get("externalId" if column == "id" else column) for column in COLUMNS[table].split()}
    prefix = "principal" if values["kind"] in PRINCIPALS else values["kind"]
    assert id_ == f"{prefix}:{row[KEYS.get(table, 'id')]}"
    for column in {"tags", "properties"} & row.keys():
        row[column] = json.loads(str(row[column]))
    return row


def _files(exported: bytes, ending: str) -> Iterator[tuple[str, bytes]]:
    with ZipFile(io.BytesIO(exported)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert name.endswith(ending)
            yield name.removesuffix(ending), archive.read(name)


def assert_has_rows(format_: ExportFormat, exported: bytes, expected: Tables) -> None:
    """Assert that the file has exactly these rows, in their order."""
    if format_ is ExportFormat.CSV:
        assert read_csv(exported) == as_cells(expected)
    elif format_ is ExportFormat.PARQUET:
        assert read_parquet(exported) == expected
    else:
        tables = read_graphml(exported)
        # NetworkX keeps the edges by their source.
        for name in ("uses", "grants", "memberships", "group_members"):
            for each in (tables, expected):
                each[name] = sorted(each[name], key=repr)
        assert tables == expected
