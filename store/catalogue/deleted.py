"""Topics and collections that an import created and people deleted, from the change log.

Imported lines have the same information, except at the first import of a source: that of a database which an older
version imported into, without keeping lines.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.catalogue.imported import ImportedState
from store.catalogue.lines import CollectionLine, TopicLine
from store.tables import ChangeAction
from store.text import fold_name


async def load_deleted(
    connection: AsyncConnection,
    prefix: str,
    lines: Mapping[str, TopicLine | CollectionLine],
    rows: Mapping[str, Row[Any]],
) -> dict[str, ImportedState]:
    """Return states of the deleted objects whose ids have the prefix, by id, as if their lines had been imported.

    `rows` has the existing objects. Older versions logged no slugs of deleted objects: these are found by name, if
    exactly one of the lines has it, and no existing object. One statement, which reads the whole log.
    """
    names = Counter(fold_name(line.name) for line in lines.values())
    existing_names, existing_slugs = {row.name_key for row in rows.values()}, {row.slug for row in rows.values()}
    slugs_by_name = {
        key: slug
        for slug, line in lines.items()
        if names[key := fold_name(line.name)] == 1 and key not in existing_names
    }
    states: dict[str, ImportedState] = {}
    for change in await _load_deletions(connection, prefix):
        effect = change.effect or {}
        slug = effect["row"]["slug"] if effect else slugs_by_name.get(fold_name(change.subject_name or ""))
        if slug is not None and slug not in existing_slugs and change.subject_id not in rows:
            place = [effect.get("place", {}).get(field) for field in ("topic", "parent")]
            states[change.subject_id] = ImportedState(None, {"slug": slug, "place": place, "assets": {}})
    return states


async def _load_deletions(connection: AsyncConnection, prefix: str) -> Sequence[Any]:
    """Return the deletions by people of objects that an import had written, in their order."""
    change, imported = sql.change.c, sql.change.alias("imported")
    was_imported = exists().where(imported.c.subject_id == change.subject_id, imported.c.actor_pk.is_(None))
    deletions = (
        select(change.subject_id, change.subject_name, change.effect)
        .where(
            change.action == ChangeAction.DELETED,
            change.subject_id.startswith(f"{prefix}_", autoescape=True),
            change.actor_pk.is_not(None),
            was_imported,
        )
        .order_by(change.pk)
    )
    return (await connection.execute(deletions)).all()
