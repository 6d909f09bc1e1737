"""Tokenizer, the same for indexed text and for queries.

Ignores case and accents. Compounds such as "bwa_mem", "RNA-seq" and "10.5281/zenodo.123" yield a token for each part
and one for the whole; words such as "RNAseq" and "DESeq2" also yield their subwords, marked by capitals and digits.
A symbol such as an emoji is a token.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count, groupby
from typing import NamedTuple

LAST_CODE_POINT = 0x1FBFF  # higher code points are ideographs: letters, neither marks nor symbols
MAX_TOKENS = 4_000
MAX_SUBWORDS = 6  # of a token; one with more is probably an identifier, not words
MAX_OCCURRENCES = 200
MAX_TOKEN_LENGTH = 80  # longer tokens are truncated

# Base letters of those that Unicode does not decompose into a letter and an accent.
_BASE_LETTERS = str.maketrans(dict(zip("øđħ\u0131łŧð", "odhiltd", strict=True)) | {"æ": "ae", "œ": "oe", "þ": "th"})
_ACCENTS = re.compile("[\u0300-\u036f]")


def _character_ranges(categories: str) -> str:
    """Return ranges for a character class of a regular expression: all characters of the Unicode categories."""
    points = [point for point in range(LAST_CODE_POINT) if unicodedata.category(chr(point)) in categories.split()]
    runs = (list(run) for _, run in groupby(enumerate(points), lambda indexed: indexed[1] - indexed[0]))
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)


@cache
def token_pattern() -> re.Pattern[str]:
    """Return the pattern of a token in any script. The first call takes some 50 ms."""
    return re.compile(rf"[^\W_](?:[^\W_]|[{_character_ranges('Mn Mc Me')}])*|[{_character_ranges('So')}]")


_ASCII_TOKEN = re.compile("[A-Za-z0-9]+")
_BOUNDARY = r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d])(?=\d)"
# Two ways to split. The first gives Git|Hub, bam|2|fq and EM|3|D|Boundary; the second, RNA|seq and bam|2fq.
_SUBWORD_BOUNDARIES = (
    re.compile(rf"{_BOUNDARY}|(?<=\d)(?=[^\W\d])|(?<=[A-Z])(?=[A-Z][a-z])"),
    re.compile(rf"{_BOUNDARY}|(?<=[A-Z][A-Z])(?=[a-z])"),
)


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text in order, then for each compound the token of the whole and those of its subwords.

    Returns at most MAX_TOKENS, and each token at most MAX_OCCURRENCES times, as PostgreSQL limits a token's positions.
    """
    pieces = list(compounds(text))
    tokens = [token for compound in pieces for token in compound.tokens]
    for compound in pieces:
        tokens += [join_tokens(compound.tokens)] if len(compound.tokens) > 1 else []
        tokens += [part for original in compound.originals for parts in split_subwords(original) for part in parts]
    occurrences: defaultdict[str, Iterator[int]] = defaultdict(count)
    return [token for token in tokens[:MAX_TOKENS] if next(occurrences[token]) < MAX_OCCURRENCES]


class Compound(NamedTuple):
    """Text between two spaces: its tokens, and the same tokens as spelt in the text."""

    tokens: tuple[str, ...]
    originals: tuple[str, ...]


def compounds(text: str) -> Iterator[Compound]:
    """Split a text at spaces; leave out parts that contain no token."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    pattern = _ASCII_TOKEN if text.isascii() else token_pattern()
    for piece in text.split():
        originals = pattern.findall(piece)
        if originals:
            yield Compound(tuple(map(fold, originals)), tuple(originals))


def split_subwords(original: str) -> Iterator[list[str]]:
    """Yield the subwords of a word, split at capitals and digits; in two ways if that is ambiguous ("RNAseq")."""
    if (original.isalpha() and original[1:].islower()) or original.isdigit():
        return
    splits = {tuple(boundary.split(original)): None for boundary in _SUBWORD_BOUNDARIES}
    yield from ([fold(part) for part in parts] for parts in splits if 1 < len(parts) <= MAX_SUBWORDS)


def join_tokens(tokens: Iterable[str]) -> str:
    """Join tokens into one, truncated to MAX_TOKEN_LENGTH."""
    return "".join(tokens)[:MAX_TOKEN_LENGTH]


def fold(word: str) -> str:
    """Return the word case-folded and with base letters (o for ø), truncated to MAX_TOKEN_LENGTH."""
    if word.isascii():
        return word.lower()[:MAX_TOKEN_LENGTH]
    return unicodedata.normalize("NFC", word.casefold().translate(_BASE_LETTERS))[:MAX_TOKEN_LENGTH]
