"""Queries by the engine, from the viewer to the JSON: on SQLite in one thread, out of the event loop."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakKeyDictionary

import orjson
from graphql.execution.values import VariableValues
from strawberry import Schema

from app.authentication import load_viewer
from app.documents import CACHE_SIZE, MAX_CACHED_LENGTH, DocumentRules, parse_query
from app.errors import HTTPError
from app.request import GraphQLRequest
from engine import LoadQueue, Operation, Plan, UnsupportedError, compile_operation, execute
from fragments import Memory, Program, compile_program
from fragments.memory import Identify
from permissions import OperationError, Viewer
from resolvers.context import Context
from store.database import Database, Snapshot
from store.failure import StorageError

Authenticate = Callable[[Sequence[bytes]], Awaitable[tuple[str | None, str | None]]]
"""Function that returns the API token or the subject of the issuer's token; see `verify_bearer_token`."""

CACHED_FIELDS = 50_000
"""Most fields in the plans of all cached operations: 50 MB."""

_log = logging.getLogger(__name__)


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
        self._operations: OrderedDict[tuple[str, str | None], Operation | None] = OrderedDict()
        self._programs: WeakKeyDictionary[Plan, Program | None] = WeakKeyDictionary()

    async def answer(self, graphql_request: GraphQLRequest, authorization: Sequence[bytes]) -> bytes | None:
        """Return the body of the response; None if graphql-core has to execute the request.

        Raises HTTPError for an invalid token, and StorageError.
        """
        operation = self._find_operation(graphql_request.query, graphql_request.operation_name)
        if operation is None:
            return None
        api_token, subject = await self._authenticate(authorization)

        async def identify(snapshot: Snapshot) -> Viewer:
            return await load_viewer(snapshot, api_token, subject)

        try:
            variables = operation.variable_values(graphql_request.variables)
            plan = operation.plan(variables)
            body = await self._answer_from_memory(plan, variables, identify)
            return body or await self._execute(plan, variables, identify)
        except (HTTPError, StorageError):
            raise
        except (UnsupportedError, OperationError):
            return None  # graphql-core meets the error again, and reports it
        except Exception:  # noqa: BLE001 - a fault of the engine must fail no request
            _log.exception("The engine failed; graphql-core executes the request.")
            return None

    async def _answer_from_memory(self, plan: Plan, variables: VariableValues, identify: Identify) -> bytes | None:
        """Return the body of the response; None if the engine has to execute the operation."""
        program = None if self._memory is None else self._program(plan)
        if self._memory is None or program is None:
            return None
        try:
            return await self._memory.answer(program, variables, identify)
        except (UnsupportedError, OperationError):
            return None

    async def _execute(self, plan: Plan, variables: VariableValues, identify: Identify) -> bytes:
        """Return the body of the response, executed by the engine."""

        async def run(snapshot: Snapshot) -> bytes:
            queue = LoadQueue()
            context = Context(await identify(snapshot), snapshot, queue.batch)
            return orjson.dumps({"data": await execute(plan, context, variables, queue)})

        return await self._database.read(run)

    def _program(self, plan: Plan) -> Program | None:
        """Return the program of a plan; None if the index gives nothing of it."""
        if plan not in self._programs:
            try:
                self._programs[plan] = compile_program(plan)
            except UnsupportedError:
                self._programs[plan] = None
        return self._programs[plan]

    def _find_operation(self, text: str, name: str | None) -> Operation | None:
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
        return sum(operation.field_count for operation in self._operations.values() if operation)

    def _compile(self, text: str, name: str | None) -> Operation | None:
        document = parse_query(self._schema, text, name, self._rules)
        try:
            return None if document is None else compile_operation(self._schema, document, name)
        except UnsupportedError:
            return None
