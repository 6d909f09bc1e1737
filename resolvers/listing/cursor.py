"""This file is cursors: encrypted, authenticated, and made of nothing but what their viewer saw.

The same row in the same list gives the same viewer the same text. A cursor is bound to its list, order, parent and
viewer: anywhere else it is refused, as a forged one is. Where a list is in the administrators' order a cursor holds no
rank, which would tell of hidden neighbours, but the id of its row, and of two rows before it for when that row is gone.
"""

import base64
import binascii
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from permissions import ErrorCode, OperationError, Viewer

LONGEST = 2_000

BAD_CURSOR = "This cursor is not one of this list: start again without it."
GONE = "The place this cursor marks is gone: start again without it."


def seal(viewer: Viewer, binding: str, values: list[Any]) -> str:
    """Return the cursor that holds the values."""
    sealed = _cipher(viewer.cursor_key).encrypt(orjson.dumps(values), [_bound(viewer, binding)])
    return _text(sealed)


def unseal(viewer: Viewer, binding: str, cursor: str) -> tuple[Any, ...]:
    """Return the values of a cursor; raise OperationError(BAD_CURSOR) unless it was made here for this viewer."""
    if len(cursor) > LONGEST:
        raise OperationError(ErrorCode.BAD_CURSOR, BAD_CURSOR)
    try:
        sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        # Base64 has several texts for the same bytes; a cursor has one.
        if _text(sealed) != cursor:
            raise ValueError  # noqa: TRY301 - refused as every other forgery is
        return tuple(orjson.loads(_cipher(viewer.cursor_key).decrypt(sealed, [_bound(viewer, binding)])))
    except (ValueError, InvalidTag, binascii.Error):
        raise OperationError(ErrorCode.BAD_CURSOR, BAD_CURSOR) from None


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


@lru_cache(maxsize=4)
def _cipher(key: bytes) -> AESSIV:
    # Deterministic on purpose: a random nonce would make equal answers differ.
    return AESSIV(key)


def _bound(viewer: Viewer, binding: str) -> bytes:
    return f"{binding}|{viewer.user_pk or ''}".encode()
