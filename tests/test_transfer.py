"""Transfer of assets: every asset of a user passes to another, at once or as a job, and the log says so."""

from typing import Any

import pytest
from sqlalchemy import select, update

from resolvers.write import job as jobs
from store import sql
from tests.conftest import GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code
from tests.test_membership_write import ids
from tests.test_user import ids_of

UNDO = Mutation(
    "changeUndo",
    """subjects { id } changes { id action undoes { id } assets { totalCount } } job { id }
    results { asset { ... on AssetFields { name } } status error { code message } }
    summary { requested changed failed dryRun }""",
)
SHARE = Mutation("assetGrantsUpdate", "changes { id at }")
TRANSFER = Mutation(
    "assetsTransfer",
    "summary { requested changed unchanged dryRun } changes { id action subject { id } } job { id kind status total }",
)
OLU, EVE = {"userExternalId": "olu"}, {"userExternalId": "eve"}
# All assets that olu owns, and those that the group core owns with them.
OWNED_BY_OLU = ["align", "blast", "count", "draft", "explore", "genomes", "hidden", "images", "junk", "kept"]


async def grants(ask: GraphQLClient) -> dict[str, tuple[str, dict[str, int]]]:
    """Return the owner and the users' grants of each asset, by name."""
    owner, holder = sql.principal.alias(), sql.principal.alias()
    rows = (
        select(sql.asset.c.name, owner.c.external_id.label("owner"), holder.c.external_id, sql.grant.c.access)
        .join(owner, owner.c.pk == sql.asset.c.owner_pk)
        .join(sql.grant, sql.grant.c.asset_pk == sql.asset.c.pk)
        .join(holder, holder.c.pk == sql.grant.c.principal_pk)
        .where(holder.c.kind == "USER")
    )
    found: dict[str, tuple[str, dict[str, int]]] = {}
    async with ask.database.snapshot() as snapshot:
        for row in await snapshot.rows(rows):
            found.setdefault(row.name, (row.owner, {}))[1][row.external_id] = row.access
    return found


async def changes(ask: GraphQLClient, asset: str) -> list[tuple[str, str, str | None, str | None]]:
    """Return the changes of an asset that have a field: action, field, before and after, with names for ids."""
    async with ask.database.snapshot() as snapshot:
        people = {row.id: row.external_id for row in await snapshot.rows(select(sql.principal))}
        logged = select(sql.change).join(sql.asset, sql.asset.c.id == sql.change.c.subject_id)
        rows = await snapshot.rows(logged.where(sql.asset.c.name == asset, sql.change.c.action != "CREATED"))

    def named(text: str | None) -> str | None:
        kind, _, id_ = (text or "").partition(":")
        return f"{kind}:{people[id_]}" if id_ in people else people.get(text or "", text)

    return [
        (row.action, str(named(each["field"])), named(each["before"]), named(each["after"]))
        for row in rows
        for each in row.fields
    ]


async def test_all_assets_of_a_user_pass_to_another(ask_own: GraphQLClient) -> None:
    before = await grants(ask_own)
    payload = await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE})
    assert payload["userErrors"] == []
    assert payload["summary"] == {"requested": 10, "changed": 10, "unchanged": 0, "dryRun": False}
    assert payload["job"] is None
    expected = {name: ("eve", {"eve": 4}) for name in OWNED_BY_OLU} | {"lens": before["lens"]}
    assert await grants(ask_own) == expected
    assert await changes(ask_own, "align") == [
        ("UPDATED", "owner", "olu", "eve"),
        ("SHARED", "user:eve", None, "OWNER"),
        ("UNSHARED", "user:olu", "OWNER", None),
    ]
    async with ask_own.database.snapshot() as snapshot:
        last = await snapshot.rows(select(sql.change.c.request_id).where(sql.change.c.action == "SHARED").distinct())
    assert len(last) == 1
    again = await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE})
    assert again["summary"]["requested"] == 0


async def test_the_former_owner_keeps_editor_access_on_request(ask_own: GraphQLClient) -> None:
    await TRANSFER(ask_own, "ada", **{"from": {"userExternalId": "sam"}, "to": EVE, "keepEditor": True})
    assert (await grants(ask_own))["lens"] == ("eve", {"eve": 4, "sam": 3})
    assert await changes(ask_own, "lens") == [
        ("UPDATED", "owner", "sam", "eve"),
        ("SHARED", "user:sam", "OWNER", "EDITOR"),
        ("SHARED", "user:eve", None, "OWNER"),
    ]


async def test_an_asset_owned_together_passes_without_a_new_owner_in_the_platform(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await SHARE(ask_own, "olu", assetId=id_["blast"], set=[{"to": {"userExternalId": "sam"}, "access": "OWNER"}])
    payload = await TRANSFER(ask_own, "ada", **{"from": {"userExternalId": "sam"}, "to": EVE})
    assert payload["summary"]["changed"] == 2
    assert (await grants(ask_own))["blast"] == ("olu", {"olu": 4, "eve": 4})


async def test_a_dry_run_changes_nothing(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (1_000, 9):
        monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", limit)
        async with assert_unchanged(ask_own):
            payload = await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE, "dryRun": True})
        assert payload["summary"] == {"requested": 10, "changed": 10, "unchanged": 0, "dryRun": True}
        assert (payload["changes"], payload["job"], payload["userErrors"]) == ([], None, [])


async def test_many_assets_become_a_job(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", 9)
    monkeypatch.setattr("resolvers.write.job.CHUNK_SIZE", 4)
    payload = await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE})
    job = payload["job"]
    assert (job["kind"], job["status"], job["total"]) == ("ASSETS_TRANSFER", "QUEUED", 10)
    await jobs.run_next_job(ask_own.database)
    assert {name for name, (owner, _) in (await grants(ask_own)).items() if owner == "eve"} == set(OWNED_BY_OLU)
    query = (
        "query($id: ID!) { job(id: $id) { status done results(first: 100) { nodes { status } } changes { action } } }"
    )
    found = (await ask_own("ada", query, id=job["id"]))["job"]
    assert (found["status"], found["done"]) == ("SUCCEEDED", 10)
    assert found["changes"] == [{"action": "ASSETS_TRANSFERRED"}] * 3
    assert [node["status"] for node in found["results"]["nodes"]] == ["CHANGED"] * 10


async def transfer(ask: GraphQLClient, source: str = "olu", target: str = "eve", **given: Any) -> str:
    """Transfer the assets of a user, and return the id of the change of the whole."""
    users = {"from": {"userExternalId": source}, "to": {"userExternalId": target}}
    first, *others = (await TRANSFER(ask, "ada", **users, **given))["changes"]
    assert first["action"] == "ASSETS_TRANSFERRED" not in {each["action"] for each in others}
    return str(first["id"])


@pytest.mark.parametrize("keep_editor", [False, True])
async def test_a_transfer_is_undone_and_made_again(ask_own: GraphQLClient, *, keep_editor: bool) -> None:
    id_ = await ids(ask_own)
    everyone_else = [{"to": EVE, "access": "VIEWER"}, {"to": {"userExternalId": "sam"}, "access": "OWNER"}]
    await SHARE(ask_own, "olu", assetId=id_["blast"], set=everyone_else)
    before = await grants(ask_own)
    made = await transfer(ask_own, keepEditor=keep_editor)
    after = await grants(ask_own)
    async with assert_unchanged(ask_own):
        tried = await UNDO(ask_own, "ada", changeId=made, dryRun=True)
    assert tried["summary"] == {"requested": 10, "changed": 10, "failed": 0, "dryRun": True}
    undone = await UNDO(ask_own, "ada", changeId=made)
    assert await grants(ask_own) == before
    assert undone["userErrors"] == []
    assert [each["asset"]["name"] for each in undone["results"]] == OWNED_BY_OLU
    (change,) = undone["changes"]
    assert change | {"id": None} == {
        "id": None,
        "action": "ASSETS_TRANSFERRED",
        "undoes": {"id": made},
        "assets": {"totalCount": 10},
    }
    assert undone["subjects"] == [{"id": (await ids_of(ask_own))["olu"]}]
    assert error_paths(await UNDO(ask_own, "ada", changeId=made)) == [("CONFLICT", ["changeId"])]
    again = await UNDO(ask_own, "ada", changeId=change["id"])
    assert await grants(ask_own) == after
    await UNDO(ask_own, "ada", changeId=again["changes"][0]["id"])
    assert await grants(ask_own) == before


async def test_an_undo_leaves_what_others_changed_since(ask_own: GraphQLClient) -> None:
    id_, before = await ids(ask_own), await grants(ask_own)
    made = await transfer(ask_own)
    # Owners of one asset share it again with the former owner, and of another with somebody else.
    (later,) = (await SHARE(ask_own, "eve", assetId=id_["blast"], set=[{"to": OLU, "access": "VIEWER"}]))["changes"]
    await SHARE(ask_own, "eve", assetId=id_["align"], set=[{"to": {"userExternalId": "sam"}, "access": "VIEWER"}])
    undone = await UNDO(ask_own, "ada", changeId=made)
    assert undone["summary"] == {"requested": 10, "changed": 9, "failed": 1, "dryRun": False}
    (conflict,) = [each for each in undone["results"] if each["error"]]
    assert (conflict["asset"]["name"], conflict["status"], conflict["error"]["code"]) == ("blast", "FAILED", "CONFLICT")
    assert conflict["error"]["message"] == (
        f"The asset's owner or grants were changed again by eve at {later['at']} ({later['id']}), so they stay as they"
        " are. Undo that first, or change them by hand."
    )
    expected = {**before, "blast": ("eve", {"eve": 4, "olu": 2}), "align": ("olu", {**before["align"][1], "sam": 2})}
    assert await grants(ask_own) == expected
    await UNDO(ask_own, "eve", changeId=later["id"])
    rest = await UNDO(ask_own, "ada", changeId=made)
    assert [each["asset"]["name"] for each in rest["results"] if each["status"] == "CHANGED"] == ["blast"]
    assert await grants(ask_own) == expected | {"blast": before["blast"]}


async def test_an_undo_leaves_the_access_of_an_owner_of_the_platform(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await SHARE(ask_own, "olu", assetId=id_["blast"], set=[{"to": {"userExternalId": "sam"}, "access": "OWNER"}])
    made = await transfer(ask_own, "sam", "eve")
    owner_pk = select(sql.principal.c.pk).where(sql.principal.c.external_id == "eve").scalar_subquery()
    async with ask_own.database.write() as connection:  # as an import does
        await connection.execute(update(sql.asset).where(sql.asset.c.name == "blast").values(owner_pk=owner_pk))
    undone = await UNDO(ask_own, "ada", changeId=made)
    assert [(each["asset"]["name"], each["status"]) for each in undone["results"]] == [
        ("blast", "FAILED"),
        ("lens", "CHANGED"),
    ]
    assert undone["results"][0]["error"]["message"].startswith("The asset's owner or grants were changed again after")
    assert (await grants(ask_own))["blast"] == ("eve", {"olu": 4, "eve": 4})


async def test_a_transfer_is_undone_by_administrators_as_a_whole(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await transfer(ask_own)
    async with assert_unchanged(ask_own):
        assert error_paths(await UNDO(ask_own, "eve", changeId=made)) == [("NOT_FOUND", ["changeId"])]
        log = "{ auditLog(first: 9) { nodes { id action } } }"
        nodes = (await ask_own("ada", log))["auditLog"]["nodes"]
        (part,) = (await UNDO(ask_own, "ada", changeId=nodes[1]["id"]))["userErrors"]
        assert part["message"].startswith("This change cannot be undone: it was made by an import")
        monkeypatch.setattr("resolvers.undoable.MAX_ITEMS", 9)
        assert error_paths(await UNDO(ask_own, "ada", changeId=made)) == [("LIMIT_EXCEEDED", ["changeId"])]


async def test_assets_go_back_to_a_user_who_was_deactivated(ask_own: GraphQLClient) -> None:
    id_, before = await ids_of(ask_own), await grants(ask_own)
    await Mutation("userDeactivate", "__typename")(ask_own, "ada", userId=id_["olu"])
    await UNDO(ask_own, "ada", changeId=await transfer(ask_own))
    assert await grants(ask_own) == before


async def run_all(ask: GraphQLClient) -> None:
    """Run the jobs until none waits."""
    while await jobs.run_next_job(ask.database):
        pass


async def test_a_job_that_transferred_is_undone_by_a_job(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", 9)
    monkeypatch.setattr("resolvers.write.job.CHUNK_SIZE", 4)
    id_, before = await ids(ask_own), await grants(ask_own)
    made = (await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE}))["job"]["id"]
    await run_all(ask_own)
    after = await grants(ask_own)
    undone = (await UNDO(ask_own, "ada", jobId=made))["job"]["id"]
    await run_all(ask_own)
    assert await grants(ask_own) == before
    again = (await UNDO(ask_own, "ada", jobId=undone))["job"]["id"]
    await run_all(ask_own)
    assert await grants(ask_own) == after
    await SHARE(ask_own, "eve", assetId=id_["blast"], set=[{"to": OLU, "access": "VIEWER"}])
    last = (await UNDO(ask_own, "ada", jobId=again))["job"]["id"]
    await run_all(ask_own)
    job = "query($id: ID!) { job(id: $id) { status results(first: 99) { nodes { status error { code } } } } }"
    found = (await ask_own("ada", job, id=last))["job"]
    assert found["status"] == "PARTIALLY_FAILED"
    assert [each["error"]["code"] for each in found["results"]["nodes"] if each["error"]] == ["CONFLICT"]
    assert await grants(ask_own) == before | {"blast": ("eve", {"eve": 4, "olu": 2})}


async def test_a_former_administrator_hands_nothing_back(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", 9)
    made = (await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE}))["job"]["id"]
    await run_all(ask_own)
    undone = (await UNDO(ask_own, "ada", jobId=made))["job"]["id"]
    after = await grants(ask_own)
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.principal).values(is_admin=False))
    assert await refusal_code(ask_own, "ada", UNDO, jobId=made) == "FORBIDDEN"
    await run_all(ask_own)
    assert await grants(ask_own) == after
    found = await ask_own("ada", "query($id: ID!) { job(id: $id) { status } }", id=undone)
    assert found["job"] == {"status": "CANCELLED"}


async def test_a_job_of_a_former_administrator_is_cancelled(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", 9)
    await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE})
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.principal).values(is_admin=False))
    before = await grants(ask_own)
    await jobs.run_next_job(ask_own.database)
    assert await grants(ask_own) == before
    async with ask_own.database.snapshot() as snapshot:
        assert [row.status for row in await snapshot.rows(select(sql.job.c.status))] == ["CANCELLED"]


async def test_a_job_hands_nothing_to_a_user_who_was_deactivated_since(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", 9)
    made = (await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE}))["job"]["id"]
    await Mutation("userDeactivate", "__typename")(ask_own, "ada", userId=(await ids_of(ask_own))["eve"])
    before = await grants(ask_own)
    await run_all(ask_own)
    assert await grants(ask_own) == before
    found = await ask_own("ada", "query($id: ID!) { job(id: $id) { status userErrors { code message } } }", id=made)
    message = "eve is deactivated. Reactivate them first, or choose another user."
    assert found["job"] == {"status": "FAILED", "userErrors": [{"code": "INVALID", "message": message}]}


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"from": OLU, "to": OLU}, [("INVALID", ["to"])]),
        ({"from": {"groupExternalId": "lab"}, "to": EVE}, [("NOT_FOUND", ["from"])]),
        ({"from": OLU, "to": {"everyone": True}}, [("NOT_FOUND", ["to"])]),
        (
            {"from": {"userExternalId": "no"}, "to": {"userId": "usr_x"}},
            [("NOT_FOUND", ["from"]), ("NOT_FOUND", ["to"])],
        ),
    ],
)
async def test_both_must_be_different_users(ask: GraphQLClient, given: dict[str, Any], errors: Any) -> None:
    assert error_paths(await TRANSFER(ask, "ada", **given)) == errors


async def test_assets_do_not_pass_to_a_deactivated_user(ask_own: GraphQLClient) -> None:
    id_ = await ids_of(ask_own)
    await Mutation("userDeactivate", "__typename")(ask_own, "ada", userId=id_["eve"])
    payload = await TRANSFER(ask_own, "ada", **{"from": OLU, "to": EVE})
    assert [(error["code"], error["message"]) for error in payload["userErrors"]] == [
        ("INVALID", "eve is deactivated. Reactivate them first, or choose another user.")
    ]
    await Mutation("userDeactivate", "__typename")(ask_own, "ada", userId=id_["olu"])
    payload = await TRANSFER(ask_own, "ada", **{"from": OLU, "to": {"userId": id_["sam"]}})
    assert payload["summary"]["changed"] == 10  # a user who left can hand over
