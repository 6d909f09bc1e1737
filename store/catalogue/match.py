"""Matching of a catalogue's topics and collections with the objects that their lines describe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row

from store.catalogue.imported import ImportedState, StatesByObject
from store.catalogue.lines import CollectionLine, TopicLine
from store.ids import new_id

SluggedLine = TopicLine | CollectionLine
RowsById = Mapping[str, Row[Any]]


class Match(NamedTuple):
    """Object of a line: its id, its row, and the line's state at the last import.

    A line without row and state describes a new object; one with a state alone, an object that people deleted.
    """

    id: str
    row: Row[Any] | None
    state: ImportedState | None

    @property
    def is_new(self) -> bool:
        """Whether the import creates the object."""
        return self.row is None and self.state is None

    @property
    def is_deleted(self) -> bool:
        """Whether people deleted the object."""
        return self.row is None and self.state is not None


@dataclass(frozen=True)
class Matches:
    """Objects of one kind by the slugs that a catalogue knows them by."""

    by_slug: Mapping[str, Match]  # of the lines
    _others: Mapping[str, str]  # object id by slug, of lines that the file lacks and of other objects
    _successors: Mapping[str, str]  # by the id of a deleted object, the id of the one that lines mean instead

    def find(self, slug: str) -> str | None:
        """Return the id of the object that a line refers to by slug; None if there is none."""
        match = self.by_slug.get(slug)
        return match.id if match else self._others.get(slug)

    def successor(self, id_: str) -> str:
        """Return the id of the object that lines mean instead of a deleted one; otherwise the id itself."""
        return self._successors.get(id_, id_)


def match_lines(prefix: str, lines: Mapping[str, SluggedLine], rows: RowsById, states: StatesByObject) -> Matches:
    """Match each line with an object: by the source's id, then by the slug at the last import, Atoll's id, and slug.

    No two lines get the same object. New objects get ids with the prefix.
    """
    by_external_id = {state.external_id: id_ for id_, state in states.items() if state.external_id is not None}
    by_former_slug = {str(state.fields["slug"]): id_ for id_, state in states.items()}
    by_slug = {row.slug: id_ for id_, row in rows.items()}
    matched: dict[str, str] = {}
    for find in (
        lambda line: by_external_id.get(line.id) if line.id else None,
        lambda line: by_former_slug.get(line.slug),
        lambda line: line.id if line.id in rows else None,
        lambda line: by_slug.get(line.slug),
    ):
        _match(matched, lines.values(), find)
    # A slug that a deleted object had at the last import may belong to another one by now.
    living = {slug: id_ for slug, id_ in by_former_slug.items() if id_ in rows}
    others = by_former_slug | by_slug | living
    successors = {id_: others[slug] for slug, id_ in by_former_slug.items() if slug not in lines}
    successors |= _replace_deleted(matched, rows, by_slug)
    matches = {
        slug: Match(id_, rows.get(id_), states.get(id_))
        if (id_ := matched.get(slug))
        else Match(new_id(prefix), None, None)
        for slug in lines
    }
    return Matches(matches, others, successors)


def _match(matched: dict[str, str], lines: Iterable[SluggedLine], find: Any) -> None:
    """Match lines that have no object yet with those that `find` returns, unless another line has them."""
    taken = {*matched.values()}
    for line in lines:
        id_ = find(line) if line.slug not in matched else None
        if id_ is not None and id_ not in taken:
            matched[line.slug] = id_
            taken.add(id_)


def _replace_deleted(matched: dict[str, str], rows: RowsById, by_slug: Mapping[str, str]) -> dict[str, str]:
    """Match lines of deleted objects with objects that people have made with the same slugs since then.

    Return the ids of these by the ids of the deleted ones.
    """
    taken = {*matched.values()}
    successors = {
        id_: by_slug[slug]
        for slug, id_ in matched.items()
        if id_ not in rows and slug in by_slug and by_slug[slug] not in taken
    }
    matched |= {slug: successors[id_] for slug, id_ in matched.items() if id_ in successors}
    return successors
