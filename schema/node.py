"""Node: the interface of all objects with an id."""

import strawberry

from schema.field import field


@strawberry.interface(description="An object with a globally unique id.")
class Node:
    """An object that can be fetched by `node(id:)`."""

    id: strawberry.ID = field("The object's id: opaque, and never reused.")


def match_rows(prefix: str, kind: str | None = None) -> classmethod:  # type: ignore[type-arg]  # of any class
    """Return an `is_type_of` that matches rows by the prefix of their id and by their kind."""

    def is_type_of(_cls: type, row: object, _info: object) -> bool:
        return str(getattr(row, "id", "")).startswith(prefix) and (kind is None or getattr(row, "kind", None) == kind)

    return classmethod(is_type_of)
