"""Conversion of argument values to those that resolvers take, compiled once for each field."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from strawberry import UNSET, Schema
from strawberry.relay import GlobalID
from strawberry.scalars import is_scalar
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

Arguments = dict[str, Any]
Convert = Callable[[Any], Any]


def arguments_converter(schema: Schema, declared: StrawberryField) -> Callable[[Mapping[str, Any]], Arguments]:
    """Return a function that converts a field's coerced arguments like Strawberry's `convert_arguments`."""
    compiler = _Compiler(schema)
    converters = [
        (
            schema.config.name_converter.from_argument(argument),
            str(argument.python_name),
            compiler.converter(argument.type),
        )
        for argument in declared.arguments
    ]

    def convert(values: Mapping[str, Any]) -> Arguments:
        return {python_name: convert(values[name]) for name, python_name, convert in converters if name in values}

    return convert


class _Compiler:
    """Compiler of converters for a schema's types."""

    def __init__(self, schema: Schema) -> None:
        self._config = schema.config
        self._scalars = schema.schema_converter.scalar_registry

    def converter(self, type_: Any) -> Convert:
        """Return the converter of values of a type, which keeps None and UNSET."""
        if isinstance(type_, StrawberryOptional) and not isinstance(type_, StrawberryMaybe):
            return self.converter(type_.of_type)
        if isinstance(type_, StrawberryList):
            return self._list(self.converter(type_.of_type))
        is_leaf = isinstance(type_, StrawberryEnumDefinition) or is_scalar(type_, self._scalars)
        if is_leaf and type_ is not GlobalID:
            return _keep
        if isinstance(type_, LazyType) or not has_object_definition(type_):
            return lambda value: convert_argument(value, type_, self._scalars, self._config)
        return self._input(type_)

    def _list(self, item: Convert) -> Convert:
        return lambda values: values if values is None or values is UNSET else [item(value) for value in values]

    def _input(self, type_: Any) -> Convert:
        definition = type_.__strawberry_definition__
        if definition.from_input is not None:
            return lambda value: convert_argument(value, type_, self._scalars, self._config)
        defaults = dict.fromkeys(each.python_name for each in definition.fields if not _has_default(each))
        fields = [
            (
                self._config.name_converter.from_field(each),
                each.python_name,
                self.converter(each.resolve_type(type_definition=definition)),
            )
            for each in definition.fields
        ]

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            given = {python_name: convert(value[name]) for name, python_name, convert in fields if name in value}
            return type_(**(defaults | given))

        return convert


def _has_default(field: StrawberryField) -> bool:
    return field.default_value is not MISSING or field.default_factory is not MISSING


def _keep(value: Any) -> Any:
    return value
