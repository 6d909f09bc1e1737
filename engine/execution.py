"""Execution of plans, level by level."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from graphql.execution.values import VariableValues

from engine.arguments import Arguments
from engine.error import UnsupportedError
from engine.leaf import Occurrences, count_characters, require_value
from engine.load import Column, LoadQueue
from engine.plan import (
    FieldPlan,
    LeafShape,
    ListShape,
    ObjectPlan,
    ObjectShape,
    Plan,
    Shape,
    serialize_column,
)

Data = dict[str, Any]
Check = Callable[[int, int], None]
"""Function that is called with the number of completed fields, and the number of characters of their texts."""


def check_nothing(_fields: int, _characters: int) -> None:
    """Allow an operation of any size."""


@dataclass(slots=True)
class Info:
    """The part of GraphQL's `info` that extensions of fields get."""

    context: Any


async def execute(
    plan: Plan,
    context: Any,
    variables: VariableValues,
    queue: LoadQueue,
    check: Check = check_nothing,
    *,
    root: Any = None,
) -> Data:
    """Return the data of the operation with this root value; no error occurred in it.

    Calls `check` for each level of each type, and at the end; an exception ends the execution.
    Suspends only where a read of the queue does.
    Raises UnsupportedError if graphql-core has to execute the operation.
    """
    (data,) = await complete(plan.root, [root], context, variables, queue, check=check)
    return data


async def complete(
    selection: ObjectPlan | ObjectShape,
    sources: list[Any],
    context: Any,
    variables: VariableValues,
    queue: LoadQueue,
    *,
    check: Check = check_nothing,
) -> list[Data]:
    """Return the data of the selection for each source; see `execute`."""
    return await _Execution(context, variables, queue, check).run(selection, sources)


@dataclass(slots=True)
class _Task:
    """A field to resolve for several objects, and their data, which gets its values."""

    field: FieldPlan
    sources: Sequence[Any]
    targets: list[Data]
    occurrences: Occurrences  # of the objects


class _Started(NamedTuple):
    """A task whose resolvers were called."""

    task: _Task
    column: Column


class _Execution:
    """Execution of one operation, with the tasks that are not started yet."""

    def __init__(self, context: Any, variables: VariableValues, queue: LoadQueue, check: Check) -> None:
        self._context, self._variables, self._queue, self._check = context, variables, queue, check
        self._tasks: deque[_Task] = deque()
        self._completed_fields = self._characters = 0

    async def run(self, selection: ObjectPlan | ObjectShape, sources: list[Any]) -> list[Data]:
        if isinstance(selection, ObjectPlan):
            data = self._complete_objects(selection, sources, None)
        else:
            data = self._objects(selection, sources, None)
        waiting: list[_Started] = []
        try:
            while self._tasks or waiting:
                waiting = [started for started in waiting if not self._advance(started)]
                while self._tasks:
                    task = self._tasks.popleft()
                    started = _Started(task, Column(self._resolve(task)))
                    waiting.append(started)
                    if self._advance(started):
                        waiting.pop()
                if waiting:
                    await self._queue.read()
        finally:
            for started in waiting:
                started.column.close()
        self._check(self._completed_fields, self._characters)
        return data

    def _advance(self, started: "_Started") -> bool:
        """Complete the field if all its values are there; return whether they are."""
        if not started.column.advance():
            return False
        self._finish(started.task, started.column.values)
        return True

    def _finish(self, task: _Task, values: list[Any]) -> None:
        completed = self._complete(task.field.shape, values, task.occurrences)
        for target, value in zip(task.targets, completed, strict=True):
            target[task.field.name] = value

    def _resolve(self, task: _Task) -> list[Any]:
        """Return the field's value, or an awaitable of it, for each source."""
        plan = task.field
        declared, arguments = plan.declared, plan.coerce_arguments(self._variables)
        if not declared.extensions:
            resolver, context = declared.resolver, self._context
            if resolver is None:
                return [getattr(source, declared.python_name) for source in task.sources]
            return _call_for_each(resolver, task.sources, context, arguments)
        return _call_for_each(_with_extensions(plan), task.sources, Info(self._context), arguments)

    def _complete(self, shape: Shape, values: list[Any], occurrences: Occurrences) -> list[Any]:
        """Return the completed values; those of objects are completed by the tasks of later levels."""
        if isinstance(shape, LeafShape):
            serialized = serialize_column(values, shape.serialize, is_required=shape.is_required)
            if shape.is_text:
                self._characters += count_characters(serialized, occurrences)
            return serialized
        present = [value for value in values if value is not None]
        if len(present) < len(values) and shape.is_required:
            raise UnsupportedError("A required value is null.")
        if occurrences is not None and len(present) < len(values):
            occurrences = [times for value, times in zip(values, occurrences, strict=True) if value is not None]
        if isinstance(shape, ListShape):
            completed = self._complete_lists(shape, present, occurrences)
        else:
            completed = self._objects(shape, present, occurrences)
        if len(present) == len(values):
            return completed
        remaining = iter(completed)
        return [None if value is None else next(remaining) for value in values]

    def _complete_lists(self, shape: ListShape, lists: list[Any], occurrences: Occurrences) -> list[Any]:
        for each in lists:
            if not isinstance(each, list | tuple):
                raise UnsupportedError("A list has neither the type list nor tuple.")
        if occurrences is not None:
            occurrences = [times for each, times in zip(lists, occurrences, strict=True) for _ in each]
        items = self._complete(shape.item, [item for each in lists for item in each], occurrences)
        return [items[start:end] for start, end in pairwise(accumulate(map(len, lists), initial=0))]

    def _objects(self, shape: ObjectShape, sources: list[Any], occurrences: Occurrences) -> list[Any]:
        """Return the data of the sources; a source that occurs several times is completed once."""
        unique = {id(source): source for source in sources}
        if len(unique) == len(sources):
            return self._complete_unique(shape, sources, occurrences)
        if occurrences is None:
            of_unique = Counter(map(id, sources))
        else:
            of_unique = Counter()
            for source, times in zip(sources, occurrences, strict=True):
                of_unique[id(source)] += times
        completed = self._complete_unique(shape, list(unique.values()), list(of_unique.values()))
        data = dict(zip(unique, completed, strict=True))
        return [data[id(source)] for source in sources]

    def _complete_unique(self, shape: ObjectShape, sources: list[Any], occurrences: Occurrences) -> list[Data]:
        for source in {source.__class__: source for source in sources}.values():
            require_value(source)
        groups = shape.types.group(sources)
        if len(groups) == 1:
            ((type_, _),) = groups.values()
            return self._complete_objects(shape.plan(type_), sources, occurrences)
        data: list[Data] = [{}] * len(sources)
        for type_, indexes in groups.values():
            times = None if occurrences is None else [occurrences[index] for index in indexes]
            of_type = self._complete_objects(shape.plan(type_), [sources[index] for index in indexes], times)
            for index, each in zip(indexes, of_type, strict=True):
                data[index] = each
        return data

    def _complete_objects(self, plan: ObjectPlan, sources: list[Any], occurrences: Occurrences) -> list[Data]:
        """Return the data of objects of one type: their leaf fields now, other fields by tasks of the next level."""
        self._completed_fields += len(plan.names) * len(sources)
        self._check(self._completed_fields, self._characters)
        columns = [column(sources) for column in plan.columns]
        self._characters += sum([count_characters(columns[index], occurrences) for index in plan.texts])
        data = [dict(zip(plan.names, values, strict=True)) for values in zip(*columns, strict=True)]
        if not columns:
            data = [{} for _ in sources]
        self._tasks += (_Task(field, sources, data, occurrences) for field in plan.fields)
        return data


def call_resolver(plan: FieldPlan, source: object, context: Any, variables: VariableValues) -> Any:
    """Return the result of the field's resolver and its extensions for a source: a value, or an awaitable of it."""
    return _with_extensions(plan)(source, Info(context), **plan.coerce_arguments(variables))


def _call_for_each(
    function: Callable[..., Any], sources: Sequence[Any], second: object, arguments: Arguments
) -> list[Any]:
    """Return the function's result for each source. If it raises, close the coroutines that it returned before."""
    values: list[Any] = []
    try:
        values.extend(function(source, second, **arguments) for source in sources)
    except BaseException:
        Column(values).close()
        raise
    return values


def _with_extensions(plan: FieldPlan) -> Callable[..., Any]:
    """Return the function that calls the extensions of a field, the last outermost, around its resolver."""
    declared = plan.declared

    def call(source: Any, info: Info, **arguments: Any) -> Any:
        if declared.resolver is None:
            return getattr(source, declared.python_name)
        return declared.resolver(source, info.context, **arguments)

    for extension in declared.extensions:
        call = _wrapped(extension, call)
    return call


def _wrapped(extension: Any, inner: Callable[..., Any]) -> Callable[..., Any]:
    return lambda source, info, **arguments: extension.resolve(inner, source, info, **arguments)
