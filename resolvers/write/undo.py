"""Undo of changes, by kind of subject and action. An undo is logged by its effect, and can be undone too."""

from collections.abc import Awaitable, Callable

from permissions.permission import Permission, require
from resolvers.undoable import GRANT_ACTIONS, UNDO_DAYS, UNDO_MS, UndoRight, undo_right
from resolvers.write import deployment, undo_asset, undo_collection, undo_members, undo_topic, undo_transfer
from resolvers.write.input import InputReader
from resolvers.write.job import enqueue
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.undo_conflict import effect_of
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.ids import ID_PREFIX_LENGTH
from store.jobs import ACTIVE
from store.rows import ChangeRow, JobRow
from store.tables import ChangeAction, JobKind
from store.undo_records import count_members

UndoFunction = Callable[[MutationTransaction, InputReader, ChangeRow], Awaitable[Result]]

NOT_UNDOABLE = (
    "This change cannot be undone: it was made by an import, a registration or an earlier version, or it is part of"
    " another change, such as the move of a parent. Undo that one, or change the object by hand."
)
UNDO_OF: dict[tuple[str, ChangeAction], UndoFunction] = {
    ("top", ChangeAction.CREATED): undo_topic.undo_created,
    ("top", ChangeAction.UPDATED): undo_topic.undo_updated,
    ("top", ChangeAction.REORDERED): undo_topic.undo_reordered,
    ("top", ChangeAction.DELETED): undo_topic.undo_deleted,
    ("top", ChangeAction.MERGED): undo_topic.undo_group,
    ("col", ChangeAction.CREATED): undo_collection.undo_created,
    ("col", ChangeAction.UPDATED): undo_collection.undo_updated,
    ("col", ChangeAction.REORDERED): undo_collection.undo_reordered,
    ("col", ChangeAction.DELETED): undo_collection.undo_deleted,
    ("ast", ChangeAction.AWARDED): undo_asset.undo_awarded,
    ("ast", ChangeAction.REVOKED): undo_asset.undo_awarded,
    **{("ast", action): undo_asset.undo_shared for action in GRANT_ACTIONS},
    ("usr", ChangeAction.ASSETS_TRANSFERRED): undo_transfer.undo,
    ("dep", ChangeAction.UPDATED): deployment.undo_updated,
}
"""Function by the first letters of the subject's id, and the action."""


async def undo(tx: MutationTransaction, reader: InputReader) -> Result:
    """Undo a change of at most UNDO_DAYS ago, or queue a job that undoes those of another job."""
    named = [field for field in ("change_id", "job_id") if reader.input.get(field) is not None]
    if len(named) != 1:
        message = "Give either the id of a change or that of a job."
        reader.add_error(UserErrorCode.INVALID if named else UserErrorCode.REQUIRED, message, "changeId")
        reader.raise_errors()
    if named == ["job_id"]:
        return await _undo_job(tx, reader)
    change: ChangeRow = await tx.get(reader, sql.change, "change_id")
    right = undo_right(change)
    if right is None:
        reader.add_error(UserErrorCode.INVALID, NOT_UNDOABLE, "changeId")
    elif change.at < tx.log.at - UNDO_MS:
        message = f"The change was made more than {UNDO_DAYS} days ago, and can no longer be undone."
        reader.add_error(UserErrorCode.INVALID, message, "changeId")
    reader.raise_errors()
    if right is UndoRight.ADMIN:
        require(tx.viewer, Permission.ADMIN)
    return await _find_function(change)(tx, reader, change)


async def _undo_job(tx: MutationTransaction, reader: InputReader) -> Result:
    """Queue a job that undoes the changes of another one, the last first. That of a transfer has no collections."""
    job: JobRow = await tx.get(reader, sql.job, "job_id")
    if job.status in ACTIVE:
        reader.add_error(UserErrorCode.CONFLICT, "The job has not ended. Wait, or cancel it first.", "jobId")
    if reader.input["dry_run"]:
        message = "The undo of a job has no dry run. Omit dryRun, or try a change of the job."
        reader.add_error(UserErrorCode.INVALID, message, "dryRun")
    reader.raise_errors()
    counts = await count_members(tx.connection, job.change_ids)
    changes = [[id_, count] for id_, count in counts if count]
    if not changes:
        reader.add_error(UserErrorCode.INVALID, "The job has changed nothing: there is nothing to undo.", "jobId")
    reader.raise_errors()
    total = sum(count for _, count in counts)
    permission = Permission.SIGNED_IN if job.collection_ids else Permission.ADMIN
    require(tx.viewer, permission)
    job_input = {"changes": changes, "permission": permission}
    queued = await enqueue(tx, JobKind.CHANGES_UNDO, job_input, total, job.collection_ids)
    return {"results": [], "requested": total, "job": queued}


def _find_function(change: ChangeRow) -> UndoFunction:
    if undo_right(change) is UndoRight.MEMBERS:
        return undo_members.undo
    effect = effect_of(change)
    if "of" in effect:
        return undo_topic.undo_group
    if "members" in effect:
        return undo_members.undo_order
    return UNDO_OF[change.subject_id[:ID_PREFIX_LENGTH], ChangeAction(change.action)]
