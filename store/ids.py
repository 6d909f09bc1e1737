"""Public ids: random and opaque. They reveal neither the order of creation nor the kind of an asset."""

import base64
import secrets
import time

ID_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
ID_LENGTH = 24
ID_PREFIX_LENGTH = 3

# Sources of randomness and time; tests replace them.
random_bytes = secrets.token_bytes
clock_ns = time.time_ns


def new_id(prefix: str) -> str:
    """Return a new id such as `ast_` and 24 characters of [0-9a-v]: 120 random bits, safe in URLs and file names.

    The prefix tells a reader of logs an asset from a topic; all kinds of asset share one prefix.
    """
    return f"{prefix}_{base64.b32hexencode(random_bytes(15)).decode().lower()}"


def is_id(text: str, prefix: str | None = None) -> bool:
    """Return whether the text is a well-formed id, with the prefix if one is given. Does not query the database."""
    head, _, tail = text.partition("_")
    return (
        len(head) == ID_PREFIX_LENGTH
        and len(tail) == ID_LENGTH
        and (prefix is None or head == prefix)
        and set(tail) <= set(ID_ALPHABET)
    )


def now_ms() -> int:
    """Return the current time in milliseconds since 1970 UTC."""
    return clock_ns() // 1_000_000
