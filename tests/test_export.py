"""Exports: the whole catalogue can be imported again, and a viewer gets exactly what the API gives them."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from app.export import export_catalogue, identify
from proofs.databases import Databases
from proofs.interference.world import initial_statements, random_catalogue
from proofs.model_reader import read_model
from store import sql
from store.catalogue.importer import import_catalogue
from store.catalogue.lines import AssetLine, CollectionLine, GroupLine, MembersLine, TopicLine, UserLine, parse_line
from store.database import Database
from store.migrate import migrate
from tests.cli_process import CommandRunner
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, World, catalogue_lines, write_lines
from tests.oracle import Line, milliseconds
from tests.oracle_export import exported_lines

OPERATOR = "operator"


async def export(database: Database, folder: Path, who: str = OPERATOR) -> bytes:
    """Return the bytes of an export as a user, as an anonymous visitor or as the operator."""
    user = None if who in {OPERATOR, ANONYMOUS} else who
    file = folder / "export.jsonl"
    await export_catalogue(database, file, identify(user, is_anonymous=who == ANONYMOUS), replace=True)
    return file.read_bytes()


def parse(exported: bytes) -> list[Line]:
    return [json.loads(line) for line in exported.splitlines()]


async def import_bytes(database: Database, folder: Path, exported: bytes) -> None:
    file = folder / "import.jsonl"
    file.write_bytes(exported)
    await import_catalogue(database, file, "export", lambda _bytes: None)


async def export_again(url: str, folder: Path, exported: bytes) -> bytes:
    """Import an export into an empty database and return the export of that."""
    database = Database(url)
    try:
        await migrate(database)
        await import_bytes(database, folder, exported)
        return await export(database, folder)
    finally:
        await database.close()


async def test_an_export_that_is_imported_into_an_empty_database_is_exported_with_the_same_bytes(
    ask: GraphQLClient, empty_url: str, tmp_path: Path
) -> None:
    exported = await export(ask.database, tmp_path)
    assert {line["kind"] for line in parse(exported)} == {"user", "group", "topic", "asset", "collection"}
    assert await export_again(empty_url, tmp_path, exported) == exported


async def test_the_operator_exports_every_field_of_the_catalogue(ask: GraphQLClient, tmp_path: Path) -> None:
    imported = {(line["kind"], line.get("id", line.get("slug"))): line for line in catalogue_lines()}
    exported = {
        (line["kind"], line.get("id", line.get("slug"))): line for line in parse(await export(ask.database, tmp_path))
    }
    assert exported.keys() == imported.keys()
    for key, line in imported.items():
        expected = {
            name: value for name, value in line.items() if value not in (None, False, [], True) or name == "isAdmin"
        }
        given = {name: exported[key].get(name, False) for name in expected}
        given |= {name: _short(given[name]) for name in ("createdAt", "updatedAt") if name in given}
        expected |= {"members": sorted(line["members"])} if "members" in expected else {}
        expected |= (
            {"grants": sorted(line["grants"], key=lambda grant: str(grant["to"]))} if "grants" in expected else {}
        )
        assert given == expected


def _short(text: str) -> str:
    return text.replace(".000Z", "Z")


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_viewer_exports_what_the_oracle_says(ask: GraphQLClient, tmp_path: Path, who: str) -> None:
    expected = exported_lines(await read_model(ask.database), who)
    assert parse(await export(ask.database, tmp_path, who)) == expected


GRAPH = """{
  topics(first: 30) { nodes { slug name description } }
  collections(first: 30, orderBy: {field: POSITION, direction: ASC}) { nodes {
    slug name description visibility topic { slug } parent { slug }
    assets(first: 30) { nodes { ... on AssetFields { externalId } } }
  } }
  assets(first: 30, orderBy: {field: NAME, direction: ASC}) { nodes { ... on AssetFields {
    externalId kind status name description owner { name email } tags license doi version createdAt updatedAt url
    uses(first: 30) { nodes { ... on AssetFields { externalId } } }
    grants { access principal { ... on User { name } ... on Group { name } ... on Everyone { name: label }
      ... on Public { name: label } } }
  }
  ... on Capsule { language } ... on Pipeline { language stepCount } ... on NoCodeApp { appKind }
  ... on DataAsset { dataKind sizeBytes fileCount source } ... on Model { framework source } } }
}"""
LABELS = {"everyone": "Everyone", "public": "Public"}


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_viewer_exports_what_the_api_answers(ask: GraphQLClient, tmp_path: Path, who: str) -> None:
    answer, lines = await ask(who, GRAPH), parse(await export(ask.database, tmp_path, who))
    users = {line["id"]: line for line in lines if line["kind"] == "user"}
    topics, collections, assets = (
        [line for line in lines if line["kind"] == kind] for kind in ("topic", "collection", "asset")
    )
    assert [_answer_of_topic(line) for line in topics] == answer["topics"]["nodes"]
    assert [_answer_of_collection(line) for line in collections] == answer["collections"]["nodes"]
    for line, asset in zip(assets, sorted(answer["assets"]["nodes"], key=lambda each: each["externalId"]), strict=True):
        is_owner = asset["grants"] is not None
        asset["grants"] = sorted((grant["principal"]["name"], grant["access"]) for grant in asset["grants"] or ())
        assert _answer_of_asset(line, users, asset, is_owner=is_owner) == asset


def _answer_of_topic(line: Line) -> dict[str, Any]:
    return {"slug": line["slug"], "name": line["name"], "description": line.get("description", "")}


def _answer_of_collection(line: Line) -> dict[str, Any]:
    return _answer_of_topic(line) | {
        "visibility": line["visibility"],
        "topic": {"slug": line["topic"]},
        "parent": {"slug": line["parent"]} if "parent" in line else None,
        "assets": {"nodes": [{"externalId": id_} for id_ in line["assets"]]},
    }


def _answer_of_asset(line: Line, users: dict[str, Line], fields: dict[str, Any], *, is_owner: bool) -> dict[str, Any]:
    """Return the answer with the given fields that fits a line."""
    owner = users[line["owner"]]
    grants = [(LABELS.get(grant["to"], grant["to"]), grant["role"]) for grant in line["grants"]]
    answer = {name: line.get(name) for name in fields} | {
        "externalId": line["id"],
        "kind": line["type"],
        "status": _status(line),
        "owner": {"name": owner["name"], "email": owner.get("email")},
        "tags": line.get("tags", []),
        "uses": {"nodes": [{"externalId": id_} for id_ in line.get("uses", ())]},
        "grants": sorted([*grants, (owner["name"], "OWNER")] if is_owner else grants),
    }
    return answer


def _status(line: Line) -> str:
    named = {"withdrawn": "WITHDRAWN", "archived": "ARCHIVED"}
    given = [status for name, status in named.items() if line.get(name)]
    return given[0] if given else line.get("state") or ("RELEASED" if line.get("released", True) else "DRAFT")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_exports_of_random_worlds_are_those_of_the_oracle(
    databases: Databases, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    lines = random_catalogue(random)
    url, copy = await databases.create_from_catalogue(lines), databases.create_empty()
    database = Database(url)
    try:
        async with database.write() as connection:
            for statement in initial_statements(random, lines):
                await connection.exec_driver_sql(statement)
        model = await read_model(database)
        for who in (*model.users, ANONYMOUS):
            assert parse(await export(database, tmp_path, who)) == exported_lines(model, who), who
        exported = await export(database, tmp_path)
        assert await export_again(copy, tmp_path, exported) == exported
    finally:
        await database.close()
        for each in (url, copy):
            databases.drop(each)


async def test_members_beyond_a_line_are_on_lines_of_their_own_and_are_imported_in_order(
    ask: GraphQLClient, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.export.collection.MEMBERS_PER_LINE", 3)
    exported = await export(ask.database, tmp_path)
    lines = [
        (line["kind"], line.get("slug", line.get("collection")), line["assets"])
        for line in parse(exported)
        if "assets" in line
    ]
    assert lines[:4] == [
        ("collection", "open", ["lens", "hidden", "align"]),
        ("members", "open", ["blast", "count", "junk"]),
        ("members", "open", ["kept"]),
        ("collection", "inner", ["align", "explore", "images"]),
    ]
    assert await export_again(empty_url, tmp_path, exported) == exported
    monkeypatch.undo()
    assert [line["assets"] for line in parse(await export(ask.database, tmp_path)) if line.get("slug") == "open"] == [
        ["lens", "hidden", "align", "blast", "count", "junk", "kept"]
    ]


async def test_the_number_of_statements_does_not_depend_on_the_data(ask: GraphQLClient, tmp_path: Path) -> None:
    counts = []
    for who in (OPERATOR, "ada", "eve", ANONYMOUS):
        ask.statements.clear()
        await export(ask.database, tmp_path, who)
        counts.append(len(ask.statements))
    assert counts[:3] == [13, 13, 13]


async def test_pages_join_to_the_whole(ask: GraphQLClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await export(ask.database, tmp_path)
    monkeypatch.setattr("resolvers.export.page.read_pages.__defaults__", (2,))
    monkeypatch.setattr("resolvers.export.collection.COLLECTIONS_PER_PAGE", 2)
    assert await export(ask.database, tmp_path) == whole


TEXTS = (
    '"quoted" \\',
    "two\nlines\r\n\ttab",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f9ec\u200d\U0001f52c",
    "\u2028\u0085x",
    "e\u0301",
    "x" * 20_000,
)
