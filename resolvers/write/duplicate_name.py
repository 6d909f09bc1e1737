"""Duplicate names of collections whose topics are merged: a number makes them unique."""

from collections.abc import Container, Sequence
from typing import Any

from sqlalchemy import update

from permissions import visible
from resolvers.loaders import where_in
from resolvers.write.transaction import MutationTransaction
from store import sql
from store.changes import field_changes
from store.rows import CollectionRow, TopicRow
from store.search.sort_key import name_sort_key
from store.tables import ChangeAction
from store.text import MAX_NAME_LENGTH, fold_name


async def rename_duplicates(tx: MutationTransaction, sources: Sequence[TopicRow], target: TopicRow) -> list[str]:
    """Rename top-level collections of the sources whose names occur twice in the target, and log it.

    Return the ids of the changes. One statement, and three for each renamed collection.
    """
    changes: list[str] = []
    collection = sql.collection
    topic_order = {topic.pk: index for index, topic in enumerate((target, *sources))}
    select = where_in(visible(collection, tx.viewer), collection.c.topic_pk, [*topic_order])
    rows: Sequence[CollectionRow] = await tx.rows(select.where(collection.c.parent_pk.is_(None)))
    taken = {row.name_key for row in rows}
    met: set[str] = set()
    for row in sorted(rows, key=lambda row: (topic_order[row.topic_pk], row.rank, row.pk)):
        if row.topic_pk != target.pk and row.name_key in met:
            name = _numbered(row.name, taken)
            taken.add(fold_name(name))
            columns: dict[str, Any] = {"name": name, "name_key": fold_name(name), "sort_key": name_sort_key(name)}
            columns |= {"version": row.version + 1, "updated_at": tx.log.at}
            await tx.execute(update(collection).where(collection.c.pk == row.pk).values(columns))
            changes += await tx.log.append(
                ChangeAction.UPDATED, [row.id], field_changes(row, {"name": name}), effect={}
            )
        met.add(row.name_key)
    return changes


def _numbered(name: str, taken: Container[str]) -> str:
    """Return the name with the least number that makes it unique."""
    number = 2
    while fold_name(numbered := f"{name[: MAX_NAME_LENGTH - len(f' {number}')]} {number}") in taken:
        number += 1
    return numbered
