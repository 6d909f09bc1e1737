"""URLs of pages and of stored objects."""

import re

URL_SCHEMES = ("https://", "http://", "s3://", "gs://", "az://", "ftp://")
URL_SCHEME_LIST = f"{', '.join(URL_SCHEMES[:-1])} or {URL_SCHEMES[-1]}"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_WHITE_SPACE = re.compile(r"\s")


def normalize_url(text: str) -> str:
    """Return the URL with its scheme in lower case.

    Raises ValueError, its message a predicate, for another scheme, or for white space.
    """
    match = _SCHEME.match(text)
    scheme = match[0].lower() if match else ""
    if scheme not in URL_SCHEMES:
        raise ValueError(f"must begin with {URL_SCHEME_LIST}")
    if _WHITE_SPACE.search(text):
        raise ValueError("must not contain white space; write %20 for a space")
    return scheme + text[len(scheme) :]
