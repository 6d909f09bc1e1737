"""Departure of a user: all assets that they own pass to another user."""

from collections.abc import Sequence

from permissions import visible
from resolvers.limits import LIMITS
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, changed_ids, to_json
from resolvers.write.input import InputReader, index_by_id
from resolvers.write.job import enqueue
from resolvers.write.principal_input import load_principals
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.transfer_operation import TransferOperation, check_active
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.rows import PrincipalRow
from store.tables import JobKind
from store.transfer import Transfer, owned_asset_ids

INLINE_BULK_ITEMS = LIMITS.inline_bulk_items


async def transfer(tx: MutationTransaction, reader: InputReader) -> Result:
    """Hand all assets of one user over to another, or queue a job for more than INLINE_BULK_ITEMS."""
    source, target = await _find_users(tx, reader)
    keep_editor = bool(reader.input["keep_editor"])
    ids = await owned_asset_ids(tx.connection, source.pk)
    if len(ids) > INLINE_BULK_ITEMS and reader.input["dry_run"]:
        return {"results": to_json(ItemResult(id_, ItemStatus.CHANGED) for id_ in ids)}
    if len(ids) > INLINE_BULK_ITEMS:
        users = {"source_pk": source.pk, "target_pk": target.pk, "keep_editor": keep_editor}
        job_input = {"asset_ids": ids, "mode": BulkMode.BEST_EFFORT, **users}
        job = await enqueue(tx, JobKind.ASSETS_TRANSFER, job_input, len(index_by_id(ids)), [], field="from")
        return {"results": [], "requested": len(ids), "job": job}
    operation = TransferOperation(tx, Transfer(source.pk, target.pk, keep_editor))
    items = await operation.plan(index_by_id(ids))
    effect = await operation.apply(changed_ids(items))
    return {"results": to_json(items), "changes": [*effect.changes, *await _change_ids(tx, effect.changes)]}


async def _find_users(tx: MutationTransaction, reader: InputReader) -> tuple[PrincipalRow, PrincipalRow]:
    references = reader.input["from_"], reader.input["to"]
    principals = await load_principals(tx, references)
    source, target = (
        principals.find_user(reader, reference, field)
        for reference, field in zip(references, ("from", "to"), strict=True)
    )
    if source is not None and target is not None and source.pk == target.pk:
        reader.add_error(UserErrorCode.INVALID, f"{target.name} owns them already. Choose another user.", "to")
    elif target is not None:
        check_active(reader, target)
    reader.raise_errors()
    assert source is not None  # noqa: S101 - raised above
    assert target is not None  # noqa: S101 - raised above
    return source, target


async def _change_ids(tx: MutationTransaction, excluding: Sequence[str]) -> list[str]:
    """Return the ids of the transaction's other changes that the viewer may see. One statement."""
    logged = visible(sql.change, tx.viewer).where(sql.change.c.revision == tx.log.revision)
    return [change.id for change in await tx.rows(logged.order_by(sql.change.c.pk)) if change.id not in excluding]
