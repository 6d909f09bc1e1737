"""Endpoint of SCIM: an ASGI application that authenticates, limits, dispatches and answers each request."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError
from scim2_models import Context, Error, ListResponse, NotFoundException, Resource, SCIMException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.caller import CallerLimits
from app.errors import (
    HTTPError,
    RequestErrorCode,
    UnauthenticatedError,
    log_failure,
    log_http_error,
    storage_http_error,
)
from app.http_request import HTTPRequest
from app.log import Event
from app.rate_limit import address_key
from app.request import parse_object, read_body
from app.scim.directory import KINDS, Directory, Payload
from app.scim.resource import CONFIG, POLICY, PROVIDER
from app.scim.token import ScimToken
from app.scim.user_id import UserId
from store.database import Database
from store.failure import StorageError

PATH: Final = "/scim/v2"
MEDIA_TYPE: Final = "application/scim+json"
MAX_BODY_BYTES: Final = 1024 * 1024
POINTS: Final = 10
"""Points of the rate limit for a request, like those of a query with a page of a collection."""
CALLER: Final = "scim"
"""Key of the identity provider among the callers; no user has it."""

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """Status, JSON and headers of a response."""

    status: HTTPStatus
    payload: Payload | None = None
    headers: Mapping[str, str] | None = None


class ScimEndpoint:
    """Endpoint of all paths below PATH."""

    def __init__(
        self, database: Database, token: ScimToken, limits: CallerLimits, *, user_id: UserId, root_path: str
    ) -> None:
        """Take the database, the provider's token, limits shared with GraphQL, and the prefix of paths."""
        self._database, self._token, self._limits = database, token, limits
        self._user_id, self._root_path = user_id, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = HTTPRequest(scope, receive)
        request_id, parts = request.request_id(), scope["path"].removeprefix(PATH).strip("/").split("/")
        status, payload, headers = await self._answer(request, parts, request_id)
        resource = parts[0] if parts[0] in {*KINDS, *_DISCOVERY} else "-"
        method = request.method if request.method in _METHODS else "-"
        arguments = request_id, method, resource, status
        _log.info("Request %s of SCIM, %s %s, got status %d.", *arguments, extra={"event": Event.SCIM})
        body = b"" if payload is None else orjson.dumps(payload)
        response = Response(body, status, {**(headers or {}), "x-request-id": request_id}, MEDIA_TYPE)
        await response(scope, receive, send)

    async def _answer(self, request: HTTPRequest, parts: list[str], request_id: str) -> Answer:
        try:
            self._authenticate(request)
            self._limits.in_progress.begin(CALLER)
            try:
                with POLICY:
                    return await self._dispatch(request, parts, request_id)
            finally:
                self._limits.in_progress.end(CALLER)
        except SCIMException as error:
            return _error_answer(error.to_error())
        except ValidationError as error:
            return _error_answer(Error.from_validation_errors(error)[0])
        except (HTTPError, StorageError) as failed:
            error_ = storage_http_error(failed) if isinstance(failed, StorageError) else failed
            log_http_error(error_, request_id)
            return _error_answer(Error(status=error_.status, detail=error_.message), error_.headers)
        except ClientDisconnect:
            return _error_answer(Error(status=HTTPStatus.BAD_REQUEST, detail="The request ended early."))
        except Exception as failure:  # noqa: BLE001 - the client gets only the request's id; the log has the error
            log_failure(failure, request_id)
            return _error_answer(Error(status=HTTPStatus.INTERNAL_SERVER_ERROR, detail=f"Request {request_id} failed."))

    def _authenticate(self, request: HTTPRequest) -> None:
        """Charge for the request, its sender's address if the token is wrong. Raises HTTPError."""
        is_provider, rate = self._token.is_in(request.all_headers(b"authorization")), self._limits.rate
        client = request.scope.get("client")
        if rate is not None:
            buckets = rate.users if is_provider else rate.addresses
            seconds = buckets.take(CALLER if is_provider else address_key(client[0] if client else ""), POINTS)
            if seconds:
                message = f"Too many requests. Retry after {seconds:,} seconds."
                headers = {"retry-after": str(seconds)}
                raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS, RequestErrorCode.RATE_LIMITED, message, headers)
        if not is_provider:
            _log.info("Rejected the token of a SCIM request.", extra={"event": Event.TOKEN_REFUSED})
            raise UnauthenticatedError

    async def _dispatch(self, request: HTTPRequest, parts: list[str], request_id: str) -> Answer:
        match request.method, parts:
            case "GET", [name, *key] if name in _DISCOVERY:
                return Answer(HTTPStatus.OK, _describe(name, key))
            case _, [name, *_] if name in KINDS:
                location = f"{Request(request.scope).url.replace(path=self._root_path + PATH, query='')}/{name}"
                directory = Directory(self._database, KINDS[name], self._user_id, location, request_id)
                return await _use(directory, request, parts[1:])
            case _:
                raise NotFoundException(detail="There is no such endpoint of SCIM here.")


async def _use(directory: Directory, request: HTTPRequest, ids: list[str]) -> Answer:
    match request.method, ids:
        case "GET", []:
            return Answer(HTTPStatus.OK, await directory.search(_query(request)))
        case "GET", [id_]:
            return Answer(HTTPStatus.OK, await directory.read(id_, _query(request)))
        case "POST", []:
            created = await directory.create(await _read_payload(request))
            return Answer(HTTPStatus.CREATED, created, {"location": created["meta"]["location"]})
        case "PUT", [id_]:
            return Answer(HTTPStatus.OK, await directory.replace(id_, await _read_payload(request)))
        case "PATCH", [id_]:
            return Answer(HTTPStatus.OK, await directory.patch(id_, await _read_payload(request)))
        case "DELETE", [id_]:
            await directory.delete(id_)
            return Answer(HTTPStatus.NO_CONTENT)
        case _, [] | [_]:
            message = "This method is not allowed here."
            allowed = {"allow": "GET, PUT, PATCH, DELETE" if ids else "GET, POST"}
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, RequestErrorCode.METHOD_NOT_ALLOWED, message, allowed)
    raise NotFoundException(detail="There is no such endpoint of SCIM here.")


async def _read_payload(request: HTTPRequest) -> Payload:
    return parse_object(await read_body(request, MAX_BODY_BYTES), "body")


def _query(request: HTTPRequest) -> Payload:
    """Return the parameters of the URL. Raises HTTPError."""
    try:
        pairs = parse_qsl(request.scope["query_string"].decode("ascii"), errors="strict", max_num_fields=20)
    except ValueError:
        message = "The URL must have at most 20 parameters, percent-encoded UTF-8."
        raise HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.BAD_REQUEST, message) from None
    return dict(pairs)


def _describe(name: str, key: list[str]) -> Payload:
    """Return a part of the description of the service. Raises NotFoundException."""
    if name == "ServiceProviderConfig" and not key:
        return _dump(CONFIG)
    resources = {str(each.id): _dump(each) for each in _DISCOVERY[name]}
    if not key:
        page = {"totalResults": len(resources), "startIndex": 1, "itemsPerPage": len(resources)}
        return {"schemas": [str(ListResponse.__schema__)], **page, "Resources": list(resources.values())}
    if "/".join(key) not in resources:
        raise NotFoundException(detail="The service does not have this part.")
    return resources["/".join(key)]


def _dump(resource: Resource[Any]) -> Payload:
    return resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)


def _error_answer(error: Error, headers: Mapping[str, str] | None = None) -> Answer:
    status = HTTPStatus(error.status or HTTPStatus.BAD_REQUEST)
    return Answer(status, error.model_dump(scim_ctx=Context.DEFAULT), headers)


_METHODS: Final = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
_DISCOVERY: Final[Mapping[str, tuple[Resource[Any], ...]]] = {
    "ServiceProviderConfig": (CONFIG,),
    "ResourceTypes": PROVIDER.resource_types,
    "Schemas": PROVIDER.schemas,
}
