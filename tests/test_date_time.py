"""Dates and times: the texts of RFC 3339, and no others."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.date_time import EPOCH, format_rfc_3339, parse_rfc_3339
from tests.conftest import GraphQLClient


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-23T06:29:00Z", "2026-11-23T06:29:00.000Z"),
        ("2026-11-23t06:29:00z", "2026-11-23T06:29:00.000Z"),
        ("2026-11-23T06:29:00.1Z", "2026-11-23T06:29:00.100Z"),
        ("2026-11-23T06:29:00.9999999999Z", "2026-11-23T06:29:00.999Z"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ("2026-11-23T06:29:00+05:45", "2026-11-23T00:44:00.000Z"),
        ("2026-11-23T06:29:00-00:00", "2026-11-23T06:29:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2017-01-01T05:44:60.5+05:45", "2017-01-01T00:00:00.500Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_time_of_rfc_3339_is_accepted(text: str, utc: str) -> None:
    assert format_rfc_3339(parse_rfc_3339(text)) == utc


@pytest.mark.parametrize(
    "value",
    [
        "20261123T062900Z",
        "2026-W48-1T06:29:00Z",
        "2026-11-23X06:29:00Z",
        "2026-11-23 06:29:00Z",
        "2026-11-23T06:29:00,5Z",
        "2026-11-23T06:29:00.Z",
        "2026-11-23T06:29Z",
        "2026-11-23T06:29:00",
        "2026-11-23T06:29:00+0545",
        "2026-11-23T06:29:00+05",
        "2026-11-23T06:29:00+24:00",
        "2026-11-23T06:29:60Z",
        "2026-11-23T23:59:61Z",
        "2026-11-23T24:00:00Z",
        "2026-02-29T06:29:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-23T06:29:00Z\n",
        "\N{FULLWIDTH DIGIT TWO}026-11-23T06:29:00Z",
        "2026-11-23",
        "x",
        "",
        1_795_000_000,
        None,
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"form|Leap seconds|isoformat|must be in|range|offset"):
        parse_rfc_3339(value)


async def test_an_argument_is_refused_with_an_example(ask: GraphQLClient) -> None:
    query = '{ assets(filter: {createdAt: {from: "20261123T062900Z"}}) { totalCount } }'
    [(code, message)] = await ask.errors("eve", query)
    assert "Use RFC 3339 with a time zone, for example 2026-11-23T06:29:00.000Z." in message
    assert code == "GRAPHQL_VALIDATION_FAILED"


@given(st.integers(-(10**16) * 6, 10**16 * 25), st.integers(-1_439, 1_439))
def test_every_time_that_python_writes_is_read_to_the_millisecond(microseconds: int, offset_minutes: int) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    text = (EPOCH + timedelta(microseconds=microseconds)).astimezone(zone).isoformat()
    assert parse_rfc_3339(text) == microseconds // 1_000
