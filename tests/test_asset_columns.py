"""Asset columns: every place that repeats a column agrees with its declaration in `store/asset_columns.py`."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import InputObjectTypeDefinitionNode, InterfaceTypeDefinitionNode, ObjectTypeDefinitionNode, parse
from sqlalchemy import Integer, select, update
from strawberry.utils.str_converters import to_camel_case

from proofs.oracle import expected
from proofs.permission_matrix import extractors
from proofs.permission_matrix import world as matrix_world
from resolvers.counts import COUNT_FIELDS, AssetCounts
from schema.graph import print_schema
from store import sql
from store.asset_columns import ACCESS_BY_FIELD, ALL_KINDS, ASSET_COLUMNS, AssetColumn
from store.catalogue.importer import import_catalogue
from store.catalogue.lines import AssetLine
from store.tables import AssetAccess, AssetKind
from tests import oracle
from tests.conftest import GraphQLClient, World, write_lines
from tests.mutations import Mutation

TypeDefinition = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode | InputObjectTypeDefinitionNode

TYPES = {
    definition.name.value: definition
    for definition in parse(print_schema()).definitions
    if isinstance(definition, TypeDefinition)
}
GRAPH_TYPE = {kind: kind.title().replace("_", "") for kind in AssetKind}

# Columns that no line fills in: keys, derived values, and the gold standard, which administrators award.
OTHER_COLUMNS = {"pk", "id", "external_id", "name_key", "sort_key", "created_at", "updated_at"}
OTHER_COLUMNS |= {"is_gold", "gold_at", "gold_by_pk", "gold_note"}
OMITTED: dict[str, Any] = {"tags": [], "properties": {}}
"""Values of columns that a line omits, if they are not null and have no default."""
# Fields of a line that fill in columns of other names or other tables, or together determine the status.
OTHER_LINE_FIELDS = {"kind", "id", "grants", "uses", "createdAt", "updatedAt"}
OTHER_LINE_FIELDS |= {"released", "archived", "withdrawn", "state", "goldStandard"}
OTHER_GRAPH_FIELDS = {
    "id",
    "externalId",
    "createdAt",
    "updatedAt",
    "goldStandard",
    "viewerAccess",
    "collections",
    "isIn",
}
OTHER_GRAPH_FIELDS |= {"uses", "usedBy", "grants", "release"}


def fields_of(type_name: str) -> dict[str, Any]:
    return {field.name.value: field for field in TYPES[type_name].fields or ()}


def test_the_table_has_the_declared_columns() -> None:
    assert {column.name for column in ASSET_COLUMNS} == set(sql.asset.c.keys()) - OTHER_COLUMNS


def test_an_asset_line_has_a_field_for_each_column() -> None:
    declared = {column.line_name for column in ASSET_COLUMNS} - {"status"}
    assert declared == set(AssetLine.model_fields) - OTHER_LINE_FIELDS


@pytest.mark.parametrize("kind", AssetKind)
def test_the_graph_type_of_a_kind_has_its_columns_and_no_others(kind: AssetKind) -> None:
    declared = {column.graph_name for column in ASSET_COLUMNS if kind in column.kinds}
    assert declared == fields_of(GRAPH_TYPE[kind]).keys() - OTHER_GRAPH_FIELDS


def test_assets_register_takes_each_registrable_column() -> None:
    declared = {column.graph_name for column in ASSET_COLUMNS if column.is_registrable}
    renamed = {"ownerId": "owner"}
    taken = {renamed.get(name, name) for name in fields_of("AssetRegistration")}
    assert declared == taken - {"externalId", "uses", "grants"}


def test_the_schema_prints_the_access_that_a_field_and_its_changes_require() -> None:
    printed = {
        name: access
        for type_name in ("AssetFields", *GRAPH_TYPE.values())
        for name, field in fields_of(type_name).items()
        if (access := _printed_access(field)) and name != "release"  # derived from `uses`; not in the log
    }
    assert printed == ACCESS_BY_FIELD


def _printed_access(field: Any) -> AssetAccess | None:
    for directive in field.directives or ():
        arguments = {argument.name.value: argument.value.value for argument in directive.arguments}
        if directive.name.value == "permission" and arguments["on"] == "PARENT":
            return {"ASSET_VIEW": AssetAccess.VIEWER, "ASSET_GRANTS_VIEW": AssetAccess.OWNER}[arguments["requires"]]
    return None


def test_each_kind_is_counted_in_a_field_of_its_own() -> None:
    assert COUNT_FIELDS.keys() == set(AssetKind)
    assert AssetCounts._fields == ("total", *COUNT_FIELDS.values(), "gold_standards")
    assert list(fields_of("AssetCounts")) == [to_camel_case(name) for name in AssetCounts._fields]


def test_the_oracle_knows_each_kind() -> None:
    assert oracle.TYPES == GRAPH_TYPE
    assert {kind: to_camel_case(name) for kind, name in COUNT_FIELDS.items()} == oracle.COUNT_FIELDS


def test_the_proofs_know_each_column() -> None:
    found = [column for column in ASSET_COLUMNS if column.access is AssetAccess.DISCOVERABLE]
    assert {column.graph_name for column in found} <= {*extractors.METADATA}
    for kind in AssetKind:
        of_kind = {column for column in ASSET_COLUMNS if kind in column.kinds and column.kinds != ALL_KINDS}
        assert matrix_world.FIELDS_OF_KIND[kind].keys() == {column.line_name for column in of_kind}
        assert {*expected.FIELDS_OF_KIND[kind]} == {column.graph_name for column in of_kind.intersection(found)}


class Client:
    """Imports lines into a copy of the world, and queries its API."""

    def __init__(self, world: World, path: Path) -> None:
        self.graph, self.path = GraphQLClient(world), path

    async def import_line(self, line: Mapping[str, Any]) -> None:
        await import_catalogue(self.graph.database, write_lines(self.path, [dict(line)]), "req_test", lambda _: None)

    async def register(self, asset: Mapping[str, Any]) -> None:
        payload = await Mutation("assetsRegister", "results { status error { message } }")(
            self.graph, "ada", assets=[{**asset, "ownerId": await self.id_of_olu()}]
        )
        assert payload["results"] == [{"status": "CHANGED", "error": None}]

    async def id_of_olu(self) -> str:
        rows = await self.rows(select(sql.principal.c.id).where(sql.principal.c.external_id == "olu"))
        return str(rows[0].id)

    async def read(self, kind: AssetKind) -> dict[str, Any]:
        """Return the values of the declared fields, as the asset's owner reads them."""
        selected = " ".join(column.graph_name for column in ASSET_COLUMNS if kind in column.kinds and _is_plain(column))
        selected = selected.replace("properties", "properties { name values }")
        query = f'{{ asset(by: {{externalId: "sample"}}) {{ ... on {GRAPH_TYPE[kind]} {{ {selected} }} }} }}'
        fields = dict((await self.graph("olu", query))["asset"])
        return fields | {"properties": {each["name"]: each["values"] for each in fields["properties"]}}

    async def finds(self, words: str) -> bool:
        query = "query($words: String!) { assets(query: $words) { totalCount } }"
        return bool((await self.graph("olu", query, words=words))["assets"]["totalCount"])

    async def rows(self, statement: Any) -> list[Any]:
        async with self.graph.database.snapshot() as snapshot:
            return list(await snapshot.rows(statement))


@pytest.fixture
async def client(own_world: World, tmp_path: Path) -> AsyncIterator[Client]:
    """Yield a client of a copy of the world."""
    client = Client(own_world, tmp_path / "sample.jsonl")
    yield client
    await client.graph.close()


def _is_plain(column: AssetColumn) -> bool:
    """Return whether the column has a plain value to sample; kind, status and owner have tests of their own."""
    return column.name not in {"kind", "status", "owner_pk"}


def sample(column: AssetColumn) -> Any:
    """Return a value that no other column and no other asset of the world has."""
    if column.default is not None:
        return next(value for value in type(column.default) if value != column.default)
    if isinstance(sql.asset.c[column.name].type, Integer):
        return 7
    word = f"zq{column.name.replace('_', '')}"
    samples: dict[str, Any] = {"tags": [word], "properties": {"word": [word]}, "url": f"https://example.org/{word}"}
    samples |= {"doi": f"10.1/{word}"}
    return samples.get(column.name, word)


def logged_text(column: AssetColumn, value: Any) -> str:
    """Return a sample as the change log formats it."""
    match column.name:
        case "tags":
            return str(value[0])
        case "properties":
            return f"word: {value['word'][0]}"
        case _:
            return str(value)


def samples(kind: AssetKind) -> dict[AssetColumn, Any]:
    return {column: sample(column) for column in ASSET_COLUMNS if kind in column.kinds and _is_plain(column)}


def line_of(kind: AssetKind) -> dict[str, Any]:
    required = {"kind": "asset", "id": "sample", "type": kind, "owner": "olu", "grants": []}
    return required | {column.line_name: value for column, value in samples(kind).items()}


@pytest.mark.parametrize("kind", AssetKind)
async def test_each_column_of_a_line_is_stored_logged_and_read(client: Client, kind: AssetKind) -> None:
    await client.import_line(line_of(kind))
    assert await client.read(kind) == {column.graph_name: value for column, value in samples(kind).items()}
    required = {"kind": "asset", "id": "sample", "type": kind, "name": "sample", "owner": "olu", "grants": []}
    await client.import_line(required)
    [change] = await client.rows(select(sql.change.c.fields).order_by(sql.change.c.pk.desc()).limit(1))
    assert [(field["field"], field["before"]) for field in change.fields] == [
        (column.graph_name, logged_text(column, value)) for column, value in samples(kind).items()
    ]
    assert await client.read(kind) == {
        column.graph_name: OMITTED.get(column.name, column.default) for column in samples(kind)
    } | {"name": "sample"}


@pytest.mark.parametrize("kind", AssetKind)
async def test_each_registrable_column_is_registered_and_kept_when_omitted(client: Client, kind: AssetKind) -> None:
    registrable = {column.graph_name: value for column, value in samples(kind).items() if column.is_registrable}
    await client.register({"externalId": "sample", "kind": kind, **registrable})
    stored = await client.read(kind)
    assert stored == registrable | {
        column.graph_name: OMITTED.get(column.name, column.default)
        for column in samples(kind)
        if not column.is_registrable
    }
    await client.register({"externalId": "sample", "kind": kind, "name": "renamed"})
    assert await client.read(kind) == stored | {"name": "renamed"}


@pytest.mark.parametrize("kind", AssetKind)
async def test_each_searched_column_finds_the_asset_and_no_other_does(client: Client, kind: AssetKind) -> None:
    await client.import_line(line_of(kind))
    texts = {column: value for column, value in samples(kind).items() if not isinstance(value, int)}
    words = {column: value[0] if column.name == "tags" else str(value) for column, value in texts.items()}
    words |= {column: f"zq{column.name}" for column in texts if column.name in {"url", "properties"}}
    found = {column.name: await client.finds(word) for column, word in words.items()}
    assert found == {column.name: column.is_searched for column in texts}


@pytest.mark.parametrize("column", ASSET_COLUMNS, ids=[column.name for column in ASSET_COLUMNS])
async def test_an_update_of_a_searched_column_marks_the_row_as_stale(client: Client, column: AssetColumn) -> None:
    async with client.graph.database.write() as connection:
        await connection.execute(update(sql.asset).values({column.name: sql.asset.c[column.name]}))
        stale = (await connection.execute(select(sql.search_unindexed))).all()
        await connection.rollback()
    assert bool(stale) is column.is_searched
