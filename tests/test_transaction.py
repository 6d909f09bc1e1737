"""Transactions of mutations: completion, the writers' lock, permissions, dry runs and revisions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, text, update

from app.tokens import revoke_token
from permissions import ErrorCode, OperationError, Viewer
from permissions.permission import Permission
from permissions.viewer import anonymous_viewer, viewer_by_external_id
from resolvers.context import open_context
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction, Result, run_mutation
from store import sql
from store.database import READER_CONNECTIONS, Database, Snapshot
from tests.conftest import GraphQLClient
from tests.db_snapshot import db_snapshot
from tests.mutations import assert_unchanged
from tests.test_membership_write import ADD, held, ids
from tests.test_topic_write import CREATE, order

TOPIC = 'mutation { topicCreate(input: {name: "New"}) { topic { slug } userErrors { code } } }'


async def _while_another_writes(ask: GraphQLClient, act: Callable[[], Awaitable[Any]], meanwhile: Any) -> Any:
    """Start an action while another writer has the lock and runs `meanwhile`; return the action's result."""
    other = Database(ask.database.url.render_as_string(hide_password=False))
    try:
        async with other.write() as connection:
            await connection.execute(update(sql.deployment).values(revision=sql.deployment.c.revision))
            acting = asyncio.ensure_future(act())
            await asyncio.sleep(0.2)
            assert not acting.done()
            await meanwhile(connection)
        return await acting
    finally:
        await other.close()


async def test_a_mutation_completes_after_its_client_disconnects(ask_own: GraphQLClient) -> None:
    async def hang_up(_connection: object) -> None:
        asking.cancel()

    asking: asyncio.Future[Any] = asyncio.ensure_future(asyncio.sleep(0))

    async def act() -> None:
        nonlocal asking
        asking = asyncio.ensure_future(CREATE(ask_own, "ada", name="New"))
        with pytest.raises(asyncio.CancelledError):
            await asking

    await _while_another_writes(ask_own, act, hang_up)
    await ask_own.database.close()  # waits for the mutation
    assert await order(ask_own) == ["imaging", "genomics", "empty", "new"]


@pytest.mark.parametrize(
    ("permission", "who", "code"),
    [
        (Permission.ADMIN, "olu", ErrorCode.FORBIDDEN),
        (Permission.ADMIN, None, ErrorCode.UNAUTHENTICATED),
        (Permission.SIGNED_IN, None, ErrorCode.UNAUTHENTICATED),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_the_permission_is_checked_in_the_transaction(
    ask_own: GraphQLClient,
    permission: Permission,
    who: str | None,
    code: ErrorCode,
    dry_run: bool,  # noqa: FBT001 - a column of the table
) -> None:
    async def identify(snapshot: Snapshot) -> Viewer:
        viewer = await viewer_by_external_id(snapshot, who) if who else await anonymous_viewer(snapshot)
        assert viewer
        return viewer

    async def function(_tx: MutationTransaction, _reader: InputReader) -> Result:
        raise AssertionError("run without the permission")

    async with assert_unchanged(ask_own), open_context(ask_own.database, identify, "request") as context:
        with pytest.raises(OperationError) as refused:
            await run_mutation(context, permission, "test", {"dry_run": dry_run}, function)
    assert refused.value.code is code


async def test_a_former_administrator_changes_nothing(ask_own: GraphQLClient) -> None:
    async def demote(connection: Any) -> None:
        await connection.execute(update(sql.principal).values(is_admin=False))

    answer = await _while_another_writes(ask_own, lambda: ask_own.errors("ada", TOPIC), demote)
    assert [code for code, _ in answer] == ["FORBIDDEN"]
    assert await order(ask_own) == ["imaging", "genomics", "empty"]


async def test_an_owner_whose_grant_is_revoked_meanwhile_adds_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)

    async def revoke(connection: Any) -> None:
        await connection.execute(sql.grant.delete())

    def add() -> Awaitable[Any]:
        return ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]])

    answer = await _while_another_writes(ask_own, add, revoke)
    assert [result["error"]["code"] for result in answer["results"]] == ["NOT_FOUND"]
    assert await held(ask_own, "bare") == []


async def test_a_token_that_is_revoked_meanwhile_is_rejected(ask_own: GraphQLClient) -> None:
    async def revoke(connection: Any) -> None:
        await connection.execute(update(sql.api_token).values(revoked_at=1))

    answer = await _while_another_writes(ask_own, lambda: ask_own.errors("ada", TOPIC), revoke)
    assert [code for code, _ in answer] == ["UNAUTHENTICATED"]
    assert not await revoke_token(ask_own.database, ask_own.tokens["ada"])


async def test_a_writer_without_the_lock_is_unavailable(ask_own: GraphQLClient, backend: str) -> None:
    # A writer waits five seconds for the lock; shortened here.
    if backend == "sqlite":
        async with ask_own.database.write() as connection:  # holds the writers' lock
            await connection.execute(text("PRAGMA busy_timeout=100"))
    else:
        engine = ask_own.database.engines[0].sync_engine
        event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("set local lock_timeout = 100"))
    other = Database(ask_own.database.url.render_as_string(hide_password=False))
    async with other.write() as connection:
        await connection.execute(update(sql.deployment).values(revision=sql.deployment.c.revision))
        answer = await ask_own.errors("ada", TOPIC)
    await other.close()
    assert answer == [("UNAVAILABLE", "Too many concurrent operations: nothing was changed. Retry.")]
    assert await order(ask_own) == ["imaging", "genomics", "empty"]


async def test_mutations_of_one_operation_run_one_after_the_other(ask_own: GraphQLClient) -> None:
    answer = await ask_own(
        "ada",
        """mutation {
          a: topicCreate(input: {name: "A"}) { topic { version } }
          b: topicCreate(input: {name: "A"}) { topic { version } userErrors { code } }
          c: topicCreate(input: {name: "C", position: {atStart: true}}) { topic { slug } }
        }""",
    )
    assert answer == {
        "a": {"topic": {"version": 1}},
        "b": {"topic": None, "userErrors": [{"code": "TAKEN"}]},
        "c": {"topic": {"slug": "c"}},
    }
    assert await order(ask_own) == ["c", "imaging", "genomics", "empty", "a"]


async def test_a_dry_run_is_rolled_back_before_the_next_mutation_of_the_operation(ask_own: GraphQLClient) -> None:
    merge = (
        "topicMerge(input: {sourceIds: [$from], targetId: $to, dryRun: %s})"
        " { movedCollectionCount movedCollections { slug } }"
    )
    topics = await ask_own("ada", "{ topics { nodes { id slug } } }")
    imaging, genomics, _ = (node["id"] for node in topics["topics"]["nodes"])
    query = f"mutation($from: ID!, $to: ID!) {{ a: {merge % 'true'} b: {merge % 'true'} c: {merge % 'false'} }}"
    async with asyncio.timeout(4):
        answer = await ask_own("ada", query, **{"from": imaging, "to": genomics})
    forecast = {"movedCollectionCount": 3, "movedCollections": []}
    moved = [{"slug": slug} for slug in ("open", "inner", "deep")]
    assert answer == {"a": forecast, "b": forecast, "c": {"movedCollectionCount": 3, "movedCollections": moved}}


async def test_waiting_writers_hold_no_reader_connection(ask_own: GraphQLClient) -> None:
    other = Database(ask_own.database.url.render_as_string(hide_password=False))
    async with other.write() as connection:
        await connection.execute(update(sql.deployment).values(revision=sql.deployment.c.revision))
        waiting = [
            asyncio.ensure_future(CREATE(ask_own, "ada", name=str(number))) for number in range(READER_CONNECTIONS + 2)
        ]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(4):
            assert await order(ask_own) == ["imaging", "genomics", "empty"]
    answers = await asyncio.gather(*waiting)
    await other.close()
    assert [answer["userErrors"] for answer in answers] == [[]] * len(answers)
    assert len(await order(ask_own)) == 3 + len(answers)


async def test_each_accepted_mutation_increments_the_revision_and_a_rejected_one_does_not(
    ask_own: GraphQLClient,
) -> None:
    async def revision() -> int:
        ((_, revision, *_),) = (await db_snapshot(ask_own.database))["deployment"]
        return int(revision)

    before = await revision()
    await CREATE(ask_own, "ada", name="New")
    assert await revision() == before + 1
    async with assert_unchanged(ask_own):
        await CREATE(ask_own, "ada", name="New")
    assert await revision() == before + 1


async def test_an_unexpected_failure_is_masked_and_changes_nothing(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("store.changes.ChangeLog.append", broken)
    async with assert_unchanged(ask_own):
        assert await ask_own.errors("ada", TOPIC) == [("INTERNAL", "Internal error.")]
