"""Errors of invalid arguments, with the place that graphql-core or Strawberry would leave out."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from graphql import (
    FloatValueNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLNamedType,
    GraphQLScalarType,
    IntValueNode,
    ValueNode,
    is_specified_scalar_type,
    value_from_ast_untyped,
)
from graphql.type.scalars import parse_int_literal
from strawberry.schema.schema_converter import GraphQLCoreConverter

MAX_DIGITS: Final = 400
"""Most characters of a number: Python reads no int of more than 4,300 digits, and no Float has so many."""


def locate_errors(types: Iterable[GraphQLNamedType]) -> None:
    """Have the errors of custom scalars and of @oneOf inputs name the place in the document or in the variables."""
    for type_ in types:
        if isinstance(type_, GraphQLScalarType) and not is_specified_scalar_type(type_):
            type_.coerce_input_literal = _locate(type_.name, _parse_untyped(type_))
        elif isinstance(type_, GraphQLInputObjectType):
            type_.is_one_of = bool(type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].is_one_of)


def _parse_untyped(type_: GraphQLScalarType) -> Callable[[ValueNode], Any]:
    return lambda node: type_.coerce_input_value(value_from_ast_untyped(node))


def _locate(name: str, parse: Callable[[ValueNode], Any]) -> Callable[[ValueNode], Any]:
    def parse_located(node: ValueNode) -> Any:
        if isinstance(node, (IntValueNode, FloatValueNode)) and len(node.value) > MAX_DIGITS:
            raise GraphQLError(f"{name} cannot represent a number of {len(node.value):,} digits.", node)
        try:
            return parse(node)
        except GraphQLError as error:
            raise GraphQLError(error.message, error.nodes or node) from None

    return parse_located


# graphql-core has one `Int` for all schemas.
GraphQLInt.coerce_input_literal = _locate("Int", parse_int_literal)
