"""This file is the change log: every write appends what it did, in its own transaction, under the next revision."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ids import new_id, now_ms
from store.tables import ChangeAction


class Log:
    """The changes of one write. Opening it takes the writers' lock, so that revisions commit in their order."""

    def __init__(self, connection: AsyncConnection, revision: int, request_id: str, actor_pk: int | None) -> None:
        """Take the write's transaction and revision; use `open_log`."""
        self._connection, self.revision, self._request_id, self._actor_pk = connection, revision, request_id, actor_pk
        self.at = now_ms()

    async def append(self, action: ChangeAction, subject_ids: Iterable[str], fields: Sequence[Any] = ()) -> None:
        """Append one change for each subject. One statement."""
        rows = [self._row(action, subject_id, fields) for subject_id in subject_ids]
        if rows:
            await self._connection.execute(insert(sql.change), rows)

    async def append_assets(self, action: ChangeAction, assets_by_subject: dict[str, list[int]]) -> None:
        """Append one change for each subject, with the pks of the assets that it touched. Three statements."""
        rows = [self._row(action, subject_id, ()) for subject_id, assets in assets_by_subject.items() if assets]
        if not rows:
            return
        await self._connection.execute(insert(sql.change), rows)
        made = select(sql.change.c.pk, sql.change.c.subject_id).where(
            sql.change.c.id.in_(sql.texts([row["id"] for row in rows]))
        )
        touched = [
            {"change_pk": change.pk, "asset_pk": asset_pk}
            for change in await self._connection.execute(made)
            for asset_pk in assets_by_subject[change.subject_id]
        ]
        await self._connection.execute(insert(sql.change_asset), touched)

    def _row(self, action: ChangeAction, subject_id: str, fields: Sequence[Any]) -> dict[str, Any]:
        return {
            "id": new_id("chg"),
            "revision": self.revision,
            "at": self.at,
            "actor_pk": self._actor_pk,
            "action": action,
            "subject_id": subject_id,
            "fields": list(fields),
            "request_id": self._request_id,
        }


async def open_log(connection: AsyncConnection, request_id: str, actor_pk: int | None = None) -> Log:
    """Return the log of a write, under the next revision. One statement, which waits for any other writer."""
    raised = update(sql.deployment).values(revision=sql.deployment.c.revision + 1).returning(sql.deployment.c.revision)
    return Log(connection, (await connection.execute(raised)).scalar_one(), request_id, actor_pk)
