"""The visibility index has the rows that `visible` selects, after any history of the database."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from random import Random

import pytest
from sqlalchemy import text, update

from permissions import visibility_index
from permissions.index_rows import read_all, read_changed
from permissions.viewer import Viewer, anonymous_viewer, viewer_by_external_id
from permissions.visibility_index import VisibilityIndex
from proofs.databases import Databases
from proofs.interference.case import Case, Step
from proofs.interference.hidden_changes import HiddenChanges, WorldChange
from proofs.interference.operations import OperationGenerator
from proofs.interference.served_world import ServedWorld
from proofs.interference.trial import PERMISSIONS, apply_change, create_world, read_vocabulary
from proofs.interference.world import USERS, VIEWERS, initial_statements, random_catalogue
from proofs.model_reader import read_model
from store import sql
from store.catalogue.importer import import_catalogue
from store.catalogue.parsed import InvalidCatalogueError
from store.database import Database
from store.row_versions import fetch_version
from tests.conftest import MEMBERS, World, write_lines
from tests.index_comparison import Follower, indexed_contents, selected_contents, viewers
from tests.test_interference import pytestmark
from tests.test_row_versions import NEW_ASSET, execute, names

NEW_SEED = secrets.randbelow(1_000_000)
STEPS = 30
__all__ = ["pytestmark"]  # the filters of warnings apply to this file, too

SHARE = "UPDATE deployment SET public_sharing = NOT public_sharing"
JOIN = """INSERT INTO group_member (group_pk, user_pk) SELECT g.pk, u.pk FROM principal g, principal u
    WHERE g.external_id = '{group}' AND u.external_id = '{user}' ON CONFLICT DO NOTHING"""
LEAVE = """DELETE FROM group_member WHERE group_pk = (SELECT pk FROM principal WHERE external_id = '{group}')
    AND user_pk = (SELECT pk FROM principal WHERE external_id = '{user}')"""
REDO_MEMBERS = "UPDATE membership SET rank = -rank WHERE collection_pk % 2 = {odd}"
STATUS = "UPDATE asset SET status = '{status}' WHERE pk % 3 = {third}"


class History:
    """Random history of a world."""

    def __init__(self, random: Random, world: ServedWorld, databases: Databases) -> None:
        """Take the source of randomness and the world."""
        self._random, self._world, self._databases = random, world, databases
        self.kinds = Counter[str]()

    async def step(self, number: int) -> str:
        """Change the world; return the kind of the change."""
        kind = self._random.choice(("mutation",) * 5 + ("change",) * 8 + ("statement",) * 3)
        if number % 20 == 7:  # seldom, because it takes long
            kind = "import"
        change = await self._draw(kind, number)
        if change is None:
            await self._import(number)
        else:
            kind = change.name
            await apply_change(self._world, Step(number, change))
        self.kinds[kind] += 1
        return kind

    async def _draw(self, kind: str, number: int) -> WorldChange | None:
        random = self._random
        if kind == "import":
            return None
        if kind == "statement":
            group, user = random.choice(("lab", "team")), random.choice(USERS)
            texts = {"sharing": SHARE, "joined": JOIN, "left": LEAVE, "ranks": REDO_MEMBERS, "status": STATUS}
            name = random.choice(list(texts))
            status = random.choice(("ARCHIVED", "WITHDRAWN", "RELEASED"))
            values = {"group": group, "user": user, "odd": random.randrange(2), "third": random.randrange(3)}
            return WorldChange(name, [texts[name].format(**values, status=status)])
        model = await read_model(self._world.database)
        words = await read_vocabulary(self._world, model, ())
        if kind == "mutation":
            who = random.choice((USERS[0], *USERS))
            mutation = OperationGenerator(random, words, PERMISSIONS[who]).mutation()
            return WorldChange(mutation.selections[0].name, who=who, operation=mutation)
        return HiddenChanges(random, model, random.choice(VIEWERS), words, number).draw()

    async def _import(self, number: int) -> None:
        lines = [dict(line) for line in random_catalogue(self._random)]
        path = write_lines(self._databases.folder / f"import{number}.jsonl", lines)
        with suppress(InvalidCatalogueError):  # it may contradict what the mutations left
            await import_catalogue(self._world.database, path, "history", lambda _bytes: None)


@pytest.mark.parametrize("seed", [1, NEW_SEED], ids=["known", "new"])
async def test_an_index_that_follows_a_random_history_equals_visible(databases: Databases, seed: int) -> None:
    random = Random(seed)
    lines = random_catalogue(random)
    world = await create_world(databases, Case(lines, initial_statements(random, lines), USERS[0]))
    history, follower = History(random, world, databases), Follower(world.database)
    try:
        await follower.compare(f"seed {seed}")
        for number in range(STEPS):
            kind = await history.step(number)
            await follower.compare(f"seed {seed}, step {number}, {kind}", both_settings=number % 5 == 0)
        await follower.compare(f"seed {seed}, at the end")
        assert follower.steps > STEPS // 6, f"seed {seed}: {history.kinds}"
    finally:
        await world.close()
        databases.drop(world.url)


@pytest.fixture
async def database(own_world: World) -> AsyncIterator[Database]:
    """Return a copy of the world."""
    world = Database(own_world.url)
    yield world
    await world.close()


DELETE_LENS = (
    "DELETE FROM asset_use WHERE asset_pk = :lens OR uses_pk = :lens",
    "DELETE FROM asset_tag WHERE asset_pk = :lens",
    "DELETE FROM membership WHERE asset_pk = :lens",
    "DELETE FROM access_grant WHERE asset_pk = :lens",
    "DELETE FROM change_asset WHERE asset_pk = :lens",
    "DELETE FROM asset WHERE pk = :lens",
)
DELETE_DEEP_AND_BARE = (
    "DELETE FROM membership WHERE collection_pk IN (:deep, :bare)",
    "DELETE FROM collection WHERE pk IN (:deep, :bare)",
)
MOVE_GRANT = "UPDATE access_grant SET asset_pk = :hidden WHERE asset_pk = :blast AND principal_pk = :everyone"
MOVE_MEMBER = "UPDATE membership SET collection_pk = :bare WHERE asset_pk = :blast AND collection_pk = :open"
WRITES: dict[str, str | Sequence[str]] = {
    "an asset is archived": "UPDATE asset SET status = 'ARCHIVED' WHERE pk = :align",
    "an asset is withdrawn": "UPDATE asset SET status = 'WITHDRAWN' WHERE pk = :lens",
    "an archived asset is released": "UPDATE asset SET status = 'RELEASED' WHERE pk IN (:junk, :kept)",
    "an asset has another kind": "UPDATE asset SET kind = 'MODEL' WHERE pk = :blast",
    "an asset is a gold standard": "UPDATE asset SET is_gold = 1 WHERE pk = :genomes",
    "an asset has another id": "UPDATE asset SET id = 'ast_other' WHERE pk = :align",
    "an asset is deleted": DELETE_LENS,
    "a grant is higher": "UPDATE access_grant SET access = 4 WHERE asset_pk = :count",
    "a grant is revoked": "DELETE FROM access_grant WHERE asset_pk = :align",
    "a grant is of another asset": MOVE_GRANT,
    "assets have another order": "UPDATE membership SET rank = -rank",
    "an asset is removed everywhere": "DELETE FROM membership WHERE asset_pk = :align",
    "an asset is moved": MOVE_MEMBER,
    "a collection is published": "UPDATE collection SET visibility = 'PUBLIC'",
    "a collection is internal": "UPDATE collection SET visibility = 'INTERNAL' WHERE pk = :open",
    "a collection has another parent": "UPDATE collection SET parent_pk = NULL WHERE pk = :deep",
    "a collection has another name": "UPDATE collection SET sort_key = 'zzz', slug = 'zzz' WHERE pk = :open",
    "collections have another order": "UPDATE collection SET rank = -rank",
    "collections are deleted": DELETE_DEEP_AND_BARE,
    "topics have another order": "UPDATE topic SET rank = -rank",
    "a topic is deleted": "DELETE FROM topic WHERE pk = :empty",
    "sharing is switched off": SHARE,
    "a member leaves a group": "DELETE FROM group_member WHERE user_pk = :mei",
    "a member becomes an administrator": "UPDATE principal SET is_admin = true WHERE pk = :eve",
    "nothing is changed": "UPDATE topic SET name = name WHERE pk = 0",
}
UNLOGGED = ("sharing is switched off", "a member leaves a group", "nothing is changed")
"""Writes of which the version does not tell: the guard reads the viewer itself."""


async def test_the_index_follows_each_write(database: Database) -> None:
    follower = Follower(database)
    await follower.compare("at first")
    for write, statements in WRITES.items():
        since = (await follower.follow()).version
        await execute(database, *([statements] if isinstance(statements, str) else statements))
        await follower.compare(write)
        assert ((await follower.follow()).version > since) == (write not in UNLOGGED), write


async def test_the_id_of_a_deleted_asset_does_not_find_another_one_with_its_pk(database: Database) -> None:
    follower = Follower(database)
    await execute(database, NEW_ASSET)
    pks = {name: pk for (_, pk), name in (await names(database)).items()}
    index = await follower.follow()
    pk = index.asset_by_id["ast_new"]
    await execute(database, "DELETE FROM asset WHERE external_id = 'new'")
    newer = NEW_ASSET.replace("'ast_new', 'new'", "'ast_newer', 'newer'")
    async with database.write() as connection:
        await connection.execute(text(newer), {"olu": pks["olu"]})
        await connection.execute(update(sql.asset).where(sql.asset.c.id == "ast_newer").values(pk=pk))
    await follower.compare("another asset has the pk of a deleted one")
    assert "ast_new" not in index.asset_by_id
    assert index.asset_by_id["ast_newer"] == pk


async def test_changes_of_more_objects_than_the_limit_are_not_read(database: Database) -> None:
    index = VisibilityIndex(await database.read(read_all))
    await execute(database, "UPDATE topic SET rank = -rank", "UPDATE asset SET doi = 'x' WHERE pk = :align")
    assert await database.read(lambda snapshot: read_changed(snapshot, index.version, 3)) is None
    rows = await database.read(lambda snapshot: read_changed(snapshot, index.version, 4))
    assert rows is not None
    assert rows.version == await database.read(fetch_version)


async def test_update_returns_the_collections_whose_visibility_changed(database: Database) -> None:
    follower = Follower(database)
    index = await follower.follow()
    slugs = {pk: row.slug for pk, row in index._collections.items()}  # noqa: SLF001 - by no other way
    expected: tuple[tuple[str, set[str]], ...] = (
        ("UPDATE collection SET visibility = 'PUBLIC', name = slug", {"inner", "members"}),
        ("DELETE FROM collection WHERE pk = :bare", {"bare"}),
        ("UPDATE collection SET rank = -rank", set()),
    )
    for statement, changed in expected:
        await execute(database, statement)
        rows = await database.read(lambda snapshot: read_changed(snapshot, index.version, 100))
        assert rows is not None
        assert {slugs[pk] for pk in index.update(rows)} == changed, statement


# Sights


async def all_viewers(database: Database) -> list[Viewer]:
    async with database.snapshot() as snapshot:
        return await viewers(snapshot)


async def test_the_sights_that_were_not_used_for_longest_are_dropped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility_index, "MAX_SIGHTS", 3)
    index, people = VisibilityIndex(await database.read(read_all)), await all_viewers(database)
    first, second, third, fourth, *_ = people
    kept = {viewer: index.sight(viewer) for viewer in (first, second, third)}
    assert index.sight(first) is kept[first]
    index.sight(fourth)  # drops the second
    assert index.sight(first) is kept[first]
    assert index.sight(third) is kept[third]
    assert index.sight(second) is not kept[second]
    assert len(index._sights) == 3  # noqa: SLF001 - the bound


async def test_sights_are_dropped_for_their_memory(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    index, people = VisibilityIndex(await database.read(read_all)), await all_viewers(database)
    monkeypatch.setattr(visibility_index, "MAX_SIGHT_BYTES", 2 * index.sight(people[0]).memory_bytes + 1_000)
    for viewer in people:
        indexed_contents(index, viewer)
        assert 1 <= len(index._sights) <= 2  # noqa: SLF001 - the bound


async def test_a_sight_larger_than_the_bound_is_used_nevertheless(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility_index, "MAX_SIGHT_BYTES", 1)
    index = VisibilityIndex(await database.read(read_all))
    async with database.snapshot() as snapshot:
        for viewer in await viewers(snapshot):
            assert indexed_contents(index, viewer) == await selected_contents(snapshot, viewer)
    assert len(index._sights) == 1  # noqa: SLF001 - the bound


async def test_viewers_of_one_kind_share_the_topics_and_collections(database: Database) -> None:
    index = VisibilityIndex(await database.read(read_all))
    async with database.snapshot() as snapshot:
        members = [await viewer_by_external_id(snapshot, name) for name in MEMBERS]
        ada, olu, mei, *_ = [member for member in members if member is not None]
        anonymous = await anonymous_viewer(snapshot)
    assert index.outline(olu) is index.outline(mei)
    assert len({id(index.outline(viewer)) for viewer in (ada, olu, anonymous)}) == 3


async def test_answers_that_depend_on_members_only_are_kept_until_a_member_changes(database: Database) -> None:
    follower = Follower(database)
    index = await follower.follow()
    (olu,) = [viewer for viewer in await all_viewers(database) if not viewer.is_admin and viewer.is_signed_in][:1]
    by_slug = index.outline(olu).collection_by_slug
    for statement, kept in (
        ("UPDATE collection SET description = 'x'", {"open", "inner", "members"}),
        ("UPDATE asset SET is_gold = 1 WHERE pk = :explore", {"open", "members"}),  # a member of `inner`
        ("UPDATE membership SET rank = -rank WHERE collection_pk = :members", {"open", "inner"}),
    ):
        for slug in ("open", "inner", "members"):
            index.sight(olu).answers(by_slug[slug])["counts"] = b"kept"
        await execute(database, statement)
        await follower.follow()
        assert {slug for slug in ("open", "inner", "members") if index.sight(olu).answers(by_slug[slug])} == kept


async def test_answers_that_are_kept_are_few_and_count_as_memory(database: Database) -> None:
    """Each query with other aliases has another answer."""
    index, (viewer, *_) = VisibilityIndex(await database.read(read_all)), await all_viewers(database)
    sight = index.sight(viewer)
    pk, *_ = index.outline(viewer).collection_ids
    before = sight.memory_bytes
    for number in range(100):
        sight.answers(pk)[number] = b"counts"
        assert sight.memory_bytes > before
    assert len(sight.answers(pk)) <= visibility_index.MAX_ANSWERS
