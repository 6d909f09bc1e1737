"""Texts of the platform, changed to a form that a catalogue accepts."""

from collections.abc import Iterable
from datetime import UTC, datetime

from store.text import fit_name


def fit_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags that are not empty."""
    return [tag for tag in map(fit_name, tags) if tag]


def format_seconds(seconds: float) -> str:
    """Return seconds since 1970 as a timestamp in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
