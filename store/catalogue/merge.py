"""Three-way merge of a line: changes in the file since its last import apply; all else stays as edited."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Values = Mapping[str, Any]


class Merged(NamedTuple):
    """Merged values of a line's fields, and the fields that differ from the line because people changed them."""

    values: dict[str, Any]
    kept: list[str]


def merge(line: Values, imported: Values | None, current: Values) -> Merged:
    """Merge the fields of a line with the object's current values.

    `imported` has the line's fields at the last import. Without it the object counts as edited by people: all of its
    values stay.
    """
    applied = {name for name, value in line.items() if imported is not None and value != imported[name]}
    values = {name: value if name in applied else current[name] for name, value in line.items()}
    return Merged(values, [name for name, value in values.items() if value != line[name]])
