"""Transfer of assets in bulk: plan each asset, then hand over all that the former owner still owns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from resolvers.write.bulk import ItemResult, ItemStatus
from resolvers.write.membership_operations import Effect, IndexById
from resolvers.write.transaction import MutationTransaction
from store.rows import AssetRow
from store.transfer import Transfer, owned_assets, transfer_assets


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

        The effect has no changes: there are up to three for each asset, all with the request id of the transfer.
        """
        assets = [self._owned[id_] for id_ in ids]
        await transfer_assets(self.tx.connection, self.tx.log, self.transfer, assets)
        return Effect(removed=(), added=(), added_to=None, changes=())
