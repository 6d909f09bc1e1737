"""Queries by the engine, from the viewer to the JSON: on SQLite in one thread, out of the event loop."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from graphql.execution.values import VariableValues
from starlette.requests import ClientDisconnect
from strawberry import Schema

from app.authentication import load_viewer
from app.caller import Caller
from app.documents import CACHE_SIZE, MAX_CACHED_LENGTH, DocumentRules, parse_query
from app.errors import HTTPError, error_body
from app.oidc_claims import Claims
from app.operation import OperationRecord
from app.request import GraphQLRequest
from app.request_limits import CheckedRequest, RequestLimits, spend_budget
from engine import LoadQueue, Operation, Plan, UnsupportedError, compile_operation, execute
from fragments import Memory, Program, compile_program
from fragments.memory import Identify
from permissions import ErrorCode, OperationError, Viewer
from resolvers.context import Context, DeferredWrite, run_deferred_writes
from store.database import Database, Snapshot
from store.failure import StorageError

Authenticate = Callable[[Sequence[bytes]], Awaitable[tuple[str | None, Claims | None]]]
"""Function that returns the API token or the claims of the issuer's token; see `verify_bearer_token`."""

INDIVISIBLE = (
    "The query has an invalid value, or selects __schema or __type beside large lists. Send its parts one by one."
)
"""Message for a query that the engine does not support, and that is too large for graphql-core."""

CACHED_FIELDS = 50_000
"""Most fields in the plans of all cached operations: 50 MB."""

_log = logging.getLogger(__name__)


class _Compiled(NamedTuple):
    """A query that the engine supports, and its limits."""

    operation: Operation
    limits: RequestLimits


class QueryEngine:
    """Answers the queries that the engine supports and that no error occurs in; all others are left to graphql-core."""

    def __init__(
        self,
        schema: Schema,
        rules: DocumentRules,
        database: Database,
        authenticate: Authenticate,
        memory: Memory | None = None,
    ) -> None:
        """Take the schema, the rules for documents, the database, the check of tokens, and the index if it is on."""
        self._schema, self._rules, self._database, self._authenticate = schema, rules, database, authenticate
        self._memory = memory
        self._operations: OrderedDict[tuple[str, str | None], _Compiled | None] = OrderedDict()

    async def answer(self, graphql_request: GraphQLRequest, caller: Caller) -> bytes | None:
        """Return the body of the response; None if graphql-core has to execute the request, or to report an error.

        A query with an error that is too large for graphql-core gets the error alone, without data.

        Raises HTTPError for an invalid token and a rate limit, StorageError, and ClientDisconnect.
        """
        compiled = self._find_operation(graphql_request.query, graphql_request.operation_name)
        checked = compiled and compiled.limits.check(graphql_request.variables, is_visitor=caller.is_visitor)
        if compiled is None or checked is None or checked.errors:
            return None
        caller.record.set_operation(compiled.operation.definition)
        checked.note(caller.record)
        caller.charge()
        try:
            body = await self._run(compiled.operation, graphql_request.variables, caller)
            return checked.add_extensions(body)
        except (HTTPError, StorageError, ClientDisconnect):
            raise
        except (UnsupportedError, OperationError) as error:
            return None if checked.is_small else _refusal(error, checked, caller.record)
        except Exception:
            _log.exception("The engine failed.")
            if not checked.is_small:
                raise
            return None

    async def _run(self, operation: Operation, given: Mapping[str, Any] | None, caller: Caller) -> bytes:
        """Return the body of the response. Raises the errors of `execute`, and HTTPError."""
        api_token, claims = await self._authenticate(caller.authorization)

        async def identify(snapshot: Snapshot) -> Viewer:
            viewer = await load_viewer(snapshot, api_token, claims)
            caller.recognize()
            return viewer

        variables = operation.variable_values(given)
        plan = operation.plan(variables)
        body = await self._answer_from_memory(plan, variables, identify, caller)
        return await caller.read(partial(self._execute, plan, variables, identify)) if body is None else body

    async def _answer_from_memory(
        self, plan: Plan, variables: VariableValues, identify: Identify, caller: Caller
    ) -> bytes | None:
        """Return the body of the response; None if the engine has to execute the operation."""
        program = None if self._memory is None else _find_program(plan)
        if self._memory is None or program is None:
            return None
        try:
            return await self._memory.answer(program, variables, identify, spend_budget, caller.read)
        except (UnsupportedError, OperationError):
            return None

    async def _execute(self, plan: Plan, variables: VariableValues, identify: Identify) -> bytes:
        """Return the body of the response, executed by the engine."""

        async def run(snapshot: Snapshot) -> tuple[bytes, Sequence[DeferredWrite]]:
            queue = LoadQueue()
            context = Context(await identify(snapshot), snapshot, queue.batch)
            body = orjson.dumps({"data": await execute(plan, context, variables, queue, spend_budget)})
            return body, context.deferred_writes

        body, writes = await self._database.read(run)
        await run_deferred_writes(self._database, writes)
        return body

    def _find_operation(self, text: str, name: str | None) -> _Compiled | None:
        """Return the operation, from the cache if it was used recently."""
        if len(text) > MAX_CACHED_LENGTH:
            return self._compile(text, name)
        key = (text, name)
        if key in self._operations:
            self._operations.move_to_end(key)
            return self._operations[key]
        operation = self._operations[key] = self._compile(text, name)
        while len(self._operations) > CACHE_SIZE or self._field_count() > CACHED_FIELDS:
            self._operations.popitem(last=False)
        return operation

    def _field_count(self) -> int:
        return sum(compiled.operation.field_count for compiled in self._operations.values() if compiled)

    def _compile(self, text: str, name: str | None) -> _Compiled | None:
        document = parse_query(self._schema, text, name, self._rules)
        if document is None:
            return None
        try:
            operation = compile_operation(self._schema, document, name)
        except UnsupportedError:
            return None
        return _Compiled(operation, RequestLimits(self._schema, document, operation.definition))


def _find_program(plan: Plan) -> Program | None:
    """Return the program of a plan, compiled on first use; None if the index gives nothing of it."""
    if Program not in plan.derived:
        try:
            plan.derived[Program] = compile_program(plan)
        except UnsupportedError:
            plan.derived[Program] = None
    program: Program | None = plan.derived[Program]
    return program


def _refusal(error: UnsupportedError | OperationError, checked: CheckedRequest, record: OperationRecord) -> bytes:
    """Return the body of the response to a query with an error that is too large for graphql-core."""
    message = error.message if isinstance(error, OperationError) else INDIVISIBLE
    code = error.code if isinstance(error, OperationError) else ErrorCode.BAD_USER_INPUT
    body = {"data": None, **error_body(code, message), "extensions": checked.extensions}
    record.count_errors(body)
    return orjson.dumps(body)
