"""Search queries: parsing, and translation to FTS5 and tsquery.

All terms must match, in any order. The last word matches as a prefix; a word of five letters or more also matches with
one typing error. "Words in quotes" match as a phrase. `tag:`, `owner:`, `kind:` and `doi:` search one field; of several
terms for the same field, one must match. FTS5 and tsquery get the input only as quoted tokens, so it cannot inject
operators.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from store.search.tokens import Compound, compounds, join_tokens, split_subwords

MAX_QUERY_LENGTH = 500
MAX_QUERY_WORDS = 30  # the cost of a search grows with the number of words
MIN_FUZZY_LENGTH = 5  # letters of the longer word, of two that differ by a typing error
NAME, LABELS, REST = "name", "labels", "rest"
"""Fields of the index: the name; labels (tags and identifiers); all other text."""

_TERM = re.compile(r'(?:(tag|owner|kind|doi):(?=[^\s]))?(?:"([^"]*)"?|([^\s"]+))', re.IGNORECASE)
_DOI_RESOLVER = re.compile(r"(?<!\w)(?:https?://)?(?:dx\.)?doi\.org/", re.IGNORECASE)

Phrase = tuple[str, ...]


class Match(IntEnum):
    """Quality of a match, from worst to best: the fields in which all terms match, and how they match."""

    FUZZY = 0  # in any field, with typing errors
    FUZZY_NAME = 1
    ANYWHERE = 2
    LABELS = 3  # in the name, tags or identifiers
    NAME_PREFIX = 4
    NAME_WORDS = 5  # whole words of the name
    EXACT_NAME = 6


FIELDS_OF_MATCH = {
    Match.FUZZY_NAME: (NAME,),
    Match.LABELS: (NAME, LABELS),
    Match.NAME_PREFIX: (NAME,),
    Match.NAME_WORDS: (NAME,),
}
"""Fields in which all terms must match, except terms such as `tag:x`. A Match not listed includes every field."""


@dataclass(frozen=True)
class Term:
    """Term of a query: matches if any of its phrases or similar words does."""

    phrases: tuple[Phrase, ...]
    is_prefix: bool = False  # whether the last token of a phrase matches as a prefix
    fuzzy_token: str | None = None  # look up similar words for this token
    similar: tuple[str, ...] = ()
    has_field: bool = False  # whether it is restricted to a field, such as `tag:x`


@dataclass(frozen=True)
class Search:
    """Parsed query: groups of terms; in each group, one term must match. Without terms, nothing matches."""

    terms: tuple[tuple[Term, ...], ...] = ()
    exact_name: str = ""  # the query's tokens, joined: a row whose name has the same is an exact match

    @property
    def fuzzy_tokens(self) -> list[str]:
        """Tokens to find similar words for."""
        return [term.fuzzy_token for group in self.terms for term in group if term.fuzzy_token]

    def with_similar(self, similar_words: Mapping[str, Sequence[str]]) -> "Search":
        """Return the search with similar words added to its terms. `similar_words` has them by fuzzy token."""
        terms = tuple(
            tuple(replace(term, similar=tuple(similar_words.get(term.fuzzy_token or "", ()))) for term in group)
            for group in self.terms
        )
        return replace(self, terms=terms)

    @property
    def cache_key(self) -> "Search":
        """Key of the SQL text: all searches with terms share one, all without terms another."""
        return Search(((),)) if self.terms else Search()

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of `matches_search` and `match_rank`: a query per Match and database; the worst Match possible."""
        queries: dict[str, Any] = {f"fts5_{match.name}": self.to_fts5(match) for match in Match}
        queries |= {f"tsquery_{match.name}": self.to_tsquery(match) for match in Match}
        if self.has_similar:
            return queries | {"worst": Match.FUZZY.value}
        # Without similar words, every matching row is at least ANYWHERE and none is FUZZY_NAME: skip both look-ups.
        for match in (Match.FUZZY_NAME, Match.ANYWHERE):
            queries |= {f"fts5_{match.name}": f'"{UNMATCHABLE}"', f"tsquery_{match.name}": f"'{UNMATCHABLE}'"}
        return queries | {"worst": Match.ANYWHERE.value}

    @property
    def has_similar(self) -> bool:
        """Whether any term has similar words."""
        return any(term.similar for group in self.terms for term in group)

    def to_fts5(self, match: Match) -> str:
        """Return the FTS5 query for rows that match at least this well."""
        return self._render(match, _term_to_fts5, " AND ", " OR ", f'"{field_token(NAME, self.exact_name)}"')

    def to_tsquery(self, match: Match) -> str:
        """Return the tsquery for rows that match at least this well."""
        return self._render(match, _term_to_tsquery, " & ", " | ", f"'{field_token(NAME, self.exact_name)}'")

    def _render(
        self, match: Match, render_term: Callable[[Term, Match], str], and_: str, or_: str, exact_name: str
    ) -> str:
        if match is Match.EXACT_NAME:
            return exact_name
        return and_.join(f"({or_.join(render_term(term, match) for term in group)})" for group in self.terms)


def field_token(field: str, token: str) -> str:
    """Return the token for a value of a field. Only queries for that field match it, not even prefixes of others."""
    return f":{field}:{token}"


UNMATCHABLE = ":nowhere:"
"""Token that no document contains, so that a query for it matches nothing."""


class InvalidQueryError(ValueError):
    """The query has too many characters or words; the message is a full sentence."""


def parse_query(text: str) -> Search | None:
    """Parse a query; return None for a blank one. Raises InvalidQueryError if it is too long."""
    if len(text) > MAX_QUERY_LENGTH:
        raise InvalidQueryError(f"The query has {len(text):,} characters; at most {MAX_QUERY_LENGTH} are allowed.")
    if not text.strip():
        return None
    terms = list(_parse_terms(text))
    word_count = sum(len(term.phrases[0]) for _, term in terms)
    if word_count > MAX_QUERY_WORDS:
        raise InvalidQueryError(f"The query has {word_count:,} words; at most {MAX_QUERY_WORDS} are allowed.")
    groups = [(term,) for field, term in terms if not field]
    alternatives = {field: tuple(term for of, term in terms if of == field) for field, _ in terms if field}
    exact_name = join_tokens(token for field, term in terms if not field for token in term.phrases[0])
    return Search((*groups, *alternatives.values()), exact_name)


def _parse_terms(text: str) -> Iterator[tuple[str, Term]]:
    """Yield each term after its field, which is empty for a term without one."""
    text = _DOI_RESOLVER.sub("", text).rstrip()
    for match in _TERM.finditer(text):
        field, quoted, word = (match[1] or "").lower(), match[2], match[3]
        parts = list(compounds(quoted if word is None else word))
        tokens = tuple(token for part in parts for token in part.tokens)
        if not parts:
            continue
        if field in {"kind", "doi"}:
            yield field, _term(field, [(join_tokens(tokens),)])
        elif word is None:
            yield field, _term(field, [tokens])
        else:
            *first, last = parts  # a lone accent splits a word into several parts
            yield from ((field, _word_term(field, part, is_prefix=False)) for part in first)
            yield field, _word_term(field, last, is_prefix=match.end() == len(text))


def _word_term(field: str, compound: Compound, *, is_prefix: bool) -> Term:
    token, is_single = compound.tokens[0], len(compound.tokens) == 1
    phrases = [compound.tokens, (join_tokens(compound.tokens),)]
    phrases += [tuple(parts) for parts in split_subwords(compound.originals[0])] if is_single else []
    fuzzy_token = token if is_single and not field and is_fuzzy(token) else None
    return replace(_term(field, phrases), is_prefix=is_prefix, fuzzy_token=fuzzy_token)


def _term(field: str, phrases: Sequence[Phrase]) -> Term:
    if field:
        phrases = [tuple(field_token(field, token) for token in phrase) for phrase in phrases]
    return Term(tuple(dict.fromkeys(phrases)), has_field=bool(field))


def is_fuzzy(token: str) -> bool:
    """Return whether the token may match with a typing error.

    It may be one letter shorter than MIN_FUZZY_LENGTH, as the typing error may be a missing letter.
    """
    return len(token) >= MIN_FUZZY_LENGTH - 1 and token.isalpha()


def _term_to_fts5(term: Term, match: Match) -> str:
    star = " *" if term.is_prefix and match is not Match.NAME_WORDS else ""
    alternatives = [f'"{" ".join(phrase)}"{star}' for phrase in term.phrases]
    alternatives += [f'"{word}"' for word in term.similar] if match <= Match.FUZZY_NAME else []
    fields = None if term.has_field else FIELDS_OF_MATCH.get(match)
    query = " OR ".join(alternatives)
    return f"{{{' '.join(fields)}}} : ({query})" if fields else f"({query})"


WEIGHT_BY_FIELD = {NAME: "A", LABELS: "B", REST: "D"}


def _term_to_tsquery(term: Term, match: Match) -> str:
    weights = "" if term.has_field else "".join(WEIGHT_BY_FIELD[field] for field in FIELDS_OF_MATCH.get(match, ()))
    star = "*" if term.is_prefix and match is not Match.NAME_WORDS else ""

    def lexeme(token: str, star: str = "") -> str:
        return f"'{token}':{star}{weights}" if star or weights else f"'{token}'"

    phrases = [[*map(lexeme, phrase[:-1]), lexeme(phrase[-1], star)] for phrase in term.phrases]
    alternatives = [f"({' <-> '.join(phrase)})" for phrase in phrases]
    alternatives += [lexeme(word) for word in term.similar] if match <= Match.FUZZY_NAME else []
    return f"({' | '.join(alternatives)})"
