"""This file is what is wrong with the fields of a line, said in words of the catalogue."""

import re
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from store.text import TextTooLongError

KINDS = "user, group, asset, topic or collection"
MOST = 5
LONGEST_SHOWN = 60

_PREDICATES = {
    "missing": "is missing",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be small letters a-z, digits and hyphens, with no hyphen in front",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


class FieldError(NamedTuple):
    """What is wrong with one value: where it stands, and the end of a sentence about it."""

    path: tuple[int | str, ...]
    predicate: str
    is_empty: bool = False
    max_length: int | None = None  # the most characters, where there are too many

    @property
    def path_text(self) -> str:
        """The place as a message shows it."""
        return _path([*self.path])


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return each fault of a line, in the order of its fields."""
    return [_fault(fault) for fault in error.errors(include_url=False)]


def format_errors(error: ValidationError) -> str:
    """Return what is wrong with a line, the first few faults of it, in one sentence."""
    found = error.errors(include_url=False)
    more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
    return "; ".join([*map(_said, found[:MOST]), *more])


def _said(fault: ErrorDetails) -> str:
    kind, *place = fault["loc"] or ("",)
    if not place and fault["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return f"kind must be {KINDS}"
    if not place:
        return f"it is no object with a kind: {KINDS}"
    if fault["type"] == "extra_forbidden":
        return f"{format_value(place[-1])} is no field of {'an' if kind == 'asset' else 'a'} {kind}"
    return f"{_path(place)} {_predicate(fault)}"


def _fault(fault: ErrorDetails) -> FieldError:
    cause = fault.get("ctx", {}).get("error")
    longest = cause.max_length if isinstance(cause, TextTooLongError) else None
    return FieldError(tuple(fault["loc"]), _predicate(fault), fault["type"] == "string_too_short", longest)


def _predicate(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    match fault["type"]:
        case "enum" | "literal_error":
            return f"must be {context['expected']}, not {format_value(fault['input'])}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:,}"
        case "less_than":
            return f"must be less than {context['lt']:,}"
        case other:
            return _PREDICATES.get(other, fault["msg"].removeprefix("Value error, "))


def _path(place: list[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def format_value(value: object) -> str:
    """Return a value as a message shows it: quoted, bounded, on one line."""
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
