"""This file is the lines of a catalogue file: the fields of each kind, and what is wrong with a line."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from store.catalogue.file import MAX_LINE_BYTES
from store.catalogue.messages import format_errors, format_value
from store.tables import AppKind, AssetAccess, AssetKind, AssetStatus, CollectionVisibility, DataAssetKind
from store.text import MAX_NAME_LENGTH, MAX_SLUG_LENGTH, MAX_TEXT_LENGTH, clean_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _cleaned(longest: int, *, lines: bool = False) -> BeforeValidator:
    def cleaned(value: object) -> object:
        return clean_text(value, longest, lines=lines) if isinstance(value, str) else value

    return BeforeValidator(cleaned)


def _milliseconds(value: object) -> int:
    try:
        instant = datetime.fromisoformat(value if isinstance(value, str) else "")
        utc = instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"is no timestamp such as 2026-11-23T06:29:00Z: {format_value(value)}") from None
    return (utc - EPOCH) // timedelta(milliseconds=1)


def _address(value: str) -> str:
    if not value.startswith(("https://", "http://", "s3://", "gs://")):
        raise ValueError("begins with none of https://, http://, s3://, gs://")
    return value


_TEXT = Field(strict=True, min_length=1)
_SLUG = Field(strict=True, min_length=1, pattern=r"^[a-z0-9][a-z0-9-]*$")

Name = Annotated[str, _TEXT, _cleaned(MAX_NAME_LENGTH)]
Id = Annotated[str, _TEXT, _cleaned(MAX_NAME_LENGTH)]
Slug = Annotated[str, _SLUG, _cleaned(MAX_SLUG_LENGTH)]
Text = Annotated[str, Field(strict=True), _cleaned(MAX_TEXT_LENGTH, lines=True)]
Word = Annotated[str, _TEXT, _cleaned(1_000)]
Address = Annotated[Word, AfterValidator(_address)]
Instant = Annotated[int, BeforeValidator(_milliseconds)]
Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Line(BaseModel):
    """A line of any kind. A field that is unknown is an error: it would be lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UserLine(Line):
    """A user."""

    kind: Literal["user"]
    id: Id
    name: Name
    email: Word | None = None
    isAdmin: Flag = False  # noqa: N815 - the file's name


class GroupLine(Line):
    """A group and its members."""

    kind: Literal["group"]
    id: Id
    name: Name
    members: list[Id]


class GrantLine(Line):
    """An access to an asset."""

    to: Id
    role: Literal["DISCOVERABLE", "VIEWER", "EDITOR", "OWNER"]

    @property
    def access(self) -> AssetAccess:
        """The access that the role names."""
        return AssetAccess[self.role]


class AssetLine(Line):
    """An asset with its grants and what it uses."""

    kind: Literal["asset"]
    id: Id
    type: AssetKind
    name: Name
    owner: Id
    grants: list[GrantLine]
    description: Text | None = None
    tags: list[Name] = []
    license: Word | None = None
    doi: Word | None = None
    url: Address | None = None
    version: Word | None = None
    createdAt: Instant | None = None  # noqa: N815 - the file's name
    updatedAt: Instant | None = None  # noqa: N815 - the file's name
    released: Flag = True
    archived: Flag = False
    withdrawn: Flag = False
    state: Literal["DRAFT", "READY", "FAILED"] = "READY"
    uses: list[Id] = []
    language: Word | None = None
    stepCount: Annotated[int, Field(ge=0, lt=2**31, strict=True)] | None = None  # noqa: N815 - the file's name
    appKind: AppKind | None = None  # noqa: N815 - the file's name
    dataKind: DataAssetKind | None = None  # noqa: N815 - the file's name
    sizeBytes: Count | None = None  # noqa: N815 - the file's name
    fileCount: Count | None = None  # noqa: N815 - the file's name
    source: Word | None = None
    framework: Word | None = None

    @property
    def status(self) -> AssetStatus:
        """Where the asset is in its life; what was taken back or put away counts before all else."""
        if self.withdrawn:
            return AssetStatus.WITHDRAWN
        if self.archived:
            return AssetStatus.ARCHIVED
        if self.state == "FAILED":
            return AssetStatus.FAILED
        return AssetStatus.RELEASED if self.released and self.state == "READY" else AssetStatus.DRAFT


class RegistrationLine(AssetLine):
    """An asset as the platform tells of it over the graph: of a known one, what is left out is kept."""

    grants: list[GrantLine] = []


class TopicLine(Line):
    """A topic; topics stand in the order of the file."""

    kind: Literal["topic"]
    slug: Slug
    name: Name
    description: Text = ""


class CollectionLine(Line):
    """A collection and what it holds, in order."""

    kind: Literal["collection"]
    slug: Slug
    name: Name
    topic: Slug
    parent: Slug | None = None
    visibility: CollectionVisibility
    description: Text = ""
    assets: list[Id]


AnyLine = UserLine | GroupLine | AssetLine | TopicLine | CollectionLine

_LINE: TypeAdapter[AnyLine] = TypeAdapter(Annotated[AnyLine, Field(discriminator="kind")])


class InvalidLineError(ValueError):
    """A line cannot be taken; the message is one sentence.

    `subject` is the kind and id that the line would have had, where that much of it can be read: other lines that
    refer to it are not at fault.
    """

    def __init__(self, reason: str, subject: tuple[str, str] | None = None) -> None:
        """Take the sentence."""
        super().__init__(reason)
        self.subject = subject


def parse_line(raw: bytes) -> AnyLine:
    """Return the line; raise InvalidLineError with one sentence that says what is wrong with it."""
    if len(raw) > MAX_LINE_BYTES:
        raise InvalidLineError(f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        values = orjson.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise InvalidLineError(f"byte {error.start + 1} is not UTF-8") from None
    except orjson.JSONDecodeError as error:
        raise InvalidLineError(f"it is no JSON: {error.msg} at character {error.colno}") from None
    try:
        return _LINE.validate_python(values)
    except ValidationError as error:
        raise InvalidLineError(format_errors(error), _subject(values)) from None


def _subject(values: object) -> tuple[str, str] | None:
    if not isinstance(values, dict):
        return None
    kind = values.get("kind")
    id_ = values.get("slug" if kind in ("topic", "collection") else "id")
    return (kind, id_.strip()) if isinstance(kind, str) and isinstance(id_, str) else None
