"""The whole catalogue as one viewer sees it: every line, in an order that depends on nothing hidden."""

from sqlalchemy import func

from permissions import Viewer
from resolvers.export.asset import asset_lines, select_assets
from resolvers.export.collection import collection_lines, select_collections, select_topics, topic_lines
from resolvers.export.line import ExportedLines
from resolvers.export.principal import group_lines, select_groups, select_users, user_lines
from resolvers.export.scope import WHOLE, Scope
from resolvers.pull.part import GraphPart
from store.database import Snapshot

PARTS = (
    (GraphPart.USERS, user_lines, select_users),
    (GraphPart.USERS, group_lines, select_groups),
    (GraphPart.TOPICS, topic_lines, select_topics),
    (GraphPart.ASSETS, asset_lines, select_assets),
    (GraphPart.COLLECTIONS, collection_lines, select_collections),
)
"""Function that yields the lines of a part's objects, and the SELECT of these, in the order of the file."""


async def catalogue_lines(snapshot: Snapshot, viewer: Viewer, scope: Scope = WHOLE) -> ExportedLines:
    """Yield the lines of all that the viewer sees in the scope. Memory grows with a page, not with the catalogue."""
    for part, lines, _ in PARTS:
        if part in scope.parts:
            async for line in lines(snapshot, viewer, scope):
                yield line


async def count_objects(snapshot: Snapshot, viewer: Viewer, scope: Scope = WHOLE) -> int:
    """Return the number of objects that have a line of their own. One statement for each part."""
    count = 0
    for part, _, select_objects in PARTS:
        if part not in scope.parts:
            continue
        counted = select_objects(viewer, scope).with_only_columns(func.count(), maintain_column_froms=True)
        [(objects,)] = await snapshot.rows(counted)
        count += objects
    return count
