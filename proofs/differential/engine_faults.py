"""Planted faults of the engine. The differential test must find each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from graphql import DocumentNode, GraphQLLeafType, OperationDefinitionNode, VariableDefinitionNode
from graphql.execution.values import get_variable_values
from strawberry import Schema

from engine.execution import _call_for_each, _Execution
from engine.load import Batch, _Waiting
from engine.plan import FieldPlan, ObjectPlan, TypeFinder, _Compiler, compile_operation
from permissions import OperationError


@dataclass(frozen=True)
class EngineFault:
    """A fault of the engine: replacements by the path of the attribute that they replace."""

    description: str
    replacements: Mapping[str, Any]
    seed: int = 0  # of a world in which the fault is found soon

    @contextmanager
    def plant(self) -> Iterator[None]:
        """Put the fault into the engine. Raises AttributeError for a path that the engine no longer has."""
        with ExitStack() as stack:
            for path, replacement in self.replacements.items():
                stack.enter_context(patch(path, replacement))
            yield


_shape, _object, _field = _Compiler._shape, _Compiler._object, _Compiler._field  # noqa: SLF001 - faults are inside
_objects, _complete_lists = _Execution._objects, _Execution._complete_lists  # noqa: SLF001 - the fault changes private parts
_group, _read, _advance = TypeFinder.group, Batch.read, _Waiting.advance


def _shape_of_first(compiler: _Compiler, type_: Any, details: list[Any], *, is_required: bool) -> Any:
    return _shape(compiler, type_, details[:1], is_required=is_required)


def _nullable_shape(compiler: _Compiler, type_: Any, details: list[Any], *, is_required: bool) -> Any:
    del is_required
    return _shape(compiler, type_, details, is_required=False)


def _no_conditions(*_: object) -> tuple[str, ...]:
    return ()


def _field_with_arguments_of_first(compiler: Any, name: str, declared: Any, definition: Any, details: Any) -> FieldPlan:
    plan = _field(compiler, name, declared, definition, details)
    first = compiler.__dict__.setdefault("first", {}).setdefault(id(definition), plan)
    plan.node, plan.arguments = first.node, first.arguments
    return plan


def _objects_in_another_order(execution: _Execution, shape: Any, sources: list[Any], occurrences: Any) -> list[Any]:
    completed = _objects(execution, shape, sources, occurrences)
    return completed if len(set(map(id, sources))) == len(sources) else completed[::-1]


def _lists_without_nulls(execution: _Execution, shape: Any, lists: list[Any], occurrences: Any) -> list[Any]:
    shortened = [[item for item in each if item is not None] for each in lists]
    return _complete_lists(execution, shape, shortened, occurrences)


def _group_by_type_of_first(finder: TypeFinder, sources: Sequence[Any]) -> dict[str, Any]:
    groups = _group(finder, sources)
    return {name: (type_, list(range(len(sources)))) for name, (type_, _) in list(groups.items())[:1]}


def _raw_serializer(_leaf: GraphQLLeafType) -> Callable[[Sequence[Any]], list[Any]]:
    return list


def _without_extensions(plan: FieldPlan) -> Callable[..., Any]:
    def call(source: Any, info: Any, **arguments: Any) -> Any:
        declared = plan.declared
        if declared.resolver is None:
            return getattr(source, declared.python_name)
        return declared.resolver(source, info.context, **arguments)

    return call


def _variables_without_defaults(
    schema: Any, declared: Sequence[VariableDefinitionNode], given: Any, **options: Any
) -> Any:
    names = ("variable", "type", "directives", "loc")
    bare = [VariableDefinitionNode(**{name: getattr(node, name) for name in names}) for node in declared]
    return get_variable_values(schema, bare, given, **options)


def _compile_first(schema: Schema, document: DocumentNode, _name: str | None) -> Any:
    first = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return compile_operation(schema, document, first.name.value if first.name else None)


def _object_in_another_order(compiler: _Compiler, type_: Any, selected: Any) -> ObjectPlan:
    return _object(compiler, type_, dict(sorted(selected.items())))


async def _read_in_another_order(batch: Any) -> None:
    loads = [batch._loads[key] for key in batch._asked]  # noqa: SLF001 - the fault changes private parts
    await _read(batch)
    values = [load.value for load in loads]
    for load, value in zip(loads, reversed(values), strict=True):
        load.value = value


def _call_for_each_without_errors(*arguments: Any) -> list[Any]:
    try:
        return _call_for_each(*arguments)
    except OperationError:
        return [None] * len(arguments[1])


def _advance_without_errors(waiting: Any) -> bool:
    try:
        return _advance(waiting)
    except OperationError:
        waiting._column[waiting._index] = None  # noqa: SLF001 - the fault changes private parts
        return True


ENGINE_FAULTS = (
    EngineFault("a merged field has only its first selection", {"engine.plan._Compiler._shape": _shape_of_first}),
    EngineFault("the first plan serves all conditions", {"engine.plan._condition_variables": _no_conditions}, seed=7),
    EngineFault("aliases share arguments", {"engine.plan._Compiler._field": _field_with_arguments_of_first}, seed=12),
    EngineFault("repeated objects are mixed up", {"engine.execution._Execution._objects": _objects_in_another_order}),
    EngineFault("nulls in lists are dropped", {"engine.execution._Execution._complete_lists": _lists_without_nulls}),
    EngineFault(
        "all objects have the type of the first", {"engine.plan.TypeFinder.group": _group_by_type_of_first}, seed=5
    ),
    EngineFault("leaf values are not serialized", {"engine.plan.serializer": _raw_serializer}),
    EngineFault("permissions are not checked", {"engine.execution._with_extensions": _without_extensions}),
    EngineFault(
        "variables have no defaults", {"engine.plan.get_variable_values": _variables_without_defaults}, seed=21
    ),
    EngineFault("the first operation is executed", {"app.query_engine.compile_operation": _compile_first}),
    EngineFault("fields come in another order", {"engine.plan._Compiler._object": _object_in_another_order}),
    EngineFault("loaded values are mixed up", {"engine.load.Batch.read": _read_in_another_order}),
    EngineFault(
        "errors are nulls",
        {
            "engine.execution._call_for_each": _call_for_each_without_errors,
            "engine.load._Waiting.advance": _advance_without_errors,
            "engine.plan._Compiler._shape": _nullable_shape,
        },
    ),
)
