"""One subscription: it looks for a difference after each write, and executes its operation for it.

Viewer, snapshot and loaders of each look are new. A look and the execution of its event share a snapshot, so that an
event never has more than its viewer may see at that time. While a client is slow, or its user has no points left, no
look is taken: the next one sums up all changes since the last event.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson
from graphql import DocumentNode, GraphQLError, OperationType
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from strawberry import Schema
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType as StrawberryOperationType

from app import errors
from app.authentication import ClaimsChangedError, load_viewer
from app.caller import DEADLINE_PASSED, Caller, CallerLimits
from app.cost import root_field, root_type
from app.documents import DocumentError, DocumentRules, parse_operation
from app.errors import HTTPError, RequestErrorCode, UnauthenticatedError
from app.http_request import HTTPRequest
from app.live.error import SubscriptionError
from app.live.hub import Hub
from app.live.turns import LookTurns
from app.oidc_claims import Claims
from app.operation import ObserveOperation, OperationRecord, current_operation
from app.query_engine import Authenticate
from app.request import GraphQLRequest
from app.request_limits import (
    BUDGET_EXCEEDED,
    RESPONSE_TOO_LARGE,
    BudgetError,
    CheckedRequest,
    RequestLimits,
    ResponseSizeError,
    max_response_bytes,
    spend_budget,
)
from engine import LoadQueue, Plan, UnsupportedError, compile_operation, execute
from fragments.memory import MembersAt, Memory
from permissions import ErrorCode, OperationError, Viewer
from permissions.permission import Permission, require
from resolvers.context import Context, OperationContext
from resolvers.limits import current_server_limits
from resolvers.subscription.collection import CollectionWatch
from resolvers.subscription.job import JobWatch
from resolvers.subscription.topic_tree import TopicTreeWatch
from resolvers.subscription.watch import Event, KnownMembers, States, Watch
from schema.graph import graphql_schema
from store.database import Database, Snapshot
from store.database_use import current_use
from store.failure import StorageError

CHECK_SECONDS: Final = 10
"""How often the viewer is authenticated while nothing happens, so that expired tokens do not stay connected."""

RETRY_SECONDS: Final = 3
"""Wait after a failure of the database."""

OpenContext = Callable[[Sequence[bytes], str], AbstractAsyncContextManager[OperationContext]]
SignIn = Callable[[Claims, str], Awaitable[None]]

WATCHES: Final[Mapping[str, Callable[..., Watch]]] = {
    "collectionChanged": CollectionWatch,
    "jobUpdated": JobWatch,
    "topicTreeChanged": TopicTreeWatch,
}
"""Watch by field of the subscription root; it takes the field's arguments."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """Parts of the application that subscriptions use."""

    schema: Schema
    rules: DocumentRules
    database: Database
    hub: Hub
    authenticate: Authenticate
    open_context: OpenContext
    sign_in: SignIn
    uses_engine: bool = True
    memory: Memory | None = None
    limits: CallerLimits = field(default_factory=CallerLimits)
    observe: Sequence[ObserveOperation] = ()
    states: States = field(default_factory=States)
    turns: LookTurns = field(default_factory=LookTurns)


class Client:
    """Signed-in client of a connection: the token, and the address."""

    def __init__(self, request: HTTPRequest, services: Services) -> None:
        """Take the request that opened the connection, with the token as its `Authorization`."""
        self.request, self._services = request, services
        self.request_id = request.request_id()
        self.user_id = ""

    async def authenticate(self) -> None:
        """Set the user. Raises HTTPError for an invalid token, or none, and for an address without points."""
        record = OperationRecord(self.request_id)
        current_operation.set(record)
        caller = self.caller(record)
        if seconds := caller.seconds_until_credit():
            raise caller.refusal(seconds)
        try:
            try:
                await self._identify(caller)
            except ClaimsChangedError as changed:
                await self._services.sign_in(changed.claims, self.request_id)
                await self._identify(caller)
        except UnauthenticatedError:
            caller.settle(HTTPStatus.UNAUTHORIZED)
            raise
        self.user_id = str(record.viewer_id)

    async def _identify(self, caller: Caller) -> None:
        async with self._services.open_context(caller.authorization, self.request_id) as context:
            try:
                require(context.viewer, Permission.SIGNED_IN)
            except OperationError as error:
                raise HTTPError(HTTPStatus.UNAUTHORIZED, error.code, error.message) from None

    def caller(self, record: OperationRecord) -> Caller:
        """Return the caller of an operation with the record."""
        return Caller(self.request, record, self._services.limits)


class Subscription:
    """Subscription of a client."""

    def __init__(self, client: Client, graphql_request: GraphQLRequest, services: Services) -> None:
        """Take the request. Raises SubscriptionError if it is no valid subscription within the limits."""
        self._client, self._request, self._services = client, graphql_request, services
        self._checked = self._charge_and_check()
        self._viewer: Viewer | None = None
        self._row_version = -1
        """Version of the database at the last look."""
        self._is_first = self._must_look = True

    def _charge_and_check(self) -> CheckedRequest:
        """Check the request, and take the points for parsing it, also if it is refused. Raises SubscriptionError."""
        record = OperationRecord(self._client.request_id)
        current_operation.set(record)
        caller = self._client.caller(record)
        if seconds := caller.seconds_until_credit():
            raise SubscriptionError(_format_http(caller.refusal(seconds)))
        try:
            return self._check()
        finally:
            caller.settle(HTTPStatus.OK)

    def _check(self) -> CheckedRequest:
        """Check the request, and create the watch. Raises SubscriptionError."""
        schema, request = self._services.schema, self._request
        try:
            document, definition = parse_operation(schema, request.query, request.operation_name, self._services.rules)
        except DocumentError as error:
            raise self._error(error.errors) from None
        if definition.operation is not OperationType.SUBSCRIPTION:
            message = f"This is a {definition.operation.value}. Send it by POST: here are subscriptions only."
            raise SubscriptionError(_format(message, ErrorCode.BAD_USER_INPUT))
        checked = RequestLimits(schema, document, definition).check(request.variables, is_visitor=False)
        if checked.errors:
            raise self._error(checked.errors)
        graphql = graphql_schema(schema)
        variables = get_variable_values(graphql, definition.variable_definitions or (), request.variables or {})
        if not isinstance(variables, VariableValues):
            raise self._error(variables, is_early=False)
        details = root_field(graphql, document, definition, variables)
        name = details.node.name.value
        try:
            arguments = get_argument_values(root_type(graphql, definition).fields[name], details.node, variables)
        except GraphQLError as error:
            raise self._error([error], is_early=False) from None
        self._watch = WATCHES[name](self._services.states, **arguments)
        self._definition, self._variables = definition, variables
        self._plan = _compile(schema, document, request, variables) if self._services.uses_engine else None
        return checked

    def _error(self, graphql_errors: list[GraphQLError], *, is_early: bool = True) -> SubscriptionError:
        """Return the end of a subscription that was not begun, with errors of the document or, later, of values."""
        result = (PreExecutionError if is_early else ExecutionResult)(data=None, errors=graphql_errors)
        return SubscriptionError(errors.format_errors(result, self._client.request_id))

    async def results(self) -> AsyncGenerator[bytes]:
        """Yield the response to each event, until no other can follow.

        Raises SubscriptionError, and UnauthenticatedError when the token is not valid any more.
        """
        with self._services.hub.subscribe(needs_every_look=self._watch.needs_every_look) as wake:
            while True:
                wake.clear()
                try:
                    event, response = await self.look()
                except StorageError as failure:
                    if self._is_first:
                        raise SubscriptionError(_format_http(errors.storage_http_error(failure))) from None
                    _log.warning("A subscription waits for the database: %s", failure)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                if event is not None:
                    yield response
                    if event.is_last:
                        return
                await _wait(wake, CHECK_SECONDS)

    async def look(self) -> tuple[Event | None, bytes]:
        """Return the next event with its response; None if the writes that the hub knows caused none.

        Raises StorageError, and the errors of `results`.
        """
        self._must_look = self._must_look or self._watch.is_concerned(self._services.hub.writes, self._row_version)
        event, response = await self._pay_and_execute()
        self._is_first = self._must_look = False
        return event, response

    async def _pay_and_execute(self) -> tuple[Event | None, bytes]:
        """Return the next event with its response, after a wait for the points that it takes; None without an event."""
        while True:
            record = OperationRecord(self._client.request_id)
            caller = self._client.caller(record)
            current_operation.set(record)
            current_use.set(record.use)
            current_server_limits.set(self._services.limits.of_server())
            try:
                async with (
                    self._services.turns.take(self._client.user_id),
                    asyncio.timeout(self._services.limits.operation_seconds),
                ):
                    return await self._execute(record, caller)
            except UnauthenticatedError:
                raise
            except HTTPError as refusal:
                if self._is_first or refusal.code != RequestErrorCode.RATE_LIMITED:
                    raise SubscriptionError(_format_http(refusal)) from None
                seconds = int(refusal.headers["retry-after"])
            except TimeoutError:
                message = DEADLINE_PASSED.format(self._services.limits.operation_seconds)
                raise SubscriptionError(_format(message, ErrorCode.UNAVAILABLE)) from None
            except OperationError as error:
                raise SubscriptionError(_format(error.message, error.code)) from None
            except BudgetError:
                raise SubscriptionError(_format(BUDGET_EXCEEDED, RequestErrorCode.LIMIT_EXCEEDED)) from None
            except ResponseSizeError:
                limit = max_response_bytes(is_visitor=False, is_mutation=False)
                message = RESPONSE_TOO_LARGE.format(limit)
                raise SubscriptionError(_format(message, RequestErrorCode.LIMIT_EXCEEDED)) from None
            await asyncio.sleep(seconds)

    async def _execute(self, record: OperationRecord, caller: Caller) -> tuple[Event | None, bytes]:
        """Look, and execute the operation for an event: by the engine if it can, else by graphql-core."""
        event, response = None, None
        if not self._must_look and not await self._is_changed(caller):
            return None, b""
        if self._plan is not None:
            event, response = await self._run_plan(self._plan, record, caller)
            if event is None:
                return None, b""
        if response is None:
            event, response = await self._run_graphql(record, caller)
        if event is None:
            return None, b""
        if len(response) > max_response_bytes(is_visitor=False, is_mutation=False):
            raise ResponseSizeError
        self._watch.accept(event)
        record.status, record.response_bytes = HTTPStatus.OK, len(response)
        record.finish()
        for observe in self._services.observe:
            observe(record)
        return event, response

    async def _is_changed(self, caller: Caller) -> bool:
        """Return whether the viewer is not as at the last look. Raises UnauthenticatedError."""
        api_token, claims = await self._services.authenticate(caller.authorization)

        async def identify(snapshot: Snapshot) -> Viewer:
            return await load_viewer(snapshot, api_token, claims)

        return await self._services.database.read_one(identify) != self._viewer

    async def _run_plan(self, plan: Plan, record: OperationRecord, caller: Caller) -> tuple[Event | None, bytes | None]:
        """Return the event and its response; no response if graphql-core has to execute the operation."""
        api_token, claims = await self._services.authenticate(caller.authorization)
        known = await self._find_members()

        async def run(snapshot: Snapshot) -> tuple[Event | None, bytes | None]:
            queue = LoadQueue()
            context = Context(await load_viewer(snapshot, api_token, claims), snapshot, queue.batch)
            members = known.members if known is not None and known.are_right_for(context.viewer) else None
            event = await self._next_event(context, record, caller, members)
            if event is None:
                return None, None
            try:
                data = await execute(plan, context, self._variables, queue, spend_budget, root=event)
            except (UnsupportedError, OperationError):
                return event, None
            except StorageError:
                raise
            except Exception:  # noqa: BLE001 - graphql-core executes the operation instead, and has the last word
                _log.exception("The engine failed.")
                return event, None
            return event, self._checked.add_extensions(orjson.dumps({"data": data}))

        return await self._services.database.read_few(run)

    async def _run_graphql(self, record: OperationRecord, caller: Caller) -> tuple[Event | None, bytes]:
        request = self._request
        async with self._services.open_context(caller.authorization, record.request_id) as context:
            event = await self._next_event(context, record, caller)
            if event is None:
                return None, b""
            result = await self._services.schema.execute(
                request.query,
                variable_values=request.variables,
                context_value=context,
                root_value=event,
                operation_name=request.operation_name,
                allowed_operation_types={StrawberryOperationType.SUBSCRIPTION},
            )
        if (failure := errors.storage_failure(result)) is not None:
            raise failure
        body = errors.response_body(result, record.request_id)
        record.count_errors(body)
        return event, orjson.dumps(body)

    async def _find_members(self) -> MembersAt | None:
        """Return the assets of the collection that the viewer of the last look may see now; None without an index.

        They are right for the next snapshot unless somebody writes meanwhile, or the viewer is not the same any more.
        """
        services, collection_pk = self._services, self._watch.collection_pk
        if services.memory is None or self._viewer is None or collection_pk is None:
            return None
        return await services.memory.members_of(self._viewer, collection_pk, services.hub.writes.row_version)

    async def _next_event(
        self, context: Context, record: OperationRecord, caller: Caller, members: KnownMembers | None = None
    ) -> Event | None:
        """Return the event for the viewer of the context, who pays for it. Raises HTTPError without the points."""
        event = await self._watch.look(context, members)
        self._viewer, self._row_version = context.viewer, context.viewer.row_version
        if event is not None:
            record.set_document(self._request.query, self._request.document_id)
            record.set_operation(self._definition)
            self._checked.note(record)
            caller.recognize()
            caller.charge()
        return event


def _compile(schema: Schema, document: DocumentNode, request: GraphQLRequest, variables: VariableValues) -> Plan | None:
    """Return the plan of the subscription; None if graphql-core has to execute it."""
    try:
        return compile_operation(schema, document, request.operation_name).plan(variables)
    except UnsupportedError:
        return None


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    """Wait for a write, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()


def _format(message: str, code: errors.Code) -> list[Any]:
    return list(errors.error_body(code, message)["errors"])


def _format_http(error: HTTPError) -> list[Any]:
    return _format(error.message, error.code)
