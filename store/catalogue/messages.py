"""Messages about invalid fields of a catalogue line, instead of Pydantic's own."""

import json
import re
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from store.text import TextTooLongError

KINDS = "user, group, asset, topic or collection"
MAX_SHOWN_ERRORS = 5  # in the message about one line
MAX_VALUE_LENGTH = 60

_PREDICATES = {
    "missing": "is missing",
    "string_type": "must be text, not {value}",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must consist of a-z, 0-9 and hyphens and not begin with a hyphen, but is {value}",
    "bool_type": "must be true or false, not {value}",
    "list_type": "must be a list, not {value}",
    "dict_type": "must be an object, not {value}",
    "too_long": "has {actual_length:,} entries; at most {max_length:,} are allowed",
    "int_type": "must be a whole number, not {value}",
    "int_from_float": "must be a whole number, not {value}",
    "model_type": "must be an object, not {value}",
    "model_attributes_type": "must be an object, not {value}",
    "enum": "must be {expected}, not {value}",
    "literal_error": "must be {expected}, not {value}",
    "greater_than_equal": "must be at least {ge:,}, not {value}",
    "less_than": "must be less than {lt:,}, not {value}",
}
"""Predicate of the message, by Pydantic's error type."""


class FieldError(NamedTuple):
    """An invalid value: its path in the line, and a message without its subject, such as `is missing`."""

    path: tuple[int | str, ...]
    predicate: str
    is_empty: bool = False
    max_length: int | None = None  # of a text that is too long

    @property
    def path_text(self) -> str:
        """The path as messages show it, such as `grants[0].role`."""
        return _format_path([*self.path])


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return the invalid values of a line, in the order of its fields."""
    return [_field_error(details) for details in error.errors(include_url=False)]


def format_errors(error: ValidationError) -> str:
    """Format the errors of a line, up to MAX_SHOWN_ERRORS, as one clause each."""
    errors = error.errors(include_url=False)
    rest = [f"and {len(errors) - MAX_SHOWN_ERRORS} more"] if len(errors) > MAX_SHOWN_ERRORS else []
    return "; ".join([*map(_format_error, errors[:MAX_SHOWN_ERRORS]), *rest])


def format_value(value: object) -> str:
    """Format a value for a message: text in quotes, other values as JSON; truncated, on one line."""
    full = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = re.sub(r"\s+", " ", full)
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
    template = _PREDICATES.get(details["type"])
    if template is None:  # raised by a validator of `lines.py`
        return details["msg"].removeprefix("Value error, ")
    # The input of a missing field is the whole line, which can be large.
    value = format_value(details["input"]) if "{value}" in template else ""
    return template.format(value=value, **details.get("ctx", {}))


def _format_path(path: list[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
