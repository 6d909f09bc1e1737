"""This file is what every object of the graph has: an id."""

import strawberry

from schema.field import field


@strawberry.interface(description="An object with an id of its own.")
class Node:
    """An object that `node` finds again."""

    id: strawberry.ID = field("Id of the object: opaque, and never given to another.")


def match_rows(prefix: str, kind: str | None = None) -> classmethod:  # type: ignore[type-arg]  # of any class
    """Return the test by which a type knows its rows: the prefix of their ids, and their kind."""

    def is_type_of(_cls: type, row: object, _info: object) -> bool:
        return str(getattr(row, "id", "")).startswith(prefix) and (kind is None or getattr(row, "kind", None) == kind)

    return classmethod(is_type_of)
