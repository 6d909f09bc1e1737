"""Pruning: withdraws the assets that a source had in an earlier import and has no longer."""

from collections.abc import Callable

from sqlalchemy import exists, select, update

from store import sql
from store.catalogue.imported import load_states, save_states
from store.catalogue.upsert import ImportSession
from store.tables import AssetStatus, ChangeAction

MAX_SHARE = 10
"""Percentage of a source's assets that are withdrawn without being asked to."""


class TooManyWithdrawalsError(Exception):
    """The import would withdraw more than MAX_SHARE percent of the source's assets, so nothing was written."""

    def __init__(self, count: int, total: int, source: str) -> None:
        """Create the error from the numbers of assets: to withdraw, and of the source."""
        super().__init__(
            f"{count:,} of the {total:,} assets of the source {source!r} are not in the file, more than {MAX_SHARE} %:"
            " nothing was imported. If that is right, import it again with --yes."
        )


async def withdraw_missing(
    session: ImportSession, source: str, is_in_file: Callable[[str], bool], *, has_limit: bool
) -> int:
    """Withdraw the source's assets that are not in the file nor of another source; return their number.

    The source's states of all missing assets are deleted. Raises TooManyWithdrawalsError, with `has_limit`.
    """
    states = await load_states(session.connection, source, "asset")
    kept = {id_: state for id_, state in states.items() if is_in_file(str(state.external_id))}
    other = sql.imported_line.alias("other")
    has_other_source = exists().where(other.c.object_id == sql.asset.c.id, other.c.source != source)
    missing = select(sql.asset).where(
        sql.asset.c.id.in_(sql.text_list([*(states.keys() - kept.keys())])),
        sql.asset.c.status != AssetStatus.WITHDRAWN,
        ~has_other_source,
    )
    rows = (await session.connection.execute(missing)).all()
    if has_limit and len(rows) * 100 > len(states) * MAX_SHARE:
        raise TooManyWithdrawalsError(len(rows), len(states), source)
    withdrawal = {"status": AssetStatus.WITHDRAWN, "updated_at": session.log.at}
    pks = sql.int_list([row.pk for row in rows])
    await session.connection.execute(update(sql.asset).where(sql.asset.c.pk.in_(pks)).values(withdrawal))
    fields = {
        row.id: [{"field": "status", "before": str(row.status), "after": str(AssetStatus.WITHDRAWN)}] for row in rows
    }
    await session.log.append_by_subject(ChangeAction.UPDATED, fields)
    session.updated.update(row.kind for row in rows)
    session.must_commit |= await save_states(session.connection, source, "asset", states, kept)
    return len(rows)
