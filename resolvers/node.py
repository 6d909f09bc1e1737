"""Resolvers of any object by its id."""

from collections.abc import Awaitable
from typing import Any

from resolvers.context import Context, await_all
from resolvers.loaders import AssetById, ChangeById, CollectionById, JobById, PrincipalById, RowByColumn, TopicById
from store.ids import is_id
from store.rows import NodeRow

LOADER_OF_PREFIX: dict[str, type[RowByColumn[str, Any]]] = {
    "ast": AssetById,
    "chg": ChangeById,
    "col": CollectionById,
    "grp": PrincipalById,
    "job": JobById,
    "top": TopicById,
    "usr": PrincipalById,
}


async def node(_root: None, context: Context, id: str) -> NodeRow | None:
    """Return the object; None for an unknown, hidden or malformed id."""
    load = _load(context, id)
    return None if load is None else await load


async def nodes(_root: None, context: Context, ids: list[str]) -> list[NodeRow | None]:
    """Return the objects in the order of the ids."""
    loads = [_load(context, id_) for id_ in ids]
    values = iter(await await_all(load for load in loads if load is not None))
    return [None if load is None else next(values) for load in loads]


def _load(context: Context, id_: str) -> Awaitable[NodeRow | None] | None:
    loader = LOADER_OF_PREFIX.get(id_[:3])
    return context.loader(loader).load(id_) if loader and is_id(id_) else None
