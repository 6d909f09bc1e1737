"""Executor of GraphQL queries over a Strawberry schema, level by level.

`compile_operation` turns an operation into a plan once; `execute` runs the plan. Each level of the answer is resolved
for all its objects together: leaf fields of one type in one step, and one read for all keys that the level asks for.
The number of reads depends on the levels of the operation, and not on the number of objects.

What the plan cannot express raises UnsupportedError, before or during the execution, and graphql-core has to execute
the whole operation: its answer is the specification. This package knows GraphQL and Strawberry, and nothing of an
application: it needs fields derived from `engine.field.ResolverField`.
"""

from engine.error import UnsupportedError
from engine.execution import Check, call_resolver, check_nothing, complete, execute
from engine.load import Batch, LoadQueue
from engine.plan import FieldPlan, ListShape, ObjectPlan, ObjectShape, Operation, Plan, compile_operation

__all__ = [
    "Batch",
    "Check",
    "FieldPlan",
    "ListShape",
    "LoadQueue",
    "ObjectPlan",
    "ObjectShape",
    "Operation",
    "Plan",
    "UnsupportedError",
    "call_resolver",
    "check_nothing",
    "compile_operation",
    "complete",
    "execute",
]
