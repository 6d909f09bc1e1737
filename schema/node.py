"""Node: the interface of all objects with an id."""

import strawberry

from engine.field import TypeTest
from schema.field import field


@strawberry.interface(description="An object with a globally unique id.")
class Node:
    """An object that can be fetched by `node(id:)`."""

    id: strawberry.ID = field("The object's id: opaque, and never reused.")


def match_rows(prefix: str, kind: str | None = None) -> TypeTest:
    """Return an `is_type_of` that matches rows by the prefix of their id and by their kind."""
    return TypeTest(_prefix_and_kind, lambda key: key[0] == prefix and kind in {None, key[1]})


def _prefix_and_kind(row: object) -> tuple[str, str | None]:
    return str(getattr(row, "id", "")).partition("_")[0], getattr(row, "kind", None)
