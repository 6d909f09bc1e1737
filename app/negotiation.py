"""This file is the choice of an answer's media type: what the `Accept` header of a request leaves Atoll to send."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
"""The type of GraphQL over HTTP, whose status tells whether the request was well-formed and valid."""

JSON: Final = "application/json"
"""What clients of before know, and get who say nothing: GraphQL's errors come with status 200."""

HTML: Final = "text/html"

_QUALITY: Final = re.compile(r"[01](\.[0-9]*)?")


class Preference(NamedTuple):
    """How welcome a media type is."""

    quality: float
    is_explicit: bool
    """Whether the client wrote the very type, not a range that it falls in."""


def choose_media_type(accept: str | None) -> str | None:
    """Return the media type to answer in, or None when the client takes neither.

    Of two that are equally welcome the one that the client named wins, then the newer if it was named.
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


def prefers_html(accept: str | None) -> bool:
    """Return whether a page is more welcome than any answer in JSON: whether a browser is asking."""
    page = preference_for(accept, HTML)
    return page.quality > max(preference_for(accept, GRAPHQL_RESPONSE).quality, preference_for(accept, JSON).quality)


def preference_for(accept: str | None, media_type: str) -> Preference:
    """Return how welcome the media type is; the most specific range of the header that it falls in tells."""
    if not accept or not accept.strip():
        return Preference(1, is_explicit=False)
    qualities = _qualities(accept)
    if media_type in qualities:
        return Preference(qualities[media_type], is_explicit=True)
    within = media_type.partition("/")[0] + "/*"
    return Preference(qualities.get(within, qualities.get("*/*", 0)), is_explicit=False)


@lru_cache(maxsize=64)
def _qualities(accept: str) -> dict[str, float]:
    """Return the quality of each media range; of one named twice the greater, and 1 where it is in no known form."""
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
