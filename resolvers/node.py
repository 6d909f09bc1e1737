"""Resolvers of any object by its id."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from permissions import Viewer
from resolvers.context import Context, await_all
from resolvers.deployment import DEPLOYMENT_ID, Deployment, deployment
from resolvers.loaders import (
    ApiTokenById,
    AssetById,
    ChangeById,
    CollectionById,
    JobById,
    PrincipalById,
    RowByColumn,
    TopicById,
)
from store.ids import is_id
from store.rows import NodeRow

LOADER_OF_PREFIX: dict[str, type[RowByColumn[str, Any]]] = {
    "ast": AssetById,
    "chg": ChangeById,
    "col": CollectionById,
    "grp": PrincipalById,
    "job": JobById,
    "tok": ApiTokenById,
    "top": TopicById,
    "usr": PrincipalById,
}


Object = NodeRow | Viewer | Deployment
"""An object with an id: a row, the viewer or the deployment."""


class Representation(NamedTuple):
    """Reference to an object by its id and its type, which Apollo Federation sends."""

    id: str
    is_of_type: Callable[[Object], bool]


async def node(_root: None, context: Context, id: str) -> Object | None:
    """Return the object; None for an unknown, hidden or malformed id, and for another viewer's."""
    load = _load(context, id)
    return _find_unstored(context, id) if load is None else await load


async def nodes(_root: None, context: Context, ids: list[str]) -> list[Object | None]:
    """Return the objects in the order of the ids."""
    loads = [_load(context, id_) for id_ in ids]
    values = iter(await await_all(load for load in loads if load is not None))
    return [
        _find_unstored(context, id_) if load is None else next(values) for id_, load in zip(ids, loads, strict=True)
    ]


def _find_unstored(context: Context, id_: str) -> Viewer | Deployment | None:
    """Return the object with this id that is no row; None if there is none."""
    if context.viewer.is_signed_in and id_ == context.viewer.id:
        return context.viewer
    return deployment(None, context) if id_ == DEPLOYMENT_ID else None


async def entities(_root: None, context: Context, representations: list[Representation]) -> list[Object | None]:
    """Return the objects in the order of the representations; None for an object of another type, too."""
    rows = await nodes(_root, context, [each.id for each in representations])
    return [
        row if row is not None and each.is_of_type(row) else None
        for each, row in zip(representations, rows, strict=True)
    ]


def _load(context: Context, id_: str) -> Awaitable[NodeRow | None] | None:
    loader = LOADER_OF_PREFIX.get(id_[:3])
    return context.loader(loader).load(id_) if loader and is_id(id_) else None
