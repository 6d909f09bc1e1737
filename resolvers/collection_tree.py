"""Recursive CTEs over the tree of visible collections; each branch ends at the first hidden collection."""

from typing import Any

from sqlalchemy import CTE, Select, literal

from permissions import Viewer, visible
from store import sql

start = sql.collection.alias("start")
"""Alias of the collections that a CTE starts from."""


def ancestors_cte(viewer: Viewer, starts: Select[Any]) -> CTE:
    """Return `(start, pk, parent_pk, height)` of the visible collections in `starts` (height 0) and their ancestors."""
    parent = sql.collection.alias("parent")
    path = starts.with_only_columns(
        start.c.pk.label("start"), start.c.pk, start.c.parent_pk, literal(0).label("height")
    ).cte("path", recursive=True)
    return path.union_all(
        visible(parent, viewer)
        .join(path, path.c.parent_pk == parent.c.pk)
        .with_only_columns(path.c.start, parent.c.pk, parent.c.parent_pk, path.c.height + 1)
    )


def descendants_cte(viewer: Viewer, starts: Select[Any]) -> CTE:
    """Return `(start, pk, depth, rank)` of the visible collections in `starts` (depth 0) and their descendants."""
    child = sql.collection.alias("child")
    tree = starts.with_only_columns(start.c.pk.label("start"), start.c.pk, literal(0).label("depth"), start.c.rank).cte(
        "tree", recursive=True
    )
    return tree.union_all(
        visible(child, viewer)
        .join(tree, tree.c.pk == child.c.parent_pk)
        .with_only_columns(tree.c.start, child.c.pk, tree.c.depth + 1, child.c.rank)
    )
