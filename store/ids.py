"""This file is how public ids are made: opaque, random, with no order and no kind of asset in them."""

import base64
import secrets
import time

ALPHABET = "0123456789abcdefghijklmnopqrstuv"
LENGTH = 24
PREFIX_LENGTH = 3

# Where chance and time come from; tests put their own here.
random_bytes = secrets.token_bytes
clock_ns = time.time_ns


def new_id(prefix: str) -> str:
    """Return a new id such as `ast_` and 24 characters of [0-9a-v]: 120 random bits, safe in URLs and file names.

    The prefix tells an asset from a topic in a log; it is the same for all five kinds of asset.
    """
    return f"{prefix}_{base64.b32hexencode(random_bytes(15)).decode().lower()}"


def is_id(text: str, prefix: str | None = None) -> bool:
    """Return whether the text has the form of an id (of that prefix): a test without a statement."""
    head, _, tail = text.partition("_")
    return (
        len(head) == PREFIX_LENGTH
        and len(tail) == LENGTH
        and (prefix is None or head == prefix)
        and set(tail) <= set(ALPHABET)
    )


def now_ms() -> int:
    """Return the present instant in milliseconds since 1970 UTC."""
    return clock_ns() // 1_000_000
