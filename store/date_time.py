"""Dates and times as texts and as milliseconds since 1970, the form in which tables hold them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)  # formatting a time zone takes twice as long
_LAST_MINUTE_OF_DAY = 1_439
_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:)([0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
"""A `date-time` (section 5.6 of RFC 3339): up to the second, second, digits of its fraction, offset."""


def parse_rfc_3339(text: object) -> int:
    """Return the milliseconds since 1970 of a `date-time` of RFC 3339; further digits of the fraction are cut.

    Raises ValueError for anything else. `datetime.fromisoformat` accepts other forms of ISO 8601 as well; which ones
    depends on the version of Python.
    """
    match = _RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("The text has another form.")
    to_minute, second, fraction, offset = match.groups()
    is_leap_second = second == "60"
    written = f"{to_minute}{'59' if is_leap_second else second}.{fraction or '':0<3.3}{offset}".upper()
    milliseconds = (datetime.fromisoformat(written) - EPOCH) // MILLISECOND
    if is_leap_second and milliseconds // 60_000 % 1_440 != _LAST_MINUTE_OF_DAY:
        raise ValueError("Leap seconds are at the end of a day of UTC.")
    return milliseconds + 1_000 * is_leap_second


@lru_cache(maxsize=1_000)  # bulk mutations and imports give many rows one time
def format_rfc_3339(milliseconds: int) -> str:
    """Return milliseconds since 1970 as a text in UTC, such as 2026-11-23T06:29:00.000Z."""
    return (_NAIVE_EPOCH + milliseconds * MILLISECOND).isoformat(timespec="milliseconds") + "Z"
