"""The whole catalogue as one viewer sees it: every line, in an order that depends on nothing hidden."""

from sqlalchemy import func

from permissions import Viewer
from resolvers.export.asset import asset_lines, select_assets
from resolvers.export.collection import collection_lines, select_collections, select_topics, topic_lines
from resolvers.export.line import ExportedLines
from resolvers.export.principal import group_lines, select_groups, select_users, user_lines
from store.database import Snapshot

PARTS = {
    user_lines: select_users,
    group_lines: select_groups,
    topic_lines: select_topics,
    asset_lines: select_assets,
    collection_lines: select_collections,
}
"""The SELECT of the objects of each part, by the function that yields its lines, in the order of the file."""


async def catalogue_lines(snapshot: Snapshot, viewer: Viewer) -> ExportedLines:
    """Yield the lines of all that the viewer sees. Memory and statements grow with a page, not with the catalogue."""
    for lines in PARTS:
        async for line in lines(snapshot, viewer):
            yield line


async def count_objects(snapshot: Snapshot, viewer: Viewer) -> int:
    """Return the number of objects that have a line of their own. One statement for each part."""
    count = 0
    for select_objects in PARTS.values():
        counted = select_objects(viewer).with_only_columns(func.count(), maintain_column_froms=True)
        [(objects,)] = await snapshot.rows(counted)
        count += objects
    return count
