"""Jobs: bulk mutations in chunks, with leases, cancelling and item results."""

import asyncio
import itertools
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from app.worker import run_worker
from resolvers.write import job as jobs
from resolvers.write.membership_operations import Effect, MembershipOperation
from store import sql
from tests.conftest import ANONYMOUS, GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code
from tests.test_membership_write import UNKNOWN, held, ids

STARTED = "job { id kind status done total } results { status }"
ADD = Mutation("collectionAssetsAdd", STARTED)
REMOVE = Mutation("collectionAssetsRemove", STARTED)
MOVE = Mutation("collectionAssetsMove", STARTED)
CANCEL = Mutation("jobCancel", "job { status done }")
JOB = """query($id: ID!, $first: Int, $after: String, $onlyFailed: Boolean) { job(id: $id) {
  kind status done total finishedAt userErrors { code path }
  results(first: $first, after: $after, onlyFailed: $onlyFailed) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { assetId asset { ... on AssetFields { name } } status error { code path } }
    edges { node { status } }
  }
} }"""
OTHER_UNKNOWN = "ast_" + "2" * 24
FIVE = ("blast", "align", "count", "explore", "images")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn mutations of more than two assets into jobs with chunks of two."""
    monkeypatch.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", 2)
    monkeypatch.setattr("resolvers.write.job.CHUNK_SIZE", 2)
    monkeypatch.setattr("app.worker.POLL_SECONDS", 0.01)


async def started(ask: GraphQLClient, who: str, mutation: Mutation, **given: Any) -> str:
    """Send the mutation and return the id of its job."""
    answer = await mutation(ask, who, **given)
    assert (answer["userErrors"], answer["results"]) == ([], [])
    return str(answer["job"]["id"])


async def seen(ask: GraphQLClient, who: str, id_: str, **page: Any) -> Any:
    return (await ask(who, JOB, id=id_, first=100, **page))["job"]


def told(job: dict[str, Any]) -> list[str]:
    """Return the status of each result, or its error code."""
    return [node["error"]["code"] if node["error"] else node["status"] for node in job["results"]["nodes"]]


async def chunk(ask: GraphQLClient) -> None:
    """Run one chunk and stop, like a server that shuts down."""
    answers = iter([False, True])
    await jobs.run_next_job(ask.database, lambda: next(answers))


async def test_a_large_mutation_becomes_a_job_with_the_same_effect(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_[name] for name in (*FIVE, "blast")]
    answer = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=given, note="Many")
    assert answer["job"] | {"id": ""} == {"id": "", "kind": "ASSETS_ADD", "status": "QUEUED", "done": 0, "total": 5}
    assert await held(ask_own, "bare") == []
    assert await jobs.run_next_job(ask_own.database)
    job = await seen(ask_own, "olu", answer["job"]["id"])
    assert (job["status"], job["done"], job["finishedAt"] is not None) == ("SUCCEEDED", 5, True)
    assert [(node["asset"]["name"], node["status"]) for node in job["results"]["nodes"]] == [
        (name, "CHANGED") for name in FIVE
    ]
    assert await held(ask_own, "bare") == list(FIVE)
    assert not await jobs.run_next_job(ask_own.database)


MIXED = ("align", "lens", "draft", "blast", "count")


async def test_a_best_effort_job_reports_each_item(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [UNKNOWN, *(id_[name] for name in MIXED)]
    id_of_job = await started(
        ask_own, "olu", ADD, collectionId=id_["open"], assetIds=given, mode="BEST_EFFORT", position={"atStart": True}
    )
    await jobs.run_next_job(ask_own.database)
    job = await seen(ask_own, "olu", id_of_job)
    assert (job["status"], job["done"], job["userErrors"]) == ("PARTIALLY_FAILED", 6, [])
    # align, lens, blast and count are members already.
    assert told(job) == ["NOT_FOUND", "UNCHANGED", "UNCHANGED", "NOT_ELIGIBLE", "UNCHANGED", "UNCHANGED"]
    assert [node["assetId"] for node in job["results"]["nodes"]] == given
    failed = await seen(ask_own, "olu", id_of_job, onlyFailed=True)
    assert [node["error"]["path"] for node in failed["results"]["nodes"]] == [
        ["input", "assetIds", "0"],
        ["input", "assetIds", "3"],
    ]
    assert failed["results"]["totalCount"] == 2


@pytest.mark.parametrize("mode", ["ATOMIC", "BEST_EFFORT"])
async def test_unknown_assets_of_a_job_are_stored_without_their_errors(ask_own: GraphQLClient, mode: str) -> None:
    id_ = await ids(ask_own)
    given = [id_["align"], id_["align"], UNKNOWN, id_["draft"], UNKNOWN, OTHER_UNKNOWN]
    started_job = await started(ask_own, "olu", ADD, collectionId=id_["bare"], assetIds=given, mode=mode)
    await jobs.run_next_job(ask_own.database)
    failed = await seen(ask_own, "olu", started_job, onlyFailed=True)
    assert [(node["error"]["code"], node["error"]["path"][2]) for node in failed["results"]["nodes"]] == [
        ("NOT_FOUND", "2"),
        ("NOT_ELIGIBLE", "3"),
        ("NOT_FOUND", "5"),
    ]
    async with ask_own.database.snapshot() as snapshot:
        rows = await snapshot.rows(select(sql.job_item.c.place, sql.job_item.c.error).order_by(sql.job_item.c.place))
    assert [(row.place, row.error is not None) for row in rows] == [(0, False), (2, False), (3, True), (5, False)]


async def test_an_atomic_job_with_a_failed_item_changes_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_[name] for name in ("blast", "align", "draft", "count")]
    id_of_job = await started(ask_own, "olu", ADD, collectionId=id_["bare"], assetIds=given)
    await jobs.run_next_job(ask_own.database)
    job = await seen(ask_own, "olu", id_of_job)
    assert (job["status"], job["done"]) == ("FAILED", 0)
    assert job["userErrors"] == [{"code": "NOT_ELIGIBLE", "path": ["input", "assetIds", "2"]}]
    assert told(job) == ["ROLLED_BACK", "ROLLED_BACK", "NOT_ELIGIBLE", "ROLLED_BACK"]
    assert await held(ask_own, "bare") == []


@pytest.mark.parametrize("mode", ["ATOMIC", "BEST_EFFORT"])
@pytest.mark.parametrize(
    ("position", "before", "after"),
    [
        ({"atStart": True}, [], ["blast", "genomes", "images", "hidden"]),
        ({"afterId": "blast"}, ["blast"], ["genomes", "images", "hidden"]),
        ({"beforeId": "hidden"}, ["blast", "genomes", "images"], ["hidden"]),
        ({"atEnd": True}, ["blast", "genomes", "images", "hidden"], []),
    ],
)
async def test_a_job_adds_its_assets_as_one_block_at_the_position(
    ask_own: GraphQLClient, mode: str, position: dict[str, Any], before: list[str], after: list[str]
) -> None:
    id_ = await ids(ask_own)
    block = ["lens", "explore", "count", "align"]
    async with ask_own.database.write() as connection:
        owner = await connection.scalar(select(sql.principal.c.pk).where(sql.principal.c.external_id == "olu"))
        lens = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.name == "lens"))
        await connection.execute(sql.grant.insert().values(asset_pk=lens, principal_pk=owner, access=4))
    at = {side: id_[value] if isinstance(value, str) else value for side, value in position.items()}
    given = {"collectionId": id_["members"], "assetIds": [id_[name] for name in block], "position": at, "mode": mode}
    await started(ask_own, "olu", ADD, **given)
    await jobs.run_next_job(ask_own.database)
    assert await held(ask_own, "members") == [*before, *block, *after]


@pytest.mark.parametrize("mode", ["ATOMIC", "BEST_EFFORT"])
async def test_a_job_places_a_block_independently_of_existing_members(ask_own: GraphQLClient, mode: str) -> None:
    id_ = await ids(ask_own)
    one = {"collectionId": id_["inner"], "assetIds": [id_["blast"]]}
    await Mutation("collectionAssetsAdd", "change { id }")(ask_own, "olu", **one)
    # align and blast are in both; blast, the last of the first chunk, keeps its position.
    given = {"fromCollectionId": id_["open"], "toCollectionId": id_["inner"], "mode": mode}
    order = [id_[name] for name in ("count", "blast", "hidden", "align")]
    await started(ask_own, "olu", MOVE, **given, assetIds=order, position={"atStart": True})
    await jobs.run_next_job(ask_own.database)
    assert await held(ask_own, "inner") == ["count", "hidden", "align", "explore", "images", "blast"]


@pytest.mark.parametrize("mode", ["ATOMIC", "BEST_EFFORT"])
async def test_a_job_of_a_deactivated_user_is_cancelled(ask_own: GraphQLClient, mode: str) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in ("blast", "align", "count")]}
    id_of_job = await started(ask_own, "olu", ADD, **given, mode=mode)
    users = update(sql.principal).where(sql.principal.c.external_id == "olu")
    async with ask_own.database.write() as connection:
        await connection.execute(users.values(is_active=False))
    assert await jobs.run_next_job(ask_own.database)
    assert await held(ask_own, "bare") == []
    async with ask_own.database.write() as connection:
        await connection.execute(users.values(is_active=True))
    assert (await seen(ask_own, "olu", id_of_job))["status"] == "CANCELLED"


async def test_assets_are_removed_and_moved_by_jobs(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    three = [id_["align"], id_["blast"], id_["count"]]
    to = {"fromCollectionId": id_["open"], "toCollectionId": id_["bare"]}
    id_of_job = await started(ask_own, "olu", MOVE, **to, assetIds=three, mode="BEST_EFFORT")
    await jobs.run_next_job(ask_own.database)
    assert (await seen(ask_own, "olu", id_of_job))["kind"] == "ASSETS_MOVE"
    assert await held(ask_own, "bare") == ["align", "blast", "count"]
    await started(ask_own, "ada", REMOVE, collectionId=id_["bare"], assetIds=three)
    await jobs.run_next_job(ask_own.database)
    assert await held(ask_own, "bare") == []


async def test_a_job_is_cancelled_between_chunks_and_keeps_its_changes(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    id_of_job = await started(ask_own, "olu", ADD, **given, mode="BEST_EFFORT")
    await chunk(ask_own)
    assert (await seen(ask_own, "olu", id_of_job))["done"] == 2
    assert (await CANCEL(ask_own, "olu", id=id_of_job))["job"] == {"status": "RUNNING", "done": 2}
    await jobs.run_next_job(ask_own.database)
    job = await seen(ask_own, "olu", id_of_job)
    assert (job["status"], job["done"], told(job)) == ("CANCELLED", 2, ["CHANGED", "CHANGED"])
    assert await held(ask_own, "bare") == ["blast", "align"]
    async with assert_unchanged(ask_own):
        assert (await CANCEL(ask_own, "olu", id=id_of_job))["job"] == {"status": "CANCELLED", "done": 2}


async def test_a_queued_job_is_cancelled_at_once(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    id_of_job = await started(ask_own, "olu", ADD, **given)
    assert (await CANCEL(ask_own, "olu", id=id_of_job))["job"] == {"status": "CANCELLED", "done": 0}
    assert not await jobs.run_next_job(ask_own.database)
    assert await held(ask_own, "bare") == []


async def test_a_job_continues_where_a_killed_worker_stopped(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    id_of_job = await started(ask_own, "olu", ADD, **given, mode="BEST_EFFORT")
    await chunk(ask_own)
    with monkeypatch.context() as patched:
        patched.setattr(MembershipOperation, "apply", _killed)
        with pytest.raises(asyncio.CancelledError):
            await jobs.run_next_job(ask_own.database)
    assert (await seen(ask_own, "olu", id_of_job))["done"] == 2
    assert not await jobs.run_next_job(ask_own.database)  # the killed worker still has the lease
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.job).values(leased_until=0))
    assert await jobs.run_next_job(ask_own.database)
    job = await seen(ask_own, "olu", id_of_job)
    assert (job["status"], told(job)) == ("SUCCEEDED", ["CHANGED"] * 5)
    assert await held(ask_own, "bare") == list(FIVE)


async def _killed(_operation: object, _ids: object) -> None:
    raise asyncio.CancelledError


async def test_a_revoked_permission_holds_from_the_next_chunk_on(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    id_of_job = await started(ask_own, "olu", ADD, **given, mode="BEST_EFFORT")
    await chunk(ask_own)
    async with ask_own.database.write() as connection:
        olu = select(sql.principal.c.pk).where(sql.principal.c.external_id == "olu").scalar_subquery()
        await connection.execute(delete(sql.grant).where(sql.grant.c.principal_pk == olu))
    await jobs.run_next_job(ask_own.database)
    job = await seen(ask_own, "olu", id_of_job)
    assert told(job) == ["CHANGED", "CHANGED", "NOT_OWNER", "NOT_OWNER", "NOT_FOUND"]
    assert [node["asset"] and node["asset"]["name"] for node in job["results"]["nodes"]] == [
        *("blast", "align", "count", "explore"),
        None,
    ]


async def test_a_job_of_a_deleted_collection_fails(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    for mode in ("ATOMIC", "BEST_EFFORT"):
        await started(ask_own, "olu", ADD, **given, mode=mode)
    async with ask_own.database.write() as connection:
        await connection.execute(delete(sql.collection).where(sql.collection.c.slug == "bare"))
    while await jobs.run_next_job(ask_own.database):
        pass
    found = await _all(ask_own)
    assert [(job.status, job.user_errors[0]["code"], job.user_errors[0]["path"]) for job in found] == [
        ("FAILED", "NOT_FOUND", ["input", "collectionId"])
    ] * 2


async def _all(ask: GraphQLClient) -> list[Any]:
    async with ask.database.snapshot() as snapshot:
        return list(await snapshot.rows(select(sql.job).order_by(sql.job.c.pk)))


async def test_a_job_that_raises_ends_and_the_next_one_starts(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    id_ = await ids(ask_own)
    given = {"assetIds": [id_[name] for name in FIVE]}
    await started(ask_own, "olu", REMOVE, collectionId=id_["open"], **given)
    await started(ask_own, "olu", ADD, collectionId=id_["bare"], **given)
    monkeypatch.setattr(MembershipOperation, "apply", _broken_removal)
    async with run_worker(ask_own.database), asyncio.timeout(30):
        while (await _all(ask_own))[-1].status != "SUCCEEDED":  # noqa: ASYNC110 - the database sends no event
            await asyncio.sleep(0.01)
    assert [job.status for job in await _all(ask_own)] == ["FAILED", "SUCCEEDED"]
    assert "A job failed." in caplog.text
    assert await held(ask_own, "bare") == list(FIVE)


APPLY = MembershipOperation.apply


async def _broken_removal(operation: MembershipOperation, ids: Sequence[str]) -> Effect:
    if operation.target is None:
        raise RuntimeError("broken")
    return await APPLY(operation, ids)


async def test_a_job_is_visible_only_to_the_user_who_started_it(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    id_of_job = await started(ask_own, "olu", ADD, **given)
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert (await ask_own("olu", node, id=id_of_job))["node"] == {"id": id_of_job}
    async with assert_unchanged(ask_own):
        for who in ("ada", "eve"):
            assert await seen(ask_own, who, id_of_job) is None
            assert (await ask_own(who, node, id=id_of_job))["node"] is None
            assert error_paths(await CANCEL(ask_own, who, id=id_of_job)) == [("NOT_FOUND", ["id"])]
        assert await refusal_code(ask_own, ANONYMOUS, CANCEL, id=id_of_job) == "UNAUTHENTICATED"
        ((code, _),) = await ask_own.errors(ANONYMOUS, JOB, id=id_of_job)
        assert code == "UNAUTHENTICATED"


async def test_a_retry_with_the_same_key_starts_no_second_job(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE], "idempotencyKey": "one"}
    first = await started(ask_own, "olu", ADD, **given)
    async with assert_unchanged(ask_own):
        assert await started(ask_own, "olu", ADD, **given) == first


async def test_results_of_a_job_are_paginated(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    id_of_job = await started(ask_own, "olu", ADD, **given)
    await jobs.run_next_job(ask_own.database)
    names: list[str] = []
    after, more = None, True
    while more:
        page = (await ask_own("olu", JOB, id=id_of_job, first=2, after=after))["job"]["results"]
        names += [node["asset"]["name"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert page["totalCount"] == 5
    assert names == list(FIVE)


async def test_a_dry_run_of_too_many_assets_reports_the_limit(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    async with assert_unchanged(ask_own):
        assert error_paths(await ADD(ask_own, "olu", **given, dryRun=True)) == [("LIMIT_EXCEEDED", ["assetIds"])]


async def test_jobs_are_deleted_a_week_after_their_end(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    old = await started(ask_own, "olu", ADD, **given)
    await jobs.run_next_job(ask_own.database)
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.job).values(finished_at=1))
    new = await started(ask_own, "olu", REMOVE, **given)
    await jobs.run_next_job(ask_own.database)
    assert [job.id for job in await _all(ask_own)] == [new]
    assert await seen(ask_own, "olu", old) is None


async def test_a_user_has_at_most_three_active_jobs(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    for _ in range(jobs.MAX_JOBS):
        last = await started(ask_own, "olu", ADD, **given)
    async with assert_unchanged(ask_own):
        assert error_paths(await ADD(ask_own, "olu", **given)) == [("LIMIT_EXCEEDED", ["assetIds"])]
    await CANCEL(ask_own, "olu", id=last)
    await started(ask_own, "olu", ADD, **given)


async def test_the_jobs_of_a_user_have_a_daily_number_of_items(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_DAILY_ITEMS", len(FIVE) * 2)
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[name] for name in FIVE]}
    await started(ask_own, "olu", ADD, **given)
    await started(ask_own, "olu", REMOVE, **given)
    async with assert_unchanged(ask_own):
        assert error_paths(await ADD(ask_own, "olu", **given)) == [("LIMIT_EXCEEDED", ["assetIds"])]
    await started(ask_own, "ada", REMOVE, **given)  # another user
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.job).values(created_at=sql.job.c.created_at - jobs.DAY_MS))
    await started(ask_own, "olu", ADD, **given)


async def test_a_worker_without_jobs_waits_for_no_other_writer(ask_own: GraphQLClient) -> None:
    async with ask_own.database.write(), asyncio.timeout(3):
        assert not await jobs.run_next_job(ask_own.database)


async def test_a_worker_says_in_one_line_that_it_waits_for_the_database(
    ask_own: GraphQLClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await ids(ask_own)
    await started(ask_own, "olu", ADD, collectionId=id_["bare"], assetIds=[id_[name] for name in FIVE])
    tries, tried_again = itertools.count(1), asyncio.Event()

    async def fail(*_: object) -> None:
        if next(tries) > 1:
            tried_again.set()
        locked = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("UPDATE job", {}, locked)

    monkeypatch.setattr("store.jobs.claim_next", fail)
    async with run_worker(ask_own.database), asyncio.timeout(30):
        await tried_again.wait()
    messages = {record.getMessage() for record in caplog.records if record.name == "app.worker"}
    assert all(message.startswith("Jobs wait for the database: ") for message in messages)
    assert messages
    assert not any(record.exc_info for record in caplog.records)
