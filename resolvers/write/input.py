"""This file is inputs being read: normalised and bounded in one place, with every fault told at once."""

import re
import unicodedata
from collections.abc import Container, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from resolvers.write.user_error import MutationRejectedError, Path, UserError, UserErrorCode, not_found
from store.text import MAX_NAME_LENGTH, MAX_NOTE_LENGTH, MAX_SLUG_LENGTH, MAX_TEXT_LENGTH, TextTooLongError, clean_text

SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
MAX_KEY_LENGTH = 200
MAX_ID_LENGTH = 200  # ours are shorter; each is kept with what became of it
Input = Mapping[str, Any]


class Side(StrEnum):
    """Which side of a neighbour, or which end of the list."""

    AFTER = "after_id"
    BEFORE = "before_id"
    START = "at_start"
    END = "at_end"


class Position(NamedTuple):
    """A place in an order, relative to a neighbour: an absolute one would tell of hidden neighbours."""

    side: Side = Side.END
    id: str | None = None

    @property
    def is_after(self) -> bool:
        """Whether the place is behind the neighbour, or behind all."""
        return self.side in {Side.AFTER, Side.END}

    @property
    def path(self) -> Path:
        """Where the neighbour is named in the arguments."""
        return ("input", "position", "afterId" if self.is_after else "beforeId")


class InputReader:
    """Reads the fields of an input, keeping each fault until `stop` is called.

    A field that was left out is absent from the input; one that was given as null is None.
    """

    def __init__(self, given: Input) -> None:
        """Take the input."""
        self.input = given
        self.user_errors: list[UserError] = []

    def has(self, name: str) -> bool:
        """Return whether the field was given, be it null."""
        return name in self.input

    def add_error(self, code: UserErrorCode, message: str, *path: str, **further: Any) -> None:
        """Keep a fault of the field at the path within the input."""
        self.user_errors.append(UserError(code, message, ("input", *path), **further))

    def raise_errors(self) -> None:
        """Raise Rejected with the faults kept so far; do nothing where there are none."""
        if self.user_errors:
            raise MutationRejectedError(self.user_errors)

    def name(self) -> str:
        """Return the name."""
        return self._text("name", MAX_NAME_LENGTH, is_needed=True) or ""

    def description(self) -> str:
        """Return the description; empty where none was given."""
        return self._text("description", MAX_TEXT_LENGTH, lines=True) or ""

    def note(self) -> str | None:
        """Return the note; None where none was given or it is empty."""
        return self._text("note", MAX_NOTE_LENGTH, lines=True) or None

    def slug(self) -> str | None:
        """Return the slug, in small letters; None where none was given."""
        if self.input.get("slug") is None:
            if self.has("slug"):
                self.add_error(UserErrorCode.REQUIRED, "The slug must not be null: leave it out.", "slug")
            return None
        slug = (self._text("slug", MAX_SLUG_LENGTH, is_needed=True) or "").casefold()
        if slug and not SLUG.fullmatch(slug):
            message = "The slug must be letters a-z, digits and hyphens, with no hyphen in front."
            self.add_error(UserErrorCode.INVALID, message, "slug")
        return slug

    def value(self, name: str, field: str) -> Any:
        """Return what was given for a field that cannot be null; None, too, where nothing was. `field` is its name."""
        value = self.input.get(name)
        if value is None and self.has(name):
            self.add_error(UserErrorCode.REQUIRED, f"{field} must not be null: leave it out to keep it.", field)
        return value

    def position(self) -> Position:
        """Return the place asked for; the end where none was."""
        given = self.input.get("position")
        if given is None:
            return Position()
        ((side, value),) = given.items()
        if side in {Side.START, Side.END}:
            if value is not True:
                name = "atStart" if side == Side.START else "atEnd"
                self.add_error(UserErrorCode.INVALID, f"{name} must be true.", "position", name)
            return Position(Side(side))
        return Position(Side(side), value)

    def ids(self, name: str, field: str, most: int, *, needs_one: bool = True) -> dict[str, int]:
        """Return the distinct ids of a list in its order, each with its first index. `field` is the graph's name."""
        given = self.input.get(name) or []
        if len(given) > most:
            message = f"{field} has {len(given):,} ids; at most {most:,} are allowed."
            self.add_error(UserErrorCode.LIMIT_EXCEEDED, message, field, limit=most)
        if needs_one and not given:
            self.add_error(UserErrorCode.REQUIRED, f"{field} must name at least one.", field)
        indexes: dict[str, int] = {}
        for index, id_ in enumerate(given):
            if indexes.setdefault(id_, index) == index and len(id_) > MAX_ID_LENGTH:
                message = f"An id has at most {MAX_ID_LENGTH} characters."
                self.add_error(UserErrorCode.TOO_LONG, message, field, str(index), limit=MAX_ID_LENGTH)
        return indexes

    def check_version(self, row: Any) -> None:
        """Refuse a row whose version is not the one expected, if one was."""
        expected = self.input.get("expected_version")
        if expected is not None and expected != row.version:
            message = f"It was changed meanwhile: its version is {row.version}, not {expected}. Read it again."
            self.add_error(
                UserErrorCode.CONFLICT, message, "expectedVersion", current_version=row.version, current_id=row.id
            )

    def add_not_found(self, noun: str, *path: str) -> None:
        """Keep that there is no such object."""
        self.user_errors.append(not_found(noun, "input", *path))

    def _text(self, name: str, longest: int, *, lines: bool = False, is_needed: bool = False) -> str | None:
        value = self.input.get(name)
        if value is None:
            if is_needed or self.has(name):
                self.add_error(UserErrorCode.REQUIRED, f"The {name} must not be null.", name)
            return None
        try:
            text = clean_text(value, longest, multiline=lines)
        except TextTooLongError as error:
            self.add_error(UserErrorCode.TOO_LONG, f"The {name} {error}.", name, limit=error.max_length)
            return None
        except ValueError as error:
            self.add_error(UserErrorCode.INVALID, f"The {name} {error}.", name)
            return None
        if is_needed and not text:
            self.add_error(UserErrorCode.REQUIRED, f"The {name} must not be empty.", name)
        return text


def make_slug(name: str, otherwise: str) -> str:
    """Return a slug made from the name's letters and digits; `otherwise` where it has none of a-z."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: MAX_SLUG_LENGTH - 8].strip("-") or otherwise


def unique_slug(stem: str, taken: Container[str]) -> str:
    """Return the slug, with the least number behind it that makes it free where it is taken."""
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    return slug
