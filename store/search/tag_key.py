"""Keys of tags: spellings of a tag that differ in case, accents, hyphens, underscores or spaces have the same key."""

from collections.abc import Iterable

import regex

from store.search.folding import fold_case, strip_accents
from store.text import MAX_NAME_LENGTH

_SEPARATORS = regex.compile(r"[\s_\p{Pd}]+")


def tag_key(tag: str) -> str:
    """Return the key of a tag: "rna seq" for "RNA-Seq". It is empty for an empty text only."""
    return (_SEPARATORS.sub(" ", fold_case(strip_accents(tag))).strip() or tag)[:MAX_NAME_LENGTH]


def keys_by_tag(tags: Iterable[str]) -> dict[str, str | None]:
    """Return the key of each tag of an asset; None for further spellings of a tag, so that the asset counts once."""
    first_spelling: dict[str, str] = {}
    keys = {tag: tag_key(tag) for tag in sorted(tags)}
    for tag, key in keys.items():
        first_spelling.setdefault(key, tag)
    return {tag: key if first_spelling[key] == tag else None for tag, key in keys.items()}
