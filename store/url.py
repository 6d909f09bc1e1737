"""URLs of pages and of stored objects."""

import re
from collections.abc import Sequence

from store.text import is_visible

URL_SCHEMES = ("https", "http", "s3", "gs", "az", "ftp")
"""Schemes that URLs have by default."""

UNSAFE_SCHEMES = frozenset({"data", "file", "javascript", "vbscript"})
"""Schemes that no URL has: a browser that opens one runs its text as code, or reads files of its user."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_WHITE_SPACE = re.compile(r"\s")


def is_scheme(text: str) -> bool:
    """Return whether the text is a scheme as in RFC 3986, which a setting may name."""
    return _SCHEME.fullmatch(text) is not None


def format_schemes(schemes: Sequence[str]) -> str:
    """Return the beginnings of URLs with these schemes, as messages list them."""
    *others, last = (f"{scheme}://" for scheme in schemes)
    return f"{', '.join(others)} or {last}" if others else last


def normalize_url(text: str, schemes: Sequence[str] | None = URL_SCHEMES) -> str:
    """Return the URL with its scheme in lower case. None as `schemes` allows all but UNSAFE_SCHEMES.

    Raises ValueError, its message a predicate, for another scheme, white space, or an invisible character.
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower() if separator and is_scheme(scheme) else ""
    if schemes is None and (not scheme or scheme in UNSAFE_SCHEMES):
        raise ValueError("must begin with the scheme of a page or of a stored object, such as https://")
    if schemes is not None and scheme not in schemes:
        raise ValueError(f"must begin with {format_schemes(schemes)}")
    if not rest:
        raise ValueError(f"must name a page or an object after {scheme}://")
    if _WHITE_SPACE.search(rest):
        raise ValueError("must not contain white space; write %20 for a space")
    if invisible := next((each for each in rest if not (each.isascii() or is_visible(each))), None):
        raise ValueError(f"must not contain the invisible character U+{ord(invisible):04X}")
    return f"{scheme}://{rest}"
