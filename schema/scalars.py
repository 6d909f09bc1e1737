"""This file is the scalars: instants, addresses and numbers beyond 32 bits."""

from datetime import UTC, datetime, timedelta
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

DateTime = NewType("DateTime", int)
Url = NewType("Url", str)
Long = NewType("Long", int)

LARGEST_LONG = 2**63
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def _told(milliseconds: int) -> str:
    return (EPOCH + milliseconds * MILLISECOND).isoformat(timespec="milliseconds")[:-6] + "Z"


def _instant(text: Any) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise GraphQLError("A DateTime is an RFC 3339 instant such as 2026-11-23T06:29:00.000Z.")
    return (instant - EPOCH) // MILLISECOND


def _long(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -LARGEST_LONG <= value < LARGEST_LONG:
        raise GraphQLError("A Long is a whole number of at most 64 bits.")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("https://", "http://", "s3://", "gs://")):
        raise GraphQLError("A URL begins with https://, http://, s3:// or gs://.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339 instant, UTC: 2026-11-23T06:29:00.000Z",
        serialize=_told,
        parse_value=_instant,
    ),
    Url: strawberry.scalar(name="URL", description="Address of a page or an object.", serialize=str, parse_value=_url),
    Long: strawberry.scalar(
        name="Long", description="A signed 64-bit integer, sent as a JSON number.", serialize=int, parse_value=_long
    ),
}
