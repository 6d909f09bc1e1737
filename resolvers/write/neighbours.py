"""Places in a ranked list by neighbours, for an undo: ranks change, and others may have come between or moved since."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_NEIGHBOURS = 20


def neighbours_of(order: Sequence[str], id_: str) -> dict[str, Any]:
    """Return the nearest neighbours of a row, by the ids of the list in its order, as JSON for the change log."""
    index = order.index(id_)
    return {
        "preceding": list(reversed(order[max(0, index - MAX_NEIGHBOURS) : index])),
        "following": list(order[index + 1 : index + 1 + MAX_NEIGHBOURS]),
    }


def find_index(order: Sequence[str], neighbours: Mapping[str, Any]) -> int:
    """Return the index at which a row returns to the list: after the nearest that preceded it, or before a follower."""
    indexes = {id_: index for index, id_ in enumerate(order)}
    for id_ in neighbours["preceding"]:
        if id_ in indexes:
            return indexes[id_] + 1
    for id_ in neighbours["following"]:
        if id_ in indexes:
            return indexes[id_]
    return len(order) if neighbours["preceding"] else 0
