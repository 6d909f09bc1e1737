"""Random values of arguments, as literals and variables: valid ones mostly, and those that a server must refuse."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    get_named_type,
    get_nullable_type,
)

from proofs.interference.operations import CURSOR_ARGUMENTS, GARBAGE, SCHEMA, OperationGenerator, Vocabulary

MISSING: Final = object()
"""Value of a variable that the request does not have."""

PAGE_SIZES = (0, 1, 1, 2, 2, 3, 3, 5, 100)
REFUSED_PAGE_SIZES = (None, -1, 101)
WRONG_VALUES: tuple[Any, ...] = (None, True, 1.5, 2**40, "x", [], {}, {"x": 1})
"""Values for variables of any type: most are coerced or refused."""

_TYPE_NAMES = (*SCHEMA.type_map, "Nothing")


class Variable(NamedTuple):
    """Variable of a document: its type, the literal of its default ("" without one), and its value."""

    type: str
    default: str
    value: Any

    @property
    def is_never_null(self) -> bool:
        """Whether the variable is allowed in a non-null position."""
        return self.type.endswith("!") or self.default not in {"", "null"}

    def define(self, name: str) -> str:
        """Return the variable's definition."""
        return f"${name}: {self.type}{f' = {self.default}' if self.default else ''}"


@dataclass
class ArgumentValues:
    """Generator of the arguments of one document. It collects the variables that it creates."""

    random: Random
    vocabulary: Vocabulary
    cursors: Mapping[str, Sequence[str]]
    """Cursors of earlier responses by the name of the list's field."""
    page_sizes: Sequence[int] = PAGE_SIZES
    variables: dict[str, Variable] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """Names of the variables in the current fragment or operation."""

    def __post_init__(self) -> None:
        """Create the generator of values by name and type."""
        self._values = OperationGenerator(self.random, self.vocabulary)

    def arguments(self, name: str, arguments: Mapping[str, GraphQLArgument]) -> str:
        """Generate the arguments of the field or directive of that name, in random order, with their parentheses."""
        included = [
            argument
            for argument, definition in arguments.items()
            if _is_required(definition) or self.happens(0.07 if argument in CURSOR_ARGUMENTS else 0.35)
        ]
        if "first" in included and "last" in included and self.happens(0.9):
            included.remove(self.random.choice(("first", "last")))
        self.random.shuffle(included)
        texts = [f"{argument}: {self._argument(name, argument, arguments[argument])}" for argument in included]
        return f"({', '.join(texts)})" if texts else ""

    def directives(self) -> str:
        """Generate @skip and @include, usually neither. Their conditions keep the selection in most cases."""
        texts = [
            f" @{name}(if: {self._condition(value=self.happens(0.3) ^ (name == 'include'))})"
            for name in ("skip", "include")
            if self.happens(0.06)
        ]
        self.random.shuffle(texts)
        return "".join(texts)

    def happens(self, chance: float) -> bool:
        """Return True with this probability."""
        return self.random.random() < chance

    def _condition(self, *, value: bool) -> str:
        if self.happens(0.4):
            return json.dumps(value)
        if known := [name for name, variable in self.variables.items() if variable.type.startswith("Boolean")]:
            name = self.random.choice(known)
            if self.happens(0.5) and self.variables[name].is_never_null:
                self.used.add(name)
                return f"${name}"
        return self._variable(SCHEMA.type_map["Boolean"], value, is_required=True)

    def _argument(self, name: str, argument: str, definition: GraphQLArgument) -> str:
        value = self._value(name, argument, definition.type)
        return self._text(argument, definition.type, value, has_default=definition.default_value is not Undefined)

    def _value(self, name: str, argument: str, kind: Any) -> Any:
        """Generate the value of an argument of the field of that name."""
        is_nullable = not isinstance(kind, GraphQLNonNull)
        if argument in {"first", "last"}:
            return self.random.choice(REFUSED_PAGE_SIZES if self.happens(0.08) else self.page_sizes)
        if is_nullable and self.happens(0.08):
            return None
        if argument in CURSOR_ARGUMENTS:
            return self._cursor(name)
        if name.startswith("__"):
            return self.random.choice(_TYPE_NAMES) if argument == "name" else self.happens(0.5)
        value = self._values.value(argument, get_nullable_type(kind), name)
        return self._safe_input(get_named_type(kind), value) if argument == "input" else value

    def _cursor(self, name: str) -> str:
        if self.happens(0.8) and (known := self.cursors.get(name)):
            return self.random.choice(known[-20:])
        every = [cursor for known in self.cursors.values() for cursor in known[-4:]]
        cut = [cursor[:-1] for cursor in every[-4:]]
        return self.random.choice([*every, *cut, "", "?", "A" * 40])

    def _safe_input(self, kind: Any, value: dict[str, Any]) -> dict[str, Any]:
        """Return the input of a mutation such that it changes nothing: a dry run, or a change of an unknown object."""
        assert isinstance(kind, GraphQLInputObjectType)
        value.pop("idempotencyKey", None)
        if "dryRun" in kind.fields:
            return value | {"dryRun": True}
        return value | {name: self.random.choice(GARBAGE) for name in subject_fields(kind)}

    def _text(self, name: str, kind: Any, value: Any, *, has_default: bool = False, is_one_of: bool = False) -> str:
        """Return a literal of the value, or a variable with it, or a literal with variables inside."""
        inner: Any = get_nullable_type(kind)
        if self.happens(0.3) and name != "dryRun":
            is_required = isinstance(kind, GraphQLNonNull) and not (has_default and self.happens(0.3))
            return self._variable(inner, value, is_required=is_required or is_one_of, is_strict=is_one_of)
        if isinstance(inner, GraphQLList) and isinstance(value, list):
            if len(value) == 1 and not isinstance(value[0], list) and self.happens(0.3):
                return literal(inner.of_type, value[0])  # which GraphQL coerces to a list
            return f"[{', '.join(self._text(name, inner.of_type, item) for item in value)}]"
        if isinstance(inner, GraphQLInputObjectType) and value is not None:
            texts = [f"{field}: {self._input_field(field, inner, content)}" for field, content in value.items()]
            return f"{{{', '.join(texts)}}}"
        return literal(inner, value)

    def _input_field(self, name: str, kind: GraphQLInputObjectType, value: Any) -> str:
        definition = kind.fields[name]
        has_default = definition.default_value is not Undefined
        return self._text(name, definition.type, value, has_default=has_default, is_one_of=bool(kind.is_one_of))

    def _variable(self, kind: Any, value: Any, *, is_required: bool, is_strict: bool = False) -> str:
        """Create a variable and return its use. Its value is given, missing, null or, seldom, wrong.

        A strict one has a non-null type even if it has a default.
        """
        name = f"v{len(self.variables)}"
        other: Any = literal(kind, value) if value is not None else ""
        # A nullable variable is allowed in a non-null position if it has a default other than null.
        is_nullable = not is_required or (bool(other) and not is_strict and self.happens(0.2))
        default = other if is_nullable and (is_required or self.happens(0.3)) else ""
        if is_nullable and not is_required and not default and self.happens(0.05):
            default = "null"
        given = value
        if value is None and not is_nullable:
            given = MISSING
        elif self.happens(0.01):
            given = self.random.choice(WRONG_VALUES)
        elif is_nullable and self.happens(0.25):
            given = None if self.happens(0.06 if is_required else 0.4) else MISSING
        self.variables[name] = Variable(str(kind) + ("" if is_nullable else "!"), default, given)
        self.used.add(name)
        return f"${name}"


def literal(kind: Any, value: Any) -> str:
    """Write a value as a GraphQL literal of the type."""
    inner: Any = get_nullable_type(kind)
    if isinstance(inner, GraphQLList):
        if isinstance(value, list):
            return f"[{', '.join(literal(inner.of_type, item) for item in value)}]"
        return literal(inner.of_type, value)
    if isinstance(inner, GraphQLInputObjectType) and value is not None:
        texts = (f"{name}: {literal(inner.fields[name].type, content)}" for name, content in value.items())
        return f"{{{', '.join(texts)}}}"
    if isinstance(inner, GraphQLEnumType) and value is not None:
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def subject_fields(kind: GraphQLInputObjectType) -> list[str]:
    """Return the required fields of a mutation's input that identify the changed object."""
    return [name for name, definition in kind.fields.items() if str(definition.type) == "ID!"]


def _is_required(definition: GraphQLArgument | GraphQLInputField) -> bool:
    return isinstance(definition.type, GraphQLNonNull) and definition.default_value is Undefined
