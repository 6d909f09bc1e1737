"""Input validation: normalizes and bounds fields, and reports all errors together."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from resolvers.write.user_error import MutationRejectedError, Path, UserError, UserErrorCode, not_found
from store.text import (
    MAX_EMAIL_LENGTH,
    MAX_NOTE_LENGTH,
    MAX_PRINCIPAL_ID_LENGTH,
    MAX_SLUG_LENGTH,
    MAX_TEXT_LENGTH,
    TextTooLongError,
    clean_name,
    clean_text,
)

SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
MAX_KEY_LENGTH = 200
MAX_ID_LENGTH = 200  # real ids are shorter; bounded since unknown ids are stored in results too
Input = Mapping[str, Any]
RowT = TypeVar("RowT")


class Side(StrEnum):
    """Side of a neighbour, or end of the list."""

    AFTER = "after_id"
    BEFORE = "before_id"
    START = "at_start"
    END = "at_end"


class Position(NamedTuple):
    """Position in a list, at an end or next to a neighbour. An index would reveal the number of hidden rows."""

    side: Side = Side.END
    id: str | None = None

    @property
    def is_after(self) -> bool:
        """Whether the position is after the neighbour, or at the end."""
        return self.side in {Side.AFTER, Side.END}

    @property
    def path(self) -> Path:
        """Path of the neighbour's id within the input."""
        return ("position", "afterId" if self.is_after else "beforeId")


class Versioned(Protocol):
    """A row with a version, which each update increments."""

    @property
    def id(self) -> str:
        """The public id."""

    @property
    def version(self) -> int:
        """The current version."""


class InputReader:
    """Reader of the fields of an input, which collects their errors until `raise_errors`.

    An omitted field is absent from the input; an explicit null is None.
    """

    def __init__(self, input: Input) -> None:
        """Take the input."""
        self.input = input
        self.user_errors: list[UserError] = []

    def has(self, name: str) -> bool:
        """Return whether the input has the field, even as null."""
        return name in self.input

    def add_error(self, code: UserErrorCode, message: str, *path: str, **details: Any) -> None:
        """Add an error of the field at the path within the input; `details` are further fields of UserError."""
        self.user_errors.append(UserError(code, message, ("input", *path), **details))

    def add_not_found(self, noun: str, *path: str) -> None:
        """Add NOT_FOUND for the id at the path: no object of that kind (`noun`) has it, or the object is hidden."""
        self.user_errors.append(not_found(noun, "input", *path))

    def check_found(self, row: RowT | None, noun: str, field: str) -> RowT | None:
        """Return the row that an input field names; if it is None, add NOT_FOUND."""
        if row is None:
            self.add_not_found(noun, graph_name(field))
        return row

    def raise_errors(self) -> None:
        """Raise MutationRejectedError if there are errors."""
        if self.user_errors:
            raise MutationRejectedError(self.user_errors)

    def name(self) -> str:
        """Return the name."""
        return self._text("name", clean_name, is_required=True) or ""

    def external_id(self) -> str:
        """Return the id in the platform."""
        return (
            self._text("external_id", partial(clean_text, max_length=MAX_PRINCIPAL_ID_LENGTH), is_required=True) or ""
        )

    def email(self) -> str | None:
        """Return the e-mail address; None if omitted, null or empty."""
        if self.input.get("email") is None:
            return None
        return self._text("email", partial(clean_text, max_length=MAX_EMAIL_LENGTH)) or None

    def description(self) -> str:
        """Return the description; empty if omitted."""
        return self._text("description", partial(clean_text, max_length=MAX_TEXT_LENGTH, multiline=True)) or ""

    def note(self) -> str | None:
        """Return the note; None if omitted or empty."""
        return self._text("note", partial(clean_text, max_length=MAX_NOTE_LENGTH, multiline=True)) or None

    def slug(self) -> str | None:
        """Return the slug in lower case; None if omitted."""
        if self.input.get("slug") is None:
            if self.has("slug"):
                self.add_error(UserErrorCode.REQUIRED, "The slug must not be null. Omit it instead.", "slug")
            return None
        slug = (self._text("slug", partial(clean_text, max_length=MAX_SLUG_LENGTH), is_required=True) or "").casefold()
        if slug and not SLUG.fullmatch(slug):
            message = f'Invalid slug "{slug}". Use letters a-z, digits and hyphens, and do not start with a hyphen.'
            self.add_error(UserErrorCode.INVALID, message, "slug")
        return slug

    def non_null(self, name: str) -> Any:
        """Return a field that may be omitted but not null; None if omitted."""
        value = self.input.get(name)
        if value is None and self.has(name):
            field = graph_name(name)
            message = f"{field} must not be null. Omit it to keep the current value."
            self.add_error(UserErrorCode.REQUIRED, message, field)
        return value

    def position(self) -> Position:
        """Return the requested position; the end if omitted."""
        position = self.input.get("position")
        if position is None:
            return Position()
        ((side, value),) = position.items()
        if side in {Side.START, Side.END}:
            if value is not True:
                field = graph_name(side)
                self.add_error(UserErrorCode.INVALID, f"{field} must be true.", "position", field)
            return Position(Side(side))
        return Position(Side(side), value)

    def ids(self, name: str, *, is_required: bool = True) -> dict[str, int]:
        """Return the distinct ids of a list in order, each with its first index."""
        ids, field = self.input.get(name) or [], graph_name(name)
        if is_required and not ids:
            self.add_error(UserErrorCode.REQUIRED, f"{field} must contain at least one id.", field)
        indexes = index_by_id(ids)
        for id_, index in indexes.items():
            if len(id_) > MAX_ID_LENGTH:
                message = f"The id has {len(id_):,} characters; at most {MAX_ID_LENGTH} are allowed."
                self.add_error(UserErrorCode.TOO_LONG, message, field, str(index), limit=MAX_ID_LENGTH)
        return indexes

    def check_version(self, row: Versioned) -> None:
        """Add CONFLICT if the input has an `expectedVersion` that is not the row's version."""
        expected = self.input.get("expected_version")
        if expected is not None and expected != row.version:
            message = f"Version conflict: expected {expected}, current version is {row.version}. Reload and retry."
            self.add_error(
                UserErrorCode.CONFLICT, message, "expectedVersion", current_version=row.version, current_id=row.id
            )

    def _text(self, name: str, clean: Callable[[str], str], *, is_required: bool = False) -> str | None:
        value, field = self.input.get(name), graph_name(name)
        if value is None:
            if is_required or self.has(name):
                self.add_error(UserErrorCode.REQUIRED, f"The {field} must not be null.", field)
            return None
        try:
            text = clean(value)
        except TextTooLongError as error:
            self.add_error(UserErrorCode.TOO_LONG, f"The {field} {error}.", field, limit=error.max_length)
            return None
        except ValueError as error:
            self.add_error(UserErrorCode.INVALID, f"The {field} {error}.", field)
            return None
        if is_required and not text:
            self.add_error(UserErrorCode.REQUIRED, f"The {field} must not be empty.", field)
        return text


def graph_name(name: str) -> str:
    """Return the GraphQL name of an input field: `asset_ids` is `assetIds`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def index_by_id(ids: Iterable[str]) -> dict[str, int]:
    """Return the distinct ids in order, each with its first index."""
    indexes: dict[str, int] = {}
    for index, id_ in enumerate(ids):
        indexes.setdefault(id_, index)
    return indexes
