"""Changes of an import before it is committed, for a dry run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import LoggedFieldChange


class PlannedChange(NamedTuple):
    """A change that the import would log: its action, the kind and name of its subject, and its effect."""

    action: str
    kind: str
    name: str
    fields: Sequence[LoggedFieldChange]
    asset_count: int  # of assets added to or removed from a collection


async def read_changes(connection: AsyncConnection, revision: int) -> list[PlannedChange]:
    """Return the changes of a revision in the order of the log. Three statements."""
    change, member = sql.change, sql.change_asset
    of_revision = change.c.revision == revision
    members = (
        select(member.c.change_pk, func.count())
        .join(change, change.c.pk == member.c.change_pk)
        .where(of_revision)
        .group_by(member.c.change_pk)
    )
    counts: Mapping[int, int] = dict(map(tuple, await connection.execute(members)))
    subjects = select(change.c.subject_id).where(of_revision)
    names = {
        row.id: (row.kind, row.name)
        for row in await connection.execute(
            union_all(
                *(
                    select(table.c.id, kind.label("kind"), table.c.name).where(table.c.id.in_(subjects))
                    for table, kind in (
                        (sql.topic, literal("topic")),
                        (sql.collection, literal("collection")),
                        (sql.asset, literal("asset")),
                        (sql.principal, func.lower(sql.principal.c.kind)),
                    )
                )
            )
        )
    }
    rows = await connection.execute(select(change).where(of_revision).order_by(change.c.pk))
    return [PlannedChange(row.action, *names[row.subject_id], row.fields, counts.get(row.pk, 0)) for row in rows]


def format_changes(changes: Sequence[PlannedChange]) -> Iterator[str]:
    """Yield one line per change."""
    for change in changes:
        parts = [f"{change.action} {change.kind} {change.name!r}"]
        parts += [f"{each['field']} {_format(each['before'])} → {_format(each['after'])}" for each in change.fields]
        parts += [f"{change.asset_count:,} asset{'' if change.asset_count == 1 else 's'}"] * bool(change.asset_count)
        yield f"{parts[0]}{': ' if parts[1:] else ''}{', '.join(parts[1:])}"


def _format(value: str | None) -> str:
    return "nothing" if value is None else repr(value)
