"""Row versions: each write logs exactly the objects that it changed, in the order of commits."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Database, Snapshot
from store.row_versions import fetch_changes, fetch_version
from store.tables import RowKind
from tests.conftest import World

NAMES = {
    RowKind.TOPIC: (sql.topic, "slug"),
    RowKind.COLLECTION: (sql.collection, "slug"),
    RowKind.MEMBERS: (sql.collection, "slug"),
    RowKind.ASSET: (sql.asset, "external_id"),
    RowKind.GRANTS: (sql.asset, "external_id"),
    RowKind.PRINCIPAL: (sql.principal, "external_id"),
}
ALL = 1_000
NEW_TOPICS = """INSERT INTO topic (id, slug, name, name_key, description, rank, version, created_at, updated_at)
    SELECT slug || '_2', slug || '_2', slug, slug || '_2', '', -rank, 1, 0, 0 FROM topic"""
REPLACED_TOPIC = """INTO topic (id, slug, name, name_key, description, rank, version, created_at, updated_at)
    VALUES ('top_new', 'empty', 'new', 'new', '', -1, 1, 0, 0)"""
REPLACE_TOPIC = {
    "sqlite": f"INSERT OR REPLACE {REPLACED_TOPIC}",
    "postgresql": f"INSERT {REPLACED_TOPIC} ON CONFLICT (slug) DO UPDATE SET pk = excluded.pk",
}
NEW_COLLECTION = """INSERT INTO collection (id, slug, name, name_key, description, visibility, topic_pk, rank, version,
    created_at, updated_at) VALUES ('col_new', 'new', 'new', 'new', '', 'PUBLIC', :imaging, -1, 1, 0, 0)"""
NEW_ASSET = """INSERT INTO asset (id, external_id, kind, status, name, name_key, owner_pk, tags, created_at, updated_at,
    is_gold) VALUES ('ast_new', 'new', 'MODEL', 'RELEASED', 'new', 'new', :olu, '[]', 0, 0, 0)"""
NEW_PRINCIPAL = """INSERT INTO principal (id, external_id, kind, name, is_admin)
    VALUES ('usr_new', 'new', 'USER', 'new', false)"""
COPIES = """INSERT INTO membership (collection_pk, asset_pk, rank, added_at)
    SELECT other.pk, asset_pk, membership.rank, added_at FROM membership, collection AS other
    WHERE collection_pk = :open AND other.pk IN (:bare, :open) ON CONFLICT (collection_pk, asset_pk)"""
NEW_GRANTS = """INSERT INTO access_grant (asset_pk, principal_pk, access) SELECT asset.pk, principal.pk, 2
    FROM asset, principal WHERE asset.pk IN (:align, :blast) AND principal.pk IN (:eve, :mei)"""
RENAME_EMPTY = "UPDATE topic SET name = 'x' WHERE slug = 'empty'"
RENAME_IMAGING = "UPDATE topic SET name = 'x' WHERE slug = 'imaging'"


class Write(NamedTuple):
    """A statement, the objects that it must log, and a statement to run before it, in a transaction of its own.

    `:name` stands for the pk of the object of that name.
    """

    statement: str
    logged: dict[RowKind, list[str]]
    before: str = ""


TOPIC, COLLECTION, MEMBERS, ASSET, GRANTS, PRINCIPAL = RowKind
WRITES = (
    Write(NEW_TOPICS, {TOPIC: ["empty_2", "genomics_2", "imaging_2"]}),
    Write(RENAME_EMPTY, {TOPIC: ["empty"]}),
    Write("UPDATE topic SET version = 9", {TOPIC: ["empty", "genomics", "imaging"]}),
    Write("UPDATE topic SET name = name WHERE pk = :empty", {TOPIC: ["empty"]}),
    Write("UPDATE topic SET pk = pk + 100 WHERE pk = :empty", {TOPIC: ["empty", "empty"]}),  # the old and the new pk
    Write("UPDATE topic SET name = 'x' WHERE slug = 'none'", {}),
    Write("DELETE FROM topic WHERE pk = :empty", {TOPIC: ["empty"]}),
    Write(NEW_COLLECTION, {COLLECTION: ["new"]}),
    Write("UPDATE collection SET name = 'x' WHERE pk = :open", {COLLECTION: ["open"]}),
    Write("DELETE FROM collection WHERE pk = :bare", {COLLECTION: ["bare"]}),
    Write(f"{COPIES} DO NOTHING", {MEMBERS: ["bare"]}),
    Write(f"{COPIES} DO UPDATE SET rank = excluded.rank", {MEMBERS: ["bare", "open"]}),
    Write("UPDATE membership SET note = 'x' WHERE collection_pk = :open", {MEMBERS: ["open"]}),
    Write("UPDATE membership SET collection_pk = :bare WHERE collection_pk = :deep", {MEMBERS: ["bare", "deep"]}),
    Write("DELETE FROM membership WHERE asset_pk = :align", {MEMBERS: ["inner", "open"]}),
    Write(NEW_ASSET, {ASSET: ["new"]}),
    Write("UPDATE asset SET doi = 'x' WHERE pk = :align", {ASSET: ["align"]}),
    Write("DELETE FROM asset WHERE external_id = 'new'", {ASSET: ["new"]}, NEW_ASSET),
    Write(NEW_GRANTS, {GRANTS: ["align", "blast"]}),
    Write("UPDATE access_grant SET access = 3 WHERE asset_pk = :align", {GRANTS: ["align"]}),
    Write(
        "UPDATE access_grant SET asset_pk = :hidden WHERE asset_pk = :align AND principal_pk = :public",
        {GRANTS: ["align", "hidden"]},
    ),
    Write("DELETE FROM access_grant WHERE asset_pk = :align", {GRANTS: ["align"]}),
    Write(NEW_PRINCIPAL, {PRINCIPAL: ["new"]}),
    Write("UPDATE principal SET name = 'x' WHERE pk = :eve", {PRINCIPAL: ["eve"]}),
    Write("DELETE FROM principal WHERE external_id = 'new'", {PRINCIPAL: ["new"]}, NEW_PRINCIPAL),
    Write("UPDATE asset_tag SET tag = 'x' WHERE tag = 'a'", {}),
)


@pytest.fixture
async def database(own_world: World) -> AsyncIterator[Database]:
    """Return a copy of the world."""
    world = Database(own_world.url)
    yield world
    await world.close()


async def execute(database: Database, *statements: str) -> None:
    """Run the statements in one transaction."""
    pks = {name: pk for (_, pk), name in (await names(database)).items()}
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(text(statement), pks)


async def version(database: Database) -> int:
    """Return the current version, after checking that it is the greatest of the log."""
    async with database.snapshot() as snapshot:
        current = await fetch_version(snapshot)
        [row] = await snapshot.rows(select(func.max(sql.row_version.c.version).label("greatest")))
        assert row.greatest == current
        return current


async def changes(database: Database, since: int, limit: int = ALL) -> dict[RowKind, list[int]] | None:
    """Return the changes since the version."""
    async with database.snapshot() as snapshot:
        return await fetch_changes(snapshot, since, limit)


async def names(database: Database) -> dict[tuple[RowKind, int], str]:
    """Return the name of each object by kind and pk."""
    async with database.snapshot() as snapshot:
        return {
            (kind, row.pk): getattr(row, name)
            for kind, (table, name) in NAMES.items()
            for row in await snapshot.rows(select(table))
        }


async def logged(database: Database, *statements: str) -> dict[RowKind, list[str]]:
    """Run the statements in one transaction and return the names of the logged objects, sorted."""
    before, since = await names(database), await version(database)
    await execute(database, *statements)
    name_of = before | await names(database)
    by_kind = await changes(database, since)
    assert by_kind is not None
    assert (await version(database) > since) == bool(by_kind)
    return {kind: sorted(name_of[kind, pk] for pk in pks) for kind, pks in by_kind.items()}


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.statement[:60])
async def test_each_write_logs_exactly_the_objects_that_it_changes(database: Database, write: Write) -> None:
    if write.before:
        await execute(database, write.before)
    assert await logged(database, write.statement) == write.logged


def test_each_kind_of_write_to_each_logged_table_is_in_the_list() -> None:
    for table in ("topic", "collection", "membership", "asset", "access_grant", "principal"):
        for words in (("INSERT", "INTO", table), ("UPDATE", table, "SET"), ("DELETE", "FROM", table)):
            assert any(write.statement.split()[:3] == [*words] for write in WRITES), words


async def test_a_transaction_logs_the_objects_of_all_its_statements(database: Database) -> None:
    assert await logged(database, RENAME_EMPTY, NEW_PRINCIPAL, RENAME_IMAGING, RENAME_EMPTY) == {
        TOPIC: ["empty", "imaging"],
        PRINCIPAL: ["new"],
    }


async def test_an_object_that_is_written_again_is_logged_again(database: Database) -> None:
    for _ in range(3):
        assert await logged(database, RENAME_EMPTY) == {TOPIC: ["empty"]}


async def test_a_write_that_is_rolled_back_logs_nothing(database: Database) -> None:
    before = await version(database)
    async with database.write() as connection:
        await connection.execute(text(RENAME_EMPTY))
        await connection.rollback()
    assert await version(database) == before
    assert await logged(database, RENAME_IMAGING) == {TOPIC: ["imaging"]}


async def _execute_undone(connection: AsyncConnection, statement: str) -> None:
    savepoint = await connection.begin_nested()
    await connection.execute(text(statement))
    await savepoint.rollback()


async def test_a_savepoint_that_is_rolled_back_logs_nothing(database: Database) -> None:
    since = await version(database)
    async with database.write() as connection:
        await _execute_undone(connection, RENAME_EMPTY)
        await connection.execute(text(RENAME_IMAGING))
        await _execute_undone(connection, NEW_PRINCIPAL)
    [imaging] = [pk for (_, pk), name in (await names(database)).items() if name == "imaging"]
    assert await changes(database, since) == {TOPIC: [imaging]}
    assert await version(database) > since


async def test_versions_only_increase(database: Database) -> None:
    versions = [await version(database)]
    for statement in (
        RENAME_EMPTY,
        NEW_ASSET,
        RENAME_EMPTY,
        "DELETE FROM membership",
        "DELETE FROM topic WHERE pk = :empty",
    ):
        await execute(database, statement, RENAME_IMAGING)
        versions.append(await version(database))
    assert versions == sorted(set(versions))


async def test_a_row_that_replaces_another_logs_both(database: Database, backend: str) -> None:
    assert await logged(database, REPLACE_TOPIC[backend]) == {TOPIC: ["empty", "empty"]}


async def test_changes_of_more_objects_than_the_limit_are_none(database: Database) -> None:
    since = await version(database)
    await execute(database, "UPDATE topic SET version = 9", "UPDATE asset SET doi = 'x' WHERE external_id = 'align'")
    by_kind = await changes(database, since, 4)
    assert by_kind is not None
    assert {kind: len(pks) for kind, pks in by_kind.items()} == {TOPIC: 3, ASSET: 1}
    assert await changes(database, since, 3) is None
    assert await changes(database, await version(database), 0) == {}


async def test_readers_of_both_kinds_fetch_the_same(database: Database) -> None:
    since = await version(database)
    await execute(database, RENAME_EMPTY)

    async def read(snapshot: Snapshot) -> tuple[int, dict[RowKind, list[int]] | None]:
        return await fetch_version(snapshot), await fetch_changes(snapshot, since, ALL)

    assert await database.read(read) == (await version(database), await changes(database, since))


async def test_concurrent_writers_commit_versions_in_order(own_world: World, database: Database) -> None:
    other, since = Database(own_world.url), await version(database)
    try:
        async with database.write() as connection:
            await connection.execute(text(RENAME_EMPTY))
            first = (await connection.execute(select(sql.deployment.c.row_version))).scalar_one()
            waiting = asyncio.create_task(execute(other, RENAME_IMAGING))
            done, _ = await asyncio.wait({waiting}, timeout=0.3)
            assert not done  # it waits for the lock
            assert await version(database) == since
        await waiting
        pk_of = {name: pk for (_, pk), name in (await names(database)).items()}
        assert await version(database) > first > since
        assert await changes(database, first) == {TOPIC: [pk_of["imaging"]]}
        assert await changes(database, since) == {TOPIC: [pk_of["empty"], pk_of["imaging"]]}
    finally:
        await other.close()
