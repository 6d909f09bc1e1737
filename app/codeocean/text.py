"""Texts of the platform, changed to a form that a catalogue accepts."""

from collections.abc import Iterable
from datetime import UTC, datetime
from unicodedata import category, normalize

from store.text import MAX_NAME_LENGTH, MAX_TEXT_LENGTH

ELLIPSIS = "…"


def fit_text(text: str, max_length: int = MAX_TEXT_LENGTH, *, multiline: bool = False) -> str:
    """Return the text without control characters, trimmed, and cut at the maximum length."""
    kept = "\n\r\t" if multiline else ""
    visible = "".join(each for each in normalize("NFC", text) if each in kept or category(each) not in {"Cc", "Cs"})
    trimmed = visible.strip()
    return trimmed if len(trimmed) <= max_length else trimmed[: max_length - 1].rstrip() + ELLIPSIS


def fit_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags that are not empty."""
    return [tag for tag in (fit_text(tag, MAX_NAME_LENGTH) for tag in tags) if tag]


def format_seconds(seconds: float) -> str:
    """Return seconds since 1970 as a timestamp in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
