"""Lines of an export: the fields of the import's models, in their order, without those that have their default."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from store.catalogue.lines import Line

ExportedLine = dict[str, Any]
ExportedLines = AsyncIterator[ExportedLine]


def build_line(model: type[Line], kind: str, values: Mapping[str, Any]) -> ExportedLine:
    """Return the line with these values by field. A field without a value, or with its default, is omitted.

    A list that is required has to be among the values.
    """
    line: ExportedLine = {"kind": kind}
    for name, field in model.model_fields.items():
        if name != "kind" and (field.is_required() or values.get(name, field.default) != field.default):
            line[name] = values[name]
    return line
