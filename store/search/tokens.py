"""Tokenizer, the same for indexed text and for queries.

Ignores case and accents. Compounds such as "bwa_mem", "RNA-seq" and "10.5281/zenodo.123" yield a token for each run of
letters and digits and one for the whole; words such as "RNAseq" and "DESeq2" also yield their subwords, marked by
capitals and digits. Scripts that write no spaces between words yield a token for each pair of characters. A symbol such
as an emoji is a token.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

import regex

from store.search.folding import MAX_TOKEN_LENGTH, fold, strip_accents

MAX_TOKENS = 10_000  # PostgreSQL numbers at most 16,383 positions of a document
MAX_SUBWORDS = 6  # of a token; one with more is probably an identifier, not words
MAX_OCCURRENCES = 200

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\u30fc"
"""Characters of scripts that are searched by pairs; U+30FC is the mark of long vowels in kana."""
_SPACED = rf"[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]"
_SPACED_OR_MARK = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSPACED}]]"
_RUN = regex.compile(
    rf"{_SPACED}{_SPACED_OR_MARK}*+|[[{_UNSPACED}]--\p{{M}}][{_UNSPACED}\p{{M}}]*+|\p{{So}}", regex.VERSION1
)
_UNSPACED_RUN = regex.compile(f"[{_UNSPACED}]")
_ASCII_RUN = re.compile("[A-Za-z0-9]+")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
# A number with points and letters before it, such as that of "v3.14.0".
_LETTERED_VERSION = re.compile(r"(?<=[^\W\d_])\d+(?:\.\d+)+")
# A word with its sign: "C++", "C#", "CD4+".
_SIGNED = re.compile(r"[^\W_]+(?:\+\+?|#)(?![\w+#])")
_BOUNDARY = r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d])(?=\d)"
# Two ways to split. The first gives Git|Hub, bam|2|fq and EM|3|D|Boundary; the second, RNA|seq and bam|2fq.
_SUBWORD_BOUNDARIES = (
    re.compile(rf"{_BOUNDARY}|(?<=\d)(?=[^\W\d])|(?<=[A-Z])(?=[A-Z][a-z])"),
    re.compile(rf"{_BOUNDARY}|(?<=[A-Z][A-Z])(?=[a-z])"),
)


class Compound(NamedTuple):
    """Text between two spaces."""

    runs: Sequence[str]  # of letters and digits, as spelt in the text, and symbols
    tokens: tuple[str, ...]  # of the runs, in order
    whole: str  # the runs joined, with the points between digits: versions 1.1 and 11 differ
    signed: tuple[str, ...] = ()  # words with their sign: "c++"
    versions: tuple[tuple[str, ...], ...] = ()  # numbers of versions that letters precede: "v1.2" has 1 and 2

    @property
    def exact(self) -> str:
        """The whole, for names that are equal: a single word has its sign."""
        return self.signed[0] if self.signed and len(self.runs) == 1 else self.whole

    @property
    def has_whole(self) -> bool:
        """Whether the whole is a token besides those of the runs."""
        return len(self.runs) > 1

    @property
    def subwords(self) -> Iterator[list[str]]:
        """Subwords of each run, split in one or two ways."""
        for run in self.runs:
            yield from split_subwords(run)


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text in order, then those that each compound has besides.

    Returns at most MAX_TOKENS, and each token at most MAX_OCCURRENCES times, as PostgreSQL limits a token's positions.
    """
    pieces = list(compounds(text))
    tokens = [token for compound in pieces for token in compound.tokens]
    for compound in pieces:
        tokens += _further_tokens(compound)
    occurrences: defaultdict[str, Iterator[int]] = defaultdict(count)
    return [token for token in tokens[:MAX_TOKENS] if next(occurrences[token]) < MAX_OCCURRENCES]


def _further_tokens(compound: Compound) -> Iterator[str]:
    if compound.has_whole:
        yield compound.whole
    yield from compound.signed
    for parts in (*compound.subwords, *compound.versions):
        yield from parts
    # The last character begins no pair.
    yield from (run[-1] for run in map(fold, compound.runs) if is_unspaced(run) and len(run) > 1)


def compounds(text: str) -> Iterator[Compound]:
    """Split a text at spaces; leave out parts that contain no token."""
    for piece in strip_accents(text).split():
        runs = (_ASCII_RUN if piece.isascii() else _RUN).findall(piece)
        if runs:
            yield _compound(piece, runs)


def _compound(piece: str, runs: Sequence[str]) -> Compound:
    folded = tuple(map(fold, runs))
    tokens = folded if piece.isascii() else tuple(token for run in folded for token in _run_tokens(run))
    whole = _join_runs(piece, runs) if "." in piece else join_tokens(folded)
    signed = map(fold, _SIGNED.findall(piece) if "+" in piece or "#" in piece else ())
    numbers = _LETTERED_VERSION.findall(piece) if "." in piece else ()
    return Compound(runs, tokens, whole, tuple(signed), tuple(tuple(number.split(".")) for number in numbers))


def _join_runs(piece: str, runs: Sequence[str]) -> str:
    """Join the runs of a piece; keep its points between digits."""
    joined, end = "", 0
    for run in runs:
        start = piece.index(run, end)
        joined += "." if joined and piece[end:start] == "." and _POINT.match(piece, end) else ""
        joined, end = joined + run, start + len(run)
    return fold(joined)


def _run_tokens(run: str) -> Sequence[str]:
    if not is_unspaced(run) or len(run) == 1:
        return (run,)
    return [run[start : start + 2] for start in range(len(run) - 1)]


def is_unspaced(run: str) -> bool:
    """Return whether a run or a token is in a script that is searched by pairs of characters."""
    return not run.isascii() and _UNSPACED_RUN.match(run) is not None


def split_subwords(run: str) -> Iterator[list[str]]:
    """Yield the subwords of a run, split at capitals and digits; in two ways if that is ambiguous ("RNAseq")."""
    if (run.isalpha() and run[1:].islower()) or run.isdigit() or is_unspaced(run):
        return
    splits = {tuple(boundary.split(run)): None for boundary in _SUBWORD_BOUNDARIES}
    yield from ([fold(part) for part in parts] for parts in splits if 1 < len(parts) <= MAX_SUBWORDS)


def join_tokens(tokens: Iterable[str]) -> str:
    """Join tokens into one, truncated to MAX_TOKEN_LENGTH."""
    return "".join(tokens)[:MAX_TOKEN_LENGTH]


def join_text(text: str) -> str:
    """Return one token for a whole text, such as a name or a DOI."""
    return join_tokens(compound.exact for compound in compounds(text))
