"""Gold standard awards: the columns of an asset without one, and the field change of a note."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from store.changes import LoggedFieldChange

NO_AWARD: Mapping[str, Any] = MappingProxyType({"is_gold": 0, "gold_at": None, "gold_by_pk": None, "gold_note": None})


def note_change(before: str | None, after: str | None) -> LoggedFieldChange:
    """Return the field change of an award's note, for AWARDED and REVOKED."""
    return {"field": "note", "before": before, "after": after}
