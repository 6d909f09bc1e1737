"""ASGI application: routes, health checks, and the context of each operation."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from time import monotonic_ns

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema

from app import export_download, graphiql, limits, metrics
from app.authentication import load_viewer, verify_bearer_token
from app.caller import CallerLimits
from app.cors import allow_origins
from app.drain import Drain, closing
from app.endpoint import Endpoint
from app.errors import RequestErrorCode, error_body
from app.export_download import ExportDownload
from app.garbage import collect_garbage_seldom
from app.graphiql import EXAMPLES, Account
from app.guarded_executor import GuardedExecutor
from app.hosts import AllowedHosts
from app.http_request import HEALTH_PATH, READY_PATH, UNNAMED_PATHS
from app.live.connections import LiveConnections
from app.live.hub import Hub
from app.live.live import Live
from app.live.subscription import Services
from app.oidc import Issuer, create_issuer
from app.oidc_claims import Claims
from app.operation import ObserveOperation
from app.operations_in_progress import OperationsInProgress
from app.query_engine import QueryEngine
from app.rate_limit import Clock, RateLimit
from app.response import RAW_SECURITY_HEADERS
from app.scim import endpoint as scim
from app.scim.endpoint import ScimEndpoint
from app.scim.token import read_token
from app.settings import Executor, Settings
from app.sign_in import sign_in
from app.token_use import TokenUse
from app.trusted_documents import TrustedDocuments, read_documents
from app.worker import run_worker
from fragments import Memory
from permissions import Viewer
from resolvers.context import OperationContext, open_context
from schema.federation import build_subgraph
from schema.graph import build_schema
from store.database import Database, Snapshot
from store.failure import StorageError
from store.migrate import is_newer, is_usable
from store.readiness import ready_revision

GRAPHQL_PATH = "/graphql"

_log = logging.getLogger(__name__)


class Application(Starlette):
    """Starlette application with the endpoint of GraphQL in front of Starlette's own middleware and routing.

    The endpoint answers every request and handles its own errors, so that these would only take time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        routes: Sequence[BaseRoute],
        lifespan: Lifespan[Starlette],
        *,
        hosts: AllowedHosts,
        drain: Drain,
        cors_origins: Sequence[str],
        root_path: str,
    ) -> None:
        """Take the endpoint, other routes, lifespan, allowed hosts and origins, drain, and the prefix of paths."""
        by_routing = [Route(GRAPHQL_PATH, endpoint), WebSocketRoute(GRAPHQL_PATH, endpoint)]
        super().__init__(routes=[*routes, *by_routing], lifespan=lifespan)
        self.router.redirect_slashes = False  # a redirect would repeat the Host header
        self._endpoint, self._hosts, self._drain, self._root_path = endpoint, hosts, drain, root_path
        self._answer: ASGIApp = allow_origins(self._dispatch, cors_origins) if cors_origins else self._dispatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Added middleware sees all of them, and mounted applications are left to the routing."""
        scope = _without_prefix(scope, self._root_path) if self._root_path else scope
        await self._answer(scope, receive, closing(send) if self._drain.has_begun else send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"] not in UNNAMED_PATHS and not self._hosts.allow(scope):
            await _refuse_host(scope, receive, send)
        elif (
            scope["type"] in {"http", "websocket"}
            and scope["path"] == GRAPHQL_PATH
            and not self.user_middleware
            and not scope.get("root_path")
        ):
            await self._endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, _with_security_headers(send))


def create_application(
    settings: Settings,
    *,
    accounts: Sequence[Account] = (),
    documents: TrustedDocuments | None = None,
    database: Database | None = None,
    observe: Sequence[ObserveOperation] = (),
    clock: Clock = monotonic_ns,
) -> Starlette:
    """Create the ASGI application. GraphiQL offers `accounts` to run operations as.

    Clients may request `documents` by their ids (None: those of the settings, which are read). Each function of
    `observe` is called with the record of each operation. At shutdown the application closes a database that it opened
    itself, not one that was passed in. `clock` is that of the rate limit.
    """
    issuer = create_issuer(settings.oidc_issuer, settings.oidc_audience, settings.claim_names)
    used_database = database or Database(
        settings.database_url, operation_seconds=settings.operation_seconds, pool_size=settings.pool_size
    )

    def authenticate(authorization: Sequence[bytes]) -> Awaitable[tuple[str | None, Claims | None]]:
        return verify_bearer_token(authorization, issuer)

    token_use = TokenUse()
    memory = Memory(used_database) if settings.index and settings.engine == Executor.ON else None
    schema = _schema_of(settings)
    query_engine = QueryEngine(schema, _document_rules(), used_database, authenticate, memory)
    limits_of_callers = CallerLimits(
        operation_seconds=settings.operation_seconds,
        rate=settings.rate and RateLimit(settings.rate, clock),
        live_connections_of_user=settings.max_live_connections_of_user,
        in_progress=OperationsInProgress(settings.max_operations),
    )
    drain = Drain(settings.drain_seconds)
    trusted = load_documents(settings) if documents is None else documents
    open_operation = _context_opener(used_database, issuer, settings.url_schemes)
    take_over_claims = partial(sign_in, used_database)
    observers = [*observe, token_use.observe]
    services = Services(
        schema,
        _document_rules(),
        used_database,
        Hub(used_database),
        authenticate,
        open_operation,
        take_over_claims,
        uses_engine=settings.engine == Executor.ON,
        memory=memory,
        limits=limits_of_callers,
        observe=observers,
    )
    connections = LiveConnections(settings.max_live_connections, settings.max_live_connections_of_user)
    endpoint = Endpoint(
        schema,
        open_context=open_operation,
        live=Live(services, connections=connections, documents=trusted, draining=drain.begun),
        ide=graphiql.serve_page if settings.graphiql else None,
        sign_in=take_over_claims,
        run_query=query_engine.answer if settings.engine == Executor.ON else None,
        limits=limits_of_callers,
        documents=trusted,
        cors_origins=settings.cors_origins,
        observe=observers,
        is_traced=settings.traces,
    )

    export_folder = None if settings.export_folder is None else Path(settings.export_folder)
    downloads = ExportDownload(used_database, export_folder, authenticate, take_over_claims, limits_of_callers)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        collect_garbage_seldom()
        if memory is not None:
            memory.start()
        async with AsyncExitStack() as stack:
            stack.enter_context(drain.on_signal())
            await stack.enter_async_context(run_worker(used_database, export_folder))
            await stack.enter_async_context(token_use.write_periodically(used_database))
            if settings.metrics is not None:
                await stack.enter_async_context(metrics.read_periodically(used_database))
            yield
        if memory is not None:
            await memory.stop()
        if database is None:
            await used_database.close()

    async def ready(_request: Request) -> Response:
        return (
            _unavailable("The server is shutting down.") if drain.has_begun else await _check_readiness(used_database)
        )

    async def redirect_to_graphql(_request: Request) -> Response:
        return RedirectResponse(settings.root_path + GRAPHQL_PATH)

    routes: list[BaseRoute] = [
        Route(HEALTH_PATH, _check_health, methods=["GET"]),
        Route(READY_PATH, ready, methods=["GET"]),
        Route(f"{export_download.PATH}/{{id}}", downloads),
        *_scim_routes(settings, used_database, limits_of_callers),
    ]
    if settings.graphiql:
        routes = [
            Route("/", redirect_to_graphql, methods=["GET"]),
            *graphiql.build_routes(graphiql.read_examples(EXAMPLES), accounts),
            *routes,
        ]
    application = Application(
        endpoint,
        routes,
        lifespan,
        hosts=AllowedHosts(settings.allowed_hosts),
        drain=drain,
        cors_origins=settings.cors_origins,
        root_path=settings.root_path,
    )
    application.state.memory = memory
    application.state.services = services
    return application


def _scim_routes(settings: Settings, database: Database, limits: CallerLimits) -> list[BaseRoute]:
    """Return the routes of SCIM; none if it is off. Raises SettingError."""
    token = read_token(settings)
    if token is None:
        return []
    endpoint = ScimEndpoint(database, token, limits, user_id=settings.scim_user_id, root_path=settings.root_path)
    return [Route(f"{scim.PATH}/{{path:path}}", endpoint)]


def load_documents(settings: Settings) -> TrustedDocuments:
    """Return the trusted documents of the settings, validated. Raises InvalidDocumentsError."""
    texts = read_documents(settings.documents, _schema_of(settings), _document_rules()) if settings.documents else {}
    return TrustedDocuments(texts, is_only=settings.documents_only)


def _schema_of(settings: Settings) -> Schema:
    return _schema(is_subgraph=settings.federation, has_common_fields=settings.federation_common_fields)


@cache
def _schema(*, is_subgraph: bool, has_common_fields: bool) -> Schema:
    extensions = limits.extensions(_document_rules())
    if is_subgraph:
        return build_subgraph(extensions, GuardedExecutor, has_common_fields=has_common_fields)
    return build_schema(extensions, GuardedExecutor)


_document_rules = cache(limits.document_rules)


def _context_opener(
    database: Database, issuer: Issuer | None, url_schemes: Sequence[str]
) -> Callable[[Sequence[bytes], str], AbstractAsyncContextManager[OperationContext]]:
    @asynccontextmanager
    async def open_for_request(authorization: Sequence[bytes], request_id: str) -> AsyncIterator[OperationContext]:
        # The token is verified before a connection is taken, so that a slow issuer does not occupy one.
        api_token, claims = await verify_bearer_token(authorization, issuer)

        async def identify(snapshot: Snapshot) -> Viewer:
            return await load_viewer(snapshot, api_token, claims)

        async with open_context(database, identify, request_id, url_schemes) as context:
            yield context

    return open_for_request


def _without_prefix(scope: Scope, prefix: str) -> Scope:
    """Return the scope without the prefix in its path, which the proxy may have removed already.

    The rest of another path that begins alike, such as `/atoll-two`, does not begin with a slash, and is no route.
    """
    return {**scope, "path": scope["path"].removeprefix(prefix) or "/"} if "path" in scope else scope


async def _refuse_host(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request for another host, a handshake with 403."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close()
        return
    message = "This server does not answer for that host. Its names are the setting ATOLL_ALLOWED_HOSTS."
    body = error_body(RequestErrorCode.MISDIRECTED_REQUEST, message)
    response = JSONResponse(body, HTTPStatus.MISDIRECTED_REQUEST)
    await response(scope, receive, _with_security_headers(send))


def _with_security_headers(send: Send) -> Send:
    """Add the headers of API responses to a response that lacks them."""

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((name, value) for name, value in RAW_SECURITY_HEADERS if name not in present),
            ]
        await send(message)

    return send_secured


async def _check_health(_request: Request) -> Response:
    """Answer that the process runs, without a look at the database."""
    return JSONResponse({"status": "ok"})


async def _check_readiness(database: Database) -> Response:
    """Answer 200 if the database can be reached and this version can use it, else 503; within a second."""
    try:
        revision = await ready_revision(database)
    except StorageError as error:
        _log.warning("The server is not ready: %s", error)
        return _unavailable("The database cannot be reached.")
    if not is_usable(revision):
        remedy = "Run a newer version of Atoll." if is_newer(revision) else "Run: atoll migrate"
        return _unavailable(f"The database has another revision. {remedy}")
    return JSONResponse({"status": "ready"})


def _unavailable(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, HTTPStatus.SERVICE_UNAVAILABLE)
