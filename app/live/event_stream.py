"""GraphQL over server-sent events, by the protocol graphql-sse in its mode of distinct connections.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from app import errors
from app.errors import RequestErrorCode, UnauthenticatedError
from app.live.connections import LiveConnections
from app.live.error import SubscriptionError
from app.live.subscription import Client, Services, Subscription
from app.negotiation import EVENT_STREAM
from app.request import GraphQLRequest
from app.response import RAW_SECURITY_HEADERS

HEARTBEAT_SECONDS: Final = 15
"""How often a comment is sent while there are no events, so that proxies keep the connection."""

SEND_SECONDS: Final = 20
"""Longest wait until a client has read the previous events."""

ABORT: Final = "atoll.abort"
"""Key of the scope's function that closes the connection at once, if the server has one."""

_HEADERS: Final = [
    (b"content-type", f"{EVENT_STREAM}; charset=utf-8".encode()),
    (b"cache-control", b"private, no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep the events until its buffer is full
    *RAW_SECURITY_HEADERS,
]
_HEARTBEAT: Final = b":\n\n"
_COMPLETE: Final = b"event: complete\ndata:\n\n"


class EventStream:
    """Response with the events of one subscription."""

    def __init__(self, client: Client, graphql_request: GraphQLRequest, services: Services) -> None:
        """Take the request of an authenticated client."""
        self._client, self._request, self._services = client, graphql_request, services

    async def send(self, receive: Receive, send: Send, connections: LiveConnections, draining: asyncio.Event) -> None:
        """Send the response, until the client leaves, the subscription ends, or the server drains.

        Without `complete` at its end, clients connect again. Raises HTTPError before the response has begun.
        """
        with connections.add(self._client.user_id):
            headers = [*_HEADERS, (b"x-request-id", self._client.request_id.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send(send, _HEARTBEAT)
            sending = asyncio.create_task(self._send_events(send))
            ending = [asyncio.create_task(draining.wait()), asyncio.create_task(_wait_until_it_leaves(receive))]
            try:
                await asyncio.wait({sending, *ending}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
            except TimeoutError:
                abort = self._client.request.scope.get("extensions", {}).get(ABORT)
                if abort is not None:
                    abort()
            finally:
                for task in (sending, *ending):
                    task.cancel()
                await asyncio.gather(sending, *ending, return_exceptions=True)
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b""})

    async def _send_events(self, send: Send) -> None:
        """Send all events, and heartbeats between them. Raises TimeoutError if the client does not read."""
        async with aclosing(self._events()) as events:
            following = asyncio.ensure_future(anext(events, None))
            try:
                while True:
                    done, _ = await asyncio.wait({following}, timeout=HEARTBEAT_SECONDS)
                    if not done:
                        await _send(send, _HEARTBEAT)
                        continue
                    event = following.result()
                    if event is None:
                        return
                    await _send(send, event)
                    following = asyncio.ensure_future(anext(events, None))
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def _events(self) -> AsyncGenerator[bytes]:
        try:
            subscription = Subscription(self._client, self._request, self._services)
            async with aclosing(subscription.results()) as results:
                async for response in results:
                    yield _next(response)
        except SubscriptionError as error:
            yield _next(orjson.dumps({"errors": error.errors}))
        except UnauthenticatedError as error:
            yield _next(orjson.dumps(errors.error_body(error.code, error.message)))
        except Exception as failure:  # noqa: BLE001 - the client gets only the request's id; the log has the error
            errors.log_failure(failure, self._client.request_id)
            body = errors.error_body(
                RequestErrorCode.INTERNAL, errors.INTERNAL_MESSAGE, requestId=self._client.request_id
            )
            yield _next(orjson.dumps(body))
        yield _COMPLETE


def _next(response: bytes) -> bytes:
    # JSON has no line breaks, so that the data is one line.
    return b"event: next\ndata: %b\n\n" % response


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait_until_it_leaves(receive: Receive) -> Any:
    while (await receive())["type"] != "http.disconnect":
        pass
