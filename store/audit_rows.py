"""Change log in the order of its revisions, page by page, as an archive takes it: all changes of the database."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from store import sql
from store.database import Snapshot

PAGE_ROWS = 500


async def read_audit_rows(snapshot: Snapshot, since: int) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield pages of the changes from a time in milliseconds on, with actor and assets. One statement a page.

    `actor_id` and `assets`, a list, are the platform's ids.
    """
    change, actor, asset, member = sql.change, sql.principal, sql.asset, sql.change_asset
    assets = (
        select(sql.json_rows_agg(asset.c.external_id))
        .join(member, member.c.asset_pk == asset.c.pk)
        .where(member.c.change_pk == change.c.pk)
        .correlate(change)
        .scalar_subquery()
    )
    columns = change.c[
        "pk", "id", "at", "action", "subject_id", "subject_name", "origin", "request_id", "fields", "undoes_pk"
    ]
    rows = (
        select(*columns, actor.c.external_id.label("actor_id"), actor.c.name.label("actor"), assets.label("assets"))
        .select_from(change.outerjoin(actor, actor.c.pk == change.c.actor_pk))
        .where(change.c.at >= since)
        .order_by(change.c.pk)
        .limit(PAGE_ROWS)
    )
    last_pk = 0
    while page := await snapshot.rows(rows.where(change.c.pk > last_pk)):
        yield page
        last_pk = page[-1].pk
