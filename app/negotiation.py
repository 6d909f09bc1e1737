"""Content negotiation: the media type of a response, by the request's `Accept` header (RFC 9110)."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
"""Media type of the GraphQL over HTTP specification. With it, the status says whether the request was valid."""

JSON: Final = "application/json"
"""Legacy media type, and the default. With it, a document that is invalid still has status 200."""

HTML: Final = "text/html"

CACHED_HEADERS: Final = 64

_QUALITY: Final = re.compile(r"[01](\.[0-9]*)?")


class Preference(NamedTuple):
    """Preference of a client for a media type."""

    quality: float
    is_explicit: bool
    """Whether the header names the type itself, not a range such as `*/*`."""


@lru_cache(maxsize=CACHED_HEADERS)
def choose_media_type(accept: str | None) -> str | None:
    """Return the media type of the response, or None if the client accepts neither.

    At equal quality, GRAPHQL_RESPONSE wins if the header names it, else JSON.
    """
    response, json = preference_for(accept, GRAPHQL_RESPONSE), preference_for(accept, JSON)
    if not (response.quality or json.quality):
        return None
    return (
        GRAPHQL_RESPONSE
        if response.is_explicit and response >= json
        else GRAPHQL_RESPONSE
        if response.quality > json.quality
        else JSON
    )


@lru_cache(maxsize=CACHED_HEADERS)
def prefers_html(accept: str | None) -> bool:
    """Return whether the client prefers HTML to JSON, as browsers do."""
    page = preference_for(accept, HTML)
    return page.quality > max(preference_for(accept, GRAPHQL_RESPONSE).quality, preference_for(accept, JSON).quality)


def preference_for(accept: str | None, media_type: str) -> Preference:
    """Return the preference for a media type, by the most specific range that includes it."""
    if not accept or not accept.strip():
        return Preference(1, is_explicit=False)
    qualities = _qualities(accept)
    if media_type in qualities:
        return Preference(qualities[media_type], is_explicit=True)
    type_range = media_type.partition("/")[0] + "/*"
    return Preference(qualities.get(type_range, qualities.get("*/*", 0)), is_explicit=False)


@lru_cache(maxsize=CACHED_HEADERS)
def _qualities(accept: str) -> dict[str, float]:
    """Return the quality of each media range: the highest of a repeated range, and 1 for a malformed quality."""
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
