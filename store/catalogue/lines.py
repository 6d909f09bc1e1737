"""Models of catalogue lines: the fields and limits of each kind, documented in `docs/catalogue.md`."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)

from store.catalogue.file import MAX_LINE_BYTES
from store.catalogue.messages import format_errors, format_value
from store.date_time import EPOCH, MILLISECOND
from store.doi import normalize_doi
from store.tables import AppKind, AssetAccess, AssetKind, AssetStatus, CollectionVisibility, DataAssetKind
from store.text import (
    MAX_ASSET_NAME_LENGTH,
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    MAX_NOTE_LENGTH,
    MAX_PRINCIPAL_ID_LENGTH,
    MAX_SLUG_LENGTH,
    MAX_TEXT_LENGTH,
    clean_name,
    clean_text,
)
from store.url import URL_SCHEMES, normalize_url

MAX_SHORT_TEXT_LENGTH = 1_000
MAX_PROPERTIES = 100


def _cleaned(clean: Callable[[str], str]) -> BeforeValidator:
    return BeforeValidator(lambda value: clean(value) if isinstance(value, str) else value)


def _cleaned_text(max_length: int, *, multiline: bool = False) -> BeforeValidator:
    return _cleaned(partial(clean_text, max_length=max_length, multiline=multiline))


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _to_milliseconds(value: object) -> int:
    try:
        instant = datetime.fromisoformat(value if isinstance(value, str) else "")
        utc = instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"must be a timestamp such as 2026-11-23T06:29:00Z, not {format_value(value)}") from None
    return (utc - EPOCH) // MILLISECOND


def _normalized(normalize: Callable[[str, ValidationInfo], str | None]) -> AfterValidator:
    def apply(value: str, info: ValidationInfo) -> str | None:
        try:
            return normalize(value, info)
        except ValueError as error:
            raise ValueError(f"{error}, not {format_value(value)}") from None

    return AfterValidator(apply)


def _normalize_url(value: str, info: ValidationInfo) -> str:
    return normalize_url(value, info.context or URL_SCHEMES)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_member(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


def _without_duplicates(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def without_duplicate_ids(members: list[Any]) -> list[Any]:
    """Return the members, of those with the same id the first."""
    members_by_id: dict[str, Any] = {}
    for member in members:
        members_by_id.setdefault(member.id, member)
    return list(members_by_id.values())


_TEXT = Field(strict=True, min_length=1)
_SLUG = Field(strict=True, min_length=1, pattern=r"^[a-z0-9][a-z0-9-]*$")

Name = Annotated[str, _TEXT, _cleaned(clean_name)]
AssetName = Annotated[str, _TEXT, _cleaned(partial(clean_name, max_length=MAX_ASSET_NAME_LENGTH))]
Id = Annotated[str, _TEXT, _cleaned_text(MAX_NAME_LENGTH)]
PrincipalId = Annotated[str, _TEXT, _cleaned_text(MAX_PRINCIPAL_ID_LENGTH)]
Slug = Annotated[str, _SLUG, _cleaned_text(MAX_SLUG_LENGTH)]
Text = Annotated[str, Field(strict=True), _cleaned_text(MAX_TEXT_LENGTH, multiline=True)]
_ShortText = Annotated[str, _TEXT, _cleaned_text(MAX_SHORT_TEXT_LENGTH)]
_NoneIfBlank = BeforeValidator(_none_if_blank)
OptionalId = Annotated[Id | None, _NoneIfBlank]
OptionalText = Annotated[Text | None, _NoneIfBlank]
OptionalShortText = Annotated[_ShortText | None, _NoneIfBlank]
OptionalEmail = Annotated[Annotated[str, _TEXT, _cleaned_text(MAX_EMAIL_LENGTH)] | None, _NoneIfBlank]
OptionalDoi = Annotated[Annotated[_ShortText, _normalized(lambda value, _: normalize_doi(value))] | None, _NoneIfBlank]
OptionalUrl = Annotated[Annotated[_ShortText, _normalized(_normalize_url)] | None, _NoneIfBlank]
Note = Annotated[
    Annotated[str, Field(strict=True), _cleaned_text(MAX_NOTE_LENGTH, multiline=True)] | None, _NoneIfBlank
]
Properties = Annotated[dict[Name, Annotated[list[Text], BeforeValidator(_as_list)]], Field(max_length=MAX_PROPERTIES)]
Tags = Annotated[list[Name], AfterValidator(_without_duplicates)]
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
    id: PrincipalId
    name: Name
    email: OptionalEmail = None
    isAdmin: Flag = False  # noqa: N815 - the file's name
    isActive: Flag | None = None  # noqa: N815 - the file's name


class GroupLine(Line):
    """A group and its members."""

    kind: Literal["group"]
    id: PrincipalId
    name: Name
    members: list[PrincipalId]


class GrantLine(Line):
    """A grant of an asset line: access for a user, a group, `everyone` or `public`."""

    to: PrincipalId
    role: Literal["DISCOVERABLE", "VIEWER", "EDITOR", "OWNER"]

    @property
    def access(self) -> AssetAccess:
        """Access level of the role."""
        return AssetAccess[self.role]


class GoldStandardLine(Line):
    """A gold standard award of an asset line."""

    awardedAt: Timestamp  # noqa: N815 - the file's name
    note: Note = None


class AssetLine(Line):
    """An asset with its grants and uses."""

    kind: Literal["asset"]
    id: Id
    type: AssetKind
    name: AssetName
    owner: PrincipalId
    grants: list[GrantLine]
    description: OptionalText = None
    tags: Tags = []
    properties: Properties = {}
    license: OptionalShortText = None
    doi: OptionalDoi = None
    url: OptionalUrl = None
    version: OptionalShortText = None
    createdAt: Timestamp | None = None  # noqa: N815 - the file's name
    updatedAt: Timestamp | None = None  # noqa: N815 - the file's name
    released: Flag = True
    archived: Flag = False
    withdrawn: Flag = False
    state: Literal["DRAFT", "READY", "FAILED"] = "READY"
    uses: list[Id] = []
    language: OptionalShortText = None
    stepCount: SmallCount | None = None  # noqa: N815 - the file's name
    appKind: AppKind | None = None  # noqa: N815 - the file's name
    dataKind: DataAssetKind | None = None  # noqa: N815 - the file's name
    sizeBytes: Count | None = None  # noqa: N815 - the file's name
    fileCount: Count | None = None  # noqa: N815 - the file's name
    source: OptionalShortText = None
    framework: OptionalShortText = None
    goldStandard: GoldStandardLine | None = None  # noqa: N815 - the file's name

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
    id: OptionalId = None
    name: Name
    description: Text = ""


class MemberLine(Line):
    """A member of a collection line. A text alone is its id."""

    id: Id
    note: Note = None
    addedAt: Timestamp | None = None  # noqa: N815 - the file's name
    addedBy: Annotated[PrincipalId | None, _NoneIfBlank] = None  # noqa: N815 - the file's name


Members = Annotated[list[Annotated[MemberLine, BeforeValidator(_as_member)]], AfterValidator(without_duplicate_ids)]


class CollectionLine(Line):
    """A collection with its assets in order."""

    kind: Literal["collection"]
    slug: Slug
    id: OptionalId = None
    name: Name
    topic: Slug
    parent: Annotated[Slug | None, _NoneIfBlank] = None
    visibility: CollectionVisibility
    description: Text = ""
    assets: Members

    @property
    def asset_ids(self) -> list[str]:
        """Ids of the members, in order."""
        return [member.id for member in self.assets]


class MembersLine(Line):
    """Further assets of a collection that has a line of its own, in order, after those of that line."""

    kind: Literal["members"]
    collection: Slug
    assets: Members


AnyLine = UserLine | GroupLine | AssetLine | TopicLine | CollectionLine | MembersLine

_LINE: TypeAdapter[AnyLine] = TypeAdapter(Annotated[AnyLine, Field(discriminator="kind")])


class InvalidLineError(ValueError):
    """A line is invalid; the message is a clause without a full stop.

    `subject` is the line's kind and id (or slug), if it has them: references to that object are then not reported too.
    """

    def __init__(self, reason: str, subject: tuple[str, str] | None = None) -> None:
        """Create the error."""
        super().__init__(reason)
        self.subject = subject


def parse_line(raw: bytes, url_schemes: Sequence[str] = URL_SCHEMES) -> AnyLine:
    """Parse and validate one line, whose URLs have one of the schemes; raise InvalidLineError."""
    if len(raw) > MAX_LINE_BYTES:
        raise InvalidLineError(f"the line is longer than the maximum of {MAX_LINE_BYTES:,} bytes")
    try:
        values = orjson.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise InvalidLineError(f"byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8") from None
    except orjson.JSONDecodeError as error:
        raise InvalidLineError(f"not valid JSON: {error.msg} at character {error.colno}") from None
    try:
        return _LINE.validate_python(values, context=url_schemes)
    except ValidationError as error:
        raise InvalidLineError(format_errors(error), _subject(values)) from None


def _subject(values: object) -> tuple[str, str] | None:
    if not isinstance(values, dict):
        return None
    kind = values.get("kind")
    id_ = values.get("slug" if kind in ("topic", "collection") else "id")
    return (kind, id_.strip()) if isinstance(kind, str) and isinstance(id_, str) else None
