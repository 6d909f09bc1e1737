"""Parser of search queries."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from store.search.query import Phrase, Search, Term, field_token, is_fuzzy
from store.search.tokens import Compound, compounds, is_unspaced, join_text

MAX_QUERY_LENGTH = 500
MAX_QUERY_WORDS = 30  # the cost of a search grows with the number of words
FIELDS = ("tag", "owner", "kind", "doi")
_JOINED_FIELDS = {"kind", "doi"}  # their values are one token

_TERM = re.compile(
    r'(?:(?<!\S)(-)(?=[^\W_]|"))?'
    rf"(?:({'|'.join(FIELDS)}):(?=\S))?"
    r'(?:"([^"]*)"?|([^\s"]+))',
    re.IGNORECASE,
)
# A word, a colon and a value of letters. Other colons occur in identifiers ("GO:0006915", "chr1:100") and addresses.
_UNKNOWN_FIELD = re.compile(r'([A-Za-z]{3,}):(?=[^\W\d_]|")')
# The address of a resolver, and the space that citations have in "DOI: 10.5281/zenodo.77".
_BEFORE_DOI = re.compile(
    r"(?<!\w)(?:https?://)?(?:dx\.|www\.)?doi\.org/|(?<=(?<!\w)doi:)\s+(?=10\.[0-9])", re.IGNORECASE
)
_OPERATORS = ("AND", "OR", "NOT")


class InvalidQueryError(ValueError):
    """The query has too many characters or an unknown field; the message is a full sentence."""


def parse_query(text: str) -> Search | None:
    """Parse a query; return None for a blank one. Words beyond MAX_QUERY_WORDS are left aside.

    Raises InvalidQueryError if it has too many characters or an unknown field.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise InvalidQueryError(f"The query has {len(text):,} characters; at most {MAX_QUERY_LENGTH} are allowed.")
    if not text.strip():
        return None
    pieces = list(_split(_BEFORE_DOI.sub("", text).rstrip()))
    if all(piece.operator for piece in pieces):  # nothing to combine, so the operators are words
        pieces = [replace(piece, operator="") for piece in pieces]
    groups = _Groups()
    for piece in pieces:
        groups.add(piece)
    return groups.to_search(join_text(" ".join(piece.text for piece in pieces if not piece.field)))


@dataclass(frozen=True)
class _Piece:
    """Part of a query: a word or a phrase with its sign and field, or an operator."""

    text: str
    field: str = ""  # empty without one
    operator: str = ""
    is_excluded: bool = False
    is_phrase: bool = False
    is_last: bool = False

    def terms(self, *, is_excluded: bool) -> Iterator[Term]:
        """Return the terms of the piece: usually one."""
        parts = list(compounds(self.text))
        if self.is_phrase or self.field in _JOINED_FIELDS:
            tokens = tuple(token for part in parts for token in part.tokens)
            phrase = (join_text(self.text),) if self.field in _JOINED_FIELDS else tokens
            yield from [_term(self.field, [phrase])] if parts else []
            return
        for index, part in enumerate(parts):  # a lone accent splits a word into several parts
            is_prefix = self.is_last and index == len(parts) - 1 and not is_excluded
            yield _word_term(self.field, part, is_prefix=is_prefix)


def _split(text: str) -> Iterator[_Piece]:
    for match in _TERM.finditer(text):
        minus, named, quoted, word = match.groups()
        if word is None:
            yield _Piece(quoted, (named or "").lower(), is_excluded=bool(minus), is_phrase=True)
            continue
        if not named and (unknown := _UNKNOWN_FIELD.match(text, match.start(4))):
            raise InvalidQueryError(_describe_unknown_field(unknown[1], text[match.start(4) :].split(maxsplit=1)[0]))
        is_operator = word in _OPERATORS and not (minus or named)
        is_last = match.end() == len(text)
        yield _Piece(word, (named or "").lower(), word if is_operator else "", is_excluded=bool(minus), is_last=is_last)


def _describe_unknown_field(name: str, value: str) -> str:
    known = ", ".join(f"{each}:" for each in FIELDS)
    as_text = value.replace('"', "")
    return f'The query has the unknown field "{name}:". Known fields: {known}. To find the text, quote it: "{as_text}".'


@dataclass
class _Groups:
    """Groups of alternatives while a query is read."""

    groups: list[list[tuple[str, Term]]] = field(default_factory=list)
    excluded: list[Term] = field(default_factory=list)
    words_left: int = MAX_QUERY_WORDS
    joins_next: bool = False
    excludes_next: bool = False

    def add(self, piece: _Piece) -> None:
        """Add the terms of a piece, or apply an operator to the next one."""
        if piece.operator:
            self.joins_next |= piece.operator == "OR" and bool(self.groups)
            self.excludes_next |= piece.operator == "NOT"
            return
        is_excluded = piece.is_excluded or self.excludes_next
        for term in filter(None, map(self._limit, piece.terms(is_excluded=is_excluded))):
            if is_excluded:
                self.excluded.append(term)
            elif self.joins_next:
                self.groups[-1].append((piece.field, term))
            else:
                self.groups.append([(piece.field, term)])
            self.joins_next = False
        self.excludes_next = False

    def _limit(self, term: Term) -> Term | None:
        """Return the term, or its beginning, within the words left; None without any."""
        words, self.words_left = self.words_left, self.words_left - len(term.phrases[0])
        if words >= len(term.phrases[0]):
            return term
        return Term((term.phrases[0][:words],), has_field=term.has_field) if words > 0 else None

    def to_search(self, exact_name: str) -> Search:
        """Return the search. Terms of one field are alternatives, unless an operator joins them with others."""
        groups = [tuple(term for _, term in group) for group in self.groups if len(group) > 1 or not group[0][0]]
        alternatives: dict[str, list[Term]] = {}
        for name, term in (group[0] for group in self.groups if len(group) == 1):
            alternatives.setdefault(name, []).append(term)
        groups += [tuple(terms) for name, terms in alternatives.items() if name]
        return Search(tuple(groups), tuple(self.excluded), exact_name)


def _word_term(field_name: str, compound: Compound, *, is_prefix: bool) -> Term:
    token = compound.tokens[0]
    is_single = len(compound.tokens) == 1 and not compound.signed
    phrases: list[Phrase] = [compound.tokens, *([(compound.whole,)] if compound.has_whole else [])]
    phrases += [tuple(parts) for parts in compound.subwords] if len(compound.tokens) == 1 else []
    term = _term(field_name, phrases)
    if compound.signed and len(compound.runs) == 1:
        signed = _term(field_name, [compound.signed])
        return replace(term, signed=signed.phrases[0])
    fuzzy_token = token if is_single and not field_name and is_fuzzy(token) else None
    return replace(term, is_prefix=is_prefix or term.is_prefix, fuzzy_token=fuzzy_token)


def _term(field_name: str, phrases: Sequence[Phrase]) -> Term:
    # A single character of a script that is searched by pairs is the beginning of one.
    is_prefix = is_unspaced(phrases[0][-1]) and len(phrases[0][-1]) == 1
    if field_name:
        phrases = [tuple(field_token(field_name, token) for token in phrase) for phrase in phrases]
    return Term(tuple(dict.fromkeys(phrases)), has_field=bool(field_name), is_prefix=is_prefix)
