"""Lines of an export: the fields of the import's models, in their order, without those that have their default."""

from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any

from store.catalogue.lines import Line

ExportedLine = dict[str, Any]
ExportedLines = AsyncIterator[ExportedLine]


def build_line(model: type[Line], kind: str, values: Mapping[str, Any]) -> ExportedLine:
    """Return the line of that kind with these values by field, as `without_defaults` does."""
    return _omit_defaults(_defaults(model), {**_defaults(model), **values, "kind": kind})


def without_defaults(model: type[Line], values: Mapping[str, Any]) -> ExportedLine:
    """Return the values of the model's fields. A field without a value, or with its default, is omitted.

    A field that is required has to be among the values.
    """
    return _omit_defaults(_defaults(model), {**_defaults(model), **values})


def _omit_defaults(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> ExportedLine:
    """Return the values that are no defaults, given those of the same fields in the same order."""
    return {
        name: value
        for (name, value), default in zip(values.items(), defaults.values(), strict=True)
        if value is not default and value != default
    }


@cache
def _defaults(model: type[Line]) -> Mapping[str, Any]:
    """Return the default of each field: Pydantic computes these each time."""
    return {name: field.default for name, field in model.model_fields.items()}
