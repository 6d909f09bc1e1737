"""Custom scalars: DateTime, URL and Long."""

from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from store.date_time import format_rfc_3339, parse_rfc_3339
from store.url import URL_SCHEMES, format_schemes, normalize_url

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
        raise GraphQLError("Use a URL, such as https://example.org/1.")
    try:
        return normalize_url(value, schemes=None)  # the mutation knows those that the deployment allows
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
        description=(
            f"URL of a page or of a stored object. By default, it begins with {format_schemes(URL_SCHEMES)};"
            " the setting `ATOLL_URL_SCHEMES` of the deployment can name other schemes."
        ),
        serialize=str,
        parse_value=_parse_url,
    ),
    Long: strawberry.scalar(
        name="Long", description="Signed 64-bit integer, sent as a JSON number.", serialize=int, parse_value=_parse_long
    ),
}
