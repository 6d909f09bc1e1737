"""This file is what is asked of changes: the log as the viewer may read it, of one object or of all."""

from asyncio import gather
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, Table

from permissions import Viewer, visible
from resolvers.asset import asset_order
from resolvers.context import Context
from resolvers.filter import ChangeFilter
from resolvers.listing.connection import Connection, connect
from resolvers.listing.listing import Listing
from resolvers.loaders import (
    AssetByPk,
    ChangeByPk,
    CollectionById,
    PrincipalByPk,
    RowByColumn,
    TopicById,
    load_reference,
)
from resolvers.node import node
from store import sql
from store.asset_columns import ACCESS_BY_FIELD
from store.rows import ChangeRow, CollectionRow, NodeRow, PrincipalRow, TopicRow

# Fields whose values are ids, and how what they name is seen.
LOADER_OF_REFERENCE: Mapping[str, type[RowByColumn[str, Any]]] = {
    "from": CollectionById,
    "to": CollectionById,
    "parent": CollectionById,
    "topic": TopicById,
}


@dataclass(frozen=True)
class Changes(Listing):
    """Every change, the newest first: by the place in the log, which counts hidden ones too and is in no cursor."""

    descending: bool = True
    name = "auditLog"
    table = sql.change
    node_loader = ChangeByPk
    filter: ChangeFilter = ChangeFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the changes that the viewer may see and the filter keeps."""
        del parents
        return visible(sql.change, viewer).where(*self.filter.conditions())

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the place in the log."""
        del viewer
        return (sql.change.c.pk,)


@dataclass(frozen=True)
class History(Changes):
    """The changes of one object."""

    subject: ClassVar[Table]

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the object's changes that the viewer may see."""
        subject = self.subject
        # Not joined: PostgreSQL would sort the whole history where it can stop at the page.
        id_ = visible(subject, viewer).where(subject.c.pk == parents.c.value).with_only_columns(subject.c.id)
        return (
            super()
            .select_rows(viewer, parents)
            .where(sql.change.c.subject_id == id_.correlate(parents).scalar_subquery())
        )


@dataclass(frozen=True)
class CollectionHistory(History):
    """The changes of a collection and of what it holds."""

    name = "collection.history"
    subject = sql.collection


@dataclass(frozen=True)
class TopicHistory(History):
    """The changes of a topic."""

    name = "topic.history"
    subject = sql.topic


@dataclass(frozen=True)
class ChangeAssets(Listing):
    """The assets that a change touched, by name."""

    order: str = "NAME"
    name = "change.assets"
    table = sql.asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the touched assets that the viewer may see."""
        touched = visible(sql.asset, viewer).join(sql.change_asset, sql.change_asset.c.asset_pk == sql.asset.c.pk)
        return touched.where(sql.change_asset.c.change_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the asset's name."""
        del viewer
        return asset_order(self.order)


class FieldChange(NamedTuple):
    """What became of one field."""

    field: str
    before: str | None
    after: str | None


def audit_log(_root: None, context: Context, *, filter: Any = None, **page: Any) -> Connection:
    """Return every change."""
    return connect(context, Changes(filter=ChangeFilter.from_input(filter)), **page)


def collection_history(collection: CollectionRow, context: Context, **page: Any) -> Connection:
    """Return the changes of the collection."""
    return connect(context, CollectionHistory(), collection, **page)


def topic_history(topic: TopicRow, context: Context, **page: Any) -> Connection:
    """Return the changes of the topic."""
    return connect(context, TopicHistory(), topic, **page)


async def actor(change: ChangeRow, context: Context) -> PrincipalRow | None:
    """Return who made the change, None for the platform."""
    return await load_reference(context, PrincipalByPk, change.actor_pk)


async def subject(change: ChangeRow, context: Context) -> NodeRow | None:
    """Return what was changed; None when it is gone, hidden, or the deployment, which is no object."""
    return await node(None, context, change.subject_id)


async def fields(change: ChangeRow, context: Context) -> list[FieldChange]:
    """Return what became of each field that the viewer may see, in the order of the log."""
    shown = [each for each in change.fields if change.subject_access >= ACCESS_BY_FIELD.get(str(each["field"]), 0)]
    return await gather(*(_field_change(context, str(each["field"]), each["before"], each["after"]) for each in shown))


def assets(change: ChangeRow, context: Context, **page: Any) -> Connection:
    """Return the assets that the change touched."""
    return connect(context, ChangeAssets(), change, **page)


async def _field_change(context: Context, field: str, before: str | None, after: str | None) -> FieldChange:
    return FieldChange(field, *await gather(*(_value(context, field, value) for value in (before, after))))


async def _value(context: Context, field: str, value: str | None) -> str | None:
    """Return the value; None for the id of what the viewer does not see."""
    loader = LOADER_OF_REFERENCE.get(field)
    if loader is None or value is None:
        return value
    return None if await context.loader(loader).load(value) is None else value
