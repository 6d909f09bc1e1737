"""Access that the file of an export relies on: the objects in it, by the parts of them that the viewer may see."""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pyroaring import BitMap
from sqlalchemy import Row

from permissions import Viewer
from permissions.permission import is_group_member
from resolvers.export.asset import select_assets
from resolvers.export.collection import select_collections, select_topics
from resolvers.export.page import read_pages
from resolvers.export.principal import select_groups
from resolvers.export.scope import WHOLE, Scope
from resolvers.pull.part import GraphPart
from store import sql
from store.database import Snapshot
from store.sql import Expression, Selection
from store.tables import AssetAccess

PAGE_SIZE = 20_000


@dataclass(frozen=True)
class FileAccess:
    """Objects of each kind that the viewer sees: assets by pk, as bitmaps, and others by id.

    Assets are never deleted. The pk of another object may become that of a new one.
    """

    topics: set[str] = field(default_factory=set)
    collections: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    """Groups whose members the viewer sees."""
    assets: BitMap = field(default_factory=BitMap)
    contents: BitMap = field(default_factory=BitMap)
    """Assets whose content the viewer sees."""
    grants: BitMap = field(default_factory=BitMap)
    """Assets whose grants the viewer sees."""

    def is_within(self, other: Self) -> bool:
        """Return whether the other access has all that this one has."""
        return all(objects.issubset(getattr(other, name)) for name, objects in vars(self).items())

    def to_json(self) -> dict[str, Any]:
        """Return the objects by name. In a bitmap, a thousand consecutive pks take some bytes."""
        return {
            name: base64.b64encode(objects.serialize()).decode() if isinstance(objects, BitMap) else sorted(objects)
            for name, objects in vars(self).items()
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the access that `to_json` serialized."""
        objects: dict[str, Any] = {
            name: BitMap.deserialize(base64.b64decode(each)) if isinstance(each, str) else set(each)
            for name, each in stored.items()
        }
        return cls(**objects)


async def load_access(snapshot: Snapshot, viewer: Viewer, scope: Scope = WHOLE) -> FileAccess:
    """Return the access to the parts in the scope, by default to all. A statement for each kind and for each page.

    The rows of memberships and uses need none of their own: a viewer sees them if they see the objects.
    """
    access = FileAccess()
    if GraphPart.TOPICS in scope.parts:
        rows = _rows(snapshot, select_topics(viewer, scope), sql.topic.c.pk)
        access.topics.update([row.id async for row in rows])
    if GraphPart.COLLECTIONS in scope.parts:
        rows = _rows(snapshot, select_collections(viewer, scope), sql.collection.c.pk)
        access.collections.update([row.id async for row in rows])
    if scope.parts & {GraphPart.ASSETS, GraphPart.MEMBERSHIPS}:
        await _add_assets(access, snapshot, viewer, scope)
    if GraphPart.USERS in scope.parts:
        rows = _rows(snapshot, select_groups(viewer), sql.principal.c.pk)
        access.groups.update([row.id async for row in rows if is_group_member(viewer, row)])
    return access


async def _add_assets(access: FileAccess, snapshot: Snapshot, viewer: Viewer, scope: Scope) -> None:
    rows = select_assets(viewer, scope)
    columns = rows.selected_columns
    narrow = rows.with_only_columns(columns.pk, columns.viewer_access, maintain_column_froms=True)
    async for row in _rows(snapshot, narrow, sql.asset.c.pk):
        access.assets.add(row.pk)
        if GraphPart.ASSETS in scope.parts and row.viewer_access >= AssetAccess.VIEWER:
            access.contents.add(row.pk)
        if GraphPart.ASSETS in scope.parts and (viewer.is_admin or row.viewer_access >= AssetAccess.OWNER):
            access.grants.add(row.pk)


async def _rows(snapshot: Snapshot, rows: Selection, pk: Expression) -> AsyncIterator[Row[Any]]:
    async for page in read_pages(snapshot, rows, [pk], PAGE_SIZE):
        for row in page:
            yield row
