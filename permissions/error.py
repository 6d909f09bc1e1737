"""This file is how a refusal is said: one exception, with a code that clients act on."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Why an operation was refused; what clients find in `extensions.code`."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    BAD_CURSOR = "BAD_CURSOR"
    UNAVAILABLE = "UNAVAILABLE"


class OperationError(Exception):
    """The viewer asked for what they may not have, or in a form nobody can answer; the message is for them."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
