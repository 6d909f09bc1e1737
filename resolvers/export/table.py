"""Tables of an export: the lines of a catalogue as rows, for formats that have columns."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeVar

from resolvers.export.line import ExportedLine
from store.catalogue.lines import AssetLine

Row = tuple[Any, ...]
"""Values of a row in the order of the table's columns. Timestamps are texts in the form of RFC 3339."""

T = TypeVar("T")


class ColumnType(Enum):
    """Type of a column. Each value may be None."""

    TEXT = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    TIMESTAMP = auto()
    TEXTS = auto()
    """List of texts."""
    PROPERTIES = auto()
    """List of texts by name."""


_TEXT, _BOOLEAN, _INTEGER, _TIMESTAMP = (
    ColumnType.TEXT,
    ColumnType.BOOLEAN,
    ColumnType.INTEGER,
    ColumnType.TIMESTAMP,
)


@dataclass(frozen=True, eq=False)
class Table:
    """A table: its name, and the types of its columns by name, those of a line's fields where there is one."""

    name: str
    columns: Mapping[str, ColumnType]


USERS = Table("users", {"id": _TEXT, "name": _TEXT, "email": _TEXT, "isAdmin": _BOOLEAN, "isActive": _BOOLEAN})
GROUPS = Table("groups", {"id": _TEXT, "name": _TEXT})
GROUP_MEMBERS = Table("group_members", {"group": _TEXT, "user": _TEXT})
TOPICS = Table("topics", {"slug": _TEXT, "id": _TEXT, "name": _TEXT, "description": _TEXT})
ASSETS = Table(
    "assets",
    {
        "id": _TEXT,
        "type": _TEXT,
        "status": _TEXT,
        "name": _TEXT,
        "owner": _TEXT,
        "description": _TEXT,
        "tags": ColumnType.TEXTS,
        "properties": ColumnType.PROPERTIES,
        "license": _TEXT,
        "doi": _TEXT,
        "url": _TEXT,
        "version": _TEXT,
        "createdAt": _TIMESTAMP,
        "updatedAt": _TIMESTAMP,
        "language": _TEXT,
        "stepCount": _INTEGER,
        "appKind": _TEXT,
        "dataKind": _TEXT,
        "sizeBytes": _INTEGER,
        "fileCount": _INTEGER,
        "source": _TEXT,
        "framework": _TEXT,
        "goldStandardAwardedAt": _TIMESTAMP,
        "goldStandardNote": _TEXT,
    },
)
USES = Table("uses", {"asset": _TEXT, "uses": _TEXT})
GRANTS = Table("grants", {"asset": _TEXT, "to": _TEXT, "role": _TEXT})
COLLECTIONS = Table(
    "collections",
    {
        "slug": _TEXT,
        "id": _TEXT,
        "name": _TEXT,
        "topic": _TEXT,
        "parent": _TEXT,
        "visibility": _TEXT,
        "description": _TEXT,
    },
)
MEMBERSHIPS = Table(
    "memberships",
    {
        "collection": _TEXT,
        "asset": _TEXT,
        "position": _INTEGER,
        "note": _TEXT,
        "addedAt": _TIMESTAMP,
        "addedBy": _TEXT,
    },
)
TABLES: Final = (USERS, GROUPS, GROUP_MEMBERS, TOPICS, ASSETS, USES, GRANTS, COLLECTIONS, MEMBERSHIPS)


class RowBuilder:
    """Rows of the lines of one export. A member's position counts the members that the viewer sees, from 1."""

    def __init__(self, *, is_signed_in: bool) -> None:
        """Take whether the viewer sees the e-mail addresses and roles of users."""
        # A line omits the fields that are hidden like those that have their default.
        self._user_defaults = {"isAdmin": False, "isActive": True} if is_signed_in else {}
        self._position = 0
        self._rows_by_kind: Mapping[str, Callable[[ExportedLine], Iterator[tuple[Table, Row]]]] = {
            "user": self._user,
            "group": self._group,
            "topic": self._topic,
            "asset": self._asset,
            "collection": self._collection,
            "members": self._members,
        }

    def rows(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        """Yield the rows of the line, that of its object first."""
        return self._rows_by_kind[line["kind"]](line)

    def _user(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        yield USERS, _row(USERS, self._user_defaults | line)

    def _group(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        yield GROUPS, _row(GROUPS, line)
        for user in line["members"]:
            yield GROUP_MEMBERS, (line["id"], user)

    def _topic(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        yield TOPICS, _row(TOPICS, {"description": "", **line})

    def _asset(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        award = line.get("goldStandard") or {}
        derived = {
            "status": AssetLine.model_construct(None, **line).status,
            "goldStandardAwardedAt": award.get("awardedAt"),
            "goldStandardNote": award.get("note"),
        }
        yield ASSETS, _row(ASSETS, {"tags": [], "properties": {}, **line, **derived})
        for used in line.get("uses", ()):
            yield USES, (line["id"], used)
        for grant in line["grants"]:
            yield GRANTS, (line["id"], grant["to"], grant["role"])

    def _collection(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        yield COLLECTIONS, _row(COLLECTIONS, {"description": "", **line})
        self._position = 0
        yield from self._memberships(line["slug"], line["assets"])

    def _members(self, line: ExportedLine) -> Iterator[tuple[Table, Row]]:
        return self._memberships(line["collection"], line["assets"])

    def _memberships(self, collection: str, members: list[ExportedLine]) -> Iterator[tuple[Table, Row]]:
        for member in members:
            self._position += 1
            details = member.get("note"), member.get("addedAt"), member.get("addedBy")
            yield MEMBERSHIPS, (collection, member["id"], self._position, *details)


def _row(table: Table, values: Mapping[str, Any]) -> Row:
    return tuple(values.get(name) for name in table.columns)
