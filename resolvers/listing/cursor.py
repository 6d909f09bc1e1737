"""Cursors: encrypted and authenticated (AES-SIV, RFC 5297), containing only values that their viewer has seen.

The same row in the same list has the same cursor for the same viewer. A cursor is bound to its list, order, parent and
viewer; used with any other, it is rejected like a forged one. It contains the sort keys of its row. In a list sorted by
rank, it contains no rank, because a rank reveals the number of hidden rows, but a chain: the ids of its row and of the
visible rows around it.
"""

import base64
import binascii
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from permissions import ErrorCode, OperationError, Viewer

MAX_CURSOR_LENGTH = 2_000

INVALID = "This cursor does not belong to this list. Start again without a cursor."
GONE = "The rows that this cursor marks have left the list. Start again without a cursor."


def seal(viewer: Viewer, scope: str, content: bytes) -> str:
    """Encrypt the content as a cursor of the scope: a list, its order and its parent."""
    sealed = _cipher(viewer.cursor_key).encrypt(content, [_associated_data(viewer, scope)])
    return _base64(sealed)


def unseal(viewer: Viewer, scope: str, cursor: str) -> bytes:
    """Return the content of a cursor.

    Raises OperationError(BAD_CURSOR) for a cursor that this deployment did not create for this viewer and scope.
    """
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise OperationError(ErrorCode.BAD_CURSOR, INVALID)
    try:
        sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        # Several Base64 texts decode to the same bytes; only the one from `seal` is accepted.
        if _base64(sealed) != cursor:
            raise ValueError  # noqa: TRY301 - rejected as every other forgery is
        return _cipher(viewer.cursor_key).decrypt(sealed, [_associated_data(viewer, scope)])
    except (ValueError, InvalidTag, binascii.Error):
        raise OperationError(ErrorCode.BAD_CURSOR, INVALID) from None


def _base64(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


@lru_cache(maxsize=4)
def _cipher(key: bytes) -> AESSIV:
    # Deterministic on purpose: with a random nonce equal responses would differ.
    return AESSIV(key)


def _associated_data(viewer: Viewer, scope: str) -> bytes:
    return f"{scope}|{viewer.user_pk or ''}".encode()
