"""GraphQL over WebSocket, by the protocol graphql-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import logging
from contextlib import ExitStack, aclosing, suppress
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from app import errors
from app.errors import HTTPError, RequestErrorCode, UnauthenticatedError
from app.http_request import HTTPRequest
from app.live.connections import LiveConnections
from app.live.error import CloseCode, ConnectionEndError, SubscriptionError
from app.live.subscription import Client, Services, Subscription
from app.request import parse_object, validate_members
from app.trusted_documents import TrustedDocuments
from resolvers.limits import LIMITS

PROTOCOL: Final = "graphql-transport-ws"

INITIALISATION_SECONDS: Final = 5
"""How long a client may take for `connection_init`."""

SEND_SECONDS: Final = 20
"""Longest wait until a client has read the previous messages."""

MAX_ID_CHARACTERS: Final = 100

MALFORMED: Final = "Send JSON objects as graphql-transport-ws has them."
SLOW: Final = "Events were not read in time. Reconnect, and resume by the last cursor."
RESTART: Final = "The server is shutting down. Reconnect, and resume by the last cursor."
EXPIRED: Final = "The bearer token is not valid any more."

_log = logging.getLogger(__name__)


class Socket:
    """Connection of one client, with its subscriptions."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        services: Services,
        connections: LiveConnections,
        documents: TrustedDocuments,
    ) -> None:
        """Take the arguments of the ASGI application, and the parts of it that the connection uses."""
        self._scope, self._receive, self._send_message = scope, receive, send
        self._services, self._connections, self._documents = services, connections, documents
        self._client: Client | None = None
        self._subscriptions: dict[str, asyncio.Task[None]] = {}
        self._end: asyncio.Future[ConnectionEndError] = asyncio.get_running_loop().create_future()

    async def run(self, draining: asyncio.Event) -> None:
        """Serve the connection until either side ends it, or the server drains."""
        await self._receive()
        is_known = PROTOCOL in self._scope["subprotocols"]
        await self._send_message({"type": "websocket.accept", "subprotocol": PROTOCOL if is_known else None})
        if not is_known:
            await self._close(CloseCode.NOT_ACCEPTABLE, f"Use the subprotocol {PROTOCOL}.")
            return
        with ExitStack() as stack:
            reading = asyncio.create_task(self._read(stack))
            waiting = asyncio.create_task(draining.wait())
            tasks: set[asyncio.Future[Any]] = {reading, waiting, self._end}
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if self._end.done():
                    await self._close(self._end.result().code, self._end.result().reason)
                elif reading.done():
                    reading.result()
                else:
                    await self._close(CloseCode.RESTART, RESTART)
            finally:
                reading.cancel()
                waiting.cancel()
                running = [*self._subscriptions.values()]
                for task in running:
                    task.cancel()
                await asyncio.gather(reading, waiting, *running, return_exceptions=True)

    async def _read(self, stack: ExitStack) -> None:
        """Handle messages until the client leaves. Ends the connection at an error."""
        try:
            try:
                async with asyncio.timeout(INITIALISATION_SECONDS):
                    while self._client is None:
                        if not await self._read_message(stack):
                            return
            except TimeoutError:
                code = CloseCode.INITIALISATION_TIMEOUT
                raise ConnectionEndError(code, "Connection initialisation timeout") from None
            while await self._read_message(stack):
                pass
        except ConnectionEndError as end:
            self._fail(end)
        except Exception as failure:  # noqa: BLE001 - the client gets only the code; the log has the error
            errors.log_failure(failure, "of a WebSocket")
            self._fail(ConnectionEndError(CloseCode.TRY_AGAIN_LATER, errors.INTERNAL_MESSAGE))

    async def _read_message(self, stack: ExitStack) -> bool:
        """Handle the next message; return whether the client is still there."""
        received = await self._receive()
        if received["type"] == "websocket.disconnect":
            return False
        message = _parse(received.get("text"))
        match message["type"]:
            case "connection_init":
                await self._initialise(message, stack)
            case "ping":
                await self._send(type="pong", **_payload(message))
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                task = self._subscriptions.pop(_id(message), None)
                if task is not None:
                    task.cancel()
            case _:
                raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
        return True

    async def _initialise(self, message: dict[str, Any], stack: ExitStack) -> None:
        if self._client is not None:
            raise ConnectionEndError(CloseCode.TOO_MANY_REQUESTS, "Too many initialisation requests")
        client = Client(_request(self._scope, message.get("payload")), self._services)
        try:
            await client.authenticate()
            stack.enter_context(self._connections.add(client.user_id))
        except HTTPError as error:
            errors.log_http_error(error, client.request_id)
            code = {
                HTTPStatus.UNAUTHORIZED: CloseCode.FORBIDDEN,
                HTTPStatus.TOO_MANY_REQUESTS: CloseCode.TOO_MANY_REQUESTS,
            }.get(error.status, CloseCode.TRY_AGAIN_LATER)
            raise ConnectionEndError(code, error.message[:100]) from None
        self._client = client
        await self._send(type="connection_ack")

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if self._client is None:
            raise ConnectionEndError(CloseCode.UNAUTHORIZED, "Unauthorized")
        id_, payload = _id(message), message.get("payload")
        if not isinstance(payload, dict):
            raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
        if id_ in self._subscriptions:
            raise ConnectionEndError(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {id_[:50]} already exists")
        if len(self._subscriptions) >= LIMITS.subscriptions:
            problem = f"At most {LIMITS.subscriptions} subscriptions are allowed on one WebSocket. Open another."
            body = errors.error_body(RequestErrorCode.LIMIT_EXCEEDED, problem)
            await self._send(id=id_, type="error", payload=body["errors"])
            return
        task = asyncio.create_task(self._run(self._client, id_, payload))
        self._subscriptions[id_] = task
        task.add_done_callback(lambda _task: self._subscriptions.get(id_) is task and self._subscriptions.pop(id_))

    async def _run(self, client: Client, id_: str, payload: dict[str, Any]) -> None:
        """Send the results of one subscription, and its end."""
        try:
            try:
                graphql_request = validate_members(payload, self._documents)
                subscription = Subscription(client, graphql_request, self._services)
                async with aclosing(subscription.results()) as results:
                    async for response in results:
                        await self._send(id=id_, type="next", payload=orjson.Fragment(response))
                await self._send(id=id_, type="complete")
            except HTTPError as error:
                if isinstance(error, UnauthenticatedError):
                    raise
                raise SubscriptionError(errors.error_body(error.code, error.message)["errors"]) from None
        except SubscriptionError as error:
            await self._send(id=id_, type="error", payload=error.errors)
        except UnauthenticatedError:
            self._fail(ConnectionEndError(CloseCode.FORBIDDEN, EXPIRED))
        except ConnectionEndError as end:
            self._fail(end)
        except Exception as failure:  # noqa: BLE001 - the client gets only the request's id; the log has the error
            errors.log_failure(failure, client.request_id)
            body = errors.error_body(RequestErrorCode.INTERNAL, errors.INTERNAL_MESSAGE, requestId=client.request_id)
            await self._send(id=id_, type="error", payload=body["errors"])

    def _fail(self, end: ConnectionEndError) -> None:
        """End the connection, unless that was done."""
        if not self._end.done():
            self._end.set_result(end)

    async def _send(self, **message: Any) -> None:
        """Send a message. Raises ConnectionEndError if the client does not read."""
        text = orjson.dumps(message).decode()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send_message({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise ConnectionEndError(CloseCode.TRY_AGAIN_LATER, SLOW) from None
        except OSError:
            return  # the client has left, which `_read` gets to know

    async def _close(self, code: int, reason: str) -> None:
        with suppress(OSError):
            await self._send_message({"type": "websocket.close", "code": code, "reason": reason})


def _request(scope: Scope, payload: Any) -> HTTPRequest:
    """Return the handshake as a request, with the token of the payload if that has one."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    given = _authorization(payload)
    own = [(name, value) for name, value in scope["headers"] if name == b"authorization"]
    headers += own if given is None else [(b"authorization", given)]

    async def receive() -> Any:
        await asyncio.get_running_loop().create_future()

    return HTTPRequest({**scope, "method": "GET", "headers": headers}, receive)


def _authorization(payload: Any) -> bytes | None:
    """Return the value of `authorization` in the payload of `connection_init`, ignoring case; None without one."""
    if payload is None:
        return None
    if not isinstance(payload, dict):
        raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
    given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
    if given is None:
        return None
    if not isinstance(given, str):
        raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
    return given.encode("utf-8", "replace")


def _parse(text: str | None) -> dict[str, Any]:
    """Return the object in a message. Raises ConnectionEndError for anything else."""
    try:
        message = parse_object((text or "").encode(), "message")
    except HTTPError:
        message = {}
    if not isinstance(message.get("type"), str):
        raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
    return message


def _can_be_sent(payload: dict[str, Any]) -> bool:
    """Return whether the payload can be written as JSON again, which can have fewer levels than JSON that is read."""
    try:
        orjson.dumps(payload)
    except orjson.JSONEncodeError:
        return False
    return True


def _id(message: dict[str, Any]) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_CHARACTERS:
        raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
    return id_


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a ping, which its pong has too."""
    payload = message.get("payload")
    if payload is not None and (not isinstance(payload, dict) or not _can_be_sent(payload)):
        raise ConnectionEndError(CloseCode.BAD_REQUEST, MALFORMED)
    return {} if payload is None else {"payload": payload}
