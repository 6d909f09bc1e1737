"""This file is what a catalogue file tells, before anything is asked of the database."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from store.catalogue.file import CatalogueFile, Progress
from store.catalogue.lines import (
    AnyLine,
    AssetLine,
    CollectionLine,
    GroupLine,
    InvalidLineError,
    TopicLine,
    UserLine,
    parse_line,
)
from store.tables import PrincipalKind
from store.text import fold_name

MAX_PROBLEMS = 1_000
RESERVED_IDS = {"everyone": PrincipalKind.EVERYONE, "public": PrincipalKind.PUBLIC}


@dataclass(frozen=True, order=True)
class LineProblem:
    """What is wrong with a line; lines count from 1."""

    line: int
    reason: str


class InvalidCatalogueError(Exception):
    """The catalogue has bad lines and nothing of it was written."""

    def __init__(self, problems: Iterable[LineProblem]) -> None:
        """Take the problems; they are kept in the order of their lines."""
        self.problems = sorted(problems)
        super().__init__(f"{len(self.problems)} problems")


class Reference(NamedTuple):
    """A line's field that names another object by the platform's id or its slug."""

    line: int
    field: str
    kind: str  # "principal" for whoever can hold a grant
    id: str


@dataclass
class ParsedCatalogue:
    """The lines of a file by their ids, assets aside: of those only the ids are kept, for there may be many."""

    users: dict[str, UserLine] = field(default_factory=dict)
    groups: dict[str, GroupLine] = field(default_factory=dict)
    topics: dict[str, TopicLine] = field(default_factory=dict)
    collections: dict[str, CollectionLine] = field(default_factory=dict)
    number_of: dict[tuple[str, str], int] = field(default_factory=dict)  # line by kind and id
    broken: set[tuple[str, str]] = field(default_factory=set)  # kinds and ids of bad lines
    references: list[Reference] = field(default_factory=list)
    problems: list[LineProblem] = field(default_factory=list)

    def has(self, kind: str, id_: str) -> bool:
        """Return whether a line is about that object, be the line good or bad."""
        return (kind, id_) in self.number_of or (kind, id_) in self.broken

    def take(self, number: int, line: AnyLine) -> None:
        """Keep a line and what it refers to."""
        match line:
            case UserLine():
                self._principal(number, line)
                self.users.setdefault(line.id, line)
            case GroupLine():
                self._principal(number, line)
                self.groups.setdefault(line.id, line)
                self._refer(number, "members", "user", line.members)
            case AssetLine():
                self._once(number, "asset", line.id, "id")
                self._refer(number, "owner", "user", [line.owner])
                self._refer(number, "grants", "principal", [grant.to for grant in line.grants])
                self._refer(number, "uses", "asset", line.uses)
            case TopicLine():
                self._once(number, "topic", line.slug, "slug")
                self.topics.setdefault(line.slug, line)
            case CollectionLine():
                self._once(number, "collection", line.slug, "slug")
                self.collections.setdefault(line.slug, line)
                self._refer(number, "topic", "topic", [line.topic])
                self._refer(number, "parent", "collection", [line.parent] if line.parent else [])
                self._refer(number, "assets", "asset", line.assets)

    def take_bad(self, number: int, bad: InvalidLineError) -> None:
        """Keep what is wrong with a line."""
        self.problems.append(LineProblem(number, str(bad)))
        if bad.subject:
            self.broken.add(bad.subject)

    def _principal(self, number: int, line: UserLine | GroupLine) -> None:
        other = "group" if line.kind == "user" else "user"
        if line.id in RESERVED_IDS:
            self.problems.append(LineProblem(number, f"id {line.id!r} is a word of grants: choose another"))
        if (other, line.id) in self.number_of:
            first = self.number_of[other, line.id]
            self.problems.append(LineProblem(number, f"id {line.id!r} is that of the {other} on line {first}"))
        self._once(number, line.kind, line.id, "id")

    def _once(self, number: int, kind: str, id_: str, name: str) -> None:
        first = self.number_of.setdefault((kind, id_), number)
        if first != number:
            self.problems.append(LineProblem(number, f"{name} {id_!r} is that of the {kind} on line {first}"))

    def _refer(self, number: int, name: str, kind: str, ids: Iterable[str]) -> None:
        self.references.extend(Reference(number, name, kind, id_) for id_ in dict.fromkeys(ids))


def parse_catalogue(file: CatalogueFile, progress: Progress) -> ParsedCatalogue:
    """Return what the file tells, with what is wrong with single lines and among them.

    Raises UnreadableFileError, and InvalidCatalogueError for a file without lines or once MAX_PROBLEMS are found.
    """
    told = ParsedCatalogue()
    for number, raw in file.lines(progress):
        try:
            told.take(number, parse_line(raw))
        except InvalidLineError as bad:
            told.take_bad(number, bad)
        if len(told.problems) >= MAX_PROBLEMS:
            raise InvalidCatalogueError(told.problems)
    if not told.number_of and not told.problems:
        raise InvalidCatalogueError([LineProblem(1, "the file holds no line")])
    _find_same_names(told)
    return told


def _find_same_names(told: ParsedCatalogue) -> None:
    topics: dict[str, str] = {}
    for slug, topic in told.topics.items():
        first = topics.setdefault(fold_name(topic.name), slug)
        if first != slug:
            _same_name(told, "topic", slug, first, topic.name)
    siblings: dict[tuple[str, str | None, str], str] = {}
    for slug, line in told.collections.items():
        first = siblings.setdefault((line.topic, line.parent, fold_name(line.name)), slug)
        if first != slug:
            _same_name(told, "collection", slug, first, line.name)


def _same_name(told: ParsedCatalogue, kind: str, slug: str, first: str, name: str) -> None:
    where = f"the {kind} on line {told.number_of[kind, first]}"
    among = ", beside it," if kind == "collection" else ""
    reason = f"name {name!r} is that of {where}{among} whatever the case of letters"
    told.problems.append(LineProblem(told.number_of[kind, slug], reason))
