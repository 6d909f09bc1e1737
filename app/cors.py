"""Cross-origin requests (CORS): browsers let pages of the allowed origins call the API and read its responses.

Tokens are sent in a header and never in a cookie, so a page has no more access than the token that it was given.
"""

import re
from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.http_request import HTTPRequest

ANY_ORIGIN: Final = "*"
MAX_AGE_SECONDS: Final = 7_200
"""How long a browser may keep the response to a preflight request. Chromium keeps none longer."""

EXPOSED_HEADERS: Final = ("ETag", "Retry-After", "X-Request-Id")
"""Response headers that pages may read, besides those that every page may."""

_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")


def is_origin(text: str) -> bool:
    """Return whether the text is an origin as browsers send it, or `*` for all."""
    return text == ANY_ORIGIN or _ORIGIN.fullmatch(text) is not None


def allow_origins(application: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Return the application with responses that pages of these origins may read, and answers to preflights."""
    return CORSMiddleware(
        application,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=(ANY_ORIGIN,),
        expose_headers=EXPOSED_HEADERS,
        max_age=MAX_AGE_SECONDS,
    )


def comes_from(request: HTTPRequest, origins: Sequence[str]) -> bool:
    """Return whether a page of one of these origins sent the request, and asks to read the response."""
    origin = request.first_header(b"origin").decode("latin-1")
    return bool(origin) and (origin in origins or ANY_ORIGIN in origins)
