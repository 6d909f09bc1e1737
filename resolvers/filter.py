"""This file is what lists can be narrowed by: the filters of the graph as conditions on rows."""

from dataclasses import dataclass, fields
from typing import Any, Self

from sqlalchemy import ColumnElement, FromClause, exists

from permissions import Viewer, visible
from store import sql
from store.search.match import matches_search
from store.search.query import Search


@dataclass(frozen=True)
class TimeRange:
    """Half-open, in milliseconds: from <= t < until."""

    from_: int | None = None
    until: int | None = None

    def conditions(self, column: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """Return the conditions that the column lies within."""
        from_ = [] if self.from_ is None else [column >= self.from_]
        return from_ if self.until is None else [*from_, column < self.until]


@dataclass(frozen=True)
class _Filter:
    @classmethod
    def from_input(cls, given: Any, **more: Any) -> Self:
        """Return the filter with what the input gives, and more; an input left out narrows nothing."""
        return cls(**{field.name: _frozen(getattr(given, field.name, None)) for field in fields(cls)} | more)

    @property
    def text_length(self) -> int:
        """How many letters the texts that are given have, and their number."""
        given = (getattr(self, field.name) for field in fields(self))
        texts = ((value,) if isinstance(value, str) else value for value in given if isinstance(value, str | tuple))
        return sum(len(text) + 1 for each in texts for text in each)


@dataclass(frozen=True)
class AssetFilter(_Filter):
    """All that is given must hold; within a list any may."""

    kinds: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    owner_ids: tuple[str, ...] | None = None
    gold_standard: bool | None = None
    created_at: TimeRange | None = None
    updated_at: TimeRange | None = None
    in_collection_ids: tuple[str, ...] | None = None
    not_in_collection_ids: tuple[str, ...] | None = None
    search: Search | None = None

    def conditions(self, viewer: Viewer) -> list[ColumnElement[bool]]:
        """Return what an asset must meet; ids that the viewer cannot see match as unknown ones do."""
        asset = sql.asset
        found: list[ColumnElement[bool]] = []
        if self.kinds is not None:
            found.append(asset.c.kind.in_(sql.text_list(self.kinds)))
        if self.statuses is not None:
            found.append(asset.c.status.in_(sql.text_list(self.statuses)))
        if self.tags is not None:
            tag = sql.asset_tag
            found.append(exists().where(tag.c.asset_pk == asset.c.pk, tag.c.tag.in_(sql.text_list(self.tags))))
        if self.owner_ids is not None:
            found.append(_has_id(sql.principal.alias(), asset.c.owner_pk, self.owner_ids))
        if self.gold_standard is not None:
            found.append(asset.c.is_gold == int(self.gold_standard))
        if self.created_at is not None:
            found += self.created_at.conditions(asset.c.created_at)
        if self.updated_at is not None:
            found += self.updated_at.conditions(asset.c.updated_at)
        if self.in_collection_ids is not None:
            found.append(asset.c.pk.in_(_members(viewer, self.in_collection_ids)))
        if self.not_in_collection_ids is not None:
            found.append(asset.c.pk.not_in(_members(viewer, self.not_in_collection_ids)))
        return [*found, *_searched(asset, self.search)]


@dataclass(frozen=True)
class CollectionFilter(_Filter):
    """All that is given must hold; within a list any may."""

    visibility: str | None = None
    topic_ids: tuple[str, ...] | None = None
    top_level_only: bool | None = None
    contains_asset_id: str | None = None
    updated_at: TimeRange | None = None
    search: Search | None = None

    def conditions(self, viewer: Viewer) -> list[ColumnElement[bool]]:
        """Return what a collection must meet; ids that the viewer cannot see match as unknown ones do."""
        collection = sql.collection
        found: list[ColumnElement[bool]] = []
        if self.visibility is not None:
            found.append(collection.c.visibility == self.visibility)
        if self.topic_ids is not None:
            found.append(_has_id(sql.topic.alias(), collection.c.topic_pk, self.topic_ids))
        if self.top_level_only:
            # A parent that the viewer cannot see is none: such a collection is at the top for them.
            parent = sql.collection.alias()
            shown = visible(parent, viewer).where(parent.c.pk == collection.c.parent_pk).correlate(collection)
            found.append(~shown.exists())
        if self.contains_asset_id is not None:
            found.append(contains_asset(viewer, self.contains_asset_id))
        if self.updated_at is not None:
            found += self.updated_at.conditions(collection.c.updated_at)
        return [*found, *_searched(collection, self.search)]


@dataclass(frozen=True)
class TopicFilter(_Filter):
    """What is looked for, if anything is."""

    search: Search | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what a topic must meet."""
        return _searched(sql.topic, self.search)


@dataclass(frozen=True)
class ChangeFilter(_Filter):
    """All that is given must hold; within a list any may."""

    actor_ids: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    subject_ids: tuple[str, ...] | None = None
    at: TimeRange | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what a change must meet; ids that name nothing match nothing."""
        change = sql.change
        found: list[ColumnElement[bool]] = []
        if self.actor_ids is not None:
            found.append(_has_id(sql.principal.alias(), change.c.actor_pk, self.actor_ids))
        if self.actions is not None:
            found.append(change.c.action.in_(sql.text_list(self.actions)))
        if self.subject_ids is not None:
            found.append(change.c.subject_id.in_(sql.text_list(self.subject_ids)))
        if self.at is not None:
            found += self.at.conditions(change.c.at)
        return found


def contains_asset(viewer: Viewer, asset_id: str) -> ColumnElement[bool]:
    """Return whether the collection holds the asset, as far as the viewer can see it."""
    asset, membership = sql.asset.alias(), sql.membership.alias()
    held = (
        visible(asset, viewer)
        .join(membership, membership.c.asset_pk == asset.c.pk)
        .where(asset.c.id == asset_id, membership.c.collection_pk == sql.collection.c.pk)
        .correlate(sql.collection)
    )
    return held.exists()


def _members(viewer: Viewer, collection_ids: tuple[str, ...]) -> Any:
    collection, membership = sql.collection.alias(), sql.membership.alias()
    return (
        visible(collection, viewer)
        .join(membership, membership.c.collection_pk == collection.c.pk)
        .where(collection.c.id.in_(sql.text_list(collection_ids)))
        .with_only_columns(membership.c.asset_pk)
    )


def _searched(source: FromClause, search: Search | None) -> list[ColumnElement[bool]]:
    return [] if search is None else [matches_search(source, search)]


def _has_id(source: FromClause, pk: ColumnElement[int], ids: tuple[str, ...]) -> ColumnElement[bool]:
    return exists().where(source.c.pk == pk, source.c.id.in_(sql.text_list(ids)))


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if hasattr(value, "until"):
        return TimeRange(value.from_, value.until)
    return value
