"""Limits of the lists and objects in arguments and variables, checked before any value is coerced.

Coercion takes microseconds for each value of a list, and much longer for each unknown field of an object.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from graphql import (
    ArgumentNode,
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableNode,
    Visitor,
    get_nullable_type,
    visit,
)

from app.errors import RequestErrorCode
from resolvers.limits import LIMITS
from schema.sizes import ITEMS_OF


class InputArgument(NamedTuple):
    """An argument of a document that is a list or an object."""

    name: str
    type: GraphQLInputType
    value: ValueNode


class CheckedInputs(NamedTuple):
    """An error for each list that is too long, and the number of values in all lists."""

    errors: Sequence[GraphQLError] = ()
    values: int = 0


def find_input_arguments(schema: GraphQLSchema, document: DocumentNode) -> Sequence[InputArgument]:
    """Return the arguments of a valid document that are lists or objects. Takes a walk through the document."""
    types = TypeInfo(schema)
    found = _InputArguments(types)
    visit(document, TypeInfoVisitor(types, found))
    return found.arguments


def check_inputs(arguments: Sequence[InputArgument], variables: Mapping[str, Any]) -> CheckedInputs:
    """Check the lists of the arguments, each and all of them together.

    Variables are values, not coerced yet, or nodes, of their default values.
    """
    check = _Check(variables)
    errors = [
        _error(f"{problem} Send several requests.", argument.value)
        for argument in arguments
        for problem in check.value(argument.value, argument.type, argument.name, LIMITS.list_items)
    ]
    if check.total > LIMITS.bulk_items and not errors:
        problem = f"All lists of the arguments have {check.total:,} values; at most {LIMITS.bulk_items:,} are allowed."
        errors.append(_error(f"{problem} Send several requests.", arguments[0].value))
    return CheckedInputs(errors, check.total)


def _error(message: str, value: ValueNode) -> GraphQLError:
    return GraphQLError(message, value, extensions={"code": RequestErrorCode.LIMIT_EXCEEDED})


class _InputArguments(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types, self.arguments = types, list[InputArgument]()

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        argument = self._types.get_argument()
        if argument is not None and _has_parts(argument.type):
            self.arguments.append(InputArgument(node.name.value, argument.type, node.value))


@cache
def _has_parts(type_: GraphQLInputType) -> bool:
    """Return whether values of the type are lists or objects."""
    return isinstance(get_nullable_type(type_), GraphQLList | GraphQLInputObjectType)


@dataclass
class _Check:
    """Check of values, nodes or not, which yields a sentence for each list that is too long, and for some objects.

    An object with more fields than its type is invalid, but to say why takes graphql-core quadratic time.
    """

    variables: Mapping[str, Any]
    total: int = 0  # values in all lists

    def value(self, value: Any, type_: GraphQLInputType, path: str, limit: int) -> Iterator[str]:
        if isinstance(value, VariableNode):
            value = self.variables.get(value.name.value)
        nullable = get_nullable_type(type_)
        if isinstance(nullable, GraphQLList):
            yield from self._list(value, nullable.of_type, path, limit)
        elif isinstance(nullable, GraphQLInputObjectType):
            yield from self._object(value, nullable, path)

    def _list(self, value: Any, type_: GraphQLInputType, path: str, limit: int) -> Iterator[str]:
        items = value.values if isinstance(value, ListValueNode) else value
        if not isinstance(items, list | tuple):
            items = (items,)  # GraphQL takes a single value for a list of one
        self.total += len(items)
        if len(items) > limit:
            yield f"{path} has {len(items):,} values; at most {limit:,} are allowed."
        elif _has_parts(type_):
            for index, item in enumerate(items):
                yield from self.value(item, type_, f"{path}.{index}", limit)

    def _object(self, value: Any, type_: GraphQLInputObjectType, path: str) -> Iterator[str]:
        if isinstance(value, ObjectValueNode):
            value = {field.name.value: field.value for field in value.fields}
        if not isinstance(value, dict):
            return
        if len(value) > len(type_.fields):
            yield f"{path} has {len(value):,} fields; {type_.name} has {len(type_.fields)}."
            return
        for name, field in type_.fields.items():
            if name in value and _has_parts(field.type):
                limit = ITEMS_OF.get(f"{type_.name}.{name}", LIMITS.list_items)
                yield from self.value(value[name], field.type, f"{path}.{name}", limit)
