"""Digital object identifiers (DOIs), stored without a resolver's address and in lower case, because case is ignored."""

import re
from urllib.parse import unquote

_RESOLVER = re.compile(r"(?:https?://)?(?:dx\.|www\.)?doi\.org/", re.IGNORECASE)
_SCHEME = re.compile(r"info:doi/|doi(?::\s*|\s+)", re.IGNORECASE)
_NONE = re.compile(r"no(?:ne)?(?: doi)?(?: available| yet)?|not available|n/?a|tbd|-+", re.IGNORECASE)
_DOI = re.compile(r"10\.[0-9]+(?:\.[0-9]+)*/\S+")


def normalize_doi(text: str) -> str | None:
    """Return the DOI, such as `10.5281/zenodo.77`; None for a text that says that there is none, such as `n/a`.

    Raises ValueError, its message a predicate, for any other text.
    """
    if _NONE.fullmatch(text):
        return None
    if resolver := _RESOLVER.match(text):
        doi = unquote(text[resolver.end() :])
    else:
        doi = _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text
    doi = doi.lower()
    if not _DOI.fullmatch(doi):
        raise ValueError("must be a DOI such as 10.5281/zenodo.77")
    return doi
