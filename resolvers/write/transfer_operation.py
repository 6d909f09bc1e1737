"""Transfer of assets in bulk: plan each asset, then hand over all that the former owner still owns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from resolvers.write.bulk import ItemResult, ItemStatus
from resolvers.write.input import InputReader
from resolvers.write.membership_operations import Effect, IndexById
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import UserErrorCode
from store.changes import MemberChange
from store.grant_changes import principals_by_pk
from store.rows import AssetRow, PrincipalRow
from store.tables import ChangeAction
from store.transfer import OWNER_FIELD, AssetTransfer, Transfer, owned_assets, write_transfers


@dataclass
class TransferOperation:
    """Bulk change: assets of one user pass to another. Those that the user no longer owns are UNCHANGED."""

    tx: MutationTransaction
    transfer: Transfer
    last_inserted_pk: int | None = None  # no asset is inserted
    _owned: dict[str, AssetRow] = field(default_factory=dict)

    async def plan(self, indexes: IndexById) -> list[ItemResult]:
        """Return the planned result of each id, in order. A job calls this once for each chunk. One statement."""
        self._owned |= await owned_assets(self.tx.connection, self.transfer.source_pk, list(indexes))
        return [ItemResult(id_, ItemStatus.CHANGED if id_ in self._owned else ItemStatus.UNCHANGED) for id_ in indexes]

    async def apply(self, ids: Sequence[str]) -> Effect:
        """Hand over the assets planned as CHANGED.

        The effect has the change of the whole, which an undo takes; there are up to three more for each asset.
        """
        source_pk, target_pk = self.transfer.source_pk, self.transfer.target_pk
        transfers = [self.transfer.of(self._owned[id_]) for id_ in ids]
        if not transfers:
            return Effect(removed=(), added=(), added_to=None, changes=())
        users = await principals_by_pk(self.tx.connection, (source_pk, target_pk))
        source, target = users[source_pk], users[target_pk]
        log_id = await transfer_assets(self.tx, source.id, (source, target), transfers)
        return Effect(removed=(), added=(), added_to=None, changes=[log_id])


def check_active(reader: InputReader, target: PrincipalRow) -> None:
    """Add INVALID if the user who is to own the assets is deactivated."""
    if not target.is_active:
        message = f"{target.name} is deactivated. Reactivate them first, or choose another user."
        reader.add_error(UserErrorCode.INVALID, message, "to")


async def resume_transfer(tx: MutationTransaction, transfer: Transfer) -> TransferOperation:
    """Return the operation of a job. One statement.

    Raises MutationRejectedError if the new owner was deactivated since the job was queued.
    """
    reader = InputReader({})
    check_active(reader, (await principals_by_pk(tx.connection, [transfer.target_pk]))[transfer.target_pk])
    reader.raise_errors()
    return TransferOperation(tx, transfer)


async def transfer_assets(
    tx: MutationTransaction,
    subject_id: str,
    users: tuple[PrincipalRow, PrincipalRow],
    transfers: Sequence[AssetTransfer],
    **record: Any,
) -> str:
    """Hand assets of the first user over to the second, and return the id of the change of the whole.

    The subject of that change is the user who owned the assets before the first transfer. `record` has further columns
    of the log.
    """
    source, target = users
    await write_transfers(tx.connection, tx.log, (source.pk, target.pk), transfers)
    field = {"field": OWNER_FIELD, "before": source.id, "after": target.id}
    (log_id,) = await tx.log.append(ChangeAction.ASSETS_TRANSFERRED, [subject_id], [field], effect={}, **record)
    await tx.log.append_members({log_id: [MemberChange(transfer.asset.pk) for transfer in transfers]})
    return log_id
