"""Parsed catalogue file, validated as far as possible without the database."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from store.catalogue.file import CatalogueFile, Progress
from store.catalogue.lines import (
    AnyLine,
    AssetLine,
    CollectionLine,
    GroupLine,
    InvalidLineError,
    MemberLine,
    MembersLine,
    TopicLine,
    UserLine,
    parse_line,
    without_duplicate_ids,
)
from store.tables import PrincipalKind

MAX_PROBLEMS = 1_000
RESERVED_IDS = {"everyone": PrincipalKind.EVERYONE, "public": PrincipalKind.PUBLIC}


@dataclass(frozen=True, order=True)
class LineProblem:
    """A problem of one line; the first line is 1."""

    line: int
    reason: str

    def __str__(self) -> str:
        """Format the problem for the person who imports."""
        return f"Line {self.line}: {self.reason}."


class InvalidCatalogueError(Exception):
    """The catalogue has problems, so nothing was written."""

    def __init__(self, problems: Iterable[LineProblem]) -> None:
        """Sort the problems by line."""
        self.problems = sorted(problems)
        super().__init__(f"{len(self.problems)} problems")


class Reference(NamedTuple):
    """A field of a line that names another object by external id or slug."""

    line: int
    field: str
    kind: str  # "principal" for a user or group
    id: str


@dataclass
class ParsedCatalogue:
    """Lines of a file by id or slug. Asset lines are not kept, only their ids, because there may be many."""

    users: dict[str, UserLine] = field(default_factory=dict)
    groups: dict[str, GroupLine] = field(default_factory=dict)
    topics: dict[str, TopicLine] = field(default_factory=dict)
    collections: dict[str, CollectionLine] = field(default_factory=dict)
    line_numbers: dict[tuple[str, str], int] = field(default_factory=dict)  # by kind and id
    members: dict[int, MembersLine] = field(default_factory=dict)  # by line number
    invalid: set[tuple[str, str]] = field(default_factory=set)  # kind and id of invalid lines
    references: list[Reference] = field(default_factory=list)
    problems: list[LineProblem] = field(default_factory=list)
    _lines_by_own_id: dict[tuple[str, str], int] = field(
        default_factory=dict
    )  # of topics and collections, by kind and id

    def defines(self, kind: str, id_: str) -> bool:
        """Return whether the file has a line, valid or not, for the object."""
        return (kind, id_) in self.line_numbers or (kind, id_) in self.invalid

    def has_asset(self, id_: str) -> bool:
        """Return whether the file has a line for the asset."""
        return self.defines("asset", id_)

    def missing_assets(self) -> list[str]:
        """Return the ids of assets that lines refer to and the file does not define."""
        ids = {reference.id for reference in self.references if reference.kind == "asset"}
        return [id_ for id_ in ids if not self.defines("asset", id_)]

    def add(self, number: int, line: AnyLine) -> None:
        """Add a valid line and its references; record a problem if its id or slug is already used."""
        match line:
            case UserLine():
                self._check_principal_id(number, line)
                self.users.setdefault(line.id, line)
            case GroupLine():
                self._check_principal_id(number, line)
                self.groups.setdefault(line.id, line)
                self._add_references(number, "members", "user", line.members)
            case AssetLine():
                self._check_unique(number, "asset", line.id, "id")
                self._add_references(number, "owner", "user", [line.owner])
                self._add_references(number, "grants", "principal", [grant.to for grant in line.grants])
                self._add_references(number, "uses", "asset", line.uses)
            case TopicLine():
                self._check_unique(number, "topic", line.slug, "slug")
                self._check_own_id(number, line)
                self.topics.setdefault(line.slug, line)
            case CollectionLine():
                self._check_unique(number, "collection", line.slug, "slug")
                self._check_own_id(number, line)
                self.collections.setdefault(line.slug, line)
                self._add_references(number, "topic", "topic", [line.topic])
                self._add_references(number, "parent", "collection", [line.parent] if line.parent else [])
                self._add_member_references(number, line.assets)
            case MembersLine():
                self.members[number] = line
                self._add_member_references(number, line.assets)

    def add_invalid(self, number: int, error: InvalidLineError) -> None:
        """Record the problem of an invalid line."""
        self.problems.append(LineProblem(number, str(error)))
        if error.subject:
            self.invalid.add(error.subject)

    def _check_principal_id(self, number: int, line: UserLine | GroupLine) -> None:
        other = "group" if line.kind == "user" else "user"
        if line.id in RESERVED_IDS:
            self.problems.append(LineProblem(number, f"id {line.id!r} is reserved for grants; choose another id"))
        if (other, line.id) in self.line_numbers:
            self._add_duplicate(number, "id", line.id, other, self.line_numbers[other, line.id])
        self._check_unique(number, line.kind, line.id, "id")

    def _check_unique(self, number: int, kind: str, id_: str, field_name: str) -> None:
        first = self.line_numbers.setdefault((kind, id_), number)
        if first != number:
            self._add_duplicate(number, field_name, id_, kind, first)

    def _check_own_id(self, number: int, line: TopicLine | CollectionLine) -> None:
        """Record a problem if another line of the kind has the same id."""
        if line.id is not None:
            first = self._lines_by_own_id.setdefault((line.kind, line.id), number)
            if first != number:
                self._add_duplicate(number, "id", line.id, line.kind, first)

    def _add_duplicate(self, number: int, field_name: str, id_: str, kind: str, first: int) -> None:
        reason = f"{field_name} {id_!r} is already used by the {kind} on line {first}"
        self.problems.append(LineProblem(number, reason))

    def _add_member_references(self, number: int, members: Iterable[MemberLine]) -> None:
        self._add_references(number, "assets", "asset", [member.id for member in members])
        self._add_references(number, "addedBy", "user", [member.addedBy for member in members if member.addedBy])

    def _add_references(self, number: int, field_name: str, kind: str, ids: Iterable[str]) -> None:
        self.references.extend(Reference(number, field_name, kind, id_) for id_ in dict.fromkeys(ids))


def parse_catalogue(file: CatalogueFile, progress: Progress, url_schemes: Sequence[str]) -> ParsedCatalogue:
    """Parse the file, whose URLs have one of the schemes.

    The result includes its problems: of single lines, and of conflicts between lines.

    Raises UnreadableFileError. Raises InvalidCatalogueError if the file is empty or has MAX_PROBLEMS problems.
    """
    catalogue = ParsedCatalogue()
    for number, raw in file.lines(progress):
        try:
            catalogue.add(number, parse_line(raw, url_schemes))
        except InvalidLineError as error:
            catalogue.add_invalid(number, error)
        if len(catalogue.problems) >= MAX_PROBLEMS:
            raise InvalidCatalogueError(catalogue.problems)
    if not (catalogue.line_numbers or catalogue.members or catalogue.problems):
        raise InvalidCatalogueError([LineProblem(1, "the file is empty")])
    _join_members(catalogue)
    return catalogue


def _join_members(catalogue: ParsedCatalogue) -> None:
    """Add the assets of `members` lines to their collections, in the order of the file."""
    members: defaultdict[str, list[MemberLine]] = defaultdict(list)
    for number, line in catalogue.members.items():
        if line.collection in catalogue.collections:
            members[line.collection] += line.assets
        elif not catalogue.defines("collection", line.collection):
            reason = f"collection: the file has no line of the collection {line.collection!r}; add it to this file"
            catalogue.problems.append(LineProblem(number, reason))
    for slug, further in members.items():
        first = catalogue.collections[slug]
        assets = without_duplicate_ids([*first.assets, *further])
        catalogue.collections[slug] = first.model_copy(update={"assets": assets})
