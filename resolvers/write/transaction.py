"""Mutation runner: transaction, current viewer, change log, idempotency, dry run."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Executable, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import Viewer, visible
from permissions.permission import CheckedPayload, HasViewerAccess, Permission, has_asset_permission, require
from resolvers.context import OperationContext
from resolvers.limits import LIMITS
from resolvers.loaders import where_in
from resolvers.write.input import MAX_KEY_LENGTH, Input, InputReader
from resolvers.write.user_error import MutationRejectedError, UserError, UserErrorCode
from store.bulk_insert import insert_many
from store.changes import ChangeLog, open_change_log
from store.database import ConnectionSnapshot
from store.failure import Failure, StorageError
from store.idempotency import count_results, find_result, save_result
from store.place_log import log_places
from store.url import URL_SCHEMES

MAX_DAILY_KEYS = LIMITS.daily_idempotency_keys

Result = dict[str, Any]
"""JSON result of a mutation: ids, never rows, so that a replay is resolved with current permissions."""


class MutationTransaction:
    """Transaction of one mutation. No other write runs beside it, so every read in it is current."""

    def __init__(
        self, connection: AsyncConnection, viewer: Viewer, log: ChangeLog, url_schemes: Sequence[str] = URL_SCHEMES
    ) -> None:
        """Take the transaction, the viewer as of it, the change log, which holds the writers' lock, and URL schemes."""
        self.connection, self.viewer, self.log, self.url_schemes = connection, viewer, log, url_schemes
        self.checked_permissions: set[Permission] = set()
        self.must_commit = False  # set when a write is not in the change log

    def is_owner(self, asset: HasViewerAccess) -> bool:
        """Return whether the viewer owns the asset, and record that ASSET_OWN was checked."""
        self.checked_permissions.add(Permission.ASSET_OWN)
        return has_asset_permission(asset, Permission.ASSET_OWN)

    async def rows(self, statement: Executable) -> Sequence[Any]:
        """Return all rows of the statement; annotate them with their type in store/rows.py."""
        return (await self.connection.execute(statement)).all()

    async def execute(self, statement: Executable) -> None:
        """Execute the statement."""
        await self.connection.execute(statement)

    async def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows in their order."""
        await insert_many(self.connection, table, rows)

    async def log_places(self, table: Table, ids: Sequence[str], *, are_new: bool = False) -> None:
        """Log the places of topics or collections before they change; see `store.place_log`. Two statements."""
        await log_places(self.connection, self.log, table, ids, are_new=are_new)

    async def visible_by_id(self, table: Table, ids: Iterable[str]) -> dict[str, Any]:
        """Return the rows with these ids that the viewer may see, by id. One statement."""
        rows = await self.rows(where_in(visible(table, self.viewer), table.c.id, ids))
        return {row.id: row for row in rows}

    async def find(self, reader: InputReader, table: Table, field: str) -> Any:
        """Return the row whose id the input field holds; add NOT_FOUND if it is absent or hidden. One statement."""
        id_ = reader.input[field]
        row = (await self.visible_by_id(table, [id_])).get(id_)
        return reader.check_found(row, table.name, field)

    async def refuse_neighbour(self, reader: InputReader, table: Table, id_: str, message: str, *path: str) -> None:
        """Add the error of a neighbour that is not in the list: INVALID with the message, NOT_FOUND if it is hidden.

        One statement.
        """
        if await self.visible_by_id(table, [id_]):
            reader.add_error(UserErrorCode.INVALID, message, *path)
        else:
            reader.add_not_found(table.name, *path)

    async def get(self, reader: InputReader, table: Table, field: str) -> Any:
        """Return the row like `find`, but raise MutationRejectedError if there are errors so far. One statement."""
        row = await self.find(reader, table, field)
        reader.raise_errors()
        return row

    def payload(self, result: Result) -> "Payload":
        """Return the payload of an accepted mutation."""
        checked = frozenset(self.checked_permissions)
        return Payload(result, did_change=self.log.has_changes, checked_permissions=checked)


@dataclass(frozen=True)
class Payload(CheckedPayload):
    """Outcome of a mutation: its result, to be resolved through the viewer's permissions, or its user errors."""

    result: Mapping[str, Any]
    user_errors: Sequence[UserError] = ()
    did_change: bool = False
    is_dry_run: bool = False
    checked_permissions: frozenset[Permission] = frozenset()  # those that were checked on assets before changing them

    def effect(self, name: str) -> Sequence[str]:
        """Return the ids under this name in the result: those of an effect. Empty for a dry run, which has none."""
        return () if self.is_dry_run else self.result.get(name, ())


MutationFunction = Callable[[MutationTransaction, InputReader], Awaitable[Result]]
"""Function of one mutation, run in its transaction. Raises MutationRejectedError to roll it back."""


async def run_mutation(
    context: OperationContext, permission: Permission, name: str, input: Input, function: MutationFunction
) -> Payload:
    """Run a mutation in a transaction and return its payload; afterwards the context reads the state right after it.

    It completes even if the client disconnects. A dry run does the same work, and is rolled back: the context then
    reads the state without it. Raises OperationError without the permission, and StorageError if the storage fails or
    other writers hold the lock for too long.
    """
    await context.close()  # so that it holds no snapshot while it waits for the lock
    if input.get("dry_run"):
        viewer, payload = await _dry_run(context, permission, input, function)
        await context.refresh(viewer)
        return payload
    running = asyncio.create_task(_commit(context, permission, name, input, function))
    context.database.track_write(running)
    viewer, payload = await asyncio.shield(running)
    if "job" in payload.result:
        context.database.job_queued.set()
    try:
        await context.refresh(viewer)
    except StorageError as error:
        error.may_be_committed = True
        raise
    return payload


async def _commit(
    context: OperationContext, permission: Permission, name: str, input: Input, function: MutationFunction
) -> tuple[Viewer, Payload]:
    """Run the mutation in a transaction; once more if the connection was lost and the first one's outcome is known."""
    try:
        return await _commit_once(context, permission, name, input, function)
    except StorageError as error:
        may_be_committed = error.may_be_committed
        # After a lost COMMIT, only a saved result tells whether the change was made. The second transaction finds it,
        # because it waits for the lock of the first, if that still runs.
        is_outcome_known = not error.may_be_committed or input.get("idempotency_key") is not None
        if error.failure is not Failure.LOST or not is_outcome_known:
            raise
    try:
        return await _commit_once(context, permission, name, input, function)
    except StorageError as error:
        error.may_be_committed |= may_be_committed
        raise


async def _commit_once(
    context: OperationContext, permission: Permission, name: str, input: Input, function: MutationFunction
) -> tuple[Viewer, Payload]:
    async with context.database.write(context.database.operation_seconds) as connection:
        tx = await _begin(context, connection, permission)
        try:
            result = await _run_idempotent(tx, name, input, function)
        except MutationRejectedError as rejected:
            await connection.rollback()
            return tx.viewer, Payload(rejected.result, rejected.user_errors)
        if not (tx.log.has_changes or tx.must_commit):
            await connection.rollback()  # nothing changed: do not use up a revision
        return tx.viewer, tx.payload(result)


async def _dry_run(
    context: OperationContext, permission: Permission, input: Input, function: MutationFunction
) -> tuple[Viewer, Payload]:
    async with context.database.write(context.database.operation_seconds) as connection:
        tx = await _begin(context, connection, permission)
        stored_viewer = tx.viewer  # the function may change the settings that a viewer carries
        try:
            payload = tx.payload(await function(tx, InputReader(input)))
        except MutationRejectedError as rejected:
            payload = Payload(rejected.result, rejected.user_errors)
        await connection.rollback()
    return stored_viewer, replace(payload, is_dry_run=True)


async def _begin(context: OperationContext, connection: AsyncConnection, permission: Permission) -> MutationTransaction:
    # The lock comes before the viewer, so that a permission revoked while this waited for the lock does not count.
    log = await open_change_log(connection, context.request_id)
    viewer = await context.identify(ConnectionSnapshot(connection))
    require(viewer, permission)
    log.actor_pk = viewer.user_pk
    return MutationTransaction(connection, viewer, log, context.url_schemes)


async def _run_idempotent(tx: MutationTransaction, name: str, input: Input, function: MutationFunction) -> Result:
    """Return the function's result, or the saved one if the idempotency key was used before with the same input."""
    reader = InputReader(input)
    key, user_pk = input.get("idempotency_key"), tx.viewer.user_pk
    if key is None or user_pk is None:
        return await function(tx, reader)
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        message = f"idempotencyKey has {len(key):,} characters; it must have 1 to {MAX_KEY_LENGTH}."
        reader.add_error(UserErrorCode.INVALID, message, "idempotencyKey")
        reader.raise_errors()
    digest = sha256(orjson.dumps([name, input], option=orjson.OPT_SORT_KEYS)).hexdigest()
    saved = await find_result(tx.connection, user_pk, key)
    if saved is not None:
        if saved.digest != digest:
            message = "This key was used with a different input within the last 24 hours. Use a new key."
            reader.add_error(UserErrorCode.IDEMPOTENCY_MISMATCH, message, "idempotencyKey")
            reader.raise_errors()
        return dict(saved.result)
    if await count_results(tx.connection, user_pk) >= MAX_DAILY_KEYS:
        message = (
            f"You used {MAX_DAILY_KEYS:,} idempotency keys within the last 24 hours. Send the mutation without one."
        )
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "idempotencyKey", limit=MAX_DAILY_KEYS)
        reader.raise_errors()
    result = await function(tx, reader)
    await save_result(tx.connection, user_pk, key, digest, result)
    tx.must_commit = True
    return result
