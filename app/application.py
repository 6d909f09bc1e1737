"""This file is the ASGI application: routes, one database, one issuer, and what each operation is given."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from strawberry import Schema

from app import graphiql, limits
from app.authentication import load_viewer, verify_bearer_token
from app.endpoint import Endpoint
from app.errors import UnavailableError
from app.graphiql import EXAMPLES, Account, Tab
from app.oidc import Issuer, create_issuer
from app.settings import Settings
from app.worker import run_worker
from permissions import Viewer
from resolvers.context import Context, open_context
from schema.graph import build_schema
from store.database import Database, Snapshot
from store.error import explain_driver_error
from store.migrate import current_revision, head_revision
from store.search.tokens import token_pattern

# What is raised when there is no database, or none of its connections is free in time.
UNREACHABLE_ERRORS = (DBAPIError, PoolTimeoutError, OSError, TimeoutError)


def create_application(
    settings: Settings,
    *,
    accounts: Sequence[Account] = (),
    tabs: Sequence[Tab] | None = None,
    database: Database | None = None,
) -> Starlette:
    """Return the application; `accounts` are what GraphiQL offers to be, `tabs` what it opens with.

    Without tabs it opens with the worked examples as they are written.
    The database is opened with the first request and closed when the server stops, unless one is given.
    """
    token_pattern()  # no request shall wait until it is made
    issuer = create_issuer(settings.oidc_issuer, settings.oidc_audience)
    kept = database or Database(settings.database_url)
    endpoint = Endpoint(
        _graph(),
        open_context=_operations(kept, issuer),
        ide=graphiql.serve_page if settings.graphiql else None,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with run_worker(kept):
            yield
        if database is None:
            await kept.close()

    async def ready(_request: Request) -> Response:
        return await _readiness(kept)

    routes: list[BaseRoute] = [
        Route("/graphql", endpoint),
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
    ]
    if settings.graphiql:
        routes = [
            Route("/", _to_graphql, methods=["GET"]),
            *graphiql.build_routes(graphiql.read_examples(EXAMPLES) if tabs is None else tabs, accounts),
            *routes,
        ]
    return Starlette(routes=routes, lifespan=lifespan)


@cache
def _graph() -> Schema:
    return build_schema(limits.extensions())


def _operations(
    database: Database, issuer: Issuer | None
) -> Callable[[Request, str], AbstractAsyncContextManager[Context]]:
    @asynccontextmanager
    async def open_for_request(request: Request, request_id: str) -> AsyncIterator[Context]:
        # The token is judged before a connection is taken: an issuer that is slow to answer holds none.
        api_token, subject = await verify_bearer_token(request, issuer)

        async def identify(snapshot: Snapshot) -> Viewer:
            return await load_viewer(snapshot, api_token, subject)

        try:
            async with open_context(database, identify, request_id) as context:
                yield context
        except UNREACHABLE_ERRORS as error:
            raise UnavailableError(str(explain_driver_error(error, database.url))) from error

    return open_for_request


async def _healthy(_request: Request) -> Response:
    """The process answers; nothing is said of the database."""
    return JSONResponse({"status": "ok"})


async def _readiness(database: Database) -> Response:
    """The database answers and its tables are the ones this code knows."""
    try:
        async with database.snapshot() as snapshot:
            await snapshot.rows(text("select 1"))
        is_current = await current_revision(database) == head_revision()
    except UNREACHABLE_ERRORS:
        return JSONResponse({"status": "unavailable", "reason": "The database does not answer."}, 503)
    if not is_current:
        return JSONResponse({"status": "unavailable", "reason": "The database is at another revision."}, 503)
    return JSONResponse({"status": "ready"})


async def _to_graphql(_request: Request) -> Response:
    return RedirectResponse("/graphql")
