"""Mutations of topics: effects, permissions, rules, retries and changes."""

from typing import Any

import pytest

from tests.conftest import ANONYMOUS, GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code

TOPIC = "topic { id slug name description version }"
CREATE = Mutation("topicCreate", TOPIC)
UPDATE = Mutation("topicUpdate", TOPIC)
REORDER = Mutation("topicReorder", "topic { slug }")
MERGE = Mutation("topicMerge", "topic { slug } movedCollections { slug topic { slug } } deletedTopicIds")
DELETE = Mutation("topicDelete", "deletedTopicId movedCollections { slug topic { slug } }")
ALL = (CREATE, UPDATE, REORDER, MERGE, DELETE)


async def ids(ask: GraphQLClient) -> dict[str, str]:
    found = await ask("ada", "{ topics { nodes { slug id } } collections { nodes { slug id } } }")
    return {node["slug"]: node["id"] for kind in found.values() for node in kind["nodes"]}


async def order(ask: GraphQLClient, who: str = "eve") -> list[str]:
    return [node["slug"] for node in (await ask(who, "{ topics { nodes { slug } } }"))["topics"]["nodes"]]


async def test_a_new_topic_comes_last_with_a_slug_derived_from_its_name(ask_own: GraphQLClient) -> None:
    made = await CREATE(ask_own, "ada", name="  Große Bilder  ", description="# Bigger\n")
    topic = made["topic"]
    assert topic | {"id": ""} == {
        "id": "",
        "slug": "grosse-bilder",
        "name": "Große Bilder",
        "description": "# Bigger",
        "version": 1,
    }
    assert made["userErrors"] == []
    assert await order(ask_own) == ["imaging", "genomics", "empty", "grosse-bilder"]
    again = await CREATE(ask_own, "ada", name="große-bilder")
    assert again["topic"]["slug"] == "grosse-bilder-2"


async def test_names_have_no_invisible_characters_and_those_that_look_alike_are_taken(ask_own: GraphQLClient) -> None:
    for name in ("\u200b", "\u3164", "RNA\u200b", "R\u202eNA", "R\u2066NA", "\ufeffRNA", "a\u200db"):
        assert error_paths(await CREATE(ask_own, "ada", name=name)) == [("INVALID", ["name"])], ascii(name)
    for name in ("RNA", "RNA seq"):
        assert (await CREATE(ask_own, "ada", name=name))["userErrors"] == []
    for name in ("\uff32\uff2e\uff21", "rna", "RNA  seq", "RNA\u00a0seq"):
        assert error_paths(await CREATE(ask_own, "ada", name=name)) == [("TAKEN", ["name"])], ascii(name)


async def test_a_topic_is_created_at_the_requested_position(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await CREATE(ask_own, "ada", name="1", position={"atStart": True})
    await CREATE(ask_own, "ada", name="2", position={"afterId": id_["imaging"]})
    await CREATE(ask_own, "ada", name="3", position={"beforeId": id_["empty"]})
    await CREATE(ask_own, "ada", name="4", position={"atEnd": True})
    assert await order(ask_own) == ["1", "imaging", "2", "genomics", "3", "empty", "4"]


async def test_ranks_between_two_topics_never_run_out(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    for number in range(25):
        await CREATE(ask_own, "ada", name=str(number), position={"afterId": id_["imaging"]})
    assert (
        await order(ask_own) == ["imaging", *(str(number) for number in reversed(range(25))), "genomics", "empty"][:20]
    )


@pytest.mark.parametrize(
    ("given", "code", "path", "message"),
    [
        ({"name": " "}, "REQUIRED", ["name"], "The name must not be empty."),
        ({"name": "x" * 201}, "TOO_LONG", ["name"], "The name is 201 characters long; at most 200 are allowed."),
        ({"name": "a\u0007"}, "INVALID", ["name"], "The name contains the control character U+0007."),
        ({"name": "IMAGING"}, "TAKEN", ["name"], 'A topic named "imaging" already exists.'),
        ({"name": "x", "slug": "Imaging"}, "TAKEN", ["slug"], 'A topic with the slug "imaging" already exists.'),
        (
            {"name": "x", "slug": "a b"},
            "INVALID",
            ["slug"],
            'Invalid slug "a b". Use letters a-z, digits and hyphens, and do not start with a hyphen.',
        ),
        (
            {"name": "x", "description": "x" * 20_001},
            "TOO_LONG",
            ["description"],
            "The description is 20,001 characters long; at most 20,000 are allowed.",
        ),
        (
            {"name": "x", "position": {"afterId": "top_" + "0" * 24}},
            "NOT_FOUND",
            ["position", "afterId"],
            "There is no such topic.",
        ),
        ({"name": "x", "position": {"atEnd": False}}, "INVALID", ["position", "atEnd"], "atEnd must be true."),
    ],
)
async def test_an_invalid_topic_reports_the_field(
    ask_own: GraphQLClient, given: dict[str, Any], code: str, path: list[str], message: str
) -> None:
    async with assert_unchanged(ask_own):
        answer = await CREATE(ask_own, "ada", **given)
        assert answer["topic"] is None
        assert [(error["code"], error["path"], error["message"]) for error in answer["userErrors"]] == [
            (code, ["input", *path], message)
        ]


async def test_all_errors_are_reported_together(ask_own: GraphQLClient) -> None:
    answer = await CREATE(ask_own, "ada", name="", slug="-", description="a\u0001x")
    assert [error["path"][-1] for error in answer["userErrors"]] == ["name", "description", "slug"]


async def test_omitted_fields_are_kept_and_null_is_rejected(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    changed = await UPDATE(ask_own, "ada", id=id_["imaging"], name="Imaging!", description="New.")
    assert changed["topic"] == {
        "id": id_["imaging"],
        "slug": "imaging",
        "name": "Imaging!",
        "description": "New.",
        "version": 2,
    }
    async with assert_unchanged(ask_own):
        assert (await UPDATE(ask_own, "ada", id=id_["imaging"]))["topic"]["version"] == 2
        assert (await UPDATE(ask_own, "ada", id=id_["imaging"], name="Imaging!"))["topic"]["version"] == 2
        for field in ("name", "slug", "description"):
            answer = await UPDATE(ask_own, "ada", **{"id": id_["imaging"], field: None})
            assert error_paths(answer) == [("REQUIRED", [field])]


async def test_a_topic_may_change_the_case_of_its_name(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    assert (await UPDATE(ask_own, "ada", id=id_["imaging"], name="IMAGING"))["userErrors"] == []


async def test_a_version_conflict_reports_the_current_version(ask_own: GraphQLClient) -> None:
    id_ = (await ids(ask_own))["imaging"]
    await UPDATE(ask_own, "ada", id=id_, name="Second")
    conflicting = Mutation(
        "topicUpdate", "topic { id } conflict: userErrors { ... on ConflictError { currentVersion current { id } } }"
    )
    async with assert_unchanged(ask_own):
        answer = await conflicting(ask_own, "ada", id=id_, name="Third", expectedVersion=1)
        assert error_paths(answer) == [("CONFLICT", ["expectedVersion"])]
        assert answer["conflict"] == [{"currentVersion": 2, "current": {"id": id_}}]
    assert (await UPDATE(ask_own, "ada", id=id_, name="Third", expectedVersion=2))["topic"]["version"] == 3


async def test_topics_are_reordered(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await REORDER(ask_own, "ada", id=id_["empty"], position={"beforeId": id_["imaging"]})
    assert await order(ask_own) == ["empty", "imaging", "genomics"]
    await REORDER(ask_own, "ada", id=id_["empty"], position={"afterId": id_["imaging"]})
    assert await order(ask_own) == ["imaging", "empty", "genomics"]
    async with assert_unchanged(ask_own):
        await REORDER(ask_own, "ada", id=id_["empty"], position={"beforeId": id_["genomics"]})
        await REORDER(ask_own, "ada", id=id_["genomics"], position={"atEnd": True})
        answer = await REORDER(ask_own, "ada", id=id_["empty"], position={"afterId": id_["empty"]})
        assert error_paths(answer) == [("INVALID", ["position", "afterId"])]


async def test_a_merge_moves_every_collection_and_deletes_the_sources(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    merge = {"sourceIds": [id_["imaging"], id_["empty"], id_["imaging"]], "targetId": id_["genomics"]}
    expected = {
        "topic": {"slug": "genomics"},
        "movedCollections": [
            {"slug": "open", "topic": {"slug": "genomics"}},
            {"slug": "inner", "topic": {"slug": "genomics"}},
            {"slug": "deep", "topic": {"slug": "genomics"}},
        ],
        "deletedTopicIds": [id_["imaging"], id_["empty"]],
        "userErrors": [],
    }
    async with assert_unchanged(ask_own):
        tried = await MERGE(ask_own, "ada", **merge, dryRun=True)
    assert tried == expected | {"movedCollections": [], "deletedTopicIds": []}
    assert await MERGE(ask_own, "ada", **merge) == expected
    assert await order(ask_own) == ["genomics"]
    held = await ask_own("ada", '{ topic(by: {slug: "genomics"}) { collections { nodes { slug parent { slug } } } } }')
    assert held["topic"]["collections"]["nodes"] == [
        {"slug": "members", "parent": None},
        {"slug": "bare", "parent": None},
        {"slug": "open", "parent": None},
        {"slug": "inner", "parent": {"slug": "open"}},
        {"slug": "deep", "parent": {"slug": "inner"}},
    ]


async def test_an_invalid_merge_reports_the_source(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await MERGE(ask_own, "ada", sourceIds=[id_["empty"], "top_x", id_["open"]], targetId=id_["empty"])
        assert error_paths(answer) == [
            ("INVALID", ["sourceIds", "0"]),
            ("NOT_FOUND", ["sourceIds", "1"]),
            ("NOT_FOUND", ["sourceIds", "2"]),
        ]
        assert error_paths(await MERGE(ask_own, "ada", sourceIds=[], targetId=id_["empty"])) == [
            ("REQUIRED", ["sourceIds"])
        ]
        assert error_paths(await MERGE(ask_own, "ada", sourceIds=[id_["empty"]], targetId="?")) == [
            ("NOT_FOUND", ["targetId"])
        ]


async def test_a_topic_with_collections_is_deleted_only_with_a_target_for_them(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        assert error_paths(await DELETE(ask_own, "ada", id=id_["genomics"])) == [("NOT_EMPTY", ["moveCollectionsTo"])]
        same = await DELETE(ask_own, "ada", id=id_["genomics"], moveCollectionsTo=id_["genomics"])
        assert error_paths(same) == [("INVALID", ["moveCollectionsTo"])]
        unknown = await DELETE(ask_own, "ada", id=id_["genomics"], moveCollectionsTo="top_x")
        assert error_paths(unknown) == [("NOT_FOUND", ["moveCollectionsTo"])]
        stale = await DELETE(ask_own, "ada", id=id_["empty"], expectedVersion=7)
        assert error_paths(stale) == [("CONFLICT", ["expectedVersion"])]
        tried = await DELETE(ask_own, "ada", id=id_["empty"], dryRun=True)
        assert tried == {"deletedTopicId": None, "movedCollections": [], "userErrors": []}
    assert await DELETE(ask_own, "ada", id=id_["empty"]) == {
        "deletedTopicId": id_["empty"],
        "movedCollections": [],
        "userErrors": [],
    }
    moved = await DELETE(ask_own, "ada", id=id_["genomics"], moveCollectionsTo=id_["imaging"])
    assert [each["slug"] for each in moved["movedCollections"]] == ["members", "bare"]
    assert await order(ask_own) == ["imaging"]


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
async def test_only_administrators_change_topics(ask_own: GraphQLClient, mutation: Mutation) -> None:
    id_ = (await ids(ask_own))["empty"]
    inputs: dict[str, dict[str, Any]] = {
        "topicCreate": {"name": "New"},
        "topicUpdate": {"id": id_, "name": "New"},
        "topicReorder": {"id": id_, "position": {"atStart": True}},
        "topicMerge": {"sourceIds": [id_], "targetId": id_},
        "topicDelete": {"id": id_},
    }
    async with assert_unchanged(ask_own):
        assert await refusal_code(ask_own, "olu", mutation, **inputs[mutation.name]) == "FORBIDDEN"
        assert await refusal_code(ask_own, ANONYMOUS, mutation, **inputs[mutation.name]) == "UNAUTHENTICATED"


async def test_merging_and_deleting_rename_duplicates_if_asked(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    create = Mutation("collectionCreate", "collection { id }")
    for topic, name in (("imaging", "Bare"), ("imaging", "Bare 2"), ("empty", "Open")):
        assert (await create(ask_own, "ada", topicId=id_[topic], name=name))["userErrors"] == []
    merge = {"sourceIds": [id_["imaging"]], "targetId": id_["genomics"]}
    async with assert_unchanged(ask_own):
        assert error_paths(await MERGE(ask_own, "ada", **merge)) == [("TAKEN", ["sourceIds", "0"])]
    assert (await MERGE(ask_own, "ada", **merge, renameDuplicates=True))["userErrors"] == []
    moved = {"id": id_["empty"], "moveCollectionsTo": id_["genomics"], "renameDuplicates": True}
    assert (await DELETE(ask_own, "ada", **moved))["userErrors"] == []
    query = "{ collections(filter: {topLevelOnly: true}) { nodes { name } } }"
    names = [node["name"] for node in (await ask_own("ada", query))["collections"]["nodes"]]
    assert sorted(names) == ["Bare 2", "Bare 3", "Open 2", "bare", "members", "open"]


async def test_a_merge_with_renamed_collections_is_undone(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    create = Mutation("collectionCreate", "collection { id }")
    made = await create(ask_own, "ada", topicId=id_["imaging"], name="Bare")
    merge = Mutation("topicMerge", "changes { id }")
    given = {"sourceIds": [id_["imaging"]], "targetId": id_["genomics"], "renameDuplicates": True}
    merged, renamed = (await merge(ask_own, "ada", **given))["changes"]
    undo = Mutation("changeUndo", "changes { id }")
    for change in (merged, renamed):
        assert (await undo(ask_own, "ada", changeId=change["id"]))["userErrors"] == []
    query = "query($id: ID!) { collection(by: {id: $id}) { name topic { slug } } }"
    collection = (await ask_own("ada", query, id=made["collection"]["id"]))["collection"]
    assert collection == {"name": "Bare", "topic": {"slug": "imaging"}}


async def test_a_retry_with_the_same_key_changes_nothing(ask_own: GraphQLClient) -> None:
    first = await CREATE(ask_own, "ada", name="Once", idempotencyKey="k1")
    async with assert_unchanged(ask_own):
        assert await CREATE(ask_own, "ada", name="Once", idempotencyKey="k1") == first
        other = await CREATE(ask_own, "ada", name="Twice", idempotencyKey="k1")
        assert error_paths(other) == [("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])]
        assert error_paths(await CREATE(ask_own, "ada", name="x", idempotencyKey="")) == [
            ("INVALID", ["idempotencyKey"])
        ]
    assert (await CREATE(ask_own, "ada", name="Twice", idempotencyKey="k2"))["userErrors"] == []
