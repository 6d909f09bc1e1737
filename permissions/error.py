"""Errors that refuse an operation, with the codes that clients act on."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Codes of refused operations; clients find them in `extensions.code`."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    BAD_CURSOR = "BAD_CURSOR"
    SYNC_TOKEN_EXPIRED = "SYNC_TOKEN_EXPIRED"  # noqa: S105 - a code, no password
    SYNC_TOKEN_INVALID = "SYNC_TOKEN_INVALID"  # noqa: S105 - a code, no password
    UNAVAILABLE = "UNAVAILABLE"


class OperationError(Exception):
    """A refused operation: not authorized, invalid, or unavailable. The response has its code and message."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
