"""Mutations of collections: effects, permissions, rules, retries and changes."""

from typing import Any

import pytest
from sqlalchemy import func, select

from store import sql
from tests.conftest import ANONYMOUS, GraphQLClient, set_public_sharing
from tests.db_snapshot import db_snapshot
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code

COLLECTION = "collection { slug name description visibility version topic { slug } parent { slug } }"
CREATE = Mutation("collectionCreate", COLLECTION)
UPDATE = Mutation("collectionUpdate", COLLECTION)
REORDER = Mutation("collectionReorder", "collection { slug version }")
DELETE = Mutation("collectionDelete", "deletedCollectionId topic { slug collections { nodes { slug } } }")
ALL = (CREATE, UPDATE, REORDER, DELETE)
UNKNOWN = "col_" + "0" * 24
LIMITED = "collection { slug } limited: userErrors { ... on LimitError { limit } }"
TREE = "{ topics { nodes { slug collections { nodes { slug ancestors { slug } } } } } }"


class Ids(dict[str, str]):
    """Ids of topics and collections by slug."""

    def __missing__(self, slug: str) -> str:
        """Return a value that is not a slug unchanged."""
        return slug

    def of(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the input with the id in place of each `@slug`."""
        return {name: self._value(value) for name, value in given.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self.of(value)
        return self[value[1:]] if isinstance(value, str) and value.startswith("@") else value


async def ids(ask: GraphQLClient) -> Ids:
    found = await ask("ada", "{ topics { nodes { slug id } } collections { nodes { slug id } } }")
    return Ids((node["slug"], node["id"]) for kind in found.values() for node in kind["nodes"])


async def tree(ask: GraphQLClient, who: str = "eve") -> dict[str, list[str]]:
    """Return the collections of each topic in order, as paths of slugs."""
    return {
        topic["slug"]: [
            "/".join([*(above["slug"] for above in node["ancestors"]), node["slug"]])
            for node in topic["collections"]["nodes"]
        ]
        for topic in (await ask(who, TREE))["topics"]["nodes"]
    }


async def logged(ask: GraphQLClient, id_: Ids) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the changes of the last write: action, subject, and each field with its value before and after.

    Slugs replace ids.
    """
    slugs = {of: slug for slug, of in (id_ | await ids(ask)).items()}
    change = sql.change
    last = select(func.max(change.c.revision)).scalar_subquery()
    async with ask.database.snapshot() as snapshot:
        rows = await snapshot.rows(select(change).where(change.c.revision == last).order_by(change.c.pk))
    return [
        (
            row.action,
            slugs[row.subject_id],
            {
                each["field"]: tuple(slugs.get(each[side], each[side]) for side in ("before", "after"))
                for each in row.fields
            },
        )
        for row in rows
    ]


async def versions(ask: GraphQLClient) -> dict[str, int]:
    """Return the version of each changed collection, by slug."""
    nodes = (await ask("ada", "{ collections { nodes { slug version } } }"))["collections"]["nodes"]
    return {node["slug"]: node["version"] for node in nodes if node["version"] > 1}


async def test_a_new_collection_comes_last_in_its_topic(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"topicId": id_["imaging"], "name": "  Große Bilder  ", "description": "# Bigger\n"}
    assert await CREATE(ask_own, "ada", **given) == {
        "collection": {
            "slug": "grosse-bilder",
            "name": "Große Bilder",
            "description": "# Bigger",
            "visibility": "INTERNAL",
            "version": 1,
            "topic": {"slug": "imaging"},
            "parent": None,
        },
        "userErrors": [],
    }
    assert (await tree(ask_own))["imaging"] == ["open", "open/inner", "open/inner/deep", "grosse-bilder"]
    assert (await tree(ask_own, ANONYMOUS))["imaging"] == ["open", "deep"]
    assert await logged(ask_own, id_) == [
        (
            "CREATED",
            "grosse-bilder",
            {
                "name": (None, "Große Bilder"),
                "slug": (None, "grosse-bilder"),
                "description": (None, "# Bigger"),
                "visibility": (None, "INTERNAL"),
                "topic": (None, "imaging"),
            },
        )
    ]
    made = await ask_own("eve", '{ collection(by: {slug: "grosse-bilder"}) { createdBy { name } } }')
    assert made["collection"]["createdBy"] == {"name": "ada"}


async def test_a_new_public_collection_is_visible_to_anyone_while_sharing_is_on(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await CREATE(ask_own, "ada", topicId=id_["empty"], name="News", visibility="PUBLIC")
    assert (await tree(ask_own, ANONYMOUS))["empty"] == ["news"]
    await set_public_sharing(ask_own.database, is_on=False)
    assert await tree(ask_own, ANONYMOUS) == {}
    assert (await tree(ask_own))["empty"] == []
    assert (await tree(ask_own, "ada"))["empty"] == ["news"]


async def test_a_new_child_collection_has_its_parent(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    made = await CREATE(ask_own, "ada", topicId=id_["imaging"], parentId=id_["open"], name="Last")
    assert made["collection"]["parent"] == {"slug": "open"}
    assert (await tree(ask_own))["imaging"] == ["open", "open/inner", "open/inner/deep", "open/last"]
    ((_, _, fields),) = await logged(ask_own, id_)
    assert (fields["topic"], fields["parent"]) == ((None, "imaging"), (None, "open"))


@pytest.mark.parametrize(
    ("parent", "position", "expected"),
    [
        (None, {"atStart": True}, ["new", "open", "open/inner", "open/inner/deep", "b"]),
        (None, {"afterId": "@open"}, ["open", "open/inner", "open/inner/deep", "new", "b"]),
        (None, {"beforeId": "@b"}, ["open", "open/inner", "open/inner/deep", "new", "b"]),
        (None, {"afterId": "@b"}, ["open", "open/inner", "open/inner/deep", "b", "new"]),
        (None, {"atEnd": True}, ["open", "open/inner", "open/inner/deep", "b", "new"]),
        ("@open", {"beforeId": "@inner"}, ["open", "open/new", "open/inner", "open/inner/deep", "b"]),
        ("@open", {"afterId": "@inner"}, ["open", "open/inner", "open/inner/deep", "open/new", "b"]),
        ("@open", {"atStart": True}, ["open", "open/new", "open/inner", "open/inner/deep", "b"]),
        ("@open", None, ["open", "open/inner", "open/inner/deep", "open/new", "b"]),
        ("@deep", {"atStart": True}, ["open", "open/inner", "open/inner/deep", "open/inner/deep/new", "b"]),
        ("@deep", {"atEnd": True}, ["open", "open/inner", "open/inner/deep", "open/inner/deep/new", "b"]),
    ],
)
async def test_a_collection_is_created_at_the_requested_position(
    ask_own: GraphQLClient, parent: str | None, position: dict[str, Any] | None, expected: list[str]
) -> None:
    id_ = await ids(ask_own)
    await CREATE(ask_own, "ada", topicId=id_["imaging"], name="b")
    id_ = await ids(ask_own)
    given = id_.of({"topicId": "@imaging", "parentId": parent, "name": "new", "position": position})
    assert (await CREATE(ask_own, "ada", **given))["userErrors"] == []
    assert (await tree(ask_own))["imaging"] == expected


async def test_ranks_between_two_collections_never_run_out(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    for number in range(22):
        given = {"topicId": id_["genomics"], "name": f"n{number}", "position": {"afterId": id_["members"]}}
        assert (await CREATE(ask_own, "ada", **given))["userErrors"] == []
    expected = ["members", *(f"n{number}" for number in reversed(range(22))), "bare"]
    assert (await tree(ask_own))["genomics"] == expected[:20]


@pytest.mark.parametrize(
    ("given", "code", "path", "message"),
    [
        ({"name": " "}, "REQUIRED", ["name"], "The name must not be empty."),
        ({"name": "x" * 201}, "TOO_LONG", ["name"], "The name is 201 characters long; at most 200 are allowed."),
        (
            {"name": "x", "description": "x" * 20_001},
            "TOO_LONG",
            ["description"],
            "The description is 20,001 characters long; at most 20,000 are allowed.",
        ),
        ({"name": "OPEN"}, "TAKEN", ["name"], 'A sibling collection named "open" already exists.'),
        (
            {"name": "Inner ", "parentId": "@open"},
            "TAKEN",
            ["name"],
            'A sibling collection named "inner" already exists.',
        ),
        ({"name": "x", "slug": "Members"}, "TAKEN", ["slug"], 'A collection with the slug "members" already exists.'),
        (
            {"name": "x", "slug": "a b"},
            "INVALID",
            ["slug"],
            'Invalid slug "a b". Use letters a-z, digits and hyphens, and do not start with a hyphen.',
        ),
        ({"name": "x", "topicId": UNKNOWN}, "NOT_FOUND", ["topicId"], "There is no such topic."),
        ({"name": "x", "topicId": "@open"}, "NOT_FOUND", ["topicId"], "There is no such topic."),
        ({"name": "x", "parentId": UNKNOWN}, "NOT_FOUND", ["parentId"], "There is no such collection."),
        ({"name": "x", "parentId": ""}, "NOT_FOUND", ["parentId"], "There is no such collection."),
        (
            {"name": "x", "parentId": "@bare"},
            "INVALID",
            ["parentId"],
            "The parent is in another topic. Omit topicId, or choose a parent in this topic.",
        ),
        (
            {"name": "x", "position": {"afterId": UNKNOWN}},
            "NOT_FOUND",
            ["position", "afterId"],
            "There is no such collection.",
        ),
        (
            {"name": "x", "position": {"beforeId": "@inner"}},
            "INVALID",
            ["position", "beforeId"],
            "The neighbour has another topic or parent. Choose a sibling, or an end.",
        ),
        (
            {"name": "x", "position": {"afterId": "@bare"}},
            "INVALID",
            ["position", "afterId"],
            "The neighbour has another topic or parent. Choose a sibling, or an end.",
        ),
        ({"name": "x", "position": {"atEnd": False}}, "INVALID", ["position", "atEnd"], "atEnd must be true."),
    ],
)
async def test_an_invalid_collection_reports_the_field(
    ask_own: GraphQLClient, given: dict[str, Any], code: str, path: list[str], message: str
) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await CREATE(ask_own, "ada", **id_.of({"topicId": "@imaging"} | given))
        assert answer["collection"] is None
        assert answer["userErrors"] == [{"code": code, "path": ["input", *path], "message": message}]


async def test_all_errors_are_reported_together(ask_own: GraphQLClient) -> None:
    given = {"topicId": "?", "parentId": "?", "name": "", "slug": "-", "description": "a\u0001x"}
    answer = await CREATE(ask_own, "ada", **given)
    assert [error["path"][-1] for error in answer["userErrors"]] == [
        "name",
        "description",
        "slug",
        "topicId",
        "parentId",
    ]


async def test_names_are_unique_among_siblings_and_each_gets_a_slug(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    made = [
        await CREATE(ask_own, "ada", topicId=id_["genomics"], name="Open"),
        await CREATE(ask_own, "ada", topicId=id_["imaging"], parentId=id_["inner"], name="open"),
        await CREATE(ask_own, "ada", topicId=id_["empty"], name="Open?", slug="open-4"),
        await CREATE(ask_own, "ada", topicId=id_["empty"], name="Open!"),
        await CREATE(ask_own, "ada", topicId=id_["empty"], name="OPEN"),
        await CREATE(ask_own, "ada", topicId=id_["empty"], name="Opening"),
        await CREATE(ask_own, "ada", topicId=id_["empty"], name="開く"),
    ]
    assert [each["collection"]["slug"] for each in made] == [
        "open-2",
        "open-3",
        "open-4",
        "open-5",
        "open-6",
        "opening",
        "kaiku",
    ]


async def _chain(ask: GraphQLClient, topic: str, parent: str | None, *names: str) -> Ids:
    """Create a chain of nested collections."""
    id_ = await ids(ask)
    for name in names:
        made = await CREATE(ask, "ada", topicId=id_[topic], parentId=parent and id_[parent], name=name)
        assert made["userErrors"] == []
        id_, parent = await ids(ask), name
    return id_


async def test_collections_nest_at_most_five_levels_deep(ask_own: GraphQLClient) -> None:
    id_ = await _chain(ask_own, "imaging", "deep", "four", "five")
    async with assert_unchanged(ask_own):
        create = Mutation("collectionCreate", LIMITED)
        answer = await create(ask_own, "ada", topicId=id_["imaging"], parentId=id_["five"], name="six")
        assert error_paths(answer) == [("LIMIT_EXCEEDED", ["parentId"])]
        assert answer["limited"] == [{"limit": 5}]
        message = answer["userErrors"][0]["message"]
        assert message == "Collections nest at most 5 levels deep, not 6. Choose a higher parent."


async def test_a_move_counts_the_levels_of_descendants(ask_own: GraphQLClient) -> None:
    id_ = await _chain(ask_own, "genomics", "members", "two", "three")
    async with assert_unchanged(ask_own):
        moving = Mutation("collectionUpdate", LIMITED)
        answer = await moving(ask_own, "ada", id=id_["open"], parentId=id_["three"])
        assert error_paths(answer) == [("LIMIT_EXCEEDED", ["parentId"])]
        assert answer["limited"] == [{"limit": 5}]
    assert (await UPDATE(ask_own, "ada", id=id_["open"], parentId=id_["two"]))["userErrors"] == []
    assert (await tree(ask_own))["genomics"] == [
        "members",
        "members/two",
        "members/two/three",
        "members/two/open",
        "members/two/open/inner",
        "members/two/open/inner/deep",
        "bare",
    ]


async def test_omitted_fields_are_kept_and_null_is_rejected(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"name": "Inner!", "slug": "Inside", "description": "New.", "visibility": "PUBLIC"}
    assert (await UPDATE(ask_own, "ada", id=id_["inner"], **given))["collection"] == {
        "slug": "inside",
        "name": "Inner!",
        "description": "New.",
        "visibility": "PUBLIC",
        "version": 2,
        "topic": {"slug": "imaging"},
        "parent": {"slug": "open"},
    }
    assert await logged(ask_own, Ids(id_ | {"inside": id_["inner"]})) == [
        (
            "UPDATED",
            "inside",
            {
                "name": ("inner", "Inner!"),
                "slug": ("inner", "inside"),
                "description": ("", "New."),
                "visibility": ("INTERNAL", "PUBLIC"),
            },
        )
    ]
    assert (await tree(ask_own, ANONYMOUS))["imaging"] == ["open", "open/inside", "open/inside/deep"]
    assert await versions(ask_own) == {"inside": 2}
    async with assert_unchanged(ask_own):
        for same in ({}, given, {"topicId": id_["imaging"]}, {"parentId": id_["open"]}, {"expectedVersion": None}):
            answer = await UPDATE(ask_own, "ada", id=id_["inner"], **same)
            assert (answer["userErrors"], answer["collection"]["version"]) == ([], 2)
        for field in ("name", "slug", "description", "visibility", "topicId"):
            answer = await UPDATE(ask_own, "ada", **{"id": id_["inner"], field: None})
            assert error_paths(answer) == [("REQUIRED", [field])]


async def test_changing_visibility_shows_and_hides_a_collection(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await UPDATE(ask_own, "ada", id=id_["bare"], visibility="INTERNAL")
    assert "genomics" not in await tree(ask_own, ANONYMOUS)
    assert (await tree(ask_own))["genomics"] == ["members", "bare"]
    await UPDATE(ask_own, "ada", id=id_["members"], visibility="PUBLIC")
    assert (await tree(ask_own, ANONYMOUS))["genomics"] == ["members"]


async def test_a_collection_may_change_the_case_of_its_name(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    assert (await UPDATE(ask_own, "ada", id=id_["bare"], name="BARE", slug="bare"))["userErrors"] == []
    assert await logged(ask_own, id_) == [("UPDATED", "bare", {"name": ("bare", "BARE")})]


async def test_renaming_frees_the_old_name_and_takes_the_new_one(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await UPDATE(ask_own, "ada", id=id_["bare"], name="Clad")
    async with assert_unchanged(ask_own):
        assert error_paths(await UPDATE(ask_own, "ada", id=id_["members"], name="CLAD")) == [("TAKEN", ["name"])]
    assert (await UPDATE(ask_own, "ada", id=id_["members"], name="bare"))["userErrors"] == []


@pytest.mark.parametrize(
    ("given", "expected", "fields"),
    [
        (
            {"topicId": "@genomics"},
            ["members", "bare", "inner", "inner/deep"],
            {"topic": ("imaging", "genomics"), "parent": ("open", None)},
        ),
        (
            {"parentId": "@members"},
            ["members", "members/inner", "members/inner/deep", "bare"],
            {"topic": ("imaging", "genomics"), "parent": ("open", "members")},
        ),
        (
            {"topicId": "@genomics", "parentId": "@bare", "name": "In"},
            ["members", "bare", "bare/inner", "bare/inner/deep"],
            {"name": ("inner", "In"), "topic": ("imaging", "genomics"), "parent": ("open", "bare")},
        ),
        (
            {"topicId": "@genomics", "parentId": None},
            ["members", "bare", "inner", "inner/deep"],
            {"topic": ("imaging", "genomics"), "parent": ("open", None)},
        ),
    ],
)
async def test_a_collection_moves_to_another_topic_with_its_descendants(
    ask_own: GraphQLClient, given: dict[str, Any], expected: list[str], fields: dict[str, Any]
) -> None:
    id_ = await ids(ask_own)
    assert (await UPDATE(ask_own, "ada", id=id_["inner"], **id_.of(given)))["userErrors"] == []
    assert await tree(ask_own) == {"imaging": ["open"], "genomics": expected, "empty": []}
    assert await versions(ask_own) == {"inner": 2, "deep": 2}
    assert await logged(ask_own, id_) == [
        ("UPDATED", "inner", fields),
        ("UPDATED", "deep", {"topic": ("imaging", "genomics")}),
    ]


async def test_a_collection_moved_to_another_topic_is_visible_to_the_same_viewers(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await UPDATE(ask_own, "ada", id=id_["inner"], topicId=id_["empty"])
    assert await tree(ask_own, ANONYMOUS) == {"imaging": ["open"], "genomics": ["bare"], "empty": ["deep"]}
    counts = '{ topic(by: {slug: "empty"}) { assetCounts { total } } }'
    assert (await ask_own("eve", counts))["topic"]["assetCounts"] == {"total": 3}
    assert (await ask_own(ANONYMOUS, counts))["topic"]["assetCounts"] == {"total": 1}


@pytest.mark.parametrize(
    ("given", "expected", "fields"),
    [
        ({"id": "@deep", "parentId": None}, ["open", "open/inner", "b", "deep"], {"parent": ("inner", None)}),
        ({"id": "@deep", "parentId": "@open"}, ["open", "open/inner", "open/deep", "b"], {"parent": ("inner", "open")}),
        (
            {"id": "@inner", "parentId": "@b"},
            ["open", "b", "b/inner", "b/inner/deep"],
            {"parent": ("open", "b")},
        ),
        (
            {"id": "@inner", "parentId": None, "topicId": "@imaging"},
            ["open", "b", "inner", "inner/deep"],
            {"parent": ("open", None)},
        ),
        (
            {"id": "@open", "parentId": "@b"},
            ["b", "b/open", "b/open/inner", "b/open/inner/deep"],
            {"parent": (None, "b")},
        ),
    ],
)
async def test_a_collection_moves_to_the_end_of_its_new_siblings(
    ask_own: GraphQLClient, given: dict[str, Any], expected: list[str], fields: dict[str, Any]
) -> None:
    id_ = await _chain(ask_own, "imaging", None, "b")
    moved = await UPDATE(ask_own, "ada", **id_.of(given))
    assert moved["userErrors"] == []
    assert (await tree(ask_own))["imaging"] == expected
    slug = moved["collection"]["slug"]
    assert await versions(ask_own) == {slug: 2}
    assert await logged(ask_own, id_) == [("UPDATED", slug, fields)]


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"id": UNKNOWN}, "NOT_FOUND", ["id"]),
        ({"id": "@imaging"}, "NOT_FOUND", ["id"]),
        ({"id": "@open", "topicId": UNKNOWN}, "NOT_FOUND", ["topicId"]),
        ({"id": "@open", "parentId": UNKNOWN}, "NOT_FOUND", ["parentId"]),
        ({"id": "@open", "topicId": "@imaging", "parentId": "@bare"}, "INVALID", ["parentId"]),
        ({"id": "@open", "parentId": "@open"}, "CYCLE", ["parentId"]),
        ({"id": "@open", "parentId": "@deep"}, "CYCLE", ["parentId"]),
        ({"id": "@members", "name": "Bare"}, "TAKEN", ["name"]),
        ({"id": "@members", "slug": "bare"}, "TAKEN", ["slug"]),
        ({"id": "@members", "name": ""}, "REQUIRED", ["name"]),
        # "inner" is a child of "open"; others of that name are at the top of "empty" and a child of "bare".
        ({"id": "@inner", "topicId": "@empty"}, "TAKEN", ["topicId"]),
        ({"id": "@inner", "topicId": "@empty", "parentId": None}, "TAKEN", ["topicId"]),
        ({"id": "@inner", "parentId": "@bare"}, "TAKEN", ["parentId"]),
        ({"id": "@inner", "parentId": "@bare", "name": "inner"}, "TAKEN", ["parentId"]),
        ({"id": "@deep", "parentId": "@bare", "name": "Inner"}, "TAKEN", ["name"]),
    ],
)
async def test_an_invalid_update_reports_the_field(
    ask_own: GraphQLClient, given: dict[str, Any], code: str, path: list[str]
) -> None:
    id_ = await ids(ask_own)
    await CREATE(ask_own, "ada", topicId=id_["empty"], name="inner")
    await CREATE(ask_own, "ada", topicId=id_["genomics"], parentId=id_["bare"], name="Inner")
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await UPDATE(ask_own, "ada", **id_.of(given))
        assert answer["collection"] is None
        assert error_paths(answer) == [(code, path)]


async def test_a_version_conflict_reports_the_current_version(ask_own: GraphQLClient) -> None:
    id_ = (await ids(ask_own))["bare"]
    await UPDATE(ask_own, "ada", id=id_, name="Second")
    for mutation, given in (("collectionUpdate", {"name": "Third"}), ("collectionDelete", {})):
        conflict = "conflict: userErrors { ... on ConflictError { currentVersion current { id } } }"
        async with assert_unchanged(ask_own):
            answer = await Mutation(mutation, conflict)(ask_own, "ada", id=id_, expectedVersion=1, **given)
            assert error_paths(answer) == [("CONFLICT", ["expectedVersion"])]
            assert answer["conflict"] == [{"currentVersion": 2, "current": {"id": id_}}]
    assert (await UPDATE(ask_own, "ada", id=id_, name="Third", expectedVersion=2))["collection"]["version"] == 3
    assert (await DELETE(ask_own, "ada", id=id_, expectedVersion=3))["deletedCollectionId"] == id_


@pytest.mark.parametrize(
    ("slug", "position", "expected"),
    [
        ("open", {"afterId": "@b"}, ["b", "open", "open/inner", "open/inner/deep", "c"]),
        ("open", {"beforeId": "@c"}, ["b", "open", "open/inner", "open/inner/deep", "c"]),
        ("open", {"atEnd": True}, ["b", "c", "open", "open/inner", "open/inner/deep"]),
        ("c", {"atStart": True}, ["c", "open", "open/inner", "open/inner/deep", "b"]),
        ("c", {"afterId": "@open"}, ["open", "open/inner", "open/inner/deep", "c", "b"]),
        ("b", {"beforeId": "@open"}, ["b", "open", "open/inner", "open/inner/deep", "c"]),
    ],
)
async def test_top_level_collections_are_reordered_with_their_descendants(
    ask_own: GraphQLClient, slug: str, position: dict[str, Any], expected: list[str]
) -> None:
    await _chain(ask_own, "imaging", None, "b")
    id_ = await _chain(ask_own, "imaging", None, "c")
    answer = await REORDER(ask_own, "ada", id=id_[slug], position=id_.of(position))
    assert answer == {"collection": {"slug": slug, "version": 1}, "userErrors": []}
    assert (await tree(ask_own))["imaging"] == expected
    assert await logged(ask_own, id_) == [("REORDERED", slug, {})]


async def test_children_are_reordered(ask_own: GraphQLClient) -> None:
    await _chain(ask_own, "imaging", "open", "second", "below")
    id_ = await _chain(ask_own, "imaging", "open", "third")
    await REORDER(ask_own, "ada", id=id_["inner"], position={"atEnd": True})
    below = '{ collection(by: {slug: "open"}) { children { nodes { slug } } } }'
    children = (await ask_own("eve", below))["collection"]["children"]["nodes"]
    assert [child["slug"] for child in children] == ["second", "third", "inner"]
    assert (await tree(ask_own))["imaging"] == [
        "open",
        "open/second",
        "open/second/below",
        "open/third",
        "open/inner",
        "open/inner/deep",
    ]


async def test_reordering_to_the_same_order_changes_nothing(ask_own: GraphQLClient) -> None:
    id_ = await _chain(ask_own, "imaging", None, "b")
    async with assert_unchanged(ask_own):
        for slug, position in (
            ("open", {"atStart": True}),
            ("open", {"beforeId": "@b"}),
            ("b", {"atEnd": True}),
            ("b", {"afterId": "@open"}),
            ("inner", {"atStart": True}),
            ("deep", {"atEnd": True}),
        ):
            answer = await REORDER(ask_own, "ada", id=id_[slug], position=id_.of(position))
            assert answer == {"collection": {"slug": slug, "version": 1}, "userErrors": []}


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"id": UNKNOWN, "position": {"atEnd": True}}, "NOT_FOUND", ["id"]),
        ({"id": "@bare", "position": {"afterId": "@bare"}}, "INVALID", ["position", "afterId"]),
        ({"id": "@bare", "position": {"afterId": UNKNOWN}}, "NOT_FOUND", ["position", "afterId"]),
        ({"id": "@bare", "position": {"beforeId": "@open"}}, "INVALID", ["position", "beforeId"]),
        ({"id": "@inner", "position": {"beforeId": "@open"}}, "INVALID", ["position", "beforeId"]),
        ({"id": "@bare", "position": {"atStart": False}}, "INVALID", ["position", "atStart"]),
    ],
)
async def test_a_neighbour_that_is_not_a_sibling_is_rejected(
    ask_own: GraphQLClient, given: dict[str, Any], code: str, path: list[str]
) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await REORDER(ask_own, "ada", **id_.of(given))
        assert (answer["collection"], error_paths(answer)) == (None, [(code, path)])


async def test_deleting_a_collection_moves_children_to_its_parent_and_keeps_assets(
    ask_own: GraphQLClient,
) -> None:
    id_ = await _chain(ask_own, "imaging", "inner", "other")
    await REORDER(ask_own, "ada", id=id_["other"], position={"beforeId": id_["deep"]})
    expected = {
        "deletedCollectionId": id_["inner"],
        "topic": {"slug": "imaging", "collections": {"nodes": [{"slug": "open"}, {"slug": "other"}, {"slug": "deep"}]}},
        "userErrors": [],
    }
    async with assert_unchanged(ask_own):
        tried = await DELETE(ask_own, "ada", id=id_["inner"], dryRun=True)
    assert (tried["deletedCollectionId"], tried["userErrors"]) == (None, [])
    slugs = [node["slug"] for node in tried["topic"]["collections"]["nodes"]]
    assert slugs == ["open", "inner", "other", "deep"]
    before = await db_snapshot(ask_own.database)
    assert await DELETE(ask_own, "ada", id=id_["inner"]) == expected
    after = await db_snapshot(ask_own.database)
    assert after["asset"] == before["asset"]
    assert len(before["membership"]) - len(after["membership"]) == 3
    assert (await tree(ask_own))["imaging"] == ["open", "open/other", "open/deep"]
    assert (await tree(ask_own, ANONYMOUS))["imaging"] == ["open", "open/deep"]
    assert await versions(ask_own) == {}
    assert await logged(ask_own, id_) == [
        ("REORDERED", "other", {"parent": ("inner", "open")}),
        ("REORDERED", "deep", {"parent": ("inner", "open")}),
        ("DELETED", "inner", {"name": ("inner", None)}),
    ]
    async with assert_unchanged(ask_own):
        assert error_paths(await DELETE(ask_own, "ada", id=id_["inner"])) == [("NOT_FOUND", ["id"])]


BELOW = """query($slug: String!) { collection(by: {slug: $slug}) {
  id version updatedAt parent { id } ancestors { id } topic { collections { nodes { slug version updatedAt } } } } }"""
TOLD = (
    "query($slug: String!) { collection(by: {slug: $slug}) { history { nodes { id action fields { field after } } } } }"
)


async def test_deleting_a_hidden_parent_is_not_visible_in_its_children(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    assert (await UPDATE(ask_own, "ada", id=id_["bare"], parentId=id_["members"]))["userErrors"] == []

    async def told(who: str, slug: str, *queries: str) -> list[bytes]:
        return [(await ask_own.response(who, query, slug=slug)).content for query in queries]

    visitors = await told(ANONYMOUS, "bare", BELOW)
    assert (await DELETE(ask_own, "ada", id=id_["members"]))["deletedCollectionId"] == id_["members"]
    assert await told(ANONYMOUS, "bare", BELOW) == visitors
    await set_public_sharing(ask_own.database, is_on=False)
    members = await told("eve", "inner", BELOW, TOLD)
    assert (await DELETE(ask_own, "ada", id=id_["open"]))["deletedCollectionId"] == id_["open"]
    assert await told("eve", "inner", BELOW, TOLD) == members


async def test_children_of_a_deleted_top_level_collection_move_to_the_top(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await DELETE(ask_own, "ada", id=id_["open"])
    assert (await tree(ask_own))["imaging"] == ["inner", "inner/deep"]
    assert await logged(ask_own, id_) == [
        ("REORDERED", "inner", {"parent": ("open", None)}),
        ("DELETED", "open", {"name": ("open", None)}),
    ]


async def test_a_name_clash_of_a_child_prevents_the_deletion_of_its_parent(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await CREATE(ask_own, "ada", topicId=id_["imaging"], parentId=id_["open"], name="DEEP")
    async with assert_unchanged(ask_own):
        for is_dry in (True, False):
            answer = await DELETE(ask_own, "ada", id=id_["inner"], dryRun=is_dry)
            assert (answer["deletedCollectionId"], answer["topic"]) == (None, None)
            assert error_paths(answer) == [("TAKEN", ["id"])]
            assert '"DEEP"' in answer["userErrors"][0]["message"]


async def test_a_child_may_have_the_name_of_the_deleted_parent(ask_own: GraphQLClient) -> None:
    id_ = await _chain(ask_own, "genomics", "bare", "bare-2")
    await UPDATE(ask_own, "ada", id=id_["bare-2"], name="Bare")
    assert (await DELETE(ask_own, "ada", id=id_["bare"]))["userErrors"] == []
    assert (await tree(ask_own))["genomics"] == ["members", "bare-2"]


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
async def test_only_administrators_change_collections(ask_own: GraphQLClient, mutation: Mutation) -> None:
    id_ = await ids(ask_own)
    inputs: dict[str, dict[str, Any]] = {
        "collectionCreate": {"topicId": id_["empty"], "name": "New"},
        "collectionUpdate": {"id": id_["bare"], "name": "New"},
        "collectionReorder": {"id": id_["bare"], "position": {"atStart": True}},
        "collectionDelete": {"id": id_["bare"]},
    }
    async with assert_unchanged(ask_own):
        assert await refusal_code(ask_own, "olu", mutation, **inputs[mutation.name]) == "FORBIDDEN"
        assert await refusal_code(ask_own, ANONYMOUS, mutation, **inputs[mutation.name]) == "UNAUTHENTICATED"


async def test_a_retry_with_the_same_key_changes_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    once = {"topicId": id_["empty"], "name": "Once", "idempotencyKey": "k1"}
    first = await CREATE(ask_own, "ada", **once)
    async with assert_unchanged(ask_own):
        assert await CREATE(ask_own, "ada", **once) == first
        other = await CREATE(ask_own, "ada", **once | {"visibility": "PUBLIC"})
        assert error_paths(other) == [("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])]
    assert (await tree(ask_own))["empty"] == ["once"]


async def test_a_user_has_a_daily_number_of_keys(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolvers.write.transaction.MAX_DAILY_KEYS", 1)
    id_ = await ids(ask_own)
    first = await CREATE(ask_own, "ada", topicId=id_["empty"], name="One", idempotencyKey="k1")
    second = {"topicId": id_["empty"], "name": "Two"}
    async with assert_unchanged(ask_own):
        assert await CREATE(ask_own, "ada", topicId=id_["empty"], name="One", idempotencyKey="k1") == first
        refused = await CREATE(ask_own, "ada", **second, idempotencyKey="k2")
        assert error_paths(refused) == [("LIMIT_EXCEEDED", ["idempotencyKey"])]
    assert error_paths(await CREATE(ask_own, "ada", **second)) == []


async def test_the_statements_of_a_move_do_not_depend_on_descendants(ask_own: GraphQLClient) -> None:
    id_ = await _chain(ask_own, "imaging", "deep", "four")
    sent = []
    for slug in ("open", "inner"):
        await UPDATE(ask_own, "ada", id=id_[slug], topicId=id_["empty"], name=f"{slug}!")
        sent.append(len(ask_own.statements))
        await UPDATE(ask_own, "ada", id=id_[slug], topicId=id_["imaging"])
    assert sent[0] == sent[1]
