"""Effect of turning public sharing on or off: the numbers of collections and assets that appear or vanish."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Table, func

from permissions import Viewer, visible
from permissions.viewer import audience_viewer
from resolvers.write.transaction import MutationTransaction
from store import sql


class Audience(StrEnum):
    """Viewers affected by public sharing. Administrators see everything in any case."""

    ANONYMOUS = "ANONYMOUS"
    MEMBERS = "MEMBERS"


@dataclass(frozen=True)
class SharingEffect:
    """Numbers of collections and assets that appear for an audience, or vanish."""

    audience: Audience
    appears: bool
    collections: int
    assets: int


async def sharing_effects(tx: MutationTransaction, *, is_on: bool) -> list[list[Any]]:
    """Return the effects of turning public sharing on or off, as JSON. Eight statements.

    Assets of members are those that they see without grants of their own.
    """
    effects = []
    for audience in Audience:
        viewer = audience_viewer(tx.viewer, is_member=audience is Audience.MEMBERS)
        counts = [await _count_shared(tx, table, viewer) for table in (sql.collection, sql.asset)]
        effects.append([audience, is_on, *counts])
    return effects


async def _count_shared(tx: MutationTransaction, table: Table, viewer: Viewer) -> int:
    """Return the number of rows that the viewer sees while public sharing is on only."""
    counts = []
    for is_on in (True, False):
        rows = visible(table, replace(viewer, public_sharing=is_on))
        [(count,)] = await tx.rows(rows.with_only_columns(func.count(), maintain_column_froms=True))
        counts.append(int(count))
    return counts[0] - counts[1]
