"""Import of topics: new topics come after existing ones, in the order of the file."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from store import sql
from store.catalogue.existing import ExistingObjects
from store.catalogue.plan import Plan, PlannedTopic
from store.catalogue.upsert import DesiredRow, ImportSession
from store.changes import LoggedFieldChange, field_changes


async def write_topics(session: ImportSession, plan: Plan, existing: ExistingObjects) -> dict[str, int]:
    """Write the topics of lines, and return the pks of all topics by id.

    Existing topics keep their order, which administrators may have arranged.
    """
    ranks = await session.next_ranks(sql.topic.c.rank)
    desired = {
        match.id: DesiredRow("topic", "top", _columns(plan, match.id), {"rank": next(ranks), **session.initial_stamps})
        for match in plan.topic_matches.by_slug.values()
        if match.id in plan.topics
    }
    await session.release_keys(
        sql.topic, [row.pk for id_, row in existing.topics.items() if _has_other_keys(row, plan.topics[id_])]
    )
    pks = {id_: row.pk for id_, row in existing.topics.items()}
    return pks | await session.upsert_versioned(sql.topic, desired, existing.topics, _format_changes)


def _has_other_keys(row: Row[Any], topic: PlannedTopic) -> bool:
    return (row.slug, row.name_key) != (topic.slug, topic.name_key)


def _columns(plan: Plan, id_: str) -> dict[str, str]:
    topic = plan.topics[id_]
    return {
        "slug": topic.slug,
        "name": topic.name,
        "name_key": topic.name_key,
        "description": topic.description,
    }


def _format_changes(topic: Row[Any], changed: Mapping[str, Any]) -> list[LoggedFieldChange]:
    return field_changes(topic, {column: value for column, value in changed.items() if column != "name_key"})
