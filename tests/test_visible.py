"""`visible`, table by table: each condition holds without the others."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import FromClause, Select, Table, delete, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.visitors import iterate

from permissions.viewer import Viewer, anonymous_viewer, viewer_by_external_id
from permissions.visible import access, owned_assets, restrict_to_access, used_asset, visible
from store import sql
from store.database import Database, Snapshot
from store.tables import PUBLIC_PK, AssetAccess
from tests.conftest import ANONYMOUS, VIEWERS, World, parse_table


@asynccontextmanager
async def _read(world: World) -> AsyncIterator[Snapshot]:
    database = Database(world.url)
    async with database.snapshot() as opened:
        yield opened
    await database.close()


@asynccontextmanager
async def _written(world: World) -> AsyncIterator[AsyncConnection]:
    database = Database(world.url)
    async with database.write() as connection:
        yield connection
    await database.close()


@pytest.fixture
async def snapshot(world: World) -> AsyncIterator[Snapshot]:
    async with _read(world) as opened:
        yield opened


async def _viewer(snapshot: Snapshot, who: str) -> Viewer:
    viewer = await anonymous_viewer(snapshot) if who == ANONYMOUS else await viewer_by_external_id(snapshot, who)
    assert viewer is not None
    return viewer


async def _found(snapshot: Snapshot, rows: Select[Any], *columns: Any) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await snapshot.rows(rows.with_only_columns(*columns, maintain_column_froms=True))}


# Every use in the world, and its viewers: they see both assets, and may view the content of the using one.
USES = {
    ("count", "hidden"): {"olu"},
    ("count", "align"): {"olu", "mei"},
    ("explore", "count"): {"ada", "olu", "mei", "lou", "sam", "eve"},
    ("explore", "align"): {"ada", "olu", "mei", "lou", "sam", "eve"},
    ("kept", "genomes"): {"ada", "olu"},  # lou owns kept and cannot see genomes; mei the reverse
    ("lens", "images"): {"ada", "olu", "mei", "lou"},
    ("lens", "align"): set(VIEWERS),
}


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_use_exists_where_both_ends_do_and_the_one_that_uses_may_be_viewed(
    snapshot: Snapshot, who: str
) -> None:
    rows = visible(sql.asset_use, await _viewer(snapshot, who))
    found = await _found(snapshot, rows, sql.asset.c.name, used_asset.c.name)
    assert found == {use for use, seen_by in USES.items() if who in seen_by}


MEMBERSHIPS = {
    "open": {"lens", "hidden", "align", "blast", "count", "junk", "kept"},
    "inner": {"align", "explore", "images"},
    "deep": {"genomes", "lens"},
    "members": {"blast", "genomes", "images", "hidden"},
}
UNSEEN = {
    "mei": {"hidden", "junk", "kept"},
    "lou": {"hidden", "junk", "genomes"},
    "sam": {"hidden", "junk", "kept", "genomes", "images"},
    "eve": {"hidden", "junk", "kept", "genomes", "images"},
}


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_membership_exists_where_both_its_ends_do(snapshot: Snapshot, who: str) -> None:
    rows = visible(sql.membership, await _viewer(snapshot, who))
    found = await _found(snapshot, rows, sql.collection.c.slug, sql.asset.c.name)
    if who == ANONYMOUS:
        assert found == {("open", "lens"), ("open", "align"), ("deep", "lens")}
        return
    unseen = UNSEEN.get(who, set())
    assert found == {(slug, name) for slug, names in MEMBERSHIPS.items() for name in names - unseen}


# Former places by kind, id (a slug's, or that of a deleted row) and visibility, and viewers: with sharing, and without.
MEMBERS_ONLY, PUBLIC_ONES = set(VIEWERS) - {ANONYMOUS}, set(VIEWERS)
FORMER_PLACES = {
    ("topic", "imaging", None): (PUBLIC_ONES, MEMBERS_ONLY),
    ("topic", "empty", None): (MEMBERS_ONLY, MEMBERS_ONLY),
    ("topic", "deleted topic", None): (MEMBERS_ONLY, MEMBERS_ONLY),
    ("collection", "open", "INTERNAL"): (PUBLIC_ONES, {"ada"}),
    ("collection", "inner", "PUBLIC"): (MEMBERS_ONLY, MEMBERS_ONLY),
    ("collection", "deleted", "PUBLIC"): (PUBLIC_ONES, {"ada"}),
    ("collection", "deleted", "INTERNAL"): (MEMBERS_ONLY, MEMBERS_ONLY),
}


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_former_place_exists_where_its_object_does_or_did(own_world: World, who: str) -> None:
    former = sql.former_place
    async with _written(own_world) as connection:
        await connection.execute(delete(former))
        for kind, name, visibility in FORMER_PLACES:
            table = sql.former_place.metadata.tables[kind]
            row = (await connection.execute(select(table.c.id).where(table.c.slug == name))).first()
            place = {"revision": 1, "at": 1, "kind": kind, "id": row.id if row else name, "row_pk": 1}
            values = place | {"rank": len(name), "visibility": visibility}
            await connection.execute(insert(former).values(values))
    slugs = [select(table.c.id, table.c.slug) for table in (sql.topic, sql.collection)]
    async with _read(own_world) as snapshot:
        names = {row.id: row.slug for each in slugs for row in await snapshot.rows(each)}
        for index, is_shared in enumerate((True, False)):
            viewer = replace(await _viewer(snapshot, who), public_sharing=is_shared)
            rows = await _found(snapshot, visible(former, viewer), former.c.kind, former.c.id, former.c.visibility)
            found = {(kind, names.get(id_, id_), visibility) for kind, id_, visibility in rows}
            assert found == {place for place, viewers in FORMER_PLACES.items() if who in viewers[index]}, is_shared


OWNED = {
    "olu": {"align", "blast", "count", "draft", "explore", "genomes", "hidden", "images", "junk", "kept"},
    "lou": {"images", "kept"},
    "sam": {"lens"},
}


@pytest.mark.parametrize("who", VIEWERS)
async def test_grants_exist_for_owners_and_administrators(snapshot: Snapshot, who: str) -> None:
    rows = visible(sql.grant, await _viewer(snapshot, who))
    expected = set().union(*OWNED.values()) if who == "ada" else OWNED.get(who, set())
    assert {name for (name,) in await _found(snapshot, rows, sql.asset.c.name)} == expected


@pytest.mark.parametrize("who", VIEWERS)
async def test_assets_can_be_narrowed_to_a_least_access(snapshot: Snapshot, who: str) -> None:
    viewer = await _viewer(snapshot, who)
    rows = restrict_to_access(visible(sql.asset, viewer), sql.asset, viewer, AssetAccess.OWNER)
    assert {name for (name,) in await _found(snapshot, rows, sql.asset.c.name)} == OWNED.get(who, set())
    every = visible(sql.asset, viewer)
    known = restrict_to_access(every, sql.asset, viewer, AssetAccess.DISCOVERABLE)
    assert await _found(snapshot, known, sql.asset.c.pk) == await _found(snapshot, every, sql.asset.c.pk)


@pytest.mark.parametrize("who", VIEWERS)
async def test_who_holds_no_grant_has_no_access_but_administrators_may_discover(snapshot: Snapshot, who: str) -> None:
    of_hidden = select(access(sql.asset, await _viewer(snapshot, who))).where(sql.asset.c.name == "hidden")
    known = {"olu": AssetAccess.OWNER, "ada": AssetAccess.DISCOVERABLE}
    assert await snapshot.rows(of_hidden) == [(known.get(who, 0),)]


@pytest.mark.parametrize("who", VIEWERS)
async def test_assets_are_owned_by_grants_whatever_their_status_and_never_by_visitors(
    own_world: World, who: str
) -> None:
    async with _written(own_world) as connection:
        shared = select(sql.asset.c.pk).where(sql.asset.c.name == "lens").scalar_subquery()
        public = (sql.grant.c.asset_pk == shared) & (sql.grant.c.principal_pk == PUBLIC_PK)
        await connection.execute(update(sql.grant).where(public).values(access=AssetAccess.OWNER.value))
    async with _read(own_world) as opened:
        found = await _found(opened, owned_assets(sql.asset, await _viewer(opened, who)), sql.asset.c.name)
    assert {name for (name,) in found} == OWNED.get(who, set()) | ({"lens"} if who != ANONYMOUS else set())


async def test_what_somebody_owns_is_looked_up_in_the_index_of_owners(own_world: World) -> None:
    async with _read(own_world) as opened:
        rows = owned_assets(sql.asset, await _viewer(opened, "olu"))
    async with _written(own_world) as connection:
        asked = str(rows.compile(connection.engine.sync_engine, compile_kwargs={"literal_binds": True}))
        if connection.dialect.name == "sqlite":
            asked = f"QUERY PLAN {asked}"
        else:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a sequential scan suits so few rows
        plan = str((await connection.exec_driver_sql(f"EXPLAIN {asked}")).all())
    assert re.search(r"ix_access_grant_owner \(<expr>=\?\)|ix_access_grant_owner.*Index Cond: \(CASE", plan), plan


@pytest.mark.parametrize("source", [sql.asset, sql.collection, sql.topic, sql.principal])
@pytest.mark.parametrize("who", VIEWERS)
async def test_an_alias_is_seen_by_the_rule_of_its_table(snapshot: Snapshot, who: str, source: FromClause) -> None:
    viewer, alias = await _viewer(snapshot, who), source.alias("another")
    itself = await _found(snapshot, visible(source, viewer), source.c.pk)
    assert await _found(snapshot, visible(alias, viewer), alias.c.pk) == itself
    assert itself, "a table that nobody sees tells nothing"


async def test_members_know_people_and_groups_and_a_visitor_only_owners(snapshot: Snapshot) -> None:
    people = {}
    for who in ("eve", ANONYMOUS):
        rows = visible(sql.principal, await _viewer(snapshot, who))
        people[who] = {name for (name,) in await _found(snapshot, rows, sql.principal.c.external_id)}
    assert people["eve"] == {"ada", "olu", "mei", "lou", "sam", "eve", "lab", "core", "everyone", "public"}
    assert people[ANONYMOUS] == {"olu", "sam"}


async def test_a_visitor_knows_no_owner_of_what_is_hidden_and_no_group(own_world: World) -> None:
    async with _written(own_world) as connection:
        for asset, owner in (("hidden", "eve"), ("align", "lab")):
            await connection.execute(
                update(sql.asset).where(sql.asset.c.name == asset).values(owner_pk=_pk(sql.principal, owner))
            )
    async with _read(own_world) as opened:
        rows = visible(sql.principal, await _viewer(opened, ANONYMOUS))
        assert await _found(opened, rows, sql.principal.c.name) == {("sam",)}


async def test_what_is_archived_or_withdrawn_does_not_exist_for_its_editors(own_world: World) -> None:
    async with _written(own_world) as connection:
        for asset in ("junk", "kept"):
            row = {"asset_pk": _pk(sql.asset, asset), "principal_pk": _pk(sql.principal, "eve")}
            await connection.execute(insert(sql.grant).values(row | {"access": AssetAccess.EDITOR}))
    async with _read(own_world) as opened:
        found = await _found(opened, visible(sql.asset, await _viewer(opened, "eve")), sql.asset.c.name)
        assert found.isdisjoint({("junk",), ("kept",)})


def _pk(of: Table, external_id: str) -> Any:
    return select(of.c.pk).where(of.c.external_id == external_id).scalar_subquery()


CHANGES = """
# what      action           subject    touched       least  access of ada  exists for
made        CREATED          members    -             0      0              ada,olu,mei,lou,sam,eve
of_both     ASSETS_ADDED     members    align,hidden  0      0              ada,olu,mei,lou,sam,eve
of_hidden   ASSETS_REMOVED   members    hidden        0      0              ada,olu
of_lab      ASSETS_MOVED     members    genomes       0      0              ada,olu,mei
merged      MERGED           members    -             0      0              ada,olu,mei,lou,sam,eve
reordered   REORDERED        members    align         0      0              ada
of_open     UPDATED          open       -             0      0              ada,olu,mei,lou,sam,eve
of_topic    UPDATED          imaging    -             0      0              ada
of_nothing  DELETED          gone       -             0      0              ada
of_what     UPDATED          gone       -             1      0              -
found       UPDATED          genomes    -             1      1              ada,olu
told        UPDATED          genomes    -             2      1              olu
viewed      UPDATED          align      -             1      2              ada,olu
as_viewer   UPDATED          align      -             2      2              ada,olu
as_owner    SHARED           align      -             4      2              ada,olu
"""


@pytest.fixture
async def changed_world(own_world: World) -> World:
    """Return a world whose log contains only the changes above, each with its name as the request id."""
    async with _written(own_world) as connection:
        await connection.execute(sql.change_asset.delete())
        await connection.execute(sql.change.delete())
        rows = [
            *await connection.execute(select(sql.asset.c.name, sql.asset.c.id, sql.asset.c.pk)),
            *await connection.execute(select(sql.collection.c.slug, sql.collection.c.id, sql.collection.c.pk)),
            *await connection.execute(select(sql.topic.c.slug, sql.topic.c.id, sql.topic.c.pk)),
        ]
        ids, pks = {row[0]: row.id for row in rows}, {row[0]: row.pk for row in rows}
        for pk, (what, action, subject, touched, least, *_) in enumerate(parse_table(CHANGES), 1):
            row = {"pk": pk, "id": what, "revision": pk, "at": pk, "fields": [], "request_id": what}
            row |= {"action": action, "subject_id": ids.get(subject, subject), "least_access": int(least)}
            await connection.execute(insert(sql.change).values(row))
            for asset in () if touched == "-" else touched.split(","):
                await connection.execute(insert(sql.change_asset).values(change_pk=pk, asset_pk=pks[asset]))
    return own_world


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_change_exists_where_its_subject_does_and_something_that_it_touched(
    changed_world: World, who: str
) -> None:
    async with _read(changed_world) as opened:
        rows = visible(sql.change, await _viewer(opened, who))
        found = {row.id: row.subject_access for row in await opened.rows(rows)}
    expected = {what: int(access) for what, *_, access, seen_by in parse_table(CHANGES) if who in seen_by.split(",")}
    of_assets = {"found", "told", "viewed", "as_viewer", "as_owner"}
    owned = dict.fromkeys(of_assets, AssetAccess.OWNER.value)
    assert found == (expected if who == "ada" else {what: owned.get(what, 0) for what in expected})


async def test_while_sharing_is_off_changes_of_public_collections_exist_for_administrators_alone(
    changed_world: World,
) -> None:
    seen = {}
    async with _read(changed_world) as opened:
        for who in ("ada", "eve"):
            viewer = replace(await _viewer(opened, who), public_sharing=False)
            seen[who] = {what for (what,) in await _found(opened, visible(sql.change, viewer), sql.change.c.id)}
    assert "of_open" in seen["ada"]
    assert seen["eve"] == {"made", "of_both", "merged"}


@pytest.fixture
async def busy_world(changed_world: World) -> World:
    """Return a world in which olu and eve each started a job with one item."""
    async with _written(changed_world) as connection:
        for pk, who in enumerate(("olu", "eve"), 1):
            row = {"pk": pk, "id": who, "kind": "ASSETS_ADD", "status": "QUEUED", "request_id": who, "user_errors": []}
            row |= {"user_pk": _pk(sql.principal, who), "total": 1, "created_at": 1}
            row |= {"done": 0, "is_cancelled": False, "leased_until": 0}
            await connection.execute(insert(sql.job).values(row))
            await connection.execute(insert(sql.job_item).values(job_pk=pk, place=0, asset_id=f"of {who}"))
    return changed_world


@pytest.mark.parametrize("who", VIEWERS)
async def test_a_job_and_its_items_exist_for_whoever_started_it(busy_world: World, who: str) -> None:
    expected = {who} & {"olu", "eve"}
    async with _read(busy_world) as opened:
        viewer = await _viewer(opened, who)
        assert await _found(opened, visible(sql.job, viewer), sql.job.c.id) == {(name,) for name in expected}
        items = await _found(opened, visible(sql.job_item, viewer), sql.job_item.c.asset_id)
        assert items == {(f"of {name}",) for name in expected}


SOURCES = (
    *(sql.asset, sql.collection, sql.topic, sql.principal, sql.membership, sql.asset_use, sql.grant),
    *(sql.change, sql.job, sql.job_item),
)


@pytest.mark.parametrize("who", VIEWERS)
async def test_what_else_a_read_is_joined_to_shows_and_hides_nothing(busy_world: World, who: str) -> None:
    """A subquery that correlates with the joined table by mistake would search only one of its rows."""
    async with _read(busy_world) as opened:
        viewer = await _viewer(opened, who)
        for source in SOURCES:
            rows, key = visible(source, viewer), source.primary_key.columns
            alone = await _found(opened, rows, *key)
            for other in {*SOURCES} - {*iterate(rows.get_final_froms()[0])}:
                assert await _found(opened, rows.join(other, true()), *key) == alone, f"{source} with {other}"
