"""Undo: of each mutation, of undos and of jobs, and never past a later change."""

import random
from typing import Any

import pytest
from sqlalchemy import select, update

from proofs.databases import Databases
from proofs.determinism import lift_cost_limits
from proofs.proof import BrokenPromiseError
from proofs.undo.trial import leading_changes, run_trial
from proofs.undo.world_dump import dump_world
from resolvers.undoable import UNDO_MS
from resolvers.write import job as jobs
from store import sql
from store.date_time import format_rfc_3339
from store.transfer import plan_return
from tests.conftest import ANONYMOUS, GraphQLClient, set_public_sharing
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code
from tests.test_collection_write import ids, tree
from tests.test_every_mutation import ACTS, Act, filled, mutate, prepare_world
from tests.test_membership_write import ADD, REMOVE, held
from tests.test_membership_write import ids as asset_ids

MUTATIONS = 12
SEED = 3
MAX_STATEMENTS = 40
"""Statements of a page of changes of all kinds with `canUndo`."""
ACCESS, NAMES = ("DISCOVERABLE", "VIEWER", "DISCOVERABLE"), ("blast", "align", "count")
UPDATE_COLLECTION = Mutation("collectionUpdate", "collection { id } changes { id }")
UPDATE_TOPIC = Mutation("topicUpdate", "topic { id } changes { id }")
DELETE_TOPIC = Mutation("topicDelete", "changes { id }")
DELETE = Mutation("collectionDelete", "change { id }")
CREATE = Mutation("collectionCreate", "collection { id } changes { id }")
REORDER = Mutation("collectionAssetsReorder", "change { id }")
GRANT = Mutation("assetGrantsUpdate", "changes { id }")
UNDO = Mutation(
    "changeUndo",
    """subjects { __typename ... on Collection { slug } } changes { id action undoes { id } } job { id }
    results { status error { code message } } summary { requested changed }""",
)
CHANGE = """query($id: ID!) { node(id: $id) { ... on Change {
  action canUndo subjectId subjectType subjectName undoneBy { id } undoes { id } assets { totalCount } } } }"""
NOT_UNDOABLE = ("assetsRegister", "jobCancel", "user", "group", "token")
"""Mutations, or the beginnings of their names, that cannot be undone."""


async def change(ask: GraphQLClient, id_: str, who: str = "ada") -> Any:
    """Return a change as the viewer sees it."""
    return (await ask(who, CHANGE, id=id_))["node"]


async def messages(ask: GraphQLClient, who: str, **given: Any) -> list[str]:
    """Return the code and message of each error of an undo, which must change nothing."""
    async with assert_unchanged(ask):
        return [f"{error['code']}: {error['message']}" for error in (await UNDO(ask, who, **given))["userErrors"]]


async def newest(ask: GraphQLClient, after_pk: int = 0) -> Any:
    """Return the rows of the changes after one, the newest first."""
    async with ask.database.snapshot() as snapshot:
        return await snapshot.rows(
            select(sql.change).where(sql.change.c.pk > after_pk).order_by(sql.change.c.pk.desc())
        )


async def undo_last(ask: GraphQLClient, who: str, after_pk: int) -> None:
    """Undo all changes after one."""
    for id_ in leading_changes(await newest(ask, after_pk)):
        undone = await UNDO(ask, who, changeId=id_)
        assert undone["userErrors"] == []


async def test_undoing_random_mutations_restores_the_world(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), MUTATIONS) == MUTATIONS


@pytest.mark.parametrize(
    "fault",
    ["resolvers.write.undo_topic.find_index", "resolvers.write.undo_collection.find_index"],
)
async def test_the_proof_finds_an_undo_that_forgets_the_place(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(fault, lambda order, _neighbours: len(order))
    with pytest.raises(BrokenPromiseError, match=r"(?s)seed 3: After the undo of .*Mutations:"):
        await run_trial(databases, 3, 2 * MUTATIONS)


async def test_the_proof_finds_in_an_export_an_undo_that_forgets_the_owner(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_return

    def plan_without_owner(asset: Any, *given: Any) -> Any:
        planned = plan(asset, *given)
        return planned and planned._replace(owner_pk=asset.owner_pk)

    monkeypatch.setattr("resolvers.write.undo_transfer.plan_return", plan_without_owner)
    with pytest.raises(BrokenPromiseError, match=r"After the undo of assetsTransfer, export differ"):
        await run_trial(databases, SEED, 2 * MUTATIONS)


@pytest.mark.parametrize("act", [act for act in ACTS if not act.mutation.startswith(NOT_UNDOABLE)], ids=str)
async def test_each_mutation_is_undone_and_redone(ask_own: GraphQLClient, act: Act) -> None:
    with lift_cost_limits():
        given = filled(act.given, await prepare_world(ask_own))
        before, last = await dump_world(ask_own), (await newest(ask_own))[0].pk
        await mutate(act)(ask_own, act.who, **given)
        after, made = await dump_world(ask_own), (await newest(ask_own))[0].pk
        assert after != before
        await undo_last(ask_own, act.who, last)
        undone = (await newest(ask_own))[0].pk
        assert await dump_world(ask_own) == before
        await undo_last(ask_own, act.who, made)
        assert await dump_world(ask_own) == after
        await undo_last(ask_own, act.who, undone)
        assert await dump_world(ask_own) == before


async def test_a_deleted_collection_comes_back_with_its_history(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    query = "query($id: ID!) { collection(by: {id: $id}) { slug createdAt history { nodes { action } } } }"
    before = (await ask_own("eve", query, id=id_["members"]))["collection"]
    deleted = (await DELETE(ask_own, "ada", id=id_["members"]))["change"]["id"]
    assert (await change(ask_own, deleted))["assets"] == {"totalCount": 4}
    undone = await UNDO(ask_own, "ada", changeId=deleted)
    assert undone["subjects"] == [{"__typename": "Collection", "slug": "members"}]
    after = (await ask_own("eve", query, id=id_["members"]))["collection"]
    assert after == before | {
        "history": {"nodes": [{"action": "CREATED"}, {"action": "DELETED"}, *before["history"]["nodes"]]}
    }
    assert (await change(ask_own, deleted)) | {"assets": None} == {
        "action": "DELETED",
        "canUndo": False,
        "subjectId": id_["members"],
        "subjectType": "COLLECTION",
        "subjectName": "members",
        "undoneBy": {"id": undone["changes"][0]["id"]},
        "undoes": None,
        "assets": None,
    }
    assert undone["changes"][0]["undoes"] == {"id": deleted}


async def test_a_restored_collection_gets_another_slug_if_its_own_is_taken(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    deleted = (await DELETE(ask_own, "ada", id=id_["bare"]))["change"]["id"]
    await UPDATE_COLLECTION(ask_own, "ada", id=id_["members"], slug="bare")
    undone = await UNDO(ask_own, "ada", changeId=deleted)
    assert undone["subjects"] == [{"__typename": "Collection", "slug": "bare-2"}]
    await DELETE(ask_own, "ada", id=id_["members"])
    assert await find(ask_own, "bare") == (id_["bare"], None)


async def test_children_that_moved_since_the_deletion_stay(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    deleted = (await DELETE(ask_own, "ada", id=id_["inner"]))["change"]["id"]
    await UPDATE_COLLECTION(ask_own, "ada", id=id_["deep"], topicId=id_["empty"])
    undone = await UNDO(ask_own, "ada", changeId=deleted)
    assert undone["subjects"] == [{"__typename": "Collection", "slug": "inner"}]
    parent = "query($id: ID!) { collection(by: {id: $id}) { parent { id } topic { slug } } }"
    assert (await ask_own("ada", parent, id=id_["deep"]))["collection"] == {"parent": None, "topic": {"slug": "empty"}}


async def test_a_field_that_was_changed_again_is_a_conflict_that_names_the_change(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    first = (await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], name="First", description="Text"))["changes"]
    again = (await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], name="Second"))["changes"][0]["id"]
    (message,) = await messages(ask_own, "ada", changeId=first[0]["id"])
    assert message.startswith("CONFLICT: The collection's name was changed again by ada at 20")
    assert message.endswith(f" ({again}). Undo that first, or change it by hand.")
    await UNDO(ask_own, "ada", changeId=again)
    assert error_paths(await UNDO(ask_own, "ada", changeId=first[0]["id"])) == []
    undone = await messages(ask_own, "ada", changeId=first[0]["id"])
    assert [message.split(" was ")[0] for message in undone] == [
        "CONFLICT: The collection's name",
        "CONFLICT: The collection's description",
    ]


async def test_later_changes_prevent_the_undo_of_a_creation_and_of_a_deletion(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    made = await CREATE(ask_own, "ada", topicId=id_["empty"], name="New", visibility="INTERNAL")
    asset = (await asset_ids(ask_own))["blast"]
    added = await ADD(ask_own, "olu", collectionId=made["collection"]["id"], assetIds=[asset])
    (message,) = await messages(ask_own, "ada", changeId=made["changes"][0]["id"])
    assert message.startswith("CONFLICT: The collection's assets or children was changed again by olu")
    await UNDO(ask_own, "olu", changeId=added["change"]["id"])
    deleted = (await DELETE(ask_own, "ada", id=made["collection"]["id"]))["change"]["id"]
    assert error_paths(await UNDO(ask_own, "ada", changeId=made["changes"][0]["id"])) == [("NOT_FOUND", ["changeId"])]
    gone = await DELETE_TOPIC(ask_own, "ada", id=id_["empty"])
    (message,) = await messages(ask_own, "ada", changeId=deleted)
    assert message == "CONFLICT: The collection's former topic was deleted or moved since. Undo that first."
    await UNDO(ask_own, "ada", changeId=gone["changes"][0]["id"])
    await CREATE(ask_own, "ada", topicId=id_["empty"], name="NEW", visibility="INTERNAL")
    assert error_paths(await UNDO(ask_own, "ada", changeId=deleted)) == [("TAKEN", ["changeId"])]


async def test_an_undo_requires_the_right_to_the_opposite_change(ask_own: GraphQLClient) -> None:
    id_, asset = await ids(ask_own), (await asset_ids(ask_own))["blast"]
    renamed = (await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], name="Other"))["changes"][0]["id"]
    shared = (await GRANT(ask_own, "olu", assetId=asset, set=[], revoke=[{"everyone": True}]))["changes"][0]["id"]
    assert await refusal_code(ask_own, "olu", UNDO, changeId=renamed) == "FORBIDDEN"
    assert await refusal_code(ask_own, ANONYMOUS, UNDO, changeId=renamed) == "UNAUTHENTICATED"
    assert error_paths(await UNDO(ask_own, "ada", changeId=shared)) == [("NOT_OWNER", ["changeId"])]
    assert error_paths(await UNDO(ask_own, "eve", changeId=shared)) == [("NOT_FOUND", ["changeId"])]
    can = {
        who: [(await change(ask_own, each, who) or {}).get("canUndo") for each in (renamed, shared)]
        for who in ("ada", "olu", "eve")
    }
    assert can == {"ada": [True, False], "olu": [False, True], "eve": [False, None]}


async def test_can_undo_of_a_change_of_members_follows_its_visible_items(ask_own: GraphQLClient) -> None:
    id_ = await asset_ids(ask_own)
    added = (await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]]))["change"]["id"]
    can = {who: (await change(ask_own, added, who))["canUndo"] for who in ("ada", "olu", "eve")}
    assert can == {"ada": True, "olu": True, "eve": False}
    undone = (await UNDO(ask_own, "olu", changeId=added))["changes"][0]["id"]
    assert [(await change(ask_own, each, "olu"))["canUndo"] for each in (added, undone)] == [False, True]
    assert (await change(ask_own, added, "eve"))["undoneBy"] == {"id": undone}


async def test_can_undo_takes_as_many_statements_for_many_changes_as_for_few(ask_own: GraphQLClient) -> None:
    topic, id_ = await ids(ask_own), await asset_ids(ask_own)
    query = "query($first: Int) { auditLog(first: $first) { nodes { canUndo action } } }"
    sent = []
    for number in range(3):
        last = (await newest(ask_own))[0].pk
        await UPDATE_TOPIC(ask_own, "ada", id=topic["empty"], name=f"Topic {number}")
        await UPDATE_COLLECTION(ask_own, "ada", id=topic["bare"], name=f"Collection {number}")
        await GRANT(ask_own, "olu", assetId=id_["blast"], set=[{"to": {"everyone": True}, "access": ACCESS[number]}])
        await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_[NAMES[number]]])
        made = await CREATE(ask_own, "ada", topicId=topic["empty"], name=f"New {number}", visibility="INTERNAL")
        await DELETE(ask_own, "ada", id=made["collection"]["id"])
        async with assert_unchanged(ask_own):
            size = len(await newest(ask_own, last)) * (number + 1)
            nodes = (await ask_own("ada", query, first=size))["auditLog"]["nodes"]
        sent.append((len(nodes), len(ask_own.statements)))
    assert [size for size, _ in sent] == [6, 12, 18]
    assert len({statements for _, statements in sent}) == 1, sent
    assert sent[0][1] <= MAX_STATEMENTS


async def test_can_undo_is_false_for_a_change_that_only_its_job_undoes(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await asset_ids(ask_own)
    added = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"], id_["align"]])
    users = {"from": {"userExternalId": "sam"}, "to": {"userExternalId": "eve"}}
    transfer = await Mutation("assetsTransfer", "changes { id }")(ask_own, "ada", **users)
    made = [added["change"]["id"], transfer["changes"][0]["id"]]
    topic = await ids(ask_own)
    for limit, expected in ((2, [True, True]), (1, [False, True]), (0, [False, False])):
        monkeypatch.setattr("resolvers.undoable.MAX_ITEMS", limit)
        await UPDATE_TOPIC(ask_own, "ada", id=topic["empty"], name=f"{limit}")  # no answer from memory
        assert [(await change(ask_own, each))["canUndo"] for each in made] == expected
        undone = [await UNDO(ask_own, "ada", changeId=each, dryRun=True) for each in made]
        assert [not each["userErrors"] for each in undone] == expected


async def test_can_undo_of_the_undo_of_a_merge_compares_the_names_of_all_collections(ask_own: GraphQLClient) -> None:
    topics, collections = list[str](), list[str]()
    for name in ("First", "Second"):
        topic = await Mutation("topicCreate", "topic { id }")(ask_own, "ada", name=name)
        topics.append(topic["topic"]["id"])
        made = await CREATE(ask_own, "ada", topicId=topics[-1], name=name, visibility="INTERNAL")
        collections.append(made["collection"]["id"])
    target = (await ids(ask_own))["empty"]
    merge = await Mutation("topicMerge", "changes { id }")(ask_own, "ada", sourceIds=topics, targetId=target)
    undone = (await UNDO(ask_own, "ada", changeId=merge["changes"][0]["id"]))["changes"][0]["id"]
    for name, expected in (("first", False), ("Third", True)):
        await UPDATE_COLLECTION(ask_own, "ada", id=collections[1], name=name)
        tried = await UNDO(ask_own, "ada", changeId=undone, dryRun=True)
        assert (await change(ask_own, undone))["canUndo"] is (tried["userErrors"] == []) is expected


async def test_can_undo_of_a_merge_takes_as_many_statements_for_many_topics_as_for_few(ask_own: GraphQLClient) -> None:
    create, merge = Mutation("topicCreate", "topic { id }"), Mutation("topicMerge", "changes { id }")
    target = (await ids(ask_own))["empty"]
    sent = []
    for size in (2, 4):
        names = [f"{number} of {size}" for number in range(size)]
        topics = [(await create(ask_own, "ada", name=name))["topic"]["id"] for name in names]
        for topic in topics:
            await CREATE(ask_own, "ada", topicId=topic, name=topic, visibility="INTERNAL")
        last = (await merge(ask_own, "ada", sourceIds=topics, targetId=target))["changes"][0]["id"]
        for _ in range(2):
            ask_own.statements.clear()
            assert (await change(ask_own, last))["canUndo"]
            sent.append(len(ask_own.statements))
            last = (await UNDO(ask_own, "ada", changeId=last))["changes"][0]["id"]
    assert sent[:2] == sent[2:]


async def test_can_undo_of_mixed_grants_follows_the_current_grants(ask_own: GraphQLClient) -> None:
    asset = (await asset_ids(ask_own))["blast"]
    eve, mei = ({"userExternalId": name} for name in ("eve", "mei"))
    await GRANT(ask_own, "olu", assetId=asset, set=[{"to": eve, "access": "VIEWER"}])
    grants = [{"to": eve, "access": "EDITOR"}, {"to": mei, "access": "VIEWER"}]
    shared = (await GRANT(ask_own, "olu", assetId=asset, set=grants))["changes"][0]["id"]
    restored, revoked = (await UNDO(ask_own, "olu", changeId=shared))["changes"]
    for redone, expected in ((restored, [False, False, True]), (revoked, [True, False, False])):
        await UNDO(ask_own, "olu", changeId=redone["id"])
        seen = [(await change(ask_own, id_, "olu"))["canUndo"] for id_ in (shared, restored["id"], revoked["id"])]
        tried = [
            await UNDO(ask_own, "olu", changeId=id_, dryRun=True) for id_ in (shared, restored["id"], revoked["id"])
        ]
        assert seen == [not each["userErrors"] for each in tried] == expected


async def test_a_change_of_grants_is_undone_once_if_its_undo_restores_some_and_revokes_others(
    ask_own: GraphQLClient,
) -> None:
    asset = (await asset_ids(ask_own))["blast"]
    users = (await ask_own("olu", "{ users { nodes { id name } } }"))["users"]["nodes"]
    eve, mei = ({"userId": user["id"]} for user in users if user["name"] in {"eve", "mei"})
    await GRANT(ask_own, "olu", assetId=asset, set=[{"to": eve, "access": "VIEWER"}])
    grants = [{"to": eve, "access": "EDITOR"}, {"to": mei, "access": "VIEWER"}]
    shared = (await GRANT(ask_own, "olu", assetId=asset, set=grants))["changes"][0]["id"]
    undone = (await UNDO(ask_own, "olu", changeId=shared))["changes"]
    assert [each["action"] for each in undone] == ["SHARED", "UNSHARED"]
    can = [(await change(ask_own, id_, "olu"))["canUndo"] for id_ in (shared, *(each["id"] for each in undone))]
    assert can == [False, True, True]


async def test_a_change_can_be_undone_for_30_days(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    renamed = (await UPDATE_TOPIC(ask_own, "ada", id=id_["empty"], name="Other"))["changes"][0]["id"]
    async with ask_own.database.write() as connection:
        of_change = sql.change.c.id == renamed
        await connection.execute(update(sql.change).where(of_change).values(at=sql.change.c.at - UNDO_MS))
    assert not (await change(ask_own, renamed))["canUndo"]
    (message,) = await messages(ask_own, "ada", changeId=renamed)
    assert message == "INVALID: The change was made more than 30 days ago, and can no longer be undone."


async def test_imports_and_registrations_are_not_undone(ask_own: GraphQLClient) -> None:
    found = await prepare_world(ask_own)
    (act,) = (act for act in ACTS if act.mutation == "assetsRegister")
    await mutate(act)(ask_own, act.who, **filled(act.given, found))
    registered, *_, imported = await newest(ask_own)
    for row in (registered, imported):
        assert not (await change(ask_own, row.id))["canUndo"]
        (message,) = await messages(ask_own, "ada", changeId=row.id)
        assert message.startswith("INVALID: This change cannot be undone: it was made by an import")


async def test_assets_return_to_their_places_unless_they_were_moved_again(ask_own: GraphQLClient) -> None:
    id_ = await asset_ids(ask_own)
    before = await held(ask_own, "open")
    block = [id_["blast"], id_["align"]]
    first = await REORDER(ask_own, "ada", collectionId=id_["open"], assetIds=block, position={"atStart": True})
    second = await REORDER(ask_own, "ada", collectionId=id_["open"], assetIds=block[:1], position={"atEnd": True})
    undone = await UNDO(ask_own, "ada", changeId=first["change"]["id"])
    assert [each["error"] and each["error"]["code"] for each in undone["results"]] == [None, "CONFLICT"]
    await UNDO(ask_own, "ada", changeId=undone["changes"][0]["id"])
    await UNDO(ask_own, "ada", changeId=second["change"]["id"])
    await UNDO(ask_own, "ada", changeId=first["change"]["id"])
    assert await held(ask_own, "open") == before


@pytest.mark.parametrize(("kind", "slug"), [("collection", "bare"), ("topic", "empty")])
async def test_a_deletion_that_was_undone_prevents_no_undo_of_a_move(
    ask_own: GraphQLClient, kind: str, slug: str
) -> None:
    id_ = (await ids(ask_own))[slug]
    reorder = Mutation(f"{kind}Reorder", "changes { id }")
    delete = DELETE if kind == "collection" else DELETE_TOPIC

    async def places() -> list[tuple[str, list[str]]]:
        return list((await tree(ask_own, "ada")).items())

    before = await places()
    moved = await reorder(ask_own, "ada", id=id_, position={"atStart": True})
    at_start = await places()
    back = (await UNDO(ask_own, "ada", changeId=moved["changes"][0]["id"]))["changes"][0]["id"]
    await delete(ask_own, "ada", id=id_)
    await UNDO(ask_own, "ada", changeId=(await newest(ask_own))[0].id)
    assert await places() == before != at_start
    assert (await change(ask_own, back))["canUndo"]
    await UNDO(ask_own, "ada", changeId=back)
    assert await places() == at_start


async def test_a_conflict_of_an_asset_names_the_later_change_that_the_viewer_sees(ask_own: GraphQLClient) -> None:
    id_ = await asset_ids(ask_own)
    names = ["blast", "align", "count", "genomes"]
    first = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_[name] for name in names])
    await REMOVE(ask_own, "ada", collectionId=id_["bare"], assetIds=[id_["blast"]])
    removed = await REMOVE(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["align"]])
    put = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]])
    # A move of an asset that stays a member is no conflict with the undo of its addition, and is not named.
    await REORDER(ask_own, "ada", collectionId=id_["bare"], assetIds=[id_["blast"]], position={"atStart": True})
    by_log = {row.id: row.at for row in await newest(ask_own)}
    text = "The asset was added, removed or moved again by olu at {} ({}), so it stays as it is. {}"
    later = [each["change"]["id"] for each in (removed, put)]
    expected = [
        text.format(format_rfc_3339(by_log[id_]), id_, "Undo that first, or change it by hand.") for id_ in later
    ]
    for who in ("olu", "ada"):
        undone = await UNDO(ask_own, who, changeId=first["change"]["id"], dryRun=True)
        assert [each["error"] and each["error"]["message"] for each in undone["results"]] == [*expected, None, None]
    order = await REORDER(ask_own, "ada", collectionId=id_["bare"], assetIds=[id_["blast"]], position={"atEnd": True})
    again = await REORDER(ask_own, "ada", collectionId=id_["bare"], assetIds=[id_["blast"]], position={"atStart": True})
    (message,) = await messages(ask_own, "ada", changeId=order["change"]["id"])
    assert message.startswith("CONFLICT: The asset was added, removed or moved again by ada at 20")
    assert f"({again['change']['id']})" in message


async def test_a_dry_run_undoes_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    deleted = (await DELETE(ask_own, "ada", id=id_["members"]))["change"]["id"]
    async with assert_unchanged(ask_own):
        tried = await UNDO(ask_own, "ada", changeId=deleted, dryRun=True)
    assert (tried["userErrors"], tried["changes"]) == ([], [])


@pytest.mark.parametrize("given", [{}, {"changeId": "chg_1", "jobId": "job_1"}])
async def test_an_undo_names_a_change_or_a_job(ask_own: GraphQLClient, given: dict[str, str]) -> None:
    (code,) = [code for code, _ in error_paths(await UNDO(ask_own, "ada", **given))]
    assert code == ("INVALID" if given else "REQUIRED")


async def test_all_changes_of_a_job_are_undone_by_a_job(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", 2)
    monkeypatch.setattr("resolvers.undoable.MAX_ITEMS", 1)
    monkeypatch.setattr("resolvers.write.job.CHUNK_SIZE", 2)
    id_ = await asset_ids(ask_own)
    before = await held(ask_own, "open"), await held(ask_own, "inner")
    move = Mutation("collectionAssetsMove", "job { id }")
    names = ("blast", "align", "count")
    given = {"fromCollectionId": id_["open"], "toCollectionId": id_["inner"], "assetIds": [id_[each] for each in names]}
    moved = (await move(ask_own, "olu", **given, mode="BEST_EFFORT"))["job"]["id"]
    assert error_paths(await UNDO(ask_own, "olu", jobId=moved)) == [("CONFLICT", ["jobId"])]
    while await jobs.run_next_job(ask_own.database):
        pass
    after = await held(ask_own, "open"), await held(ask_own, "inner")
    assert after != before
    assert error_paths(await UNDO(ask_own, "ada", jobId=moved)) == [("NOT_FOUND", ["jobId"])]
    undone = await UNDO(ask_own, "olu", jobId=moved)
    assert (undone["summary"], undone["results"]) == ({"requested": 3, "changed": 0}, [])
    while await jobs.run_next_job(ask_own.database):
        pass
    job = "query($id: ID!) { job(id: $id) { kind status done total results { totalCount } changes { action } } }"
    assert (await ask_own("olu", job, id=undone["job"]["id"]))["job"] == {
        "kind": "CHANGES_UNDO",
        "status": "SUCCEEDED",
        "done": 3,
        "total": 3,
        "results": {"totalCount": 3},
        "changes": [{"action": "UNDONE"}] * 4,
    }
    assert (await held(ask_own, "open"), await held(ask_own, "inner")) == before
    await UNDO(ask_own, "olu", jobId=undone["job"]["id"])
    while await jobs.run_next_job(ask_own.database):
        pass
    assert (await held(ask_own, "open"), await held(ask_own, "inner")) == after


@pytest.mark.parametrize("visibility", ["INTERNAL", "PUBLIC"])
@pytest.mark.parametrize("assets", [(), ("hidden",), ("blast", "hidden")])
async def test_a_deletion_stays_readable_for_those_who_saw_the_collection(
    ask_own: GraphQLClient, visibility: str, assets: tuple[str, ...]
) -> None:
    id_ = await ids(ask_own) | await asset_ids(ask_own)
    made = await CREATE(ask_own, "ada", topicId=id_["empty"], name="New", visibility=visibility)
    collection = made["collection"]["id"]
    if assets:
        await ADD(ask_own, "olu", collectionId=collection, assetIds=[id_[name] for name in assets])
    deleted = (await DELETE(ask_own, "ada", id=collection))["change"]["id"]
    for each in (made["changes"][0]["id"], deleted):
        seen = await change(ask_own, each, "eve")
        assert (seen["subjectId"], seen["subjectName"], seen["canUndo"]) == (collection, "New", False)
        assert seen["assets"]["totalCount"] == (each == deleted and "blast" in assets)
        assert await change(ask_own, each, ANONYMOUS) is None
    await set_public_sharing(ask_own.database, is_on=False)
    assert (await change(ask_own, deleted, "eve") is None) is (visibility == "PUBLIC")
    await set_public_sharing(ask_own.database)
    await set_public_sharing(ask_own.database, is_on=False)
    hidden = (await UNDO(ask_own, "ada", changeId=deleted))["changes"][0]["id"]
    again = (await DELETE(ask_own, "ada", id=collection))["change"]["id"]
    await set_public_sharing(ask_own.database)
    # It was hidden from members when it was deleted, so it stays hidden from them.
    for each in (deleted, hidden, again):
        assert (await change(ask_own, each, "eve") is None) is (visibility == "PUBLIC")


SLUG = "query($slug: String!) { collection(by: {slug: $slug}) { id } topic(by: {slug: $slug}) { id } }"


async def find(ask: GraphQLClient, slug: str, who: str = "ada") -> tuple[str | None, str | None]:
    """Return the ids of the collection and of the topic with the slug."""
    found = await ask(who, SLUG, slug=slug)
    return tuple(found[kind] and found[kind]["id"] for kind in ("collection", "topic"))


async def test_a_former_slug_finds_its_object_until_a_visible_one_has_it(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    for slug in ("second", "third"):
        await UPDATE_COLLECTION(ask_own, "ada", id=id_["members"], slug=slug)
        await UPDATE_TOPIC(ask_own, "ada", id=id_["empty"], slug=slug)
    for slug in ("members", "second", "third"):
        assert (await find(ask_own, slug, "eve"))[0] == id_["members"]
    for slug in ("empty", "second", "third"):
        assert (await find(ask_own, slug, "eve"))[1] == id_["empty"]
    assert await find(ask_own, "none") == (None, None)
    # `bare` takes the slug, and is visible to members only while sharing is on.
    await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], slug="members", visibility="PUBLIC")
    assert (await find(ask_own, "members", "eve"))[0] == id_["bare"]
    await set_public_sharing(ask_own.database, is_on=False)
    assert (await find(ask_own, "members", "eve"))[0] == id_["members"]
    assert (await find(ask_own, "members"))[0] == id_["bare"]
    await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], slug="bare")
    assert (await find(ask_own, "members"))[0] == id_["bare"]  # which had it last
