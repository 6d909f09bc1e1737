"""Downloads of exports: files of jobs, for the viewer who started the job, as long as their access lasts.

`GET` and `HEAD /exports/{job}` answer the file, whole or in ranges (RFC 9110), to the bearer token of that viewer or by
a link in the parameter `link`, which works for one GET. `POST /exports/{job}` creates such a link. The access that the
file relies on is checked for each request, against the current rows.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import orjson
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from app.authentication import ClaimsChangedError, load_viewer
from app.caller import Caller, CallerLimits
from app.errors import (
    HTTPError,
    RequestErrorCode,
    UnauthenticatedError,
    UnavailableError,
    error_body,
    log_failure,
    log_http_error,
    storage_http_error,
)
from app.http_request import HTTPRequest
from app.log import Event
from app.oidc_claims import Claims
from app.operation import OperationRecord, current_operation
from permissions import Viewer, visible
from permissions.error import ErrorCode
from permissions.viewer import viewer_by_pk
from resolvers.export.access import FileAccess, load_access
from resolvers.export.file_format import ENDINGS, ExportFormat
from store import exports, sql
from store.database import Database, Snapshot
from store.date_time import format_rfc_3339
from store.failure import StorageError
from store.ids import is_id, now_ms

PATH: Final = "/exports"
POINTS: Final = 10
"""Points of the rate limit for a request, like those of a query with a page of a collection."""
MAX_CHECKED: Final = 1_000
"""Files of which this process remembers the last check of access."""

Authenticate = Callable[[Sequence[bytes]], Awaitable[tuple[str | None, Claims | None]]]
SignIn = Callable[[Claims, str], Awaitable[None]]

_MEDIA_TYPES: Final = {
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.CSV: "application/zip",
    ExportFormat.PARQUET: "application/zip",
    ExportFormat.GRAPHML: "application/graphml+xml",
}
_HEADERS: Final = {"cache-control": "private, no-store", "vary": "Authorization"}
_METHODS: Final = ("GET", "HEAD", "POST")

_log = logging.getLogger(__name__)


class InvalidLinkError(HTTPError):
    """A link that is unknown, was used, or has expired. The response is the same for every reason."""

    def __init__(self) -> None:
        """Take no reason."""
        message = "The link is not valid. It works once, within five minutes. Create another."
        super().__init__(HTTPStatus.UNAUTHORIZED, ErrorCode.UNAUTHENTICATED, message, {"www-authenticate": "Bearer"})


class Download(NamedTuple):
    """A file that the viewer may download: its row, the viewer, and the digest of the link, if there is one."""

    file: Any
    viewer: Viewer
    link: str | None


class ExportDownload:
    """Endpoint of the paths below PATH."""

    def __init__(
        self,
        database: Database,
        folder: Path | None,
        authenticate: Authenticate,
        sign_in: SignIn,
        limits: CallerLimits,
    ) -> None:
        """Take the database, the folder of files, authentication as that of GraphQL, and limits shared with it."""
        self._database, self._folder, self._limits = database, folder, limits
        self._authenticate, self._sign_in = authenticate, sign_in
        self._checked: OrderedDict[int, tuple[Viewer, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = HTTPRequest(scope, receive)
        record = OperationRecord(request.request_id())
        record.points = POINTS
        token = current_operation.set(record)
        try:
            response = await self._respond(request, Caller(request, record, self._limits), record.request_id)
        finally:
            current_operation.reset(token)
        response.headers.update({**_HEADERS, "x-request-id": record.request_id})
        method = request.method if request.method in _METHODS else "-"
        arguments = record.request_id, method, response.status_code
        _log.info("Request %s of an export, %s, got status %d.", *arguments, extra={"event": Event.DOWNLOAD})
        await response(scope, receive, send)

    async def _respond(self, request: HTTPRequest, caller: Caller, request_id: str) -> Response:
        try:
            response = await self._answer(request, caller, request_id)
        except (HTTPError, StorageError) as failed:
            error = storage_http_error(failed) if isinstance(failed, StorageError) else failed
            log_http_error(error, request_id)
            response = _json(error.status, error_body(error.code, error.message), error.headers)
        except Exception as failure:  # noqa: BLE001 - the client gets only the request's id; the log has the error
            log_failure(failure, request_id)
            body = error_body(RequestErrorCode.INTERNAL, "Internal error.", requestId=request_id)
            response = _json(HTTPStatus.INTERNAL_SERVER_ERROR, body)
        caller.settle(response.status_code)
        return response

    async def _answer(self, request: HTTPRequest, caller: Caller, request_id: str) -> Response:
        if request.method not in _METHODS:
            message, allowed = "This method is not allowed here.", {"allow": ", ".join(_METHODS)}
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, RequestErrorCode.METHOD_NOT_ALLOWED, message, allowed)
        caller.charge()
        if seconds := caller.seconds_until_credit():
            raise caller.refusal(seconds)
        key = caller.viewer  # later it may be another
        self._limits.in_progress.begin(key)
        try:
            download = await self._find(request, caller, request_id)
            if request.method == "POST":
                return await self._create_link(download)
            response = self._file_response(download)
            if request.method == "GET" and download.link is not None:
                await self._use_link(download.link)
            return response
        finally:
            self._limits.in_progress.end(key)

    async def _find(self, request: HTTPRequest, caller: Caller, request_id: str) -> Download:
        """Return the file that the request names. Raises HTTPError."""
        id_ = request.scope["path"].rpartition("/")[2]
        links = parse_qs(request.scope["query_string"].decode("latin-1")).get("link", [])
        if links and request.method != "POST":
            async with self._database.snapshot() as snapshot:
                return await self._find_by_link(snapshot, id_, links[0])
        api_token, claims = await self._authenticate(caller.authorization)
        try:
            return await self._find_by_token(id_, caller, api_token, claims)
        except ClaimsChangedError as changed:
            await self._sign_in(changed.claims, request_id)
        return await self._find_by_token(id_, caller, api_token, claims)

    async def _find_by_link(self, snapshot: Snapshot, id_: str, secret: str) -> Download:
        link = await exports.find_link(snapshot, secret)
        if link is None or link.id != id_:
            raise InvalidLinkError
        viewer = await viewer_by_pk(snapshot, link.user_pk)
        if viewer is None:
            raise InvalidLinkError
        return Download(await self._load_file(snapshot, viewer, id_), viewer, link.digest)

    async def _find_by_token(self, id_: str, caller: Caller, api_token: str | None, claims: Claims | None) -> Download:
        async with self._database.snapshot() as snapshot:
            viewer = await load_viewer(snapshot, api_token, claims)
            if not viewer.is_signed_in:
                raise UnauthenticatedError
            caller.recognize()
            return Download(await self._load_file(snapshot, viewer, id_), viewer, None)

    async def _load_file(self, snapshot: Snapshot, viewer: Viewer, id_: str) -> Any:
        """Return the row of the file. Raises HTTPError if the viewer has none, or may not have it any more."""
        file = visible(sql.export_file, viewer).where(sql.export_file.c.id == id_)
        rows = await snapshot.rows(file) if is_id(id_, "job") else []  # PostgreSQL refuses some texts that are no ids
        if not rows:
            raise HTTPError(HTTPStatus.NOT_FOUND, RequestErrorCode.NOT_FOUND, "There is no such export.")
        if rows[0].expires_at <= now_ms():
            raise _gone("The file has expired.")
        if not await self._has_access(snapshot, viewer, rows[0]):
            raise _gone("You lost access to something in this file.")
        return rows[0]

    async def _has_access(self, snapshot: Snapshot, viewer: Viewer, file: Any) -> bool:
        """Return whether the viewer still has the access that the file relies on.

        Access depends on nothing but the viewer and the objects of which row versions are logged, so that requests for
        parts of a file are checked once, until something is written.
        """
        state = viewer, viewer.row_version
        if self._checked.get(file.pk) == state:
            return True
        current = await load_access(snapshot, viewer)
        if not FileAccess.from_json(file.access).is_within(current):
            return False
        self._checked[file.pk] = state
        self._checked.move_to_end(file.pk)
        if len(self._checked) > MAX_CHECKED:
            self._checked.popitem(last=False)
        return True

    def _file_response(self, download: Download) -> Response:
        path = None if self._folder is None else self._folder / download.file.name
        if path is None or not path.is_file():
            raise UnavailableError("The file of an export is not in ATOLL_EXPORT_FOLDER of this process.")
        format_ = ExportFormat(download.file.format)
        return FileResponse(
            path,
            media_type=_MEDIA_TYPES[format_],
            filename=f"atoll-{download.file.id}.{ENDINGS[format_]}",
            headers={"etag": f'"{path.stem}"'},
        )

    async def _create_link(self, download: Download) -> Response:
        async with self._database.write(self._database.operation_seconds) as connection:
            link = await exports.create_link(connection, download.file.pk, download.viewer.token_pk)
        # Relative to the URL of the GraphQL endpoint, like `downloadUrl`.
        url = f"{PATH[1:]}/{download.file.id}?link={link.secret}"
        return _json(HTTPStatus.CREATED, {"url": url, "expiresAt": format_rfc_3339(link.expires_at)})

    async def _use_link(self, digest: str) -> None:
        async with self._database.write(self._database.operation_seconds) as connection:
            if not await exports.use_link(connection, digest):
                raise InvalidLinkError


def _gone(message: str) -> HTTPError:
    return HTTPError(HTTPStatus.GONE, RequestErrorCode.GONE, f"{message} Start another export.")


def _json(status: HTTPStatus, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")
