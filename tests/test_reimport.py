"""Re-imports: changes in the file since its last import apply; edits by people stay."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from store import sql
from store.catalogue.importer import ImportOptions, ImportResult, import_catalogue
from store.catalogue.parsed import InvalidCatalogueError
from tests.conftest import GraphQLClient, catalogue_lines, write_lines
from tests.mutations import Mutation, assert_unchanged
from tests.oracle import milliseconds

Line = dict[str, Any]
COLLECTION = "collection { slug name visibility }"
UPDATE = Mutation("collectionUpdate", COLLECTION)
DELETE = Mutation("collectionDelete", "deletedCollectionId")
CREATE = Mutation("collectionCreate", COLLECTION)
CREATE_TOPIC = Mutation("topicCreate", "topic { slug }")
UPDATE_TOPIC = Mutation("topicUpdate", "topic { slug name }")
DELETE_TOPIC = Mutation("topicDelete", "deletedTopicId")
ADD = Mutation("collectionAssetsAdd", "summary { changed }")
REMOVE = Mutation("collectionAssetsRemove", "summary { changed }")
REORDER = Mutation("collectionAssetsReorder", "collection { slug }")
AWARD = Mutation("assetGoldStandardSet", "asset { ... on AssetFields { name } }")
READ = """query($slug: String!) { collection(by: {slug: $slug}) { slug name description visibility
  topic { slug } parent { slug }
  assets { edges { addedAt addedBy { name } note node { ... on AssetFields { name } } } } } }"""


class Deployment:
    """A copy of the world, with its API and imports of files."""

    def __init__(self, ask: GraphQLClient, path: Path) -> None:
        self.ask, self._path = ask, path

    async def load(self, lines: list[Line], **options: Any) -> ImportResult:
        """Import the lines."""
        path = write_lines(self._path, lines)
        return await import_catalogue(
            self.ask.database, path, "req_test", lambda _bytes: None, ImportOptions(**options)
        )

    async def act(self, mutation: Mutation, **given: Any) -> None:
        """Run a mutation as an administrator or, of members, as their owner; it must succeed."""
        who = "olu" if mutation is ADD else "ada"
        payload = await mutation(self.ask, who, **given)
        assert payload["userErrors"] == []

    async def collection(self, slug: str) -> Any:
        """Return a collection with the slug of its topic and the names of its members; None if it does not exist."""
        found = (await self.ask("ada", READ, slug=slug))["collection"]
        if found is None:
            return None
        members = [edge["node"]["name"] for edge in found["assets"]["edges"]]
        return found | {"topic": found["topic"]["slug"], "members": members}

    async def id(self, table: Any, name: str) -> str:
        """Return the id of the object of that slug or external id."""
        key = table.c.external_id if table is sql.asset else table.c.slug
        async with self.ask.database.snapshot() as snapshot:
            [row] = await snapshot.rows(select(table.c.id).where(key == name))
        return str(row.id)

    async def collection_id(self, slug: str) -> str:
        """Return the id of a collection."""
        return await self.id(sql.collection, slug)

    async def topic_id(self, slug: str) -> str:
        """Return the id of a topic."""
        return await self.id(sql.topic, slug)

    async def asset_ids(self, *names: str) -> list[str]:
        """Return the ids of assets."""
        return [await self.id(sql.asset, name) for name in names]

    async def award_of(self, asset: str) -> str | None:
        """Return the note of an asset's award; None without one."""
        query = "query($by: AssetRef!) { asset(by: $by) { ... on AssetFields { goldStandard { note } } } }"
        award = (await self.ask("ada", query, by={"externalId": asset}))["asset"]["goldStandard"]
        return award and str(award["note"])

    async def status_of(self, asset: str) -> str:
        """Return the status of an asset."""
        query = "query($by: AssetRef!) { asset(by: $by) { ... on AssetFields { status } } }"
        return str((await self.ask("ada", query, by={"externalId": asset}))["asset"]["status"])

    async def forget(self) -> None:
        """Delete the states of all lines, as in a database of before this table."""
        async with self.ask.database.write() as connection:
            await connection.execute(delete(sql.imported_line))

    async def forget_effects(self) -> None:
        """Delete the states before changes from the log, as a version without them logged."""
        async with self.ask.database.write() as connection:
            await connection.execute(update(sql.change).values(effect=None))


@pytest.fixture
def deployment(ask_own: GraphQLClient, tmp_path: Path) -> Deployment:
    """Return a copy of the world."""
    return Deployment(ask_own, tmp_path / "catalogue.jsonl")


def changed(subject: str, /, **fields: Any) -> list[Line]:
    """Return the lines of the world, with other values in the line of that id or slug."""
    return [line | (fields if subject in {line.get("id"), line.get("slug")} else {}) for line in catalogue_lines()]


async def edit_visibility(world: Deployment) -> str:
    await world.act(UPDATE, id=await world.collection_id("open"), visibility="INTERNAL")
    return "collection open: visibility"


async def edit_name_and_slug(world: Deployment) -> str:
    await world.act(UPDATE, id=await world.collection_id("inner"), name="Renamed", slug="renamed")
    return "collection inner: slug, name"


async def edit_topic(world: Deployment) -> str:
    await world.act(UPDATE_TOPIC, id=await world.topic_id("imaging"), name="Images", slug="images", description="!")
    return "topic imaging: slug, name, description"


async def move_collection(world: Deployment) -> str:
    await world.act(UPDATE, id=await world.collection_id("bare"), topicId=await world.topic_id("empty"))
    return "collection bare: place"


async def delete_collection(world: Deployment) -> str:
    await world.act(DELETE, id=await world.collection_id("members"))
    return "collection members: deleted"


async def delete_parent(world: Deployment) -> str:
    await world.act(DELETE, id=await world.collection_id("inner"))
    return "collection inner: deleted; collection deep: place"


async def delete_topic(world: Deployment) -> str:
    await world.act(
        DELETE_TOPIC, id=await world.topic_id("imaging"), moveCollectionsTo=await world.topic_id("genomics")
    )
    return "topic imaging: deleted; collection open: place; collection inner: place; collection deep: place"


async def remove_member(world: Deployment) -> str:
    members = await world.asset_ids("align", "lens")
    await world.act(REMOVE, collectionId=await world.collection_id("open"), assetIds=members)
    return "collection open: 2 removed members"


async def add_member(world: Deployment) -> str:
    await world.act(ADD, collectionId=await world.collection_id("bare"), assetIds=await world.asset_ids("blast"))
    return ""


async def reorder_members(world: Deployment) -> str:
    members = await world.asset_ids("count", "align")
    await world.act(
        REORDER, collectionId=await world.collection_id("open"), assetIds=members, position={"atStart": True}
    )
    return ""


async def award(world: Deployment) -> str:
    await world.act(AWARD, assetId=(await world.asset_ids("blast"))[0], awarded=True, note="Good.")
    return ""


EDITS = (
    edit_visibility,
    edit_name_and_slug,
    edit_topic,
    move_collection,
    delete_collection,
    delete_parent,
    delete_topic,
    remove_member,
    add_member,
    reorder_members,
    award,
)
EDITS_OF_EXISTING = (edit_visibility, move_collection, remove_member, add_member, reorder_members, award)
"""Edits of objects that an import without states finds again: they exist, and have their slugs."""


def kept(result: ImportResult) -> str:
    return "; ".join(f"{line.kind} {line.slug}: {line.edits}" for line in result.kept)


@pytest.mark.parametrize("edit", EDITS, ids=[edit.__name__ for edit in EDITS])
async def test_the_same_file_again_changes_nothing_that_people_edited(deployment: Deployment, edit: Any) -> None:
    expected = await edit(deployment)
    async with assert_unchanged(deployment.ask):
        result = await deployment.load(catalogue_lines())
        assert (kept(result), result.has_changes) == (expected, False)


@pytest.mark.parametrize("edit", EDITS_OF_EXISTING, ids=[edit.__name__ for edit in EDITS_OF_EXISTING])
async def test_the_first_import_after_the_upgrade_changes_nothing_that_exists(
    deployment: Deployment, edit: Any
) -> None:
    await edit(deployment)
    await deployment.forget()
    before = {slug: await deployment.collection(slug) for slug in ("open", "bare", "deep")}
    result = await deployment.load(catalogue_lines())
    assert {slug: await deployment.collection(slug) for slug in before} == before
    assert not result.has_changes
    async with assert_unchanged(deployment.ask):
        await deployment.load(catalogue_lines())


async def delete_topic_and_collections(world: Deployment) -> str:
    await delete_topic(world)
    await delete_collection(world)
    await delete_parent(world)
    return "topic imaging: deleted; collection inner: deleted; collection members: deleted"


@pytest.mark.parametrize("is_old", [False, True], ids=["slugs", "names"])
async def test_the_first_import_after_the_upgrade_leaves_deleted_what_people_deleted(
    deployment: Deployment, *, is_old: bool
) -> None:
    deletions = await delete_topic_and_collections(deployment)
    await deployment.forget()
    if is_old:
        await deployment.forget_effects()
    result = await deployment.load(catalogue_lines())
    assert {*deletions.split("; ")} <= {*kept(result).split("; ")}
    assert not result.has_changes
    async with assert_unchanged(deployment.ask):
        again = await deployment.load(catalogue_lines())
        assert {*deletions.split("; ")} <= {*kept(again).split("; ")}
    new = {"kind": "collection", "name": "Mine", "topic": "empty", "visibility": "INTERNAL", "assets": []}
    result = await deployment.load(
        [*catalogue_lines(), new | {"slug": "new"}, new | {"slug": "below", "topic": "imaging"}]
    )
    assert kept(result).endswith("collection below: not created, because its topic 'imaging' is deleted")
    assert result.created == {"collection": 1}


async def test_the_first_import_creates_what_only_people_had_made_and_deleted_or_deletions_that_were_undone(
    deployment: Deployment,
) -> None:
    await deployment.act(CREATE, name="Mine", slug="mine", topicId=await deployment.topic_id("empty"))
    await deployment.act(DELETE, id=await deployment.collection_id("mine"))
    await deployment.forget()
    mine = {"kind": "collection", "slug": "mine", "name": "Mine", "topic": "empty", "visibility": "INTERNAL"}
    result = await deployment.load([*catalogue_lines(), mine | {"assets": []}])
    assert (kept(result), result.created) == ("", {"collection": 1})


async def test_a_name_that_several_lines_or_an_existing_object_have_does_not_tell_what_was_deleted(
    deployment: Deployment,
) -> None:
    await delete_collection(deployment)
    await deployment.forget()
    await deployment.forget_effects()
    new = {"kind": "collection", "slug": "again", "name": "MEMBERS", "topic": "empty", "visibility": "INTERNAL"}
    result = await deployment.load([*catalogue_lines(), new | {"assets": []}])
    assert (kept(result), result.created) == ("", {"collection": 2})
    await deployment.act(DELETE, id=await deployment.collection_id("members"))
    await deployment.forget()
    await deployment.forget_effects()
    result = await deployment.load(catalogue_lines())
    assert (kept(result), result.created) == ("", {"collection": 1})


async def test_a_file_that_changed_at_an_edited_point_applies(deployment: Deployment) -> None:
    await edit_visibility(deployment)
    await edit_name_and_slug(deployment)
    result = await deployment.load(changed("open", visibility="INTERNAL", description="New."))
    assert kept(result) == "collection inner: slug, name"
    assert (await deployment.collection("open"))["description"] == "New."
    await deployment.load(changed("open", visibility="PUBLIC", description="New."))
    assert (await deployment.collection("open"))["visibility"] == "PUBLIC"


async def test_an_entry_that_left_the_file_removes_what_the_import_added_and_no_other_member(
    deployment: Deployment,
) -> None:
    slug, ids = "open", await deployment.asset_ids("align", "blast")
    await deployment.act(REMOVE, collectionId=await deployment.collection_id(slug), assetIds=ids)
    await deployment.act(ADD, collectionId=await deployment.collection_id(slug), assetIds=ids[:1])
    result = await deployment.load(changed(slug, assets=["lens", "hidden", "kept"]))
    assert (result.memberships, result.removed_memberships) == (0, 2)
    assert (await deployment.collection(slug))["members"] == ["lens", "hidden", "kept", "align"]
    result = await deployment.load(changed(slug, assets=["lens", "hidden", "kept", "count"]))
    assert (await deployment.collection(slug))["members"] == ["lens", "hidden", "kept", "align", "count"]


async def test_a_line_with_an_id_follows_its_object_through_changed_slugs(deployment: Deployment) -> None:
    lines = changed("bare", id="c-1")
    assert not (await deployment.load(lines)).has_changes
    await deployment.act(UPDATE, id=await deployment.collection_id("bare"), slug="edited")
    lines[-1] |= {"slug": "from-file", "name": "From the file"}
    result = await deployment.load(lines)
    assert (result.created.total(), result.updated) == (0, {"collection": 1})
    assert (await deployment.collection("from-file"))["name"] == "From the file"
    assert await deployment.collection("edited") is None


async def test_an_import_matches_the_ids_of_atoll(deployment: Deployment) -> None:
    id_ = await deployment.collection_id("bare")
    lines = changed("bare", slug="other", id=id_)
    await deployment.forget()
    result = await deployment.load(lines)
    assert (result.created.total(), kept(result)) == (0, "collection other: slug")


async def test_a_new_slug_that_people_gave_to_another_object_gets_a_number(deployment: Deployment) -> None:
    await deployment.act(UPDATE, id=await deployment.collection_id("bare"), slug="new")
    new = {"kind": "collection", "slug": "new", "name": "New", "topic": "genomics", "visibility": "INTERNAL"}
    result = await deployment.load([*catalogue_lines(), new | {"assets": ["blast"]}])
    assert result.created == {"collection": 1}
    assert (await deployment.collection("new-2"))["members"] == ["blast"]
    assert not (await deployment.load([*catalogue_lines(), new | {"assets": ["blast"]}])).has_changes


async def test_new_lines_below_deleted_objects_are_left_out(deployment: Deployment) -> None:
    await delete_topic(deployment)
    new = {"kind": "collection", "name": "New", "topic": "imaging", "visibility": "INTERNAL", "assets": []}
    lines = [*catalogue_lines(), new | {"slug": "new"}, new | {"slug": "newer", "parent": "new"}]
    result = await deployment.load(lines)
    assert kept(result).endswith(
        "collection new: not created, because its topic 'imaging' is deleted;"
        " collection newer: not created, because its topic 'imaging' is deleted"
    )
    assert result.created.total() == 0
    await delete_collection(deployment)
    below = new | {"topic": "empty", "parent": "members"}
    below_new = below | {"slug": "newer", "parent": "new"}
    lines = [*changed("members", topic="empty"), below | {"slug": "new"}, below_new]
    assert kept(await deployment.load(lines)).endswith(
        "collection new: not created, because its parent 'members' is deleted;"
        " collection newer: not created, because its parent 'new' is not created"
    )


async def test_a_reference_to_a_deleted_object_without_a_line_leads_to_the_object_with_its_slug(
    deployment: Deployment,
) -> None:
    await delete_topic(deployment)
    await delete_collection(deployment)
    await deployment.act(CREATE_TOPIC, name="Mine", slug="imaging")
    mine = {"name": "Mine", "slug": "members", "topicId": await deployment.topic_id("imaging")}
    await deployment.act(CREATE, **mine)
    without_deleted = [line for line in catalogue_lines() if line["kind"] == "asset"]
    new = {"kind": "collection", "name": "New", "topic": "imaging", "visibility": "INTERNAL", "assets": []}
    lines = [*without_deleted, new | {"slug": "new"}, new | {"slug": "newer", "parent": "members"}]
    result = await deployment.load(lines)
    assert (kept(result), result.created) == ("", {"collection": 2})
    assert (await deployment.collection("new"))["topic"] == "imaging"
    assert (await deployment.collection("newer"))["parent"] == {"slug": "members"}


@pytest.mark.parametrize("has_line", [True, False], ids=["with a line", "without a line"])
async def test_a_topic_that_people_deleted_and_made_again_takes_no_collections_back(
    deployment: Deployment, *, has_line: bool
) -> None:
    await delete_topic(deployment)
    await deployment.act(CREATE_TOPIC, name="Mine", slug="imaging")
    await deployment.act(DELETE, id=await deployment.collection_id("inner"))
    mine = {"name": "Mine", "slug": "inner", "topicId": await deployment.topic_id("imaging")}
    await deployment.act(CREATE, **mine)
    dropped = set() if has_line else {"imaging", "inner"}
    lines = [line for line in catalogue_lines() if line.get("slug") not in dropped]
    for _ in range(2):
        result = await deployment.load(lines)
        assert not result.has_changes
        assert {"collection open: place", "collection deep: place"} <= {*kept(result).split("; ")}
        places = [await deployment.collection(slug) for slug in ("open", "deep")]
        assert [(each["topic"], each["parent"]) for each in places] == [
            ("genomics", None),
            ("genomics", {"slug": "open"}),
        ]
    moved = [line | ({"topic": "empty"} if line.get("slug") == "open" else {}) for line in lines]
    await deployment.load(moved)
    assert (await deployment.collection("open"))["topic"] == "empty"


async def test_a_reference_to_a_renamed_object_leads_to_it_and_not_to_the_one_that_has_its_slug_now(
    deployment: Deployment,
) -> None:
    await deployment.act(UPDATE_TOPIC, id=await deployment.topic_id("imaging"), slug="images")
    await deployment.act(CREATE_TOPIC, name="Mine", slug="imaging")
    new = {"kind": "collection", "name": "New", "topic": "imaging", "visibility": "INTERNAL", "assets": []}
    assets = [line for line in catalogue_lines() if line["kind"] == "asset"]
    await deployment.load([*assets, new | {"slug": "new"}])
    assert (await deployment.collection("new"))["topic"] == "images"


async def test_a_reference_to_a_deleted_object_whose_slug_another_line_has_is_explained(
    deployment: Deployment,
) -> None:
    await delete_topic(deployment)
    await deployment.act(UPDATE_TOPIC, id=await deployment.topic_id("empty"), slug="imaging")
    new = {"kind": "collection", "name": "New", "topic": "imaging", "visibility": "INTERNAL", "assets": []}
    result = await deployment.load([*catalogue_lines(), new | {"slug": "new"}])
    assert kept(result).endswith(
        "collection new: not created, because its topic 'imaging' is deleted,"
        " and the topic with that slug belongs to another line"
    )


async def test_a_deleted_object_that_people_made_again_is_theirs(deployment: Deployment) -> None:
    await delete_collection(deployment)
    await deployment.act(CREATE, name="Mine", slug="members", topicId=await deployment.topic_id("empty"))
    result = await deployment.load(catalogue_lines())
    assert not result.has_changes
    assert (await deployment.collection("members"))["name"] == "Mine"
    await deployment.load(changed("members", description="From the file."))
    assert (await deployment.collection("members"))["description"] == "From the file."


async def test_a_collection_that_changes_its_topic_takes_its_descendants_along(deployment: Deployment) -> None:
    lines = [line for line in catalogue_lines() if line.get("slug") not in {"inner", "deep"}]
    next(line for line in lines if line.get("slug") == "open")["topic"] = "empty"
    result = await deployment.load(lines)
    assert result.updated["collection"] == 3
    assert [(await deployment.collection(slug))["topic"] for slug in ("open", "inner", "deep")] == ["empty"] * 3


async def test_awards_follow_the_file_unless_people_changed_them(deployment: Deployment) -> None:
    given = {"awardedAt": "2026-01-01T00:00:00Z", "note": "Good."}
    await deployment.load(changed("blast", goldStandard=given))
    assert await deployment.award_of("blast") == "Good."
    await deployment.act(AWARD, assetId=(await deployment.asset_ids("blast"))[0], awarded=False)
    result = await deployment.load(changed("blast", goldStandard=given))
    assert (kept(result), await deployment.award_of("blast")) == ("asset blast: goldStandard", None)
    await deployment.load(changed("blast", goldStandard=given | {"note": "Better."}))
    assert await deployment.award_of("blast") == "Better."
    result = await deployment.load(catalogue_lines())
    assert (result.updated, await deployment.award_of("blast")) == ({"CAPSULE": 1}, None)


async def test_notes_and_dates_of_members_follow_the_file(deployment: Deployment) -> None:
    member = {"id": "blast", "note": "First.", "addedAt": "2020-01-01T00:00:00Z", "addedBy": "sam"}
    await deployment.load(changed("bare", assets=[member]))
    [edge] = (await deployment.collection("bare"))["assets"]["edges"]
    assert (edge["note"], edge["addedAt"], edge["addedBy"]) == ("First.", "2020-01-01T00:00:00.000Z", {"name": "sam"})
    await deployment.load(changed("bare", assets=[member | {"note": "Second."}]))
    [edge] = (await deployment.collection("bare"))["assets"]["edges"]
    assert (edge["note"], edge["addedAt"]) == ("Second.", "2020-01-01T00:00:00.000Z")
    result = await deployment.load(changed("bare", assets=[]))
    assert result.removed_memberships == 1


async def test_a_conflict_of_an_edit_with_the_file_is_reported_and_nothing_is_written(deployment: Deployment) -> None:
    await deployment.act(UPDATE, id=await deployment.collection_id("bare"), name="New")
    new = {"kind": "collection", "slug": "new", "name": "New", "topic": "genomics", "visibility": "INTERNAL"}
    with pytest.raises(InvalidCatalogueError) as error:
        await deployment.load([*catalogue_lines(), new | {"assets": []}])
    number = len(catalogue_lines())
    assert [str(problem) for problem in error.value.problems] == [
        f"Line {number + 1}: name 'New' is already used by the sibling collection on line {number} (case is ignored)."
    ]


async def test_pruning_withdraws_what_no_source_has_any_more(deployment: Deployment) -> None:
    lines = catalogue_lines()
    rest = [
        line | ({"assets": [id_ for id_ in line["assets"] if id_ != "blast"]} if line["kind"] == "collection" else {})
        for line in lines
        if line.get("id") != "blast"
    ]
    pruning = {"prunes": True, "may_prune_many": True}
    await deployment.load(lines, source="other")
    assert (await deployment.load(rest, **pruning)).withdrawn == 0
    assert (await deployment.load(rest, **pruning, source="other")).withdrawn == 1
    assert await deployment.status_of("blast") == "WITHDRAWN"
    async with assert_unchanged(deployment.ask):
        assert (await deployment.load(rest, **pruning, source="other")).withdrawn == 0
    await deployment.load(lines)
    assert await deployment.status_of("blast") == "RELEASED"


async def test_a_missing_line_changes_nothing(deployment: Deployment) -> None:
    people = [line for line in catalogue_lines() if line["kind"] == "user"]
    async with assert_unchanged(deployment.ask):
        await deployment.load(people)


async def test_times_in_the_future_are_ignored(deployment: Deployment) -> None:
    lines = changed("blast", name="Blast", updatedAt="2999-01-01T00:00:00Z")
    result = await deployment.load(lines)
    assert result.future_ids == ["blast"]
    async with deployment.ask.database.snapshot() as snapshot:
        [row] = await snapshot.rows(select(func.max(sql.asset.c.updated_at).label("newest")))
    assert row.newest < milliseconds("2100-01-01T00:00:00Z")
    async with assert_unchanged(deployment.ask):
        assert (await deployment.load(lines)).future_ids == ["blast"]


async def test_times_of_members_in_the_future_are_ignored(deployment: Deployment) -> None:
    member = {"id": "blast", "addedAt": "2999-01-01T00:00:00Z"}
    lines = changed("bare", assets=[member])
    assert (await deployment.load(lines)).future_ids == ["blast in bare"]
    [edge] = (await deployment.collection("bare"))["assets"]["edges"]
    added_at = edge["addedAt"]
    assert added_at < "2100"
    async with assert_unchanged(deployment.ask):
        assert (await deployment.load(lines)).future_ids == ["blast in bare"]
    await deployment.load(changed("bare", assets=[member | {"note": "New."}]))
    [edge] = (await deployment.collection("bare"))["assets"]["edges"]
    assert (edge["addedAt"], edge["note"]) == (added_at, "New.")
    assert (await deployment.load(changed("bare", assets=[]))).removed_memberships == 1


async def test_an_import_logs_each_changed_field(deployment: Deployment) -> None:
    topic = await deployment.topic_id("empty")
    imaging = await deployment.topic_id("imaging")
    lines = changed("open", visibility="INTERNAL", topic="empty", name="Opened")
    lines = [line | ({"topic": "empty"} if line.get("slug") in {"inner", "deep"} else {}) for line in lines]
    await deployment.load(lines, person="root")
    async with deployment.ask.database.snapshot() as snapshot:
        revision = select(sql.deployment.c.revision).scalar_subquery()
        rows = await snapshot.rows(select(sql.change).where(sql.change.c.revision == revision))
    moved = {"field": "topic", "before": imaging, "after": topic}
    assert {row.origin for row in rows} == {"import of catalogue.jsonl by root"}
    assert [(row.action, row.subject_id, row.fields) for row in rows] == [
        (
            "UPDATED",
            await deployment.collection_id("open"),
            [
                {"field": "name", "before": "open", "after": "Opened"},
                {"field": "visibility", "before": "PUBLIC", "after": "INTERNAL"},
                moved,
            ],
        ),
        ("UPDATED", await deployment.collection_id("inner"), [moved]),
        ("UPDATED", await deployment.collection_id("deep"), [moved]),
    ]
