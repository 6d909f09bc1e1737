"""Limits of the lists in arguments and variables, checked before any value is coerced.

Coercion takes microseconds for each value of a list, and would otherwise come before the resolver's own checks.
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


class ListArgument(NamedTuple):
    """An argument of a document whose type has lists."""

    name: str
    type: GraphQLInputType
    value: ValueNode


def find_list_arguments(schema: GraphQLSchema, document: DocumentNode) -> Sequence[ListArgument]:
    """Return the arguments of a valid document whose types have lists. Takes a walk through the document."""
    types = TypeInfo(schema)
    found = _ListArguments(types)
    visit(document, TypeInfoVisitor(types, found))
    return found.arguments


def list_errors(arguments: Sequence[ListArgument], variables: Mapping[str, Any]) -> Iterator[GraphQLError]:
    """Yield an error for each list of the arguments that is too long, with its path, its length and the limit.

    Variables are values, not coerced yet, or nodes, of their default values.
    """
    check = _Check(variables)
    for argument in arguments:
        for path, length, limit in check.value(argument.value, argument.type, argument.name, LIMITS.list_items):
            message = f"{path} has {length:,} values; at most {limit:,} are allowed. Send several requests."
            yield GraphQLError(message, argument.value, extensions={"code": RequestErrorCode.LIMIT_EXCEEDED})


class _ListArguments(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types, self.arguments = types, list[ListArgument]()

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        argument = self._types.get_argument()
        if argument is not None and _has_lists(argument.type):
            self.arguments.append(ListArgument(node.name.value, argument.type, node.value))


@cache
def _has_lists(type_: GraphQLInputType) -> bool:
    nullable = get_nullable_type(type_)
    if isinstance(nullable, GraphQLInputObjectType):
        return any(_has_lists(field.type) for field in nullable.fields.values())
    return isinstance(nullable, GraphQLList)


@dataclass(frozen=True)
class _Check:
    """Check of values, nodes or not, which yields the path, the length and the limit of each list that is too long."""

    variables: Mapping[str, Any]

    def value(self, value: Any, type_: GraphQLInputType, path: str, limit: int) -> Iterator[tuple[str, int, int]]:
        if isinstance(value, VariableNode):
            value = self.variables.get(value.name.value)
        nullable = get_nullable_type(type_)
        if isinstance(nullable, GraphQLList):
            yield from self._list(value, nullable.of_type, path, limit)
        elif isinstance(nullable, GraphQLInputObjectType):
            yield from self._object(value, nullable, path)

    def _list(self, value: Any, type_: GraphQLInputType, path: str, limit: int) -> Iterator[tuple[str, int, int]]:
        items = value.values if isinstance(value, ListValueNode) else value
        if not isinstance(items, list | tuple):
            items = (items,)  # GraphQL takes a single value for a list of one
        if len(items) > limit:
            yield path, len(items), limit
        elif _has_lists(type_):
            for index, item in enumerate(items):
                yield from self.value(item, type_, f"{path}.{index}", limit)

    def _object(self, value: Any, type_: GraphQLInputObjectType, path: str) -> Iterator[tuple[str, int, int]]:
        if isinstance(value, ObjectValueNode):
            value = {field.name.value: field.value for field in value.fields}
        if isinstance(value, dict):
            for name, field in type_.fields.items():
                if name in value and _has_lists(field.type):
                    limit = ITEMS_OF.get(f"{type_.name}.{name}", LIMITS.list_items)
                    yield from self.value(value[name], field.type, f"{path}.{name}", limit)
