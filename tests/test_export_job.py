"""Export jobs: the file of a viewer, its download over HTTP, and its end when any access that it relies on is gone."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.commands.settings import read_settings
from app.settings import SettingError
from app.tokens import create_token
from app.worker import run_worker
from resolvers.export.catalogue import catalogue_lines
from resolvers.export.file_format import ENDINGS, ExportFormat
from resolvers.limits import LIMITS
from resolvers.pull.part import GraphPart
from resolvers.write import export_job
from resolvers.write import job as jobs
from store import exports, ids, sql
from store.exports import delete_expired_files
from store.jobs import RETENTION_MS
from store.tokens import token_digest
from tests.conftest import ANONYMOUS, GraphQLClient, World, set_public_sharing, settings_of
from tests.export_files import assert_has_rows, expected_tables
from tests.mutations import Mutation
from tests.oracle import Line
from tests.test_export import export, parse
from tests.test_people import People

CREATE = Mutation("exportCreate", "job { id kind status downloadUrl }")
JOB = """query($id: ID!) { job(id: $id) { status done total downloadUrl userErrors { code message path }
  collections { id } changes { id } results { totalCount } } }"""
IDS = """{ topics(first: 30) { nodes { slug id } } collections(first: 30) { nodes { slug id } } }"""
UNKNOWN = "job_" + "2" * 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of exports."""
    path = tmp_path / "exports"
    path.mkdir()
    return path


@pytest.fixture
async def ask_own(own_world: World, folder: Path) -> AsyncIterator[GraphQLClient]:
    """Return a client of a copy of the world, on a server with a folder for exports."""
    client = GraphQLClient(own_world, replace(settings_of(own_world.url), export_folder=str(folder)))
    yield client
    await client.close()


async def started(ask: GraphQLClient, who: str, format_: str = "JSONL", **given: Any) -> str:
    """Start an export and return the id of its job."""
    answer = await CREATE(ask, who, format=format_, **given)
    assert answer["userErrors"] == []
    assert answer["job"] | {"id": ""} == {"id": "", "kind": "EXPORT", "status": "QUEUED", "downloadUrl": None}
    return str(answer["job"]["id"])


async def exported(ask: GraphQLClient, folder: Path, who: str, format_: str = "JSONL", **given: Any) -> str:
    """Export and return the id of the job, which has succeeded."""
    id_ = await started(ask, who, format_, **given)
    assert await jobs.run_next_job(ask.database, export_folder=folder)
    job = (await ask(who, JOB, id=id_))["job"]
    assert (job["status"], job["userErrors"], job["done"]) == ("SUCCEEDED", [], job["total"])
    assert job["downloadUrl"] == f"exports/{id_}"
    return id_


def bearer(ask: GraphQLClient, who: str) -> dict[str, str]:
    return {} if who == ANONYMOUS else {"authorization": f"Bearer {ask.tokens[who]}"}


async def get(ask: GraphQLClient, who: str, id_: str, method: str = "GET", **headers: str) -> httpx.Response:
    return await ask.client.request(method, f"/exports/{id_}", headers=bearer(ask, who) | headers)


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("format_", ExportFormat)
async def test_the_file_has_the_rows_of_the_command(
    ask_own: GraphQLClient, folder: Path, tmp_path: Path, format_: ExportFormat
) -> None:
    id_ = await exported(ask_own, folder, "mei", format_.name)
    response = await get(ask_own, "mei", id_)
    assert response.status_code == 200
    assert response.headers["content-disposition"] == f'attachment; filename="atoll-{id_}.{ENDINGS[format_]}"'
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    lines = await export(ask_own.database, tmp_path, "mei")
    if format_ is ExportFormat.JSONL:
        assert response.content == lines
    else:
        assert_has_rows(format_, response.content, expected_tables(parse(lines), is_signed_in=True))
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


async def test_a_job_of_an_export_has_no_items_and_no_changes(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    job = (await ask_own("mei", JOB, id=id_))["job"]
    assert (job["collections"], job["changes"], job["results"]["totalCount"], job["total"]) == ([], [], 0, 24)


async def scoped(ask: GraphQLClient, folder: Path, who: str, **given: Any) -> list[Line]:
    """Return the lines of an export, without users and groups."""
    id_ = await exported(ask, folder, who, **given)
    lines = parse((await get(ask, who, id_)).content)
    return [line for line in lines if line["kind"] not in {"user", "group"}]


def names(lines: list[Line], kind: str) -> list[str]:
    return [line.get("slug") or line["id"] for line in lines if line["kind"] == kind]


async def test_an_export_of_some_topics_and_collections_has_what_is_in_them(
    ask_own: GraphQLClient, folder: Path
) -> None:
    nodes = await ask_own("ada", IDS)
    id_ = {node["slug"]: node["id"] for part in nodes.values() for node in part["nodes"]}
    lines = await scoped(ask_own, folder, "ada", collectionIds=[id_["inner"]])
    assert (names(lines, "topic"), names(lines, "collection")) == (["imaging"], ["inner", "deep"])
    assert names(lines, "asset") == ["align", "explore", "genomes", "images", "lens"]
    assert [line.get("parent") for line in lines if line["kind"] == "collection"] == [None, "inner"]
    lines = await scoped(ask_own, folder, "mei", collectionIds=[id_["inner"]])
    uses = {line["id"]: line.get("uses", []) for line in lines if line["kind"] == "asset"}
    assert uses == {"align": [], "explore": ["align"], "genomes": [], "images": [], "lens": ["images", "align"]}
    lines = await scoped(ask_own, folder, "mei", topicIds=[id_["genomics"], id_["empty"]])
    assert (names(lines, "topic"), names(lines, "collection")) == (["genomics", "empty"], ["members", "bare"])
    assert names(lines, "asset") == ["blast", "genomes", "images"]
    lines = await scoped(ask_own, folder, "mei", topicIds=[id_["empty"]], collectionIds=[id_["bare"]])
    assert (names(lines, "topic"), names(lines, "collection")) == (["genomics", "empty"], ["bare"])
    assert names(lines, "asset") == []


@pytest.mark.parametrize("parts", [["TOPICS"], ["ASSETS"], ["COLLECTIONS", "ASSETS", "USERS"]])
async def test_an_export_has_the_included_parts(ask_own: GraphQLClient, folder: Path, parts: list[str]) -> None:
    id_ = await exported(ask_own, folder, "mei", include=parts)
    whole, lines = await exported(ask_own, folder, "mei"), parse((await get(ask_own, "mei", id_)).content)
    kinds = {"TOPICS": {"topic"}, "ASSETS": {"asset"}, "COLLECTIONS": {"collection"}, "USERS": {"user", "group"}}
    expected = [
        {name: [] if name == "assets" else value for name, value in line.items() if name != "uses"}
        for line in parse((await get(ask_own, "mei", whole)).content)
        if line["kind"] in set[str]().union(*(kinds[part] for part in parts))
    ]
    assert lines == expected


async def test_invalid_inputs_are_refused(ask_own: GraphQLClient) -> None:
    nodes = await ask_own("ada", IDS)
    topic = nodes["topics"]["nodes"][0]["id"]
    unknown = "col_" + "2" * 24
    answer = await CREATE(ask_own, "mei", format="CSV", include=["MEMBERSHIPS", "USES"], collectionIds=[topic, unknown])
    errors = [(error["code"], error["path"]) for error in answer["userErrors"]]
    assert errors == [
        ("INVALID", ["input", "include"]),
        ("INVALID", ["input", "include"]),
        ("NOT_FOUND", ["input", "collectionIds", "0"]),
        ("NOT_FOUND", ["input", "collectionIds", "1"]),
    ]
    answer = await CREATE(ask_own, "mei", format="CSV", include=[], topicIds=[])
    assert [error["code"] for error in answer["userErrors"]] == ["REQUIRED", "REQUIRED"]


async def test_a_hidden_collection_is_like_an_unknown_one(ask_own: GraphQLClient) -> None:
    nodes = await ask_own("ada", IDS)
    hidden = next(node["id"] for node in nodes["collections"]["nodes"] if node["slug"] == "open")
    await set_public_sharing(ask_own.database, is_on=False)
    answers = [
        (await CREATE(ask_own, "mei", format="CSV", collectionIds=[id_]))["userErrors"]
        for id_ in (hidden, "col_" + "2" * 24)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["code"] == "NOT_FOUND"


async def test_only_the_viewer_who_started_it_gets_the_file(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    hidden, unknown = await get(ask_own, "ada", id_), await get(ask_own, "ada", UNKNOWN)
    assert code_of(hidden) == (404, "NOT_FOUND")
    assert hidden.content == unknown.content
    assert code_of(await get(ask_own, ANONYMOUS, id_)) == (401, "UNAUTHENTICATED")
    assert code_of(await get(ask_own, "mei", id_, "POST", authorization="Bearer atoll_wrong")) == (
        401,
        "UNAUTHENTICATED",
    )
    assert code_of(await get(ask_own, "mei", id_, "DELETE")) == (405, "METHOD_NOT_ALLOWED")
    job = await ask_own("ada", JOB, id=id_)
    assert job == {"job": None}


@pytest.mark.parametrize(
    "path",
    ["%00", "job_%00", "..%2f..%2fetc%2fpasswd", "../exports", "%2e%2e/atoll.db", "job_' OR 1=1", "%ff", "x" * 4_000],
)
async def test_a_path_that_names_no_export_is_not_found(ask_own: GraphQLClient, folder: Path, path: str) -> None:
    await exported(ask_own, folder, "mei")
    (file,) = [each.name for each in folder.iterdir() if not each.name.startswith(".")]
    for each in (path, file, f"..%2f{folder.name}%2f{file}"):
        response = await ask_own.client.get(
            httpx.URL(f"http://atoll.test/exports/{each}"), headers=bearer(ask_own, "mei")
        )
        assert response.status_code == 404, response.text


async def test_ranges_and_head(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    whole = await get(ask_own, "mei", id_)
    size = len(whole.content)
    head = await get(ask_own, "mei", id_, "HEAD")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    part = await get(ask_own, "mei", id_, range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{size}"
    rest = await get(ask_own, "mei", id_, range=f"bytes={size - 5}-", **{"if-range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[-5:])
    other = await get(ask_own, "mei", id_, range="bytes=0-4", **{"if-range": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = await get(ask_own, "mei", id_, range=f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


LOSSES = {
    "an asset is unshared": (
        "mei",
        "UPDATE access_grant SET principal_pk = {core} WHERE asset_pk = {genomes} AND principal_pk = {lab}",
        "UPDATE access_grant SET principal_pk = {lab} WHERE asset_pk = {genomes} AND principal_pk = {core}",
    ),
    "content is hidden": (
        "mei",
        "UPDATE access_grant SET access = 1 WHERE asset_pk = {count} AND principal_pk = {lab}",
        "UPDATE access_grant SET access = 2 WHERE asset_pk = {count} AND principal_pk = {lab}",
    ),
    "grants are hidden": (
        "lou",
        "UPDATE access_grant SET access = 3 WHERE asset_pk = {images} AND principal_pk = {core}",
        "UPDATE access_grant SET access = 4 WHERE asset_pk = {images} AND principal_pk = {core}",
    ),
    "an asset is withdrawn": (
        "eve",
        "UPDATE asset SET status = 'WITHDRAWN' WHERE pk = {blast}",
        "UPDATE asset SET status = 'RELEASED' WHERE pk = {blast}",
    ),
    "public sharing is turned off": (
        "eve",
        "UPDATE deployment SET public_sharing = false",
        "UPDATE deployment SET public_sharing = true",
    ),
    "a group is left": (
        "lou",
        "DELETE FROM group_member WHERE user_pk = {lou}",
        "INSERT INTO group_member (group_pk, user_pk) VALUES ({core}, {lou})",
    ),
    "an administrator is demoted": (
        "ada",
        "UPDATE principal SET is_admin = false WHERE pk = {ada}",
        "UPDATE principal SET is_admin = true WHERE pk = {ada}",
    ),
}


async def write(ask: GraphQLClient, statement: str) -> None:
    """Execute a statement in which names stand for pks of assets, users and groups."""
    async with ask.database.write() as connection:
        pks: dict[str, int] = {}
        for table in (sql.asset, sql.principal, sql.collection):
            key = table.c.slug if table is sql.collection else table.c.external_id
            rows = await connection.execute(table.select().with_only_columns(key, table.c.pk))
            pks |= {name: pk for name, pk in rows if name is not None}
        await connection.exec_driver_sql(statement.format(**pks))


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_file_is_gone_while_any_access_that_it_relies_on_is(
    ask_own: GraphQLClient, folder: Path, loss: str
) -> None:
    who, take, give_back = LOSSES[loss]
    id_ = await exported(ask_own, folder, who)
    assert (await get(ask_own, who, id_)).status_code == 200
    await write(ask_own, take)
    for method in ("GET", "POST"):
        assert code_of(await get(ask_own, who, id_, method)) == (410, "GONE")
    assert (await get(ask_own, who, id_, "HEAD")).status_code == 410
    assert (await get(ask_own, who, id_, range="bytes=0-1")).status_code == 410
    await write(ask_own, give_back)
    assert (await get(ask_own, who, id_)).status_code == 200


async def test_a_deleted_collection_takes_the_file_along(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "eve")
    nodes = await ask_own("ada", IDS)
    bare = next(node["id"] for node in nodes["collections"]["nodes"] if node["slug"] == "bare")
    await Mutation("collectionDelete", "deletedCollectionId")(ask_own, "ada", id=bare)
    assert code_of(await get(ask_own, "eve", id_)) == (410, "GONE")
    new = Mutation("collectionCreate", "collection { id }")
    genomics = next(node["id"] for node in nodes["topics"]["nodes"] if node["slug"] == "genomics")
    await new(ask_own, "ada", topicId=genomics, name="Bare", visibility="PUBLIC")
    assert code_of(await get(ask_own, "eve", id_)) == (410, "GONE")  # although its pk may be that of the deleted one


async def test_a_file_stays_after_changes_that_hide_nothing_in_it(ask_own: GraphQLClient, folder: Path) -> None:
    nodes = await ask_own("ada", IDS)
    inner = next(node["id"] for node in nodes["collections"]["nodes"] if node["slug"] == "inner")
    whole = await exported(ask_own, folder, "mei")
    scoped_, topics = (
        await exported(ask_own, folder, "mei", collectionIds=[inner]),
        await exported(ask_own, folder, "mei", include=["TOPICS"]),
    )
    for statement in (
        "UPDATE asset SET name = 'renamed' WHERE pk = {blast}",
        "UPDATE access_grant SET access = 2 WHERE asset_pk = {images} AND principal_pk = {lab}",
        "DELETE FROM membership WHERE collection_pk = {open} AND asset_pk = {blast}",
        "DELETE FROM group_member WHERE group_pk = {core}",
        "DELETE FROM access_grant WHERE asset_pk = {hidden}",
    ):
        await write(ask_own, statement)
        assert [(await get(ask_own, "mei", id_)).status_code for id_ in (whole, scoped_, topics)] == [200, 200, 200]
    await write(ask_own, "UPDATE asset SET status = 'ARCHIVED' WHERE pk = {blast}")
    assert [(await get(ask_own, "mei", id_)).status_code for id_ in (whole, scoped_, topics)] == [410, 200, 200]
    await write(ask_own, "UPDATE asset SET status = 'ARCHIVED' WHERE pk = {lens}")
    assert [(await get(ask_own, "mei", id_)).status_code for id_ in (whole, scoped_, topics)] == [410, 410, 200]


async def test_access_is_read_once_for_the_parts_of_a_file(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    counts = []
    for _ in range(3):
        ask_own.statements.clear()
        await get(ask_own, "mei", id_, range="bytes=0-1")
        counts.append(len([each for each in ask_own.statements if each.startswith("SELECT")]))
    await write(ask_own, "UPDATE asset SET name = 'renamed' WHERE pk = {blast}")
    ask_own.statements.clear()
    await get(ask_own, "mei", id_, range="bytes=0-1")
    counts.append(len([each for each in ask_own.statements if each.startswith("SELECT")]))
    assert counts == [6, 2, 2, 6]


async def test_a_deactivated_user_and_a_revoked_token_get_nothing(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    link = (await get(ask_own, "mei", id_, "POST")).json()["url"]
    ask_own.tokens["second"] = await create_token(ask_own.database, "mei", 3_600)
    other_link = (await get(ask_own, "second", id_, "POST")).json()["url"]
    async with ask_own.database.write() as connection:
        revoked = update(sql.api_token).where(sql.api_token.c.digest == token_digest(ask_own.tokens["mei"]))
        await connection.execute(revoked.values(revoked_at=1))
    assert code_of(await get(ask_own, "mei", id_)) == (401, "UNAUTHENTICATED")
    assert code_of(await ask_own.client.get(f"/{link}")) == (401, "UNAUTHENTICATED")
    assert (await get(ask_own, "second", id_)).status_code == 200
    await People(ask_own.database).set_active("mei", is_active=False)
    assert code_of(await get(ask_own, "second", id_)) == (401, "UNAUTHENTICATED")
    assert code_of(await ask_own.client.get(f"/{other_link}")) == (401, "UNAUTHENTICATED")


async def test_a_link_works_once_for_five_minutes(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, other = await exported(ask_own, folder, "mei"), await exported(ask_own, folder, "mei")
    created = await get(ask_own, "mei", id_, "POST")
    assert (created.status_code, created.headers["cache-control"]) == (201, "private, no-store")
    link = f"/{created.json()['url']}"
    assert link.startswith(f"/exports/{id_}?link=")
    assert (await ask_own.client.head(link)).status_code == 200
    assert code_of(await ask_own.client.get(link.replace(id_, other))) == (401, "UNAUTHENTICATED")
    assert code_of(await ask_own.client.post(link)) == (401, "UNAUTHENTICATED")
    responses = await asyncio.gather(*(ask_own.client.get(link) for _ in range(3)))
    assert sorted(response.status_code for response in responses) == [200, 401, 401]
    late = f"/{(await get(ask_own, 'mei', id_, 'POST')).json()['url']}"
    clock_ns = ids.clock_ns
    monkeypatch.setattr(ids, "clock_ns", lambda: clock_ns() + exports.LINK_MS * 1_000_000)
    assert code_of(await ask_own.client.get(late)) == (401, "UNAUTHENTICATED")


async def test_the_file_of_an_asset_lost_cannot_be_had_by_a_link(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    link = f"/{(await get(ask_own, 'mei', id_, 'POST')).json()['url']}"
    await write(ask_own, LOSSES["an asset is unshared"][1])
    assert code_of(await ask_own.client.get(link)) == (410, "GONE")


async def test_a_file_expires_after_a_week(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await exported(ask_own, folder, "mei")
    [file] = folder.iterdir()
    clock_ns, later_ms = ids.clock_ns, 0
    monkeypatch.setattr(ids, "clock_ns", lambda: clock_ns() + later_ms * 1_000_000)
    ask_own.tokens["late"] = await create_token(ask_own.database, "mei", 60 * 86_400)
    later_ms = RETENTION_MS - 60_000
    assert (await get(ask_own, "late", id_)).status_code == 200
    delete_expired_files(folder)
    assert file.exists()
    later_ms = RETENTION_MS
    assert code_of(await get(ask_own, "late", id_)) == (410, "GONE")
    assert (await ask_own("late", JOB, id=id_))["job"]["downloadUrl"] is None
    later_ms += exports.DAY_MS + 1_000
    (folder / "other.txt").touch()
    os.utime(folder / "other.txt", (0, 0))
    delete_expired_files(folder)
    assert [path.name for path in folder.iterdir()] == ["other.txt"]
    assert code_of(await get(ask_own, "late", id_)) == (410, "GONE")
    later_ms += exports.EXPIRED_ROW_MS
    await started(ask_own, "late")
    while await jobs.run_next_job(ask_own.database, export_folder=folder):
        pass
    assert code_of(await get(ask_own, "late", id_)) == (404, "NOT_FOUND")


async def test_what_a_killed_export_left_is_deleted_after_a_day(tmp_path: Path) -> None:
    spool = tmp_path / ".export-1"
    spool.mkdir()
    (spool / "edges").touch()
    part = tmp_path / ".export-exp_1.zip.x.part"
    part.touch()
    delete_expired_files(tmp_path)
    assert spool.exists()
    assert part.exists()
    for path in (spool, part):
        os.utime(path, (0, 0))
    delete_expired_files(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_user_starts_a_limited_number_of_exports_a_day(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.export.LIMITS", LIMITS._replace(daily_exports=2))
    for _ in range(2):
        await exported(ask_own, folder, "mei")
    answer = await CREATE(ask_own, "mei", format="CSV")
    assert [(error["code"], error["path"]) for error in answer["userErrors"]] == [("LIMIT_EXCEEDED", ["input"])]
    await started(ask_own, "olu")


async def test_without_a_folder_an_export_fails(ask_own: GraphQLClient) -> None:
    id_ = await started(ask_own, "mei")
    assert await jobs.run_next_job(ask_own.database)
    job = (await ask_own("mei", JOB, id=id_))["job"]
    assert (job["status"], job["downloadUrl"]) == ("FAILED", None)
    assert job["userErrors"] == [
        {
            "code": "UNAVAILABLE",
            "message": "Exports are turned off here. Ask the operator to set ATOLL_EXPORT_FOLDER.",
            "path": ["input", "format"],
        }
    ]
    assert code_of(await get(ask_own, "mei", id_)) == (404, "NOT_FOUND")


async def test_without_pyarrow_and_without_space_an_export_fails(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.export.parquet_file.find_spec", lambda _name: None)
    parquet = await started(ask_own, "mei", "PARQUET")
    assert await jobs.run_next_job(ask_own.database, export_folder=folder)
    csv = await started(ask_own, "mei", "CSV")
    assert await jobs.run_next_job(ask_own.database, export_folder=folder / "absent")
    found = [(await ask_own("mei", JOB, id=id_))["job"]["userErrors"][0] for id_ in (parquet, csv)]
    assert [error["message"] for error in found] == [
        "This server cannot write PARQUET: PyArrow is not installed. Choose another format.",
        "The server could not write the file. Try again later.",
    ]
    assert list(folder.iterdir()) == []


async def test_a_file_in_another_folder_is_unavailable(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    [file] = folder.iterdir()
    file.unlink()
    assert code_of(await get(ask_own, "mei", id_)) == (503, "UNAVAILABLE")


class Pause:
    """A pause of exports after their first line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_begun, self.may_end = Event(), Event()
        lines = catalogue_lines

        async def paused_lines(*arguments: Any) -> AsyncIterator[Line]:
            async for line in lines(*arguments):
                self.has_begun.set()
                assert self.may_end.wait(60)
                yield line

        monkeypatch.setattr(export_job, "catalogue_lines", paused_lines)
        monkeypatch.setattr(export_job, "PROGRESS_SECONDS", 0.01)


async def test_an_export_that_is_stopped_starts_again(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, calls = Pause(monkeypatch), iter((None, None))
    id_ = await started(ask_own, "mei")

    def stop() -> bool:
        """Ask the export to stop; let it go on when asked again, for then it knows."""
        if next(calls, "again") == "again":
            pause.may_end.set()
        return True

    assert await jobs.run_next_job(ask_own.database, stop, folder)
    job = (await ask_own("mei", JOB, id=id_))["job"]
    assert (job["status"], job["done"], list(folder.iterdir())) == ("RUNNING", 0, [])
    assert await jobs.run_next_job(ask_own.database, export_folder=folder)
    assert (await get(ask_own, "mei", id_)).status_code == 200


async def test_an_export_that_is_cancelled_leaves_no_file(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = Pause(monkeypatch)
    id_ = await started(ask_own, "mei")
    running = asyncio.create_task(jobs.run_next_job(ask_own.database, export_folder=folder))
    await asyncio.to_thread(pause.has_begun.wait)
    await Mutation("jobCancel", "job { status }")(ask_own, "mei", id=id_)
    pause.may_end.set()
    assert await running
    assert (await ask_own("mei", JOB, id=id_))["job"]["status"] == "CANCELLED"
    assert list(folder.iterdir()) == []


async def test_an_export_whose_job_another_worker_ended_leaves_no_file(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = Pause(monkeypatch)
    monkeypatch.setattr(export_job, "PROGRESS_SECONDS", 60)
    id_ = await started(ask_own, "mei")
    slow = asyncio.create_task(jobs.run_next_job(ask_own.database, export_folder=folder))
    await asyncio.to_thread(pause.has_begun.wait)
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.job).values(leased_until=0))
    pause.may_end.set()
    await asyncio.gather(slow, jobs.run_next_job(ask_own.database, export_folder=folder))
    assert len(list(folder.iterdir())) == 1
    assert (await get(ask_own, "mei", id_)).status_code == 200


async def test_the_job_of_a_user_who_was_deactivated_is_cancelled(ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await started(ask_own, "mei")
    await People(ask_own.database).set_active("mei", is_active=False)
    assert await jobs.run_next_job(ask_own.database, export_folder=folder)
    async with ask_own.database.snapshot() as snapshot:
        [row] = await snapshot.rows(sql.job.select().where(sql.job.c.id == id_))
    assert row.status == "CANCELLED"
    assert list(folder.iterdir()) == []


def test_the_parts_of_an_export_are_those_of_the_graph() -> None:
    assert [*GraphPart] == ["TOPICS", "COLLECTIONS", "ASSETS", "MEMBERSHIPS", "USES", "USERS"]


async def test_downloads_take_points_of_the_rate_limit(own_world: World, ask_own: GraphQLClient, folder: Path) -> None:
    id_ = await exported(ask_own, folder, "mei")
    settings = replace(settings_of(own_world.url), export_folder=str(folder), rate_points=1, rate_burst=45)
    limited = GraphQLClient(own_world, settings)
    try:
        statuses = [(await get(limited, "mei", id_)).status_code for _ in range(5)]
        refused = await get(limited, "mei", id_)
    finally:
        await limited.close()
    assert statuses[:3] == [200, 200, 200]
    assert (code_of(refused), int(refused.headers["retry-after"]) > 0) == ((429, "RATE_LIMITED"), True)


async def test_a_download_is_below_the_prefix_of_the_deployment(
    own_world: World, ask_own: GraphQLClient, folder: Path
) -> None:
    id_ = await exported(ask_own, folder, "mei")
    settings = replace(settings_of(own_world.url), export_folder=str(folder), root_path="/atoll")
    prefixed = GraphQLClient(own_world, settings)
    try:
        url = httpx.URL("http://atoll.test/atoll/graphql").join(f"exports/{id_}")
        assert (await prefixed.client.get(url, headers=bearer(ask_own, "mei"))).status_code == 200
    finally:
        await prefixed.close()


def test_the_folder_has_to_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_EXPORT_FOLDER", str(tmp_path))
    assert read_settings().export_folder == str(tmp_path)
    monkeypatch.setenv("ATOLL_EXPORT_FOLDER", str(tmp_path / "absent"))
    with pytest.raises(SettingError) as error:
        read_settings()
    assert str(error.value) == (
        f"ATOLL_EXPORT_FOLDER {tmp_path / 'absent'} is not a folder that Atoll can write to. Create it first."
    )


async def test_a_server_runs_exports_and_deletes_expired_files(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.POLL_SECONDS", 0.01)
    old = folder / "export-exp_old.zip"
    old.touch()
    os.utime(old, (0, 0))
    id_ = await started(ask_own, "mei")  # as queued, which it would not stay beside the worker
    async with run_worker(ask_own.database, folder), asyncio.timeout(60):
        while (await get(ask_own, "mei", id_)).status_code != 200 or old.exists():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.05)
