"""Log of row versions: which objects were written since a version.

Triggers keep it: each write to a topic, collection, membership, asset, grant or principal increments the version of the
deployment and stores it for the objects that it changed. On PostgreSQL, all writes of a transaction share one version.
Versions are committed in order, so a snapshot that contains a version contains all lower ones. Do not keep versions
that were read in an open write transaction: after a rollback, another transaction gets the same ones.
"""

from collections import defaultdict

from sqlalchemy import BigInteger, Integer, bindparam, select

from store import sql
from store.database import Snapshot
from store.tables import RowKind

_VERSION = select(sql.deployment.c.row_version)
_CHANGES = (
    select(sql.row_version.c.kind, sql.row_version.c.pk)
    .where(sql.row_version.c.version > bindparam("since", type_=BigInteger))
    .order_by(sql.row_version.c.version)  # walks the index and stops at the limit
    .limit(bindparam("max_rows", type_=Integer))
)


async def fetch_version(snapshot: Snapshot) -> int:
    """Return the version of the last write, 0 if there was none. One statement."""
    [row] = await snapshot.rows(_VERSION)
    return int(row.row_version)


async def fetch_changes(snapshot: Snapshot, since: int, limit: int) -> dict[RowKind, list[int]] | None:
    """Return the pks of all objects written or deleted after a version, by kind. One statement.

    None if there are more than `limit`.
    """
    rows = await snapshot.rows(_CHANGES, {"since": since, "max_rows": limit + 1})
    if len(rows) > limit:
        return None
    changes = defaultdict[RowKind, list[int]](list)
    for row in rows:
        changes[RowKind(row.kind)].append(row.pk)
    return dict(changes)
