"""This file is a mutation on its way: one transaction, with the viewer as of it, its log, and its answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Executable, Row, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import ErrorCode, OperationError, Viewer, visible
from permissions.permission import Permission, has_asset_permission, require
from resolvers.context import Context
from resolvers.loaders import where_in
from resolvers.write.input import MAX_KEY_LENGTH, Input, InputReader
from resolvers.write.user_error import MutationRejectedError, UserError, UserErrorCode
from store.bulk_insert import insert_many
from store.changes import ChangeLog, open_change_log
from store.database import Snapshot
from store.idempotency import find_result, save_result

Result = dict[str, Any]
"""What a mutation came to, as JSON keeps it: ids, never rows, so that a retry is answered through today's sight."""


class MutationTransaction:
    """One mutation's transaction. No other write runs beside it, and all that it reads is as of now."""

    def __init__(self, connection: AsyncConnection, viewer: Viewer, log: ChangeLog) -> None:
        """Take the transaction, who asks, and the log that holds the writers' lock."""
        self.connection, self.viewer, self.log = connection, viewer, log
        self.checked_permissions: set[Permission] = set()
        self.must_commit = False  # whether there is something to commit that the log does not tell

    def has_permission(self, asset: Any, permission: Permission) -> bool:
        """Return whether the viewer holds the permission on the asset; that it was asked is kept."""
        self.checked_permissions.add(permission)
        return has_asset_permission(asset, permission)

    async def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        """Return every row of the statement."""
        return (await self.connection.execute(statement)).all()

    async def execute(self, statement: Executable) -> None:
        """Execute the statement."""
        await self.connection.execute(statement)

    async def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows, in their order."""
        await insert_many(self.connection, table, rows)

    async def visible_by_id(self, table: Table, ids: Iterable[str]) -> dict[str, Row[Any]]:
        """Return the rows with those ids that exist for the viewer, by id. One statement."""
        found = await self.rows(where_in(visible(table, self.viewer), table.c.id, ids))
        return {row.id: row for row in found}

    def payload(self, answer: Mapping[str, Any]) -> "Payload":
        """Return the payload of what was done."""
        return Payload(answer, (), self.log.has_changes, checked_permissions=frozenset(self.checked_permissions))


@dataclass(frozen=True)
class Payload:
    """What a mutation answers: ids to be read through the viewer's sight, or what was wrong with it."""

    result: Mapping[str, Any]
    user_errors: Sequence[UserError] = ()
    did_change: bool = False
    is_dry_run: bool = False
    checked_permissions: frozenset[Permission] = frozenset()  # what was asked of items before they were changed


Work = Callable[[MutationTransaction, InputReader], Awaitable[Result]]
"""Does what a mutation asks for, within its transaction; raises Rejected to change nothing."""


async def run_mutation(context: Context, permission: Permission, mutation: str, given: Input, work: Work) -> Payload:
    """Do the work in a transaction and return its payload, to be read as of right after it.

    It runs to its end though whoever waits for it is gone. A dry run does the same work, and is read and rolled back.
    Raises OperationError without the permission, and (UNAVAILABLE) where no transaction could be had in time.
    """
    await context.close()  # whoever waits for a turn holds no snapshot, nor a transaction that was tried before
    if given.get("dry_run"):
        return replace(await _dry_run(context, permission, given, work), is_dry_run=True)
    running = asyncio.create_task(_commit(context, permission, mutation, given, work))
    context.database.track_write(running)
    viewer, payload = await asyncio.shield(running)
    if "job" in payload.result:
        context.database.job_queued.set()
    await context.refresh(viewer)
    return payload


async def _commit(
    context: Context, permission: Permission, mutation: str, given: Input, work: Work
) -> tuple[Viewer, Payload]:
    try:
        async with context.database.write() as connection:
            write = await _open(context, connection, permission)
            try:
                answer = await _run_idempotent(write, mutation, given, work)
            except MutationRejectedError as rejected:
                await connection.rollback()
                return write.viewer, Payload(rejected.result, rejected.user_errors)
            if not (write.log.has_changes or write.must_commit):
                await connection.rollback()  # nothing changed: no revision is spent
            return write.viewer, write.payload(answer)
    except (DBAPIError, PoolTimeoutError) as error:
        raise _unavailable(error) from error


async def _dry_run(context: Context, permission: Permission, given: Input, work: Work) -> Payload:
    held = AsyncExitStack()
    try:
        connection = await held.enter_async_context(context.database.write())
        write = await _open(context, connection, permission)
        payload = await _tried(write, given, work)
    except BaseException as error:
        await held.__aexit__(type(error), error, error.__traceback__)
        if isinstance(error, DBAPIError | PoolTimeoutError):
            raise _unavailable(error) from error
        raise
    await context.read_uncommitted(held, connection, write.viewer)
    return payload


async def _tried(write: MutationTransaction, given: Input, work: Work) -> Payload:
    try:
        return write.payload(await work(write, InputReader(given)))
    except MutationRejectedError as rejected:
        return Payload(rejected.result, rejected.user_errors)


async def _open(context: Context, connection: AsyncConnection, permission: Permission) -> MutationTransaction:
    # The lock comes first: a right that was taken back while this waited for it is gone.
    log = await open_change_log(connection, context.request_id)
    viewer = await context.identify(Snapshot(connection))
    require(viewer, permission)
    log.actor_pk = viewer.user_pk
    return MutationTransaction(connection, viewer, log)


async def _run_idempotent(write: MutationTransaction, mutation: str, given: Input, work: Work) -> Result:
    """Return what the work comes to, or came to when its key was first used."""
    reading = InputReader(given)
    key, user_pk = given.get("idempotency_key"), write.viewer.user_pk
    if key is None or user_pk is None:
        return await work(write, reading)
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        message = f"The key must have 1 to {MAX_KEY_LENGTH} characters."
        reading.add_error(UserErrorCode.INVALID, message, "idempotencyKey")
        reading.raise_errors()
    digest = sha256(orjson.dumps([mutation, given], option=orjson.OPT_SORT_KEYS)).hexdigest()
    before = await find_result(write.connection, user_pk, key)
    if before is not None:
        if before.digest != digest:
            message = "This key was used for something else within the last day: take another."
            reading.add_error(UserErrorCode.IDEMPOTENCY_MISMATCH, message, "idempotencyKey")
            reading.raise_errors()
        return dict(before.result)
    answer = await work(write, reading)
    await save_result(write.connection, user_pk, key, digest, answer)
    write.must_commit = True
    return answer


def _unavailable(error: Exception) -> Exception:
    """Return the refusal of a writer that could not get its turn; any other failure is a failure."""
    told = str(error)
    if isinstance(error, PoolTimeoutError) or "database is locked" in told or "lock timeout" in told:
        return OperationError(ErrorCode.UNAVAILABLE, "Others are writing: nothing was changed. Try again.")
    return error
