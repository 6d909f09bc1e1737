"""Errors of invalid arguments, with the place that graphql-core or Strawberry would leave out."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from graphql import (
    FloatValueNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLNamedType,
    GraphQLScalarType,
    GraphQLString,
    IntValueNode,
    Node,
    ObjectFieldNode,
    ValueNode,
    is_specified_scalar_type,
    value_from_ast_untyped,
)
from graphql.type.scalars import (
    parse_boolean_literal,
    parse_float_literal,
    parse_id_literal,
    parse_int_literal,
    parse_string_literal,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

MAX_DIGITS: Final = 400
"""Most characters of a number: Python reads no int of more than 4,300 digits, and no Float has so many."""


def locate_errors(types: Iterable[GraphQLNamedType]) -> None:
    """Have the errors of scalars, enums and @oneOf inputs name the place in the document or in the variables."""
    for type_ in types:
        if isinstance(type_, GraphQLScalarType) and not is_specified_scalar_type(type_):
            type_.coerce_input_literal = _locate(type_.name, _parse_untyped(type_))
        elif isinstance(type_, GraphQLEnumType):
            type_.coerce_input_literal = _locate(type_.name, type_.coerce_input_literal)  # type: ignore[method-assign]  # replaced on this enum only
        elif isinstance(type_, GraphQLInputObjectType):
            type_.is_one_of = bool(type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].is_one_of)


def _parse_untyped(type_: GraphQLScalarType) -> Callable[[ValueNode], Any]:
    return lambda node: type_.coerce_input_value(value_from_ast_untyped(node))


def _locate(name: str, parse: Callable[..., Any]) -> Callable[..., Any]:
    def parse_located(node: ValueNode, *options: Any) -> Any:
        if isinstance(node, (IntValueNode, FloatValueNode)) and len(node.value) > MAX_DIGITS:
            raise GraphQLError(f"{name} cannot represent a number of {len(node.value):,} digits.", node)
        try:
            return parse(node, *options)
        except GraphQLError as error:
            raise GraphQLError(error.message, _placed(node)) from None

    return parse_located


def _placed(node: Node) -> Node:
    """Return the node, or the first one in it with a place: graphql-core copies lists and objects without theirs."""
    if node.loc is not None:
        return node
    children = getattr(node, "values", ()) or getattr(node, "fields", ())
    inner = [node.value] if isinstance(node, ObjectFieldNode) else children
    return next((placed for placed in map(_placed, inner) if placed.loc is not None), node)


# graphql-core has one of each for all schemas.
for _scalar, _parse in (
    (GraphQLBoolean, parse_boolean_literal),
    (GraphQLFloat, parse_float_literal),
    (GraphQLID, parse_id_literal),
    (GraphQLInt, parse_int_literal),
    (GraphQLString, parse_string_literal),
):
    _scalar.coerce_input_literal = _locate(_scalar.name, _parse)
