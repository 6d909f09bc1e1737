"""Resolvers of changes: the audit log and the histories of objects, filtered by current permissions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Unpack

from sqlalchemy import FromClause, Table

from permissions import Viewer, visible
from resolvers.context import Context, await_all
from resolvers.filter import ChangeFilter
from resolvers.listing.connection import Connection, PageArguments, connect
from resolvers.listing.listing import Listing
from resolvers.loaders import (
    AssetByPk,
    ChangeByPk,
    CollectionById,
    PrincipalByPk,
    Reference,
    RowByColumn,
    TopicById,
    UndoByChange,
)
from resolvers.node import Object, node
from resolvers.order import asset_sort_keys
from resolvers.undo_check import is_undoable_now
from resolvers.undoable import UNDO_MS, UndoRight, undo_right
from store import sql
from store.asset_columns import ACCESS_BY_FIELD
from store.ids import now_ms
from store.rows import ChangeRow, CollectionRow, TopicRow
from store.sql import Expressions, Selection
from store.subject_type import SubjectType

LOADER_OF_REFERENCE: Mapping[str, type[RowByColumn[str, Any]]] = {
    "from": CollectionById,
    "to": CollectionById,
    "parent": CollectionById,
    "topic": TopicById,
}
"""Loader for each logged field whose value is an object's id; the ids of hidden objects are not shown."""


@dataclass(frozen=True)
class Changes(Listing):
    """List of all changes, the newest first.

    It is sorted by pk. A pk reveals the number of hidden changes, so it is treated as a rank: no cursor contains it.
    """

    descending: bool = True
    name = "auditLog"
    table = sql.change
    node_loader = ChangeByPk
    filter: ChangeFilter = ChangeFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible changes that match the filter."""
        del parents
        return visible(sql.change, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the pk."""
        del viewer
        return (sql.change.c.pk,)


@dataclass(frozen=True)
class History(Changes):
    """List of the changes of one object."""

    subject: ClassVar[Table]

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible changes of the object."""
        subject = self.subject
        # A subquery, not a join: with a join PostgreSQL sorts the whole history instead of stopping at the page.
        id_ = visible(subject, viewer).where(subject.c.pk == parents.c.value).with_only_columns(subject.c.id)
        return (
            super()
            .select_rows(viewer, parents)
            .where(sql.change.c.subject_id == id_.correlate(parents).scalar_subquery())
        )


@dataclass(frozen=True)
class CollectionHistory(History):
    """List of the changes of a collection and of its members."""

    name = "collection.history"
    subject = sql.collection


@dataclass(frozen=True)
class TopicHistory(History):
    """List of the changes of a topic."""

    name = "topic.history"
    subject = sql.topic


@dataclass(frozen=True)
class ChangeAssets(Listing):
    """List of the assets that a change touched, by name."""

    order: str = "NAME"
    name = "change.assets"
    has_facets = True
    table = sql.asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible assets that the change touched."""
        touched = visible(sql.asset, viewer).join(sql.change_asset, sql.change_asset.c.asset_pk == sql.asset.c.pk)
        return touched.where(sql.change_asset.c.change_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the name."""
        del viewer
        return asset_sort_keys(self.order)


class FieldChange(NamedTuple):
    """Change of one field."""

    field: str
    before: str | None
    after: str | None


def audit_log(_root: None, context: Context, *, filter: object = None, **page: Unpack[PageArguments]) -> Connection:
    """Return all visible changes, filtered."""
    return connect(context, Changes(filter=ChangeFilter.from_input(filter)), **page)


def collection_history(collection: CollectionRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the changes of the collection."""
    return connect(context, CollectionHistory(), collection, **page)


def topic_history(topic: TopicRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the changes of the topic."""
    return connect(context, TopicHistory(), topic, **page)


actor = Reference(PrincipalByPk, "actor_pk")
"""The user who made the change."""


async def subject(change: ChangeRow, context: Context) -> Object | None:
    """Return the changed object; None when it is deleted or hidden, and for the deployment, which has no id."""
    return await node(None, context, change.subject_id)


def subject_type(change: ChangeRow, _context: Context) -> SubjectType:
    """Return the type of the subject."""
    return SubjectType.of(change.subject_id)


async def can_undo(change: ChangeRow, context: Context) -> bool:
    """Return whether `changeUndo` would change something: right, age, and everything that later changes may prevent."""
    right = undo_right(change)
    if right is None or change.at < now_ms() - UNDO_MS:
        return False
    if right is UndoRight.ADMIN and not context.viewer.is_admin:
        return False
    return await is_undoable_now(change, context)


undone_by = Reference(UndoByChange, "pk")
"""The last visible change that undid the change."""

undoes = Reference(ChangeByPk, "undoes_pk")
"""The change that this one undid."""


async def fields(change: ChangeRow, context: Context) -> list[FieldChange]:
    """Return the changes of fields that the viewer may see, in the order of the log."""
    shown = [
        FieldChange(str(each["field"]), each["before"], each["after"])
        for each in change.fields
        if change.subject_access >= ACCESS_BY_FIELD.get(str(each["field"]), 0)
    ]
    references = [(name, id_) for name, *ids in shown if name in LOADER_OF_REFERENCE for id_ in ids if id_ is not None]
    rows = await await_all([context.loader(LOADER_OF_REFERENCE[name]).load(id_) for name, id_ in references])
    hidden = {reference for reference, row in zip(references, rows, strict=True) if row is None}
    return [
        FieldChange(name, *(None if (name, value) in hidden else value for value in values)) for name, *values in shown
    ]


def assets(change: ChangeRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the assets that the change touched."""
    return connect(context, ChangeAssets(), change, **page)
