"""Ends of subscriptions and of their connections."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any


class SubscriptionError(Exception):
    """End of a subscription, with the errors as GraphQL formats them."""

    def __init__(self, errors: Sequence[Any]) -> None:
        """Take the errors."""
        super().__init__()
        self.errors = errors


class CloseCode(IntEnum):
    """Codes with which the server closes a WebSocket: those of RFC 6455 and of graphql-transport-ws."""

    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_REQUESTS = 4429


class ConnectionEndError(Exception):
    """End of a connection, with code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        """Take code and reason, which has at most 123 bytes."""
        super().__init__(reason)
        self.code, self.reason = code, reason
