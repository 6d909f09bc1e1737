"""Folding for search, tags and sort keys: case, accents, and letters that people type for one another.

Unicode properties come from `regex`, whose version of Unicode is the same on every Python, so an index stays valid.
"""

import unicodedata

import regex

MAX_TOKEN_LENGTH = 80  # longer tokens are truncated

# Letters that Unicode does not decompose into a base letter and an accent, and letters of Arabic that many keyboards
# and writers exchange: forms of alef, yeh, teh marbuta and kaf.
_BASE_LETTERS = str.maketrans(
    dict(zip("øđħ\u0131łŧð", "odhiltd", strict=True))
    | {"æ": "ae", "œ": "oe", "þ": "th"}
    | dict(zip("\u0671\u0649\u06cc\u0629\u06a9", "\u0627\u064a\u064a\u0647\u0643", strict=True))
)
# Nonspacing marks of scripts in which they are optional. In others, such as Devanagari and Thai, they are vowels, and
# the voicing of kana makes another letter. Tatweel (U+0640) stretches a word; a soft hyphen (U+00AD) is invisible.
_MARKED_SCRIPTS = "".join(
    rf"\p{{Script={script}}}" for script in ["Latin", "Greek", "Cyrillic", "Hebrew", "Arabic", "Syriac", "Inherited"]
)
_IGNORED = regex.compile(rf"[[\p{{Mn}}&&[{_MARKED_SCRIPTS}]]--[\u3099\u309a]]|[\u0640\u00ad]", regex.VERSION1)


def strip_accents(text: str) -> str:
    """Return the text with compatibility characters replaced and without accents, points, tatweel and soft hyphens."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _IGNORED.sub("", unicodedata.normalize("NFKD", text)))


def fold(word: str) -> str:
    """Return a word without accents, case-folded and with base letters (o for ø), truncated to MAX_TOKEN_LENGTH."""
    return fold_case(word)[:MAX_TOKEN_LENGTH]


def fold_case(text: str) -> str:
    """Return a text without accents, case-folded and with base letters."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.casefold().translate(_BASE_LETTERS))
