"""Custom scalars: DateTime, URL and Long."""

from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from store.date_time import format_rfc_3339, parse_rfc_3339
from store.url import URL_SCHEME_LIST, normalize_url

DateTime = NewType("DateTime", int)
Url = NewType("Url", str)
Long = NewType("Long", int)

MAX_LONG = 2**63


def _parse_date_time(value: Any) -> int:
    try:
        return parse_rfc_3339(value)
    except ValueError:
        raise GraphQLError("Use RFC 3339 with a time zone, for example 2026-11-23T06:29:00.000Z.") from None


def _parse_long(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -MAX_LONG <= value < MAX_LONG:
        raise GraphQLError("A Long is a signed integer of at most 64 bits.")
    return value


def _parse_url(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"Use a URL that begins with {URL_SCHEME_LIST}.")
    try:
        return normalize_url(value)
    except ValueError as error:
        raise GraphQLError(f"The URL {error}.") from None


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="Date and time as in RFC 3339, in UTC. Example: 2026-11-23T06:29:00.000Z",
        serialize=format_rfc_3339,
        parse_value=_parse_date_time,
    ),
    Url: strawberry.scalar(
        name="URL",
        description=f"URL of a page or of a stored object. It begins with {URL_SCHEME_LIST}.",
        serialize=str,
        parse_value=_parse_url,
    ),
    Long: strawberry.scalar(
        name="Long", description="Signed 64-bit integer, sent as a JSON number.", serialize=int, parse_value=_parse_long
    ),
}
