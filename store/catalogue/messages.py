"""Messages about invalid fields of a line, in the catalogue's words."""

import re
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from store.text import TextTooLongError

KINDS = "user, group, asset, topic or collection"
MAX_ERRORS = 5  # in the message of one line
MAX_VALUE_LENGTH = 60

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


class FieldError(NamedTuple):
    """An invalid value: its path in the line, and the predicate of a sentence about it."""

    path: tuple[int | str, ...]
    predicate: str
    is_empty: bool = False
    max_length: int | None = None  # of a text that is too long

    @property
    def path_text(self) -> str:
        """The path as messages show it, such as `grants[0].role`."""
        return _format_path([*self.path])


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return each invalid value of a line, in the order of its fields."""
    return [_field_error(details) for details in error.errors(include_url=False)]


def format_errors(error: ValidationError) -> str:
    """Format the first errors of a line as one clause each."""
    errors = error.errors(include_url=False)
    rest = [f"and {len(errors) - MAX_ERRORS} more"] if len(errors) > MAX_ERRORS else []
    return "; ".join([*map(_format_error, errors[:MAX_ERRORS]), *rest])


def format_value(value: object) -> str:
    """Format a value for a message: quoted, bounded, on one line."""
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}…"


def _format_error(details: ErrorDetails) -> str:
    kind, *path = details["loc"] or ("",)
    match details["type"]:
        case "union_tag_not_found":
            return f"kind is missing; it must be {KINDS}"
        case "union_tag_invalid":
            return f"kind must be {KINDS}, not {format_value(details['input']['kind'])}"
        case "extra_forbidden":
            owner = _format_path(path[:-1]) or f"{'an' if kind == 'asset' else 'a'} {kind}"
            return f"{format_value(path[-1])} is not a field of {owner}; remove it or correct its name"
        case _ if not path:
            return f"the line must be an object with a kind: {KINDS}"
        case _:
            return f"{_format_path(path)} {_predicate(details)}"


def _field_error(details: ErrorDetails) -> FieldError:
    cause = details.get("ctx", {}).get("error")
    max_length = cause.max_length if isinstance(cause, TextTooLongError) else None
    return FieldError(tuple(details["loc"]), _predicate(details), details["type"] == "string_too_short", max_length)


def _predicate(details: ErrorDetails) -> str:
    context, value = details.get("ctx", {}), format_value(details["input"])
    match details["type"]:
        case "missing":
            return "is missing"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            return f"must consist of a-z, 0-9 and hyphens and begin with a letter or digit, not {value}"
        case "enum" | "literal_error":
            return f"must be {context['expected']}, not {value}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:,}, not {value}"
        case "less_than":
            return f"must be less than {context['lt']:,}, not {value}"
        case kind if kind in _EXPECTED:
            return f"must be {_EXPECTED[kind]}, not {value}"
        case _:
            return details["msg"].removeprefix("Value error, ")


def _format_path(path: list[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
