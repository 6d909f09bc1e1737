"""Exports: everything can be imported again, and a viewer gets exactly the data that the API answers."""

import json
import os
import stat
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

import pytest
from sqlalchemy import update

from app.export import export_catalogue, identify
from proofs.databases import Databases
from proofs.interference.world import initial_statements, random_catalogue
from proofs.model_reader import read_model
from resolvers.export.file_format import ExportFormat
from store import sql
from store.catalogue.importer import import_catalogue
from store.catalogue.lines import AnyLine, parse_line
from store.catalogue.parsed import InvalidCatalogueError
from store.database import Database
from store.migrate import migrate
from tests.cli_process import CommandRunner
from tests.conftest import ANONYMOUS, MEMBERS, VIEWERS, GraphQLClient, World, catalogue_lines
from tests.oracle import Line
from tests.oracle_export import exported_lines
from tests.test_people import People

OPERATOR = "operator"


async def export(
    database: Database, folder: Path, who: str = OPERATOR, format_: ExportFormat = ExportFormat.JSONL
) -> bytes:
    """Return the bytes of an export as a user, as an anonymous visitor or as the operator."""
    user = None if who in {OPERATOR, ANONYMOUS} else who
    file = folder / "export"
    viewer = identify(user, is_anonymous=who == ANONYMOUS)
    await export_catalogue(database, file, viewer, format_=format_, replace=True)
    return file.read_bytes()


def parse(exported: bytes) -> list[Line]:
    return [json.loads(line) for line in exported.splitlines()]


async def import_bytes(database: Database, folder: Path, exported: bytes) -> None:
    file = folder / "import.jsonl"
    file.write_bytes(exported)
    await import_catalogue(database, file, "export", lambda _bytes: None)


async def export_again(url: str, folder: Path, exported: bytes, who: str = OPERATOR) -> bytes:
    """Import an export into an empty database and return the export of that, as the same viewer."""
    database = Database(url)
    try:
        await migrate(database)
        await import_bytes(database, folder, exported)
        return await export(database, folder, who)
    finally:
        await database.close()


@pytest.mark.parametrize("who", [OPERATOR, "ada"])
async def test_an_export_that_is_imported_into_an_empty_database_is_exported_with_the_same_bytes(
    ask: GraphQLClient, empty_url: str, tmp_path: Path, who: str
) -> None:
    exported = await export(ask.database, tmp_path, who)
    assert {line["kind"] for line in parse(exported)} == {"user", "group", "topic", "asset", "collection"}
    assert await export_again(empty_url, tmp_path, exported, who) == exported


async def test_a_deactivated_user_stays_deactivated(ask_own: GraphQLClient, empty_url: str, tmp_path: Path) -> None:
    await People(ask_own.database).set_active("eve", is_active=False)
    exported = await export(ask_own.database, tmp_path)
    assert [line["id"] for line in parse(exported) if line.get("isActive") is False] == ["eve"]
    assert await export_again(empty_url, tmp_path, exported) == exported


async def test_the_operator_exports_each_object_with_its_fields(ask: GraphQLClient, tmp_path: Path) -> None:
    imported = {_name(line): parse_line(json.dumps(line).encode()) for line in catalogue_lines()}
    exported = {
        _name(line): parse_line(json.dumps(line).encode()) for line in parse(await export(ask.database, tmp_path))
    }
    assert exported.keys() == imported.keys()
    for name, line in imported.items():
        assert _comparable(exported[name]) == _comparable(line)


def _name(line: Line) -> tuple[str, str]:
    return line["kind"], line.get("id") or line["slug"]


def _comparable(line: AnyLine) -> dict[str, Any]:
    """Return the fields of a line, without those that the import fills in, and with sets in order."""
    fields = line.model_dump(exclude={"appKind", "dataKind"})
    members = [member["id"] for member in fields["assets"]] if "assets" in fields else []
    grants = sorted(fields.get("grants", ()), key=lambda grant: str(grant["to"]))
    return fields | {"assets": members, "grants": grants, "members": sorted(fields.get("members", ()))}


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
PEOPLE = """{
  users(first: 30) { nodes { externalId name email isAdmin isActive } }
  groups(first: 30) { nodes { externalId name members(first: 30) { nodes { externalId } } } }
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


@pytest.mark.parametrize("who", MEMBERS)
async def test_a_member_exports_the_people_that_the_api_answers(ask: GraphQLClient, tmp_path: Path, who: str) -> None:
    answer, lines = await ask(who, PEOPLE), parse(await export(ask.database, tmp_path, who))
    users = [
        {"externalId": line["id"], "name": line["name"], "email": line["email"]}
        | {"isAdmin": line.get("isAdmin", False), "isActive": line.get("isActive", True)}
        for line in lines
        if line["kind"] == "user"
    ]
    groups = {line["id"]: line["members"] for line in lines if line["kind"] == "group"}
    assert users == sorted(answer["users"]["nodes"], key=lambda user: str(user["externalId"]))
    assert groups == {
        group["externalId"]: [user["externalId"] for user in (group["members"] or {"nodes": []})["nodes"]]
        for group in answer["groups"]["nodes"]
    }


def _answer_of_topic(line: Line) -> dict[str, Any]:
    return {"slug": line["slug"], "name": line["name"], "description": line.get("description", "")}


def _answer_of_collection(line: Line) -> dict[str, Any]:
    return _answer_of_topic(line) | {
        "visibility": line["visibility"],
        "topic": {"slug": line["topic"]},
        "parent": {"slug": line["parent"]} if "parent" in line else None,
        "assets": {"nodes": [{"externalId": member["id"]} for member in line["assets"]]},
    }


def _answer_of_asset(line: Line, users: dict[str, Line], fields: dict[str, Any], *, is_owner: bool) -> dict[str, Any]:
    """Return the answer with the given fields that fits a line."""
    owner = users[line["owner"]]
    grants = [(LABELS.get(grant["to"], grant["to"]), grant["role"]) for grant in line["grants"]]
    return {name: line.get(name) for name in fields} | {
        "externalId": line["id"],
        "kind": line["type"],
        "status": status_of(line),
        "owner": {"name": owner["name"], "email": owner.get("email")},
        "tags": line.get("tags", []),
        "uses": {"nodes": [{"externalId": id_} for id_ in line.get("uses", ())]},
        "grants": sorted([*grants, (owner["name"], "OWNER")] if is_owner else grants),
    }


def status_of(line: Line) -> str:
    """Return the status of an asset by the flags of its line."""
    named = {"withdrawn": "WITHDRAWN", "archived": "ARCHIVED"}
    flags = [status for name, status in named.items() if line.get(name)]
    return flags[0] if flags else line.get("state") or ("RELEASED" if line.get("released", True) else "DRAFT")


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
        (line["kind"], line.get("slug") or line["collection"], [member["id"] for member in line["assets"]])
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


async def test_the_operator_exports_the_ids_of_topics_and_collections_in_the_catalogue(
    databases: Databases, tmp_path: Path
) -> None:
    lines: list[Line] = [
        {"kind": "user", "id": "ada", "name": "Ada", "isAdmin": True},
        {"kind": "user", "id": "eve", "name": "Eve", "isActive": False},
        {"kind": "topic", "slug": "t", "id": "T-1", "name": "T"},
        {"kind": "topic", "slug": "u", "name": "U"},
        {
            "kind": "collection",
            "slug": "c",
            "id": "C-1",
            "name": "C",
            "topic": "t",
            "visibility": "PUBLIC",
            "assets": [],
        },
    ]
    url, copy = await databases.create_from_catalogue(lines), databases.create_empty()
    database = Database(url)
    try:
        async with database.write() as connection:
            await connection.execute(update(sql.collection).values(slug="renamed"))
        exported = await export(database, tmp_path)
        assert parse(exported) == [*lines[:-1], {**lines[-1], "slug": "renamed"}]
        assert await export_again(copy, tmp_path, exported) == exported
        seen = parse(await export(database, tmp_path, "ada"))
        assert {line["kind"] for line in seen if "id" in line} == {"user"}
    finally:
        await database.close()
        for each in (url, copy):
            databases.drop(each)


async def test_further_members_need_a_line_of_their_collection(empty_url: str, tmp_path: Path) -> None:
    database = Database(empty_url)
    await migrate(database)
    lines = (
        b'{"kind": "topic", "slug": "t", "name": "T"}\n{"kind": "members", "collection": "absent", "assets": ["x"]}\n'
    )
    with pytest.raises(InvalidCatalogueError) as error:
        await import_bytes(database, tmp_path, lines)
    assert [str(problem) for problem in error.value.problems] == [
        "Line 2: assets: there is no asset 'x' in the file or the database.",
        "Line 2: collection: the file has no line of the collection 'absent'; add it to this file.",
    ]
    await database.close()


async def test_the_number_of_statements_does_not_depend_on_the_data(ask: GraphQLClient, tmp_path: Path) -> None:
    counts = []
    for who in (OPERATOR, "ada", "eve", ANONYMOUS):
        ask.statements.clear()
        await export(ask.database, tmp_path, who)
        counts.append(len(ask.statements))
    expected = 16 if ask.database.is_sqlite else 17  # on PostgreSQL, one statement sets how the others are planned
    assert counts[:3] == [expected] * 3


async def test_pages_join_to_the_whole(ask: GraphQLClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolvers.export.collection.MEMBERS_PER_LINE", 1)
    whole = await export(ask.database, tmp_path)
    monkeypatch.setattr("resolvers.export.page.read_pages.__defaults__", (2, 0))
    monkeypatch.setattr("resolvers.export.collection.COLLECTIONS_PER_PAGE", 2)
    monkeypatch.setattr("resolvers.export.collection.MEMBERS_PER_PAGE", 2)
    for members in (1, 3, 5):
        monkeypatch.setattr("resolvers.export.collection.MEMBERS_PER_BATCH", members)
        assert await export(ask.database, tmp_path) == whole


ODD_TEXTS = (
    'a "quoted" \\ name',
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 1",
    "\U0001f9d1\u200d\U0001f52c \U0001f9ec",
    "line\u2028separator",
    "\u00e9 \u1e9e \u01c5",
    "\ufffd \ud7ff \ue000 \U0010ffff",
    "{}[],:\u007b",
)
ODD_NAMES = tuple(" ".join(text.split()) for text in ODD_TEXTS)  # an import collapses their white space
ODD_DESCRIPTIONS = (*ODD_TEXTS, "two\nlines\r\n\ttab", "\U0001f9ec" * 20_000)


async def test_odd_texts_come_back_with_the_same_bytes(databases: Databases, tmp_path: Path) -> None:
    lines: list[Line] = [{"kind": "user", "id": "olu", "name": ODD_NAMES[0]}]
    for number, text in enumerate(ODD_DESCRIPTIONS):
        name = ODD_NAMES[number % len(ODD_NAMES)] + str(number)
        asset: dict[str, Any] = {
            "kind": "asset",
            "id": name,
            "type": "MODEL",
            "name": name,
        }
        asset |= {
            "owner": "olu",
            "grants": [],
            "description": text,
            "tags": [*ODD_NAMES],
            "properties": {name: [text]},
            "source": name,
        }
        topic = {"kind": "topic", "slug": f"t{number}", "name": name, "description": text}
        collection: dict[str, Any] = {"kind": "collection", "slug": f"c{number}", "name": name, "topic": f"t{number}"}
        collection |= {"visibility": "PUBLIC", "assets": [{"id": name, "note": text[:1_000], "addedBy": "olu"}]}
        lines += [asset, topic, collection]
    url, copy = await databases.create_from_catalogue(lines), databases.create_empty()
    database = Database(url)
    try:
        exported = await export(database, tmp_path)
        exported_by_name = {_name(line): line for line in parse(exported)}
        for line in lines:
            kept = exported_by_name[_name(line)]
            for field in {"name", "description", "tags", "properties", "source"} & line.keys():
                assert kept[field] == line[field]
            assert [member["note"] for member in kept.get("assets", ())] == [
                member["note"] for member in line.get("assets", ())
            ]
        assert await export_again(copy, tmp_path, exported) == exported
    finally:
        await database.close()
        for each in (url, copy):
            databases.drop(each)


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


def test_the_command_writes_a_file_for_its_owner_only_and_replaces_it_only_by_force(
    atoll: CommandRunner, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.jsonl"
    result = atoll("export", str(file))
    counts = "6 user, 2 group, 3 topic, 5 collection, 2 CAPSULE, 2 PIPELINE, 1 NO_CODE_APP, 4 DATA_ASSET, 2 MODEL"
    assert (result.code, result.out, result.err) == (0, f"exported: {counts}; memberships: 16\n", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    whole = file.read_bytes()
    assert whole.count(b"\n") == 27
    refused = atoll("export", str(file)).error_line
    assert refused == f"{file} exists. Name another file, or replace it with --force."
    assert atoll("export", str(file), "--anonymous", "--force").code == 0
    assert len(file.read_bytes()) < len(whole)
    assert not list(tmp_path.glob(".catalogue*"))


def test_a_hyphen_stands_for_the_standard_output(atoll: CommandRunner, tmp_path: Path) -> None:
    result = atoll("export", "-", "--as", "eve")
    assert result.code == 0
    assert result.err.startswith("exported: 6 user, 2 group, 3 topic, ")
    atoll("export", str(tmp_path / "eve.jsonl"), "--as", "eve")
    assert (tmp_path / "eve.jsonl").read_text() == result.out


def test_viewers_that_cannot_be_found_and_files_that_cannot_be_written_are_named(
    atoll: CommandRunner, tmp_path: Path
) -> None:
    assert atoll("export", "-", "--as", "nobody").error_line == (
        "There is no user 'nobody'. Name a user by the id in the catalogue."
    )
    assert atoll("export", "-", "--as", "eve", "--anonymous").usage_error == "Choose one of --as and --anonymous."
    file = tmp_path / "absent" / "file"
    assert atoll("export", str(file)).error_line == (
        f"Cannot write {file}: no such file or directory. Name another file."
    )
    assert atoll("export", str(tmp_path)).error_line.startswith(f"{tmp_path} is a folder. ")
    os.mkfifo(tmp_path / "pipe")
    assert atoll("export", str(tmp_path / "pipe"), "--force").error_line == (
        f"{tmp_path / 'pipe'} is not a regular file. Name another file."
    )
    none = atoll("export", "-", DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path / 'none.db'}").error_line
    assert none.startswith("The database is at revision none; this version needs ")


async def test_an_export_that_fails_leaves_the_file_as_it_was(
    ask: GraphQLClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "catalogue.jsonl"
    file.write_text("old")

    async def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("resolvers.export.collection._load_slugs", fail)
    with pytest.raises(KeyboardInterrupt):
        await export_catalogue(ask.database, file, identify(None, is_anonymous=False), replace=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


async def test_the_progress_counts_objects(ask: GraphQLClient, tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    viewer = identify("eve", is_anonymous=False)
    await export_catalogue(
        ask.database, tmp_path / "eve.jsonl", viewer, report=lambda written, total: reports.append((written, total))
    )
    assert reports == [(written, len(reports)) for written in range(1, len(reports) + 1)]
