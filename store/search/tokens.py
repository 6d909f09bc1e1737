"""This file is words: what of a text is looked for, the same in what is kept and in what is asked.

Case and accents do not count. «bwa_mem», «RNA-seq» and «10.5281/zenodo.123» are found by their parts and written as
one; «RNAseq» and «DESeq2» by the parts that their capitals and digits tell. A symbol such as an emoji is a word.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count, groupby
from typing import NamedTuple

LAST = 0x1FBFF  # beyond lie ideographs, which are letters
MAX_TOKENS = 4_000
MAX_SUBWORDS = 6  # of a word; what turns more often is a number of some sort
MAX_OCCURRENCES = 200
MAX_TOKEN_LENGTH = 80  # what is longer is known by its beginning

# Letters that are not another with an accent, and are written without it all the same.
_PLAIN = str.maketrans(dict(zip("øđħ\u0131łŧð", "odhiltd", strict=True)) | {"æ": "ae", "œ": "oe", "þ": "th"})
_ACCENTS = re.compile("[\u0300-\u036f]")


def _ranges(categories: str) -> str:
    """Return the characters of the categories as a regular expression's class has them."""
    points = [point for point in range(LAST) if unicodedata.category(chr(point)) in categories.split()]
    runs = (list(run) for _, run in groupby(enumerate(points), lambda each: each[1] - each[0]))
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)


@cache
def token_pattern() -> re.Pattern[str]:
    """Return what a word is in any script; some 50 ms when it is asked first."""
    return re.compile(rf"[^\W_](?:[^\W_]|[{_ranges('Mn Mc Me')}])*|[{_ranges('So')}]")


_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_TURN = r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d])(?=\d)"
# «Git|Hub», «bam|2|fq», «EM|3|D|Boundary»; and «RNA|seq», «bam|2fq».
_TURNS = (
    re.compile(rf"{_TURN}|(?<=\d)(?=[^\W\d])|(?<=[A-Z])(?=[A-Z][a-z])"),
    re.compile(rf"{_TURN}|(?<=[A-Z][A-Z])(?=[a-z])"),
)


def tokenize(text: str) -> list[str]:
    """Return the words of a text in their order; behind them what was written in parts as one, and the parts of words.

    At most MOST_WORDS, and each at most MOST_TIMES: PostgreSQL keeps no more places.
    """
    found = list(compounds(text))
    all_ = [word for chunk in found for word in chunk.tokens]
    for chunk in found:
        all_ += [join_tokens(chunk.tokens)] if len(chunk.tokens) > 1 else []
        all_ += [part for run in chunk.originals for parts in split_subwords(run) for part in parts]
    times: defaultdict[str, Iterator[int]] = defaultdict(count)
    return [word for word in all_[:MAX_TOKENS] if next(times[word]) < MAX_OCCURRENCES]


class Compound(NamedTuple):
    """What stands between two spaces: its words, and the same as they are written."""

    tokens: tuple[str, ...]
    originals: tuple[str, ...]


def compounds(text: str) -> Iterator[Compound]:
    """Yield what stands between spaces, of which at least something is a word."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    find = _ASCII_WORD if text.isascii() else token_pattern()
    for piece in text.split():
        runs = find.findall(piece)
        if runs:
            yield Compound(tuple(map(fold, runs)), tuple(runs))


def split_subwords(run: str) -> Iterator[list[str]]:
    """Yield the parts of a word that its capitals and digits tell: in two ways where capitals are many («RNAseq»)."""
    if (run.isalpha() and run[1:].islower()) or run.isdigit():
        return
    found = {tuple(turn.split(run)): None for turn in _TURNS}
    yield from ([fold(part) for part in parts] for parts in found if 1 < len(parts) <= MAX_SUBWORDS)


def join_tokens(parts: Iterable[str]) -> str:
    """Return the words as one."""
    return "".join(parts)[:MAX_TOKEN_LENGTH]


def fold(word: str) -> str:
    """Return the word without case and accents."""
    if word.isascii():
        return word.lower()[:MAX_TOKEN_LENGTH]
    return unicodedata.normalize("NFC", word.casefold().translate(_PLAIN))[:MAX_TOKEN_LENGTH]
