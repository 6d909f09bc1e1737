"""This file is `visible` by itself, table by table: each wall holds without the others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import FromClause, Select

from permissions.viewer import Viewer, anonymous, member
from permissions.visible import at_least, used, visible
from store import sql
from store.database import Database, Snapshot
from store.tables import AssetAccess
from tests.conftest import ANONYMOUS, EVERYBODY, World


@pytest.fixture
async def snapshot(world: World) -> AsyncIterator[Snapshot]:
    database = Database(world.url)
    async with database.snapshot() as opened:
        yield opened
    await database.close()


async def _viewer(snapshot: Snapshot, who: str) -> Viewer:
    viewer = await anonymous(snapshot) if who == ANONYMOUS else await member(snapshot, who)
    assert viewer is not None
    return viewer


async def _found(snapshot: Snapshot, rows: Select[Any], *columns: Any) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await snapshot.rows(rows.with_only_columns(*columns, maintain_column_froms=True))}


# Every use of the world, and who sees it: both ends exist for them, and they may view the one that uses.
USES = {
    ("count", "hidden"): {"olu"},
    ("count", "align"): {"olu", "mei"},
    ("explore", "count"): {"ada", "olu", "mei", "lou", "sam", "eve"},
    ("explore", "align"): {"ada", "olu", "mei", "lou", "sam", "eve"},
    ("kept", "genomes"): {"ada", "olu"},  # lou owns kept and cannot see genomes; mei the reverse
    ("lens", "images"): {"ada", "olu", "mei", "lou"},
    ("lens", "align"): set(EVERYBODY),
}


@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_use_exists_where_both_ends_do_and_the_one_that_uses_may_be_viewed(
    snapshot: Snapshot, who: str
) -> None:
    rows = visible(sql.asset_use, await _viewer(snapshot, who))
    found = await _found(snapshot, rows, sql.asset.c.name, used.c.name)
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


@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_membership_exists_where_both_its_ends_do(snapshot: Snapshot, who: str) -> None:
    rows = visible(sql.membership, await _viewer(snapshot, who))
    found = await _found(snapshot, rows, sql.collection.c.slug, sql.asset.c.name)
    if who == ANONYMOUS:
        assert found == {("open", "lens"), ("open", "align"), ("deep", "lens")}
        return
    unseen = UNSEEN.get(who, set())
    assert found == {(slug, name) for slug, names in MEMBERSHIPS.items() for name in names - unseen}


OWNED = {
    "olu": {"align", "blast", "count", "draft", "explore", "genomes", "hidden", "images", "junk", "kept"},
    "lou": {"images", "kept"},
    "sam": {"lens"},
}


@pytest.mark.parametrize("who", EVERYBODY)
async def test_grants_exist_for_owners_alone(snapshot: Snapshot, who: str) -> None:
    rows = visible(sql.grant, await _viewer(snapshot, who))
    assert {name for (name,) in await _found(snapshot, rows, sql.asset.c.name)} == OWNED.get(who, set())


@pytest.mark.parametrize("who", EVERYBODY)
async def test_assets_can_be_narrowed_to_a_least_access(snapshot: Snapshot, who: str) -> None:
    viewer = await _viewer(snapshot, who)
    rows = at_least(visible(sql.asset, viewer), sql.asset, viewer, AssetAccess.OWNER)
    assert {name for (name,) in await _found(snapshot, rows, sql.asset.c.name)} == OWNED.get(who, set())


@pytest.mark.parametrize("source", [sql.asset, sql.collection, sql.topic, sql.principal])
@pytest.mark.parametrize("who", EVERYBODY)
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
