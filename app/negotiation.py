"""Content negotiation (RFC 9110): media type and coding of a response, by `Accept` and `Accept-Encoding`."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
"""Media type of the GraphQL over HTTP specification. With it, the status says whether the request was valid."""

JSON: Final = "application/json"
"""Legacy media type, and the default. With it, a document that is invalid still has status 200."""

HTML: Final = "text/html"
EVENT_STREAM: Final = "text/event-stream"

CACHED_HEADERS: Final = 64

_QUALITY: Final = re.compile(r"[01](\.[0-9]*)?")


class Coding(StrEnum):
    """Content coding of a compressed body. At equal quality, the first is used."""

    ZSTD = "zstd"
    GZIP = "gzip"


class Preference(NamedTuple):
    """Preference of a client for a media type."""

    quality: float
    is_explicit: bool
    """Whether the header names the type itself, not a range such as `*/*`."""


class Negotiation(NamedTuple):
    """Result for one `Accept` header."""

    media_type: str | None
    """Media type of the response, or None if the client accepts neither. At equal quality, GRAPHQL_RESPONSE wins if the
    header names it, else JSON."""

    prefers_html: bool
    """Whether the client prefers HTML to JSON, as browsers do."""

    takes_events: bool = False
    """Whether the header names the media type of event streams."""


@lru_cache(maxsize=CACHED_HEADERS)
def negotiate(accept: bytes) -> Negotiation:
    """Negotiate by the values of the request's `Accept` headers, joined by commas."""
    qualities = _qualities(accept.decode("latin-1"))
    response, json = _preference_for(qualities, GRAPHQL_RESPONSE), _preference_for(qualities, JSON)
    prefers_html = _preference_for(qualities, HTML).quality > max(response.quality, json.quality)
    takes_events = bool(qualities.get(EVENT_STREAM))
    if not (response.quality or json.quality):
        return Negotiation(None, prefers_html, takes_events)
    is_response = response >= json if response.is_explicit else response.quality > json.quality
    return Negotiation(GRAPHQL_RESPONSE if is_response else JSON, prefers_html, takes_events)


@lru_cache(maxsize=CACHED_HEADERS)
def negotiate_coding(accept_encoding: bytes) -> Coding | None:
    """Negotiate by the values of the request's `Accept-Encoding` headers; None for a body that is not compressed.

    Only codings that the header names are used. A body that is not compressed is always acceptable.
    """
    qualities = _qualities(accept_encoding.decode("latin-1"))
    coding = max(Coding, key=lambda each: qualities.get(each, 0))
    quality = qualities.get(coding, 0)
    return coding if quality and quality >= qualities.get("identity", 0) else None


def _preference_for(qualities: dict[str, float], media_type: str) -> Preference:
    """Return the preference for a media type, by the most specific range that includes it."""
    if not qualities:
        return Preference(1, is_explicit=False)
    if media_type in qualities:
        return Preference(qualities[media_type], is_explicit=True)
    type_range = media_type.partition("/")[0] + "/*"
    return Preference(qualities.get(type_range, qualities.get("*/*", 0)), is_explicit=False)


def _qualities(accept: str) -> dict[str, float]:
    """Return the quality of each media range or coding: the highest of a repeated range, and 1 for a malformed quality.

    A blank header has none.
    """
    if not accept.strip():
        return {}
    qualities: dict[str, float] = {}
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q" and _QUALITY.fullmatch(value.strip()):
                quality = min(float(value), 1.0)
        qualities[media_range] = max(quality, qualities.get(media_range, 0))
    return qualities
