"""Models of catalogue lines: the fields and limits of each kind, documented in `docs/catalogue.md`."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from store.catalogue.file import MAX_LINE_BYTES
from store.catalogue.messages import format_errors, format_value
from store.date_time import EPOCH, MILLISECOND
from store.tables import AppKind, AssetAccess, AssetKind, AssetStatus, CollectionVisibility, DataAssetKind
from store.text import (
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    MAX_SLUG_LENGTH,
    MAX_TEXT_LENGTH,
    URL_SCHEME_LIST,
    URL_SCHEMES,
    clean_text,
)

MAX_SHORT_TEXT_LENGTH = 1_000


def _cleaned(max_length: int, *, multiline: bool = False) -> BeforeValidator:
    def clean(value: object) -> object:
        return clean_text(value, max_length, multiline=multiline) if isinstance(value, str) else value

    return BeforeValidator(clean)


def _to_milliseconds(value: object) -> int:
    try:
        instant = datetime.fromisoformat(value if isinstance(value, str) else "")
        utc = instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"must be a timestamp such as 2026-11-23T06:29:00Z, not {format_value(value)}") from None
    return (utc - EPOCH) // MILLISECOND


def _check_url(value: str) -> str:
    if not value.startswith(URL_SCHEMES):
        raise ValueError(f"must begin with {URL_SCHEME_LIST}, not {format_value(value)}")
    return value


def _without_duplicates(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


_TEXT = Field(strict=True, min_length=1)
_SLUG = Field(strict=True, min_length=1, pattern=r"^[a-z0-9][a-z0-9-]*$")

Name = Annotated[str, _TEXT, _cleaned(MAX_NAME_LENGTH)]
Id = Annotated[str, _TEXT, _cleaned(MAX_NAME_LENGTH)]
Slug = Annotated[str, _SLUG, _cleaned(MAX_SLUG_LENGTH)]
Text = Annotated[str, Field(strict=True), _cleaned(MAX_TEXT_LENGTH, multiline=True)]
ShortText = Annotated[str, _TEXT, _cleaned(MAX_SHORT_TEXT_LENGTH)]
Email = Annotated[str, _TEXT, _cleaned(MAX_EMAIL_LENGTH)]
Tags = Annotated[list[Name], AfterValidator(_without_duplicates)]
Url = Annotated[ShortText, AfterValidator(_check_url)]
Timestamp = Annotated[int, BeforeValidator(_to_milliseconds)]
SmallCount = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Line(BaseModel):
    """A line of any kind. Unknown fields are errors, because ignoring them would lose data."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UserLine(Line):
    """A user."""

    kind: Literal["user"]
    id: Id
    name: Name
    email: Email | None = None
    isAdmin: Flag = False  # noqa: N815 - the file's name
    isActive: Flag | None = None  # noqa: N815 - the file's name


class GroupLine(Line):
    """A group and its members."""

    kind: Literal["group"]
    id: Id
    name: Name
    members: list[Id]


class GrantLine(Line):
    """A grant of an asset line: access for a user, a group, `everyone` or `public`."""

    to: Id
    role: Literal["DISCOVERABLE", "VIEWER", "EDITOR", "OWNER"]

    @property
    def access(self) -> AssetAccess:
        """Access level of the role."""
        return AssetAccess[self.role]


class AssetLine(Line):
    """An asset with its grants and uses."""

    kind: Literal["asset"]
    id: Id
    type: AssetKind
    name: Name
    owner: Id
    grants: list[GrantLine]
    description: Text | None = None
    tags: Tags = []
    license: ShortText | None = None
    doi: ShortText | None = None
    url: Url | None = None
    version: ShortText | None = None
    createdAt: Timestamp | None = None  # noqa: N815 - the file's name
    updatedAt: Timestamp | None = None  # noqa: N815 - the file's name
    released: Flag = True
    archived: Flag = False
    withdrawn: Flag = False
    state: Literal["DRAFT", "READY", "FAILED"] = "READY"
    uses: list[Id] = []
    language: ShortText | None = None
    stepCount: SmallCount | None = None  # noqa: N815 - the file's name
    appKind: AppKind | None = None  # noqa: N815 - the file's name
    dataKind: DataAssetKind | None = None  # noqa: N815 - the file's name
    sizeBytes: Count | None = None  # noqa: N815 - the file's name
    fileCount: Count | None = None  # noqa: N815 - the file's name
    source: ShortText | None = None
    framework: ShortText | None = None

    @property
    def status(self) -> AssetStatus:
        """Status of the asset: `withdrawn` takes precedence over `archived`, and that over `state` and `released`."""
        if self.withdrawn:
            return AssetStatus.WITHDRAWN
        if self.archived:
            return AssetStatus.ARCHIVED
        if self.state == "FAILED":
            return AssetStatus.FAILED
        return AssetStatus.RELEASED if self.released and self.state == "READY" else AssetStatus.DRAFT


class RegistrationLine(AssetLine):
    """An asset of `assetsRegister`; an existing asset keeps the values of omitted fields."""

    grants: list[GrantLine] = []


class TopicLine(Line):
    """A topic. New topics are ordered as in the file."""

    kind: Literal["topic"]
    slug: Slug
    name: Name
    description: Text = ""


class CollectionLine(Line):
    """A collection with its assets in order."""

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
    """A line is invalid; the message is a clause without a full stop.

    `subject` is the line's kind and id (or slug), if it has them: references to that object are then not reported too.
    """

    def __init__(self, reason: str, subject: tuple[str, str] | None = None) -> None:
        """Create the error."""
        super().__init__(reason)
        self.subject = subject


def parse_line(raw: bytes) -> AnyLine:
    """Parse and validate one line; raise InvalidLineError."""
    if len(raw) > MAX_LINE_BYTES:
        raise InvalidLineError(f"the line is longer than the maximum of {MAX_LINE_BYTES:,} bytes")
    try:
        values = orjson.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise InvalidLineError(f"byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8") from None
    except orjson.JSONDecodeError as error:
        raise InvalidLineError(f"not valid JSON: {error.msg} at character {error.colno}") from None
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
