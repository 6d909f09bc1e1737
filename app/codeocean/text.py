"""Texts of the platform, changed to a form that a catalogue accepts."""

from collections.abc import Iterable
from datetime import UTC, datetime
from unicodedata import category, normalize

from store.text import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, clean_name

ELLIPSIS = "…"


def fit_text(text: str, max_length: int = MAX_TEXT_LENGTH, *, multiline: bool = False) -> str:
    """Return the text without control characters, trimmed, and cut at the maximum length."""
    kept = "\n\r\t" if multiline else ""
    visible = "".join(each for each in normalize("NFC", text) if each in kept or category(each) not in {"Cc", "Cs"})
    trimmed = visible.strip()
    return trimmed if len(trimmed) <= max_length else trimmed[: max_length - 1].rstrip() + ELLIPSIS


def fit_name(text: str, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return the text as a name: on one line and, if an import would refuse it, without invisible characters."""
    name = fit_text(" ".join(text.split()), max_length)
    try:
        return clean_name(name, max_length)
    except ValueError:
        visible = "".join(each for each in name if is_visible(each))
        return " ".join(visible.split())


def is_visible(character: str) -> bool:
    """Return whether a name may contain the character anywhere."""
    try:
        clean_name(f"a{character}a")
    except ValueError:
        return False
    return True


def fit_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags that are not empty."""
    return [tag for tag in map(fit_name, tags) if tag]


def format_seconds(seconds: float) -> str:
    """Return seconds since 1970 as a timestamp in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
