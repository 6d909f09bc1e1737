"""Formats of exports: each has the rows of JSON Lines for the same viewer, and takes little memory."""

import io
import os
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pytest
from pyarrow import parquet

from app.commands.catalogue import export as export_command
from app.export import export_catalogue, identify
from proofs.databases import Databases
from resolvers.export import parquet_file
from resolvers.export.file_format import ExportFormat, line_writer
from resolvers.export.line import ExportedLine
from resolvers.export.table import TABLES
from store.catalogue.lines import AnyLine, Line
from store.database import Database
from store.new_file import UnwritableFileError
from tests.cli_process import CommandRunner
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, World
from tests.export_files import Tables, assert_has_rows, expected_tables, read_csv, read_parquet
from tests.test_export import ODD_DESCRIPTIONS, ODD_NAMES, OPERATOR, export, parse

FORMATS = [ExportFormat.CSV, ExportFormat.PARQUET, ExportFormat.GRAPHML]
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "'quoted", "＝1", "a=1", '=HYPERLINK("https://example.org","x")')  # noqa: RUF001 - a wide equals sign
XML_TEXTS = ("<b>&amp;</b> ]]>", "a\r\nb\rc\td", '"', "\ufffd")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("who", [OPERATOR, "ada", "olu", "eve", ANONYMOUS])
async def test_a_viewer_gets_the_rows_of_json_lines_in_each_format(
    ask: GraphQLClient, tmp_path: Path, who: str, format_: ExportFormat
) -> None:
    expected = expected_tables(parse(await export(ask.database, tmp_path, who)), is_signed_in=who != ANONYMOUS)
    assert_has_rows(format_, await export(ask.database, tmp_path, who, format_), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


ROWS_OF_GRAPH = """{ collectionGraph {
  topics { id slug name description }
  collections { id slug name description visibility topic { slug } parent { slug } }
  assets { ... on AssetFields { id externalId status name description tags license doi url version createdAt updatedAt
    owner { id externalId } } ... on DataAsset { sizeBytes } }
  memberships { collectionId assetId note addedAt addedBy { externalId } }
  uses { assetId usesAssetId }
  users { externalId name email isAdmin isActive }
  pageInfo { hasNextPage } } }"""


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_viewer_exports_the_rows_of_the_collection_graph(ask: GraphQLClient, tmp_path: Path, who: str) -> None:
    pulled = (await ask(who, ROWS_OF_GRAPH))["collectionGraph"]
    assert not pulled.pop("pageInfo")["hasNextPage"]
    exported = read_parquet(await export(ask.database, tmp_path, who, ExportFormat.PARQUET))
    if who == ANONYMOUS:
        exported["users"] = []  # these are owners, which the graph has as fields of assets
    for table, rows in _tables_of(pulled).items():
        columns = sorted(set().union(*rows))
        assert _values(exported[table], columns) == _values(rows, columns), table


def _values(rows: list[dict[str, Any]], columns: list[str]) -> list[str]:
    """Return the values of each row in these columns, as texts, sorted."""
    return sorted(repr([row.get(column) for column in columns]) for row in rows)


def _tables_of(pulled: dict[str, Any]) -> Tables:
    """Return the rows of a pull as those of tables: with the ids and slugs of exports, and with positions."""
    names = {
        row["id"]: row.get("slug") or row["externalId"] for part in ("collections", "assets") for row in pulled[part]
    }
    positions = Counter[str]()
    tables: Tables = {
        part: [_as_table_row(row) for row in pulled[part]] for part in ("topics", "collections", "assets")
    }
    tables["users"] = [_as_table_row(row) for row in pulled["users"]]
    tables["uses"] = [{"asset": names[row["assetId"]], "uses": names[row["usesAssetId"]]} for row in pulled["uses"]]
    tables["memberships"] = []
    for row in pulled["memberships"]:
        collection, asset = row.pop("collectionId"), row.pop("assetId")
        positions[collection] += 1
        ids = {"collection": names[collection], "asset": names[asset], "position": positions[collection]}
        tables["memberships"].append(_as_table_row(row) | ids)
    return tables


def _as_table_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the graph with the columns that a table has, references as ids and slugs."""
    named = {name: value for name, value in row.items() if name != "id"}
    if "externalId" in named:
        named["id"] = named.pop("externalId")
    for name, value in named.items():
        if isinstance(value, dict):
            named[name] = value.get("slug") or value["externalId"] or value["id"]
    return named


@pytest.mark.parametrize("format_", FORMATS)
async def test_rows_do_not_depend_on_pages_lines_and_groups(
    ask: GraphQLClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: ExportFormat
) -> None:
    whole = await export(ask.database, tmp_path, format_=format_)
    monkeypatch.setattr("resolvers.export.page.read_pages.__defaults__", (2, 0))
    monkeypatch.setattr("resolvers.export.collection.COLLECTIONS_PER_PAGE", 2)
    monkeypatch.setattr("resolvers.export.collection.MEMBERS_PER_LINE", 3)
    assert await export(ask.database, tmp_path, format_=format_) == whole
    monkeypatch.setattr(parquet_file, "ROWS_PER_GROUP", 3)
    expected = expected_tables(parse(await export(ask.database, tmp_path)), is_signed_in=True)
    assert_has_rows(format_, await export(ask.database, tmp_path, format_=format_), expected)


def odd_lines() -> Iterator[dict[str, Any]]:
    """Yield lines with texts that a format could take for its own."""
    texts = [*ODD_DESCRIPTIONS, *FORMULAS, *XML_TEXTS]
    names = [*ODD_NAMES, *FORMULAS, *(" ".join(text.split()) for text in XML_TEXTS)]
    yield {"kind": "user", "id": "=olu", "name": "@olu", "email": "+1@example.org"}
    for number, text in enumerate(texts):
        name = names[number % len(names)] + str(number)
        asset: dict[str, Any] = {"kind": "asset", "id": name, "type": "MODEL", "name": name, "owner": "=olu"}
        asset |= {"grants": [{"to": "public", "role": "VIEWER"}], "description": text, "tags": names}
        yield asset | {"properties": {name: [text]}, "source": name}
        yield {"kind": "topic", "slug": f"t{number}", "name": name, "description": text}
        collection = {"kind": "collection", "slug": f"c{number}", "name": name, "topic": f"t{number}"}
        member = {"id": name, "note": text[:1_000], "addedBy": "=olu"}
        yield collection | {"visibility": "PUBLIC", "assets": [member]}


@pytest.mark.parametrize("format_", FORMATS)
async def test_odd_texts_are_read_as_they_are(databases: Databases, tmp_path: Path, format_: ExportFormat) -> None:
    url = await databases.create_from_catalogue(list(odd_lines()))
    database = Database(url)
    try:
        expected = expected_tables(parse(await export(database, tmp_path)), is_signed_in=True)
        assert expected["assets"][0]["properties"]
        assert_has_rows(format_, await export(database, tmp_path, format_=format_), expected)
    finally:
        await database.close()
        databases.drop(url)


def write(format_: ExportFormat, folder: Path, lines: Iterable[ExportedLine]) -> Path:
    """Return a file with these lines."""
    file = folder / "file"
    with file.open("wb") as stream, line_writer(format_, stream, folder, is_signed_in=True) as write_line:
        for line in lines:
            write_line(line)
    return file


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(tmp_path: Path, text: str) -> None:
    exported = write(ExportFormat.CSV, tmp_path, [{"kind": "topic", "slug": "t", "name": text}])
    cells = ZipFile(exported).read("topics.csv").decode().splitlines()[1].split(",", 2)
    is_escaped = text != "a=1"
    assert cells[2].lstrip('"').startswith("'" if is_escaped else "a")
    assert read_csv(exported.read_bytes())["topics"] == [{"slug": "t", "id": "", "name": text, "description": ""}]


def test_graphml_replaces_the_characters_that_xml_cannot_express(tmp_path: Path) -> None:
    exported = write(ExportFormat.GRAPHML, tmp_path, [{"kind": "topic", "slug": "t", "name": "a\ufffe\uffffb"}])
    assert '<data key="node_name">a\ufffd\ufffdb</data>' in exported.read_text(encoding="utf-8")


def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    archive = ZipFile(write(ExportFormat.PARQUET, tmp_path, []))
    types = {
        f"{table.name}.{field.name}": field.type
        for table in TABLES
        for field in parquet.read_schema(io.BytesIO(archive.read(f"{table.name}.parquet")))
    }
    texts = pa.list_(pa.field("element", pa.string()))
    assert types["assets.tags"] == texts
    assert types["assets.properties"] == pa.map_(pa.string(), texts)
    assert types["assets.createdAt"] == types["memberships.addedAt"] == pa.timestamp("ms", tz="UTC")
    assert types["assets.sizeBytes"] == types["memberships.position"] == pa.int64()
    assert types["users.isAdmin"] == pa.bool_()
    assert types["assets.name"] == pa.string()


def test_each_field_of_a_line_is_in_a_table() -> None:
    """Fields of lines within others are in tables of their own, or in columns that have a longer name."""
    elsewhere = {
        "user": set[str](),
        "group": {"members"},
        "topic": set[str](),
        "asset": {"grants", "uses", "released", "archived", "withdrawn", "state", "goldStandard"},
        "collection": {"assets"},
    }
    columns = {table.name: set(table.columns) for table in TABLES}
    models: dict[str, type[Line]] = {
        model.model_fields["kind"].annotation.__args__[0]: model for model in AnyLine.__args__
    }
    derived = {"status", "goldStandardAwardedAt", "goldStandardNote"}
    for kind, fields in elsewhere.items():
        assert columns[f"{kind}s"] - derived == models[kind].model_fields.keys() - fields - {"kind"}


def many_members(count: int) -> Iterator[ExportedLine]:
    """Yield a collection with so many members, 500 a line, and as many assets that use another."""
    for number in range(count // 10):
        id_ = f"asset-{number}"
        asset = {"kind": "asset", "id": id_, "type": "MODEL", "name": id_, "owner": "olu", "grants": []}
        yield asset | {"uses": [f"asset-{number - 1}"], "description": "text " * 20, "tags": ["a", "b"]}
    yield {"kind": "collection", "slug": "c", "name": "C", "topic": "t", "visibility": "PUBLIC", "assets": []}
    for start in range(0, count, 500):
        members = [
            {"id": f"asset-{start + number}", "addedAt": "2026-01-01T00:00:00.000Z", "addedBy": "olu"}
            for number in range(500)
        ]
        yield {"kind": "members", "collection": "c", "assets": members}


@pytest.mark.parametrize("format_", FORMATS)
def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: ExportFormat
) -> None:
    monkeypatch.setattr(parquet_file, "ROWS_PER_GROUP", 2_000)

    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)

    def peak(count: int) -> int:
        """Return the most memory that Python had, and the most that Arrow had so far."""
        tracemalloc.start()
        try:
            write(format_, tmp_path, many_members(count))
            return tracemalloc.get_traced_memory()[1] + int(pool.max_memory())
        finally:
            tracemalloc.stop()

    pa.set_memory_pool(pool)
    try:
        peak(1_000)  # imports
        small, large = peak(5_000), peak(25_000)
    finally:
        pa.set_memory_pool(default)
    assert large < small + 1_000_000  # the rows take ten times as much


@pytest.mark.parametrize("format_", FORMATS)
async def test_an_export_that_fails_leaves_nothing(
    ask: GraphQLClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: ExportFormat
) -> None:
    async def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("resolvers.export.collection._load_slugs", fail)
    with pytest.raises(KeyboardInterrupt):
        await export(ask.database, tmp_path, format_=format_)
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_named(ask: GraphQLClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("resolvers.export.zip_file.copyfileobj", fail)
    viewer = identify(None, is_anonymous=False)
    with pytest.raises(UnwritableFileError) as error:
        await export_catalogue(ask.database, tmp_path / "x.zip", viewer, format_=ExportFormat.CSV)
    assert str(error.value) == f"Cannot write {tmp_path / 'x.zip'}: no space left on device. Name another file."
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_the_extra_that_parquet_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parquet_file, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit) as end:
        export_command(Path("x.zip"), format_=ExportFormat.PARQUET)
    assert (end.value.code, capsys.readouterr().err) == (
        1,
        "--format parquet needs PyArrow. Run: pip install 'atoll[parquet]'\n",
    )


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


def test_the_command_writes_each_format(atoll: CommandRunner, tmp_path: Path) -> None:
    atoll("export", str(tmp_path / "lines"), "--as", "eve")
    expected = expected_tables(parse((tmp_path / "lines").read_bytes()), is_signed_in=True)
    for format_ in FORMATS:
        file = tmp_path / format_
        assert atoll("export", str(file), "--as", "eve", "--format", format_).out.startswith("exported: 6 user, ")
        assert_has_rows(format_, file.read_bytes(), expected)
    piped = atoll("export", "-", "--as", "eve", "--format", "graphml").out
    assert piped.encode() == (tmp_path / "graphml").read_bytes()


def test_each_column_of_a_table_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "exports.md").read_text(encoding="utf-8")
    for table in TABLES:
        columns = ", ".join(f"`{column}`" for column in table.columns)
        assert f"| `{table.name}` | {columns} |" in page
