"""Compression of response bodies by gzip (RFC 1952) and Zstandard (RFC 8878).

The length of compressed text says whether parts of it repeat, such as a secret and a guess of it (BREACH). The decision
`docs/decisions/responses-to-queries-are-compressed.md` says which bodies may be compressed, and why.
"""

import asyncio
import zlib
from typing import Final

from zstandard import ZstdCompressor

from app.negotiation import Coding

MIN_BYTES: Final = 1_024
"""Shorter bodies fit one packet with their headers, so that compression would gain nothing."""

THREAD_BYTES: Final = 131_072
"""Longer bodies are compressed by another thread: others would have to wait for more than a millisecond."""

GZIP_LEVEL: Final = 3
ZSTD_LEVEL: Final = 1
"""The usual levels, 6 and 3, take up to two and a half times as long, and save at most a fifth."""

_GZIP_WINDOW: Final = 31
"""The largest window of zlib, with gzip's header."""


def compress(body: bytes, coding: Coding) -> bytes:
    """Return the compressed body."""
    if coding is Coding.ZSTD:
        return ZstdCompressor(ZSTD_LEVEL).compress(body)
    return zlib.compress(body, GZIP_LEVEL, _GZIP_WINDOW)


async def compress_beside(body: bytes, coding: Coding) -> bytes:
    """Return the compressed body; a long one without keeping the event loop busy."""
    return compress(body, coding) if len(body) <= THREAD_BYTES else await asyncio.to_thread(compress, body, coding)
