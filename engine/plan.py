"""Plans: operations compiled for execution by levels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeGuard

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetails,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from strawberry import Schema
from strawberry.extensions import FieldExtension

from engine.arguments import Arguments, arguments_converter
from engine.error import UnsupportedError
from engine.field import ResolverField, TypeTest
from engine.leaf import Serialize, is_text, serializer

MAX_PLANS = 4
"""Most plans kept for one operation: one for each combination of the variables in its `@skip` and `@include`."""

Column = Callable[[Sequence[Any]], list[Any]]
"""Function from objects to the values of a leaf field."""


@dataclass(slots=True)
class FieldPlan:
    """A selected field that is not a plain column: it has a resolver, extensions or subfields."""

    name: str  # in the response
    declared: ResolverField
    shape: "Shape"
    arguments: Arguments | None  # None if they contain variables
    definition: GraphQLField
    node: FieldNode
    convert: Callable[[Mapping[str, Any]], Arguments]

    def coerce_arguments(self, variables: VariableValues | None) -> Arguments:
        """Return the arguments as the resolver takes them. Raises UnsupportedError for invalid ones."""
        if self.arguments is not None:
            return self.arguments
        try:
            return self.convert(get_argument_values(self.definition, self.node, variables))
        except Exception as error:  # also of an input's own checks
            raise UnsupportedError("An argument has an invalid value.") from error


@dataclass(slots=True)
class ObjectPlan:
    """The selected fields of one object type, in the order of the response."""

    type: GraphQLObjectType
    names: tuple[str, ...]
    columns: tuple[Column, ...]  # one for each name; the column of a field plan is filled in later
    fields: tuple[FieldPlan, ...]
    declared: tuple[ResolverField | None, ...]  # one for each name; None for `__typename`
    texts: tuple[int, ...]  # the indexes of the columns with texts

    def restrict(self, names: Sequence[str]) -> "ObjectPlan":
        """Return the plan of some of the fields, in the order of the response."""
        kept = [index for index, name in enumerate(self.names) if name in names]
        return ObjectPlan(
            self.type,
            tuple(self.names[index] for index in kept),
            tuple(self.columns[index] for index in kept),
            tuple(field for field in self.fields if field.name in names),
            tuple(self.declared[index] for index in kept),
            tuple(place for place, index in enumerate(kept) if index in self.texts),
        )


@dataclass(slots=True)
class LeafShape:
    """Values of a scalar or an enum."""

    serialize: Serialize
    is_required: bool
    is_text: bool


@dataclass(slots=True)
class ListShape:
    """Lists of values."""

    item: "Shape"
    is_required: bool


@dataclass(slots=True)
class ObjectShape:
    """Objects of a type, or of the possible types of an interface or union."""

    compiler: "_Compiler"
    type: GraphQLObjectType | GraphQLAbstractType
    selections: list[FieldDetails]
    is_required: bool
    types: "TypeFinder"
    plans: dict[str, ObjectPlan] = field(default_factory=dict)

    def plan(self, type_: GraphQLObjectType) -> ObjectPlan:
        """Return the plan of objects of that type, compiled on first use."""
        plan = self.plans.get(type_.name)
        if plan is None:
            plan = self.plans[type_.name] = self.compiler.compile_subfields(type_, self.selections)
        return plan


class TypeFinder:
    """Finds the types of objects among the possible ones."""

    def __init__(self, possible: Sequence[GraphQLObjectType]) -> None:
        """Take the possible types in the order in which they are tested."""
        tests = [type_.is_type_of for type_ in possible]
        keys = {test.key for test in tests if isinstance(test, TypeTest)}
        self.possible = possible
        self._key = keys.pop() if len(keys) == 1 and all(isinstance(test, TypeTest) for test in tests) else None
        self._types: dict[Any, GraphQLObjectType] = {}
        self._is_certain = tests == [None]

    def group(self, sources: Sequence[Any]) -> dict[str, tuple[GraphQLObjectType, list[int]]]:
        """Return the type and the indexes of its objects, by the type's name. Raises UnsupportedError for others."""
        groups: dict[str, tuple[GraphQLObjectType, list[int]]] = {}
        if self._is_certain:
            return {self.possible[0].name: (self.possible[0], list(range(len(sources))))}
        for index, source in enumerate(sources):
            type_ = self._find(source)
            groups.setdefault(type_.name, (type_, []))[1].append(index)
        return groups

    def _find(self, source: Any) -> GraphQLObjectType:
        if self._key is None:
            return self._test(source)
        key = self._key(source)
        type_ = self._types.get(key)
        if type_ is None:
            type_ = self._types[key] = self._test(source)
        return type_

    def _test(self, source: Any) -> GraphQLObjectType:
        info: Any = None  # graphql-core passes it on; the tests that Strawberry makes do not read it
        for type_ in self.possible:
            if type_.is_type_of is not None and type_.is_type_of(source, info):
                return type_
        raise UnsupportedError("The type of an object is not known.")


Shape = LeafShape | ListShape | ObjectShape


@dataclass(slots=True, eq=False, weakref_slot=True)
class Plan:
    """An operation, compiled for the values of the variables in its `@skip` and `@include`.

    `derived` keeps objects made from the plan as long as the plan lives. They refer to parts of it, which refer to the
    plan: a WeakKeyDictionary of plans would never lose them.
    """

    root: ObjectPlan
    schema: Schema
    derived: dict[type, Any] = field(default_factory=dict)


class Operation:
    """A query or subscription of a document, and its plans."""

    def __init__(
        self, schema: Schema, definition: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]
    ) -> None:
        """Take the query; `compile_operation` finds it."""
        self.schema, self.definition, self.fragments = schema, definition, dict(fragments)
        self._conditions = _condition_variables(definition, fragments)
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self.field_count = 0
        """Number of fields in all plans: each takes about 1 kB."""

    def variable_values(self, given: Mapping[str, Any] | None) -> VariableValues:
        """Coerce the given variables. Raises UnsupportedError for invalid ones."""
        declared = self.definition.variable_definitions or ()
        values = get_variable_values(_graphql(self.schema), declared, dict(given or {}), max_errors=1)
        if isinstance(values, list):
            raise UnsupportedError("A variable has an invalid value.")
        return values

    def plan(self, variables: VariableValues) -> Plan:
        """Return the plan for these variables, compiled on first use."""
        key = tuple(variables.coerced.get(name) for name in self._conditions)
        plan = self._plans.get(key)
        if plan is None:
            plan = _Compiler(self, variables).compile()
            if len(self._plans) < MAX_PLANS:
                self._plans[key] = plan
        return plan


def compile_operation(schema: Schema, document: DocumentNode, operation_name: str | None) -> Operation:
    """Return the query or subscription with that name, or the only operation, of a valid document.

    A plan of a subscription executes it for one event, which is the root value. Raises UnsupportedError for a mutation.
    """
    if schema.config.default_resolver is not getattr:
        raise UnsupportedError("Attributes are read by a resolver of the schema's own.")
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = [each for each in operations if operation_name is None or (each.name and each.name.value == operation_name)]
    if len(named) != 1 or named[0].operation is OperationType.MUTATION:
        raise UnsupportedError("Only queries and subscriptions have plans.")
    fragments = {}
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            if node.variable_definitions:
                raise UnsupportedError("A fragment has variables.")
            fragments[node.name.value] = FragmentDetails(node)
    return Operation(schema, named[0], fragments)


class _Compiler:
    """Compiles one operation for given variables."""

    def __init__(self, operation: Operation, variables: VariableValues) -> None:
        self.operation, self.variables = operation, variables
        self.schema = operation.schema
        self.graphql = _graphql(operation.schema)
        self._plans: dict[tuple[Any, ...], ObjectPlan] = {}

    def compile(self) -> Plan:
        root = self.graphql.get_root_type(self.operation.definition.operation)
        if root is None:
            raise UnsupportedError("The schema has no such operations.")
        return Plan(self._object(root, self._collect(collect_fields, root, self.operation.definition)), self.schema)

    def compile_subfields(self, type_: GraphQLObjectType, selections: list[FieldDetails]) -> ObjectPlan:
        # Else each path of types through interfaces would have plans of its own.
        key = (type_.name, *(id(each.node) for each in selections))
        plan = self._plans.get(key)
        if plan is None:
            selected = self._collect(collect_subfields, self.operation.definition, type_, selections)
            plan = self._plans[key] = self._object(type_, selected)
        return plan

    def _collect(self, collect: Callable[..., CollectedFields], *arguments: Any) -> GroupedFieldSet:
        try:
            return collect(self.graphql, self.operation.fragments, self.variables, *arguments).grouped_field_set
        except (GraphQLError, RecursionError) as error:
            raise UnsupportedError("The fields cannot be collected.") from error

    def _object(self, type_: GraphQLObjectType, selected: GroupedFieldSet) -> ObjectPlan:
        self.operation.field_count += len(selected)
        columns: list[Column] = []
        fields: list[FieldPlan] = []
        declarations: list[ResolverField | None] = []
        texts: list[int] = []
        for name, details in selected.items():
            field_name = details[0].node.name.value
            if field_name == "__typename":
                columns.append(_constant(type_.name))
                declarations.append(None)
                continue
            if field_name.startswith("__"):
                raise UnsupportedError("Introspection has no plan.")
            definition = type_.fields[field_name]
            declared = definition.extensions.get("strawberry-definition")
            if not _is_supported(declared):
                raise UnsupportedError(f"{type_.name}.{field_name} is not a field with a resolver of its own.")
            column = _column(declared, definition.type)
            if column is not None and is_text(get_named_type(definition.type)):
                texts.append(len(columns))
            columns.append(column or _constant(None))
            declarations.append(declared)
            if column is None:
                fields.append(self._field(name, declared, definition, details))
        return ObjectPlan(type_, tuple(selected), tuple(columns), tuple(fields), tuple(declarations), tuple(texts))

    def _field(
        self, name: str, declared: ResolverField, definition: GraphQLField, details: list[FieldDetails]
    ) -> FieldPlan:
        node = details[0].node
        shape = self._shape(definition.type, details, is_required=False)
        plan = FieldPlan(name, declared, shape, None, definition, node, arguments_converter(self.schema, declared))
        if not definition.args:
            plan.arguments = {}
        elif not _has_variables(node):
            plan.arguments = plan.coerce_arguments(None)
        return plan

    def _shape(self, type_: GraphQLOutputType, details: list[FieldDetails], *, is_required: bool) -> Shape:
        if isinstance(type_, GraphQLNonNull):
            return self._shape(type_.of_type, details, is_required=True)
        if isinstance(type_, GraphQLList):
            return ListShape(self._shape(type_.of_type, details, is_required=False), is_required)
        if is_leaf_type(type_):
            return LeafShape(serializer(type_), is_required, is_text(type_))
        assert isinstance(type_, GraphQLObjectType) or is_abstract_type(type_)  # noqa: S101 - tells the type checker that all other types were handled
        possible = [type_] if isinstance(type_, GraphQLObjectType) else self.graphql.get_possible_types(type_)
        if is_abstract_type(type_) and any(each.is_type_of is None for each in possible):
            raise UnsupportedError("A possible type has no test.")
        return ObjectShape(self, type_, details, is_required, TypeFinder(possible))


def _graphql(schema: Schema) -> Any:
    return schema._schema  # noqa: SLF001 - Strawberry gives it no other name


def _is_supported(declared: object) -> TypeGuard[ResolverField]:
    """Return whether the engine resolves the field like Strawberry does."""
    return (
        isinstance(declared, ResolverField)
        and declared.base_resolver is None
        and type(declared).get_result is ResolverField.get_result
        and all(
            extension.supports_sync and type(extension).map_arguments is FieldExtension.map_arguments
            for extension in declared.extensions
        )
    )


def _constant(value: object) -> Column:
    return lambda sources: [value] * len(sources)


def _column(declared: ResolverField, type_: GraphQLOutputType) -> Column | None:
    """Return the column of a field that reads a leaf value from an attribute; None for any other field."""
    is_required = isinstance(type_, GraphQLNonNull)
    leaf = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if not declared.is_basic_field or declared.extensions or not is_leaf_type(leaf):
        return None
    read, serialize = attrgetter(declared.python_name), serializer(leaf)
    return lambda sources: serialize_column(list(map(read, sources)), serialize, is_required=is_required)


def serialize_column(values: list[Any], serialize: Serialize, *, is_required: bool) -> list[Any]:
    """Serialise values that may be None. Raises UnsupportedError for a None where a value is required."""
    present = [value for value in values if value is not None]
    if len(present) == len(values):
        return serialize(values)
    if is_required:
        raise UnsupportedError("A required value is null.")
    serialized = iter(serialize(present))
    return [None if value is None else next(serialized) for value in values]


def _has_variables(node: FieldNode) -> bool:
    return bool(_variables_in(*(node.arguments or ())))


def _condition_variables(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]
) -> tuple[str, ...]:
    """Return the names of the variables that directives of the document use."""
    found = _DirectiveVariables()
    for node in [operation, *(each.definition for each in fragments.values())]:
        visit(node, found)
    return tuple(sorted(found.names))


class _DirectiveVariables(Visitor):
    """Collects the names of the variables in directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: Any, *_: Any) -> None:
        self.names |= _variables_in(*(node.arguments or ()))


def _variables_in(*nodes: Any) -> set[str]:
    names: set[str] = set()

    class Variables(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            names.add(node.name.value)

    for node in nodes:
        visit(node, Variables())
    return names
