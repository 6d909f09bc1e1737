"""Limits that depend on a request's variables: lengths of lists and cost, checked before anything is executed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, get_operation_ast
from strawberry.extensions import SchemaExtension
from strawberry.schema import BaseSchema

from app.cost import COST_CAP, Cost, OperationCost
from app.documents import LazyContext
from app.errors import RequestErrorCode
from app.list_limits import CheckedInputs, check_inputs, find_input_arguments
from app.operation import OperationRecord, current_operation
from resolvers.limits import FULL_POINTS, LIMITS, VISITOR_LIMITS
from schema.graph import graphql_schema

COST_LIMITS: Final = Cost(LIMITS.objects, LIMITS.fields, LIMITS.reads)
SMALLER_COST_LIMITS: Final = Cost(VISITOR_LIMITS.objects, VISITOR_LIMITS.fields, VISITOR_LIMITS.reads)
"""Limits for visitors, and for operations of graphql-core, which takes four to six times as long as the engine."""

BUDGET_FIELDS: Final = 2 * LIMITS.fields
"""Fields that a query may complete. Its cost is an estimate, which lists of unusual length exceed."""

BUDGET_EXCEEDED: Final = "The query returns too many fields. Ask for smaller pages or for fewer lists within lists."
_PROBLEMS: Final = {
    "objects": "may return {} objects; the limit is {}. Ask for smaller pages or for fewer lists within lists.",
    "fields": "may return {} fields; the limit is {}. Select fewer fields or smaller pages.",
    "reads": "reads too much, {} units; the limit is {}. Ask for fewer counts, facets and sorted pages of lists.",
}


RESPONSE_TOO_LARGE: Final = "The response has more than {:,} bytes. Ask for smaller pages, or for fewer long texts."
PAYLOAD_TOO_LARGE: Final = (
    "The mutation was executed, but its payload has more than {:,} bytes. Later mutations of the request were not"
    " executed. Reload, or repeat it with the same idempotencyKey and fewer long texts."
)


class BudgetError(BaseException):
    """A query that completed too many fields. No `Exception`, so that no field of the query reports it as its error."""


class ResponseSizeError(BaseException):
    """An operation whose response is too large. No `Exception` either."""


def spend_budget(fields: int, size: int) -> None:
    """Raise the error of a query that completed this number of fields, and whose response has at least this size.

    The size is the number of characters of all texts, which escapes and UTF-8 only lengthen: so a response that is too
    large is not built in memory. Keys are not counted, as the static cost limits their number. The size of the response
    itself is checked before it is sent.
    """
    if fields > BUDGET_FIELDS:
        raise BudgetError
    if size > LIMITS.response_bytes:
        raise ResponseSizeError


def max_response_bytes(*, is_visitor: bool, is_mutation: bool) -> int:
    """Return the limit of an operation's response, which applies to the texts only if it is a mutation."""
    return (VISITOR_LIMITS if is_visitor or is_mutation else LIMITS).response_bytes


class CheckedRequest(NamedTuple):
    """Cost of a request, the limits for it, and an error for each limit that is exceeded, also for lists.

    `changes` is the number of values in the lists of a mutation's input, the work of which is not part of the cost.
    """

    cost: Cost
    limits: Cost
    errors: list[GraphQLError]
    changes: int = 0

    @property
    def is_small(self) -> bool:
        """Whether graphql-core may execute the request."""
        return self.cost.is_within(SMALLER_COST_LIMITS)

    @property
    def extensions(self) -> dict[str, Any]:
        """The `extensions` of the response."""
        return {"cost": {**self.cost._asdict(), "limit": self.limits._asdict()}}

    @property
    def points(self) -> int:
        """Points that the request takes, rounded down."""
        objects, fields, reads = self.cost
        full = max(
            (objects + self.changes) / COST_LIMITS.objects, fields / COST_LIMITS.fields, reads / COST_LIMITS.reads
        )
        return int(FULL_POINTS * full)

    def note(self, record: OperationRecord) -> None:
        """Note the cost in the record of the operation, and the points unless the request is refused."""
        record.cost = self.cost._asdict()
        if not self.errors:
            record.points = self.points

    def add_extensions(self, body: bytes) -> bytes:
        """Return the body of a response that has no extensions yet, with them."""
        return b'%b,"extensions":%b}' % (body[:-1], orjson.dumps(self.extensions))


class RequestLimits:
    """Limits of one operation of a valid document."""

    def __init__(self, schema: BaseSchema, document: DocumentNode, definition: OperationDefinitionNode) -> None:
        """Take the operation. Takes a walk through the document."""
        self._operation = definition.operation
        graphql = graphql_schema(schema)
        self._cost = OperationCost.of_document(graphql, document, definition)
        self._lists = find_input_arguments(graphql, document)
        self._defaults = {
            each.variable.name.value: each.default_value for each in definition.variable_definitions or ()
        }

    def check(self, variables: Mapping[str, Any] | None, *, is_visitor: bool) -> CheckedRequest:
        """Check a request with these variables, which are not coerced yet."""
        is_query = self._operation is OperationType.QUERY
        limits = COST_LIMITS if is_query and not is_visitor else SMALLER_COST_LIMITS
        cost = self._cost.of(variables)
        values = {**self._defaults, **(variables or {})}
        inputs = check_inputs(self._lists, values) if self._lists else CheckedInputs()
        changes = inputs.values if self._operation is OperationType.MUTATION else 0
        return CheckedRequest(cost, limits, [*inputs.errors, *_cost_errors(cost, limits, self._operation)], changes)


class RequestLimitsExtension(SchemaExtension):
    """Refuses requests that exceed a limit, after their documents were validated; reports the cost of all others."""

    def __init__(self) -> None:
        """Create the extension of one operation."""
        self._checked: CheckedRequest | None = None

    def on_validate(self) -> Iterator[None]:
        """Check the request, unless its document has errors."""
        execution = self.execution_context
        document = execution.graphql_document
        if document is not None and not execution.pre_execution_errors:
            definition = get_operation_ast(document, execution.operation_name)
            assert definition is not None  # noqa: S101 - an operation was required when the document was parsed
            limits = RequestLimits(execution.schema, document, definition)
            context = execution.context
            is_visitor = isinstance(context, LazyContext) and context.is_visitor
            self._checked = limits.check(execution.variables, is_visitor=is_visitor)
            execution.pre_execution_errors = self._checked.errors
            if (record := current_operation.get()) is not None:
                self._checked.note(record)
        yield

    def get_results(self) -> dict[str, Any]:
        """Return the cost for the response's `extensions`."""
        return self._checked.extensions if self._checked else {}


def _cost_errors(cost: Cost, limits: Cost, operation: OperationType) -> Iterator[GraphQLError]:
    for name, problem in _PROBLEMS.items():
        count, limit = getattr(cost, name), getattr(limits, name)
        if count > limit:
            counted = f"{COST_CAP:,} or more" if count >= COST_CAP else f"{count:,}"
            message = f"The {operation.value} {problem.format(counted, f'{limit:,}')}"
            yield GraphQLError(message, extensions={"code": RequestErrorCode.LIMIT_EXCEEDED})
