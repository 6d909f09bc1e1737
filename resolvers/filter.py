"""Filters of lists, compiled to SQL conditions. Fields combine with AND; values within a field with OR.

Each class has the same fields as the input type of that name in `schema/filter.py` (a test compares the two). Its
`conditions_of` has a function for each field, which returns the field's conditions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from sqlalchemy import ColumnElement, Table, func

from permissions import Viewer, visible
from permissions.visible import has_access
from store import sql
from store.search.match import matches_search
from store.search.query import Search
from store.search.tag_key import tag_key
from store.sql import Selection
from store.subject_type import PREFIX_LENGTH, SubjectType
from store.tables import AssetAccess
from store.text import fold_name

Conditions = Sequence[ColumnElement[bool]]
ConditionsOf = Mapping[str, Callable[[Any, Viewer], Conditions]]
"""Function of each field from its value and the viewer to its conditions. Hidden ids have the effect of unknown ids."""


@dataclass(frozen=True)
class TimeRange:
    """Half-open range of timestamps in milliseconds: from <= t < until."""

    from_: int | None = None
    until: int | None = None

    def conditions(self, column: ColumnElement[int]) -> Conditions:
        """Return the conditions that the column is in the range."""
        from_ = [] if self.from_ is None else [column >= self.from_]
        return from_ if self.until is None else [*from_, column < self.until]


@dataclass(frozen=True)
class Filter:
    """Filter of a list; a field that is None does not restrict it. Hashable, as a part of a `Listing`."""

    search: Search | None = None

    table: ClassVar[Table]
    conditions_of: ClassVar[ConditionsOf] = {}

    @classmethod
    def from_input(cls, given: object) -> Self:
        """Create the filter from a GraphQL input, or from None.

        Raises TypeError for an input with other fields: to ignore one would return unfiltered rows.
        """
        if given is None:
            return cls()
        values = {name: _frozen(value) for name, value in vars(given).items()}
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}. Add it in resolvers/filter.py.")
        return cls(**values)

    @property
    def text_length(self) -> int:
        """Number of characters in all text values, plus one for each value."""
        values = (getattr(self, field.name) for field in fields(self))
        texts = ((value,) if isinstance(value, str) else value for value in values if isinstance(value, str | tuple))
        return sum(len(text) + 1 for value in texts for text in value)

    def conditions(self, viewer: Viewer) -> Conditions:
        """Return the conditions that every row of the list meets."""
        names = [field.name for field in fields(self) if field.name != "search"]
        values = {name: getattr(self, name) for name in names}
        conditions = [
            condition
            for name, value in values.items()
            if value is not None
            for condition in self.conditions_of[name](value, viewer)
        ]
        return conditions if self.search is None else [*conditions, matches_search(self.table, self.search)]


def contains_asset(viewer: Viewer, asset_id: str) -> ColumnElement[bool]:
    """Return the condition that the collection contains the asset and that the asset is visible."""
    asset, membership = sql.asset.alias(), sql.membership.alias()
    contained = (
        visible(asset, viewer)
        .join(membership, membership.c.asset_pk == asset.c.pk)
        .where(asset.c.id == asset_id, membership.c.collection_pk == sql.collection.c.pk)
        .correlate(sql.collection)
    )
    return contained.exists()


def _members(viewer: Viewer, collection_ids: tuple[str, ...]) -> Selection:
    collection, membership = sql.collection.alias(), sql.membership.alias()
    return (
        visible(collection, viewer)
        .join(membership, membership.c.collection_pk == collection.c.pk)
        .where(collection.c.id.in_(sql.text_list(collection_ids)))
        .with_only_columns(membership.c.asset_pk)
    )


# Subqueries with a list do not refer to the row: as EXISTS, SQLite would look for each value of the list in each row.


def _has_id(pk: ColumnElement[int], table: Table, ids: Sequence[str]) -> ColumnElement[bool]:
    referred = table.alias()
    rows = referred.select().where(referred.c.id.in_(sql.text_list(ids)))
    return pk.in_(rows.with_only_columns(referred.c.pk))


def has_subject_of(types: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that the subject of a change is of one of the types."""
    prefix = func.substr(sql.change.c.subject_id, 1, PREFIX_LENGTH)
    return prefix.in_(sql.text_list([each.prefix for each in SubjectType if each in types]))


def _tagged(tags: Sequence[str]) -> ColumnElement[bool]:
    keys = [key for key in map(tag_key, tags) if key]
    tagged = sql.asset_tag.select().where(sql.asset_tag.c.tag_key.in_(sql.text_list(keys)))
    return sql.asset.c.pk.in_(tagged.with_only_columns(sql.asset_tag.c.asset_pk))


def _is_child(viewer: Viewer, parent_ids: Sequence[str]) -> ColumnElement[bool]:
    parent = sql.collection.alias()
    rows = visible(parent, viewer).where(parent.c.id.in_(sql.text_list(parent_ids)))
    return sql.collection.c.parent_pk.in_(rows.with_only_columns(parent.c.pk))


def _is_member(viewer: Viewer, group_ids: Sequence[str]) -> ColumnElement[bool]:
    group, member = sql.principal.alias(), sql.group_member.alias()
    rows = visible(member, viewer).join(group, group.c.pk == member.c.group_pk)
    rows = rows.where(group.c.id.in_(sql.text_list(group_ids)))
    return sql.principal.c.pk.in_(rows.with_only_columns(member.c.user_pk))


def _is_collected(viewer: Viewer) -> ColumnElement[bool]:
    collection, membership = sql.collection.alias(), sql.membership.alias()
    members = (
        visible(collection, viewer)
        .join(membership, membership.c.collection_pk == collection.c.pk)
        .where(membership.c.asset_pk == sql.asset.c.pk)
        .correlate(sql.asset)
    )
    return members.exists()


def _is_top_level(viewer: Viewer) -> ColumnElement[bool]:
    # A collection below a hidden one is top-level for the viewer.
    collection, parent = sql.collection, sql.collection.alias()
    shown = visible(parent, viewer).where(parent.c.pk == collection.c.parent_pk).correlate(collection)
    return ~shown.exists()


@dataclass(frozen=True)
class AssetFilter(Filter):
    """Filter of assets."""

    ids: tuple[str, ...] | None = None
    external_ids: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    all_tags: tuple[str, ...] | None = None
    licenses: tuple[str, ...] | None = None
    viewer_access: AssetAccess | None = None
    owner_ids: tuple[str, ...] | None = None
    gold_standard: bool | None = None
    created_at: TimeRange | None = None
    updated_at: TimeRange | None = None
    in_collection_ids: tuple[str, ...] | None = None
    not_in_collection_ids: tuple[str, ...] | None = None
    in_no_collection: bool | None = None

    table = sql.asset
    conditions_of: ClassVar[ConditionsOf] = {
        "ids": lambda ids, _: [sql.asset.c.id.in_(sql.text_list(ids))],
        "external_ids": lambda ids, _: [sql.asset.c.external_id.in_(sql.text_list(ids))],
        "kinds": lambda kinds, _: [sql.asset.c.kind.in_(sql.text_list(kinds))],
        "statuses": lambda statuses, _: [sql.asset.c.status.in_(sql.text_list(statuses))],
        "tags": lambda tags, _: [_tagged(tags)],
        "all_tags": lambda tags, _: [_tagged([tag]) for tag in tags],
        "licenses": lambda licenses, _: [sql.asset.c.license.in_(sql.text_list(licenses))],
        "viewer_access": lambda access, viewer: [has_access(sql.asset, viewer, access)],
        "owner_ids": lambda ids, _: [_has_id(sql.asset.c.owner_pk, sql.principal, ids)],
        "gold_standard": lambda is_gold, _: [sql.asset.c.is_gold == int(is_gold)],
        "created_at": lambda range_, _: range_.conditions(sql.asset.c.created_at),
        "updated_at": lambda range_, _: range_.conditions(sql.asset.c.updated_at),
        "in_collection_ids": lambda ids, viewer: [sql.asset.c.pk.in_(_members(viewer, ids))],
        "not_in_collection_ids": lambda ids, viewer: [sql.asset.c.pk.not_in(_members(viewer, ids))],
        "in_no_collection": lambda is_in_none, viewer: [_is_collected(viewer) != is_in_none],
    }


@dataclass(frozen=True)
class CollectionFilter(Filter):
    """Filter of collections."""

    ids: tuple[str, ...] | None = None
    slugs: tuple[str, ...] | None = None
    visibility: str | None = None
    topic_ids: tuple[str, ...] | None = None
    parent_ids: tuple[str, ...] | None = None
    top_level_only: bool | None = None
    contains_asset_id: str | None = None
    updated_at: TimeRange | None = None

    table = sql.collection
    conditions_of: ClassVar[ConditionsOf] = {
        "ids": lambda ids, _: [sql.collection.c.id.in_(sql.text_list(ids))],
        "slugs": lambda slugs, _: [sql.collection.c.slug.in_(sql.text_list(slugs))],
        "visibility": lambda visibility, _: [sql.collection.c.visibility == visibility],
        "topic_ids": lambda ids, _: [_has_id(sql.collection.c.topic_pk, sql.topic, ids)],
        "parent_ids": lambda ids, viewer: [_is_child(viewer, ids)],
        "top_level_only": lambda is_only, viewer: [_is_top_level(viewer)] if is_only else [],
        "contains_asset_id": lambda id_, viewer: [contains_asset(viewer, id_)],
        "updated_at": lambda range_, _: range_.conditions(sql.collection.c.updated_at),
    }


@dataclass(frozen=True)
class TopicFilter(Filter):
    """Filter of topics: the search only."""

    table = sql.topic


@dataclass(frozen=True)
class UserFilter(Filter):
    """Filter of users."""

    is_admin: bool | None = None
    is_active: bool | None = None
    group_ids: tuple[str, ...] | None = None

    table = sql.principal
    conditions_of: ClassVar[ConditionsOf] = {
        "is_admin": lambda is_admin, _: [sql.principal.c.is_admin == is_admin],
        "is_active": lambda is_active, _: [sql.principal.c.is_active == is_active],
        "group_ids": lambda ids, viewer: [_is_member(viewer, ids)],
    }


@dataclass(frozen=True)
class JobFilter(Filter):
    """Filter of jobs."""

    statuses: tuple[str, ...] | None = None

    table = sql.job
    conditions_of: ClassVar[ConditionsOf] = {
        "statuses": lambda statuses, _: [sql.job.c.status.in_(sql.text_list(statuses))],
    }


@dataclass(frozen=True)
class ChangeFilter(Filter):
    """Filter of changes."""

    actor_ids: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    subject_ids: tuple[str, ...] | None = None
    subject_types: tuple[str, ...] | None = None
    text: str | None = None
    at: TimeRange | None = None

    table = sql.change
    conditions_of: ClassVar[ConditionsOf] = {
        "actor_ids": lambda ids, _: [_has_id(sql.change.c.actor_pk, sql.principal, ids)],
        "actions": lambda actions, _: [sql.change.c.action.in_(sql.text_list(actions))],
        "subject_ids": lambda ids, _: [sql.change.c.subject_id.in_(sql.text_list(ids))],
        "subject_types": lambda types, _: [has_subject_of(types)],
        "text": lambda text, _: [sql.change.c.subject_key.contains(fold_name(text), autoescape=True)],
        "at": lambda range_, _: range_.conditions(sql.change.c.at),
    }


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if hasattr(value, "until"):
        return TimeRange(value.from_, value.until)
    return value
