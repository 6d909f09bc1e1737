"""Transfer of assets: every asset of a user passes to another, at once or as a job, and the log says so."""

from typing import Any

import pytest
from sqlalchemy import select, update

from resolvers.write import job as jobs
from store import sql
from tests.conftest import GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths
from tests.test_membership_write import ids
from tests.test_user import ids_of

TRANSFER = Mutation(
    "assetsTransfer",
    "summary { requested changed unchanged dryRun } changes { action subject { id } } job { id kind status total }",
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
    share = Mutation("assetGrantsUpdate", "__typename")
    await share(ask_own, "olu", assetId=id_["blast"], set=[{"to": {"userExternalId": "sam"}, "access": "OWNER"}])
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
    query = "query($id: ID!) { job(id: $id) { status done results(first: 100) { nodes { status } } } }"
    undone = await Mutation("changeUndo", "job { id }")(ask_own, "ada", jobId=job["id"])
    assert [error["message"].partition(".")[0] for error in undone["userErrors"]] == ["A transfer cannot be undone"]
    found = (await ask_own("ada", query, id=job["id"]))["job"]
    assert (found["status"], found["done"]) == ("SUCCEEDED", 10)
    assert [node["status"] for node in found["results"]["nodes"]] == ["CHANGED"] * 10


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
