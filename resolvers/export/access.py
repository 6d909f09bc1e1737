"""Access that the file of an export relies on: the objects in it, by the parts of them that the viewer may see."""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pyroaring import BitMap
from sqlalchemy import Row

from permissions import Viewer, visible
from permissions.permission import is_group_member
from resolvers.export.page import read_pages
from resolvers.export.principal import select_groups
from resolvers.export.scope import WHOLE, Scope
from resolvers.pull.part import GraphPart
from store import sql
from store.database import Snapshot
from store.sql import Selection
from store.tables import AssetAccess

PAGE_SIZE = 20_000


@dataclass(frozen=True)
class FileAccess:
    """Pks of the objects of each kind that the viewer sees."""

    topics: BitMap
    collections: BitMap
    assets: BitMap
    contents: BitMap
    """Assets whose content the viewer sees."""
    grants: BitMap
    """Assets whose grants the viewer sees."""
    groups: BitMap
    """Groups whose members the viewer sees."""

    def is_within(self, other: Self) -> bool:
        """Return whether the other access has all that this one has."""
        return all(pks.issubset(getattr(other, name)) for name, pks in vars(self).items())

    def to_json(self) -> dict[str, str]:
        """Return the bitmaps by name. A thousand consecutive pks take some bytes."""
        return {name: base64.b64encode(pks.serialize()).decode() for name, pks in vars(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> Self:
        """Return the access that `to_json` serialized."""
        return cls(**{name: BitMap.deserialize(base64.b64decode(pks)) for name, pks in stored.items()})


async def load_access(snapshot: Snapshot, viewer: Viewer, scope: Scope = WHOLE) -> FileAccess:
    """Return the access to the parts in the scope, by default to all. A statement for each kind and for each page.

    The rows of memberships and uses need none of their own: a viewer sees them if they see the objects.
    """
    access = FileAccess(BitMap(), BitMap(), BitMap(), BitMap(), BitMap(), BitMap())
    if GraphPart.TOPICS in scope.parts:
        await _add_pks(access.topics, snapshot, scope.topics(visible(sql.topic, viewer)), sql.topic.c.pk)
    if GraphPart.COLLECTIONS in scope.parts:
        rows = scope.collections(visible(sql.collection, viewer))
        await _add_pks(access.collections, snapshot, rows, sql.collection.c.pk)
    if scope.parts & {GraphPart.ASSETS, GraphPart.MEMBERSHIPS}:
        await _add_assets(access, snapshot, viewer, scope)
    if GraphPart.USERS in scope.parts:
        async for group in _rows(snapshot, select_groups(viewer), sql.principal.c.pk):
            if is_group_member(viewer, group):
                access.groups.add(group.pk)
    return access


async def _add_assets(access: FileAccess, snapshot: Snapshot, viewer: Viewer, scope: Scope) -> None:
    rows = scope.assets(visible(sql.asset, viewer), viewer)
    columns = rows.selected_columns
    narrow = rows.with_only_columns(columns.pk, columns.viewer_access, maintain_column_froms=True)
    async for row in _rows(snapshot, narrow, sql.asset.c.pk):
        access.assets.add(row.pk)
        if GraphPart.ASSETS in scope.parts and row.viewer_access >= AssetAccess.VIEWER:
            access.contents.add(row.pk)
        if GraphPart.ASSETS in scope.parts and (viewer.is_admin or row.viewer_access >= AssetAccess.OWNER):
            access.grants.add(row.pk)


async def _add_pks(pks: BitMap, snapshot: Snapshot, rows: Selection, pk: Any) -> None:
    async for row in _rows(snapshot, rows.with_only_columns(pk, maintain_column_froms=True), pk):
        pks.add(row.pk)


async def _rows(snapshot: Snapshot, rows: Selection, pk: Any) -> AsyncIterator[Row[Any]]:
    async for page in read_pages(snapshot, rows, [pk], PAGE_SIZE):
        for row in page:
            yield row
