"""Parsed search queries, and their translation to FTS5 and tsquery.

All terms must match, in any order; those joined by OR are alternatives, and none that is excluded may match. The last
word matches as a prefix; a word of five letters or more also matches with one typing error. "Words in quotes" match as
a phrase. `tag:`, `owner:`, `kind:` and `doi:` search one field; of several terms for the same field, one must match.
FTS5 and tsquery get the input only as quoted tokens, so it cannot inject operators.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from store.search.tokens import is_unspaced

MIN_FUZZY_LENGTH = 5  # letters of the longer word, of two that differ by a typing error
MAX_SHORT_LENGTH = 2  # letters of a word such as R or Go, whose prefix matches are mostly other words
NAME, LABELS, REST = "name", "labels", "rest"
"""Fields of the index: the name; labels (tags and identifiers); all other text."""

Phrase = tuple[str, ...]


class Match(IntEnum):
    """Quality of a match, from worst to best: the fields in which all terms match, and how they match."""

    FUZZY = 0  # in any field, with typing errors
    FUZZY_NAME = 1
    ANYWHERE = 2
    LABELS = 3  # in the name, tags or identifiers
    NAME_PREFIX = 4
    EXACT_WORDS = 5  # whole words of any field, for a word that is short or has a sign: R, C++
    NAME_WORDS = 6  # whole words of the name
    EXACT_NAME = 7


FIELDS_OF_MATCH = {
    Match.FUZZY_NAME: (NAME,),
    Match.LABELS: (NAME, LABELS),
    Match.NAME_PREFIX: (NAME,),
    Match.NAME_WORDS: (NAME,),
}
"""Fields in which all terms must match, except terms such as `tag:x`. A Match not listed includes every field."""
WHOLE_WORDS = {Match.NAME_WORDS, Match.EXACT_WORDS}
LANGUAGES = ("fts5", "tsquery")


@dataclass(frozen=True)
class Term:
    """Term of a query: matches if any of its phrases or similar words does."""

    phrases: tuple[Phrase, ...]
    is_prefix: bool = False  # whether the last token of a phrase matches as a prefix
    signed: Phrase = ()  # the word with its sign, such as C++, for matches of whole words
    fuzzy_token: str | None = None  # look up similar words for this token
    similar: tuple[str, ...] = ()
    has_field: bool = False  # whether it is restricted to a field, such as `tag:x`

    @property
    def has_exact_words(self) -> bool:
        """Whether its exact matches precede all others, in any field."""
        first = self.phrases[0]
        is_short = len(first) == 1 and len(first[0]) <= MAX_SHORT_LENGTH and not is_unspaced(first[0])
        return bool(self.signed) or (self.is_prefix and is_short)

    def is_prefix_of(self, match: Match) -> bool:
        """Return whether the last token matches as a prefix in this quality of matches."""
        return self.is_prefix and match not in WHOLE_WORDS

    def phrases_of(self, match: Match) -> tuple[Phrase, ...]:
        """Return the phrases that match in this quality of matches."""
        return (self.signed,) if self.signed and match in WHOLE_WORDS else self.phrases


@dataclass(frozen=True)
class Search:
    """Parsed query: groups of terms; in each group, one term must match, and no excluded term may match.

    Without terms, all rows match that no excluded term matches; without either, nothing matches.
    """

    terms: tuple[tuple[Term, ...], ...] = ()
    excluded: tuple[Term, ...] = ()
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
        """Key of the SQL text, which depends on the presence of terms and of excluded terms only."""
        return Search(((),) if self.terms else (), (Term(()),) if self.excluded else ())

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of `matches_search` and `match_rank`: a query per Match and database; the worst Match possible."""
        queries = dict.fromkeys(f"{language}_{match.name}" for match in Match for language in LANGUAGES)
        needless = self._needless_matches
        for match in Match:
            is_needed = match not in needless
            queries[f"fts5_{match.name}"] = self.to_fts5(match) if is_needed else f'"{UNMATCHABLE}"'
            queries[f"tsquery_{match.name}"] = self.to_tsquery(match) if is_needed else f"'{UNMATCHABLE}'"
        queries["fts5_EXCLUDED"] = " OR ".join(_term_to_fts5(term, Match.ANYWHERE) for term in self.excluded)
        queries["tsquery_EXCLUDED"] = " | ".join(_term_to_tsquery(term, Match.ANYWHERE) for term in self.excluded)
        return queries | {"worst": (Match.FUZZY if self.has_similar else Match.ANYWHERE).value}

    @property
    def _needless_matches(self) -> set[Match]:
        """Matches whose look-up would find nothing, or nothing beyond that of a better or a worse one."""
        if not self.terms:
            return set(Match)
        # Without similar words, every matching row is at least ANYWHERE and none is FUZZY_NAME.
        needless = set() if self.has_similar else {Match.FUZZY_NAME, Match.ANYWHERE}
        has_exact = any(term.has_exact_words for group in self.terms for term in group)
        return needless if has_exact else needless | {Match.EXACT_WORDS}

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


def is_fuzzy(token: str) -> bool:
    """Return whether the token may match with a typing error.

    It may be one letter shorter than MIN_FUZZY_LENGTH, as the typing error may be a missing letter.
    """
    return len(token) >= MIN_FUZZY_LENGTH - 1 and token.isalpha()


def _term_to_fts5(term: Term, match: Match) -> str:
    star = " *" if term.is_prefix_of(match) else ""
    alternatives = [f'"{" ".join(phrase)}"{star}' for phrase in term.phrases_of(match)]
    alternatives += [f'"{word}"' for word in term.similar] if match <= Match.FUZZY_NAME else []
    fields = None if term.has_field else FIELDS_OF_MATCH.get(match)
    query = " OR ".join(alternatives)
    return f"{{{' '.join(fields)}}} : ({query})" if fields else f"({query})"


WEIGHT_BY_FIELD = {NAME: "A", LABELS: "B", REST: "D"}


def _term_to_tsquery(term: Term, match: Match) -> str:
    weights = "" if term.has_field else "".join(WEIGHT_BY_FIELD[field] for field in FIELDS_OF_MATCH.get(match, ()))
    star = "*" if term.is_prefix_of(match) else ""

    def lexeme(token: str, star: str = "") -> str:
        return f"'{token}':{star}{weights}" if star or weights else f"'{token}'"

    phrases = [[*map(lexeme, phrase[:-1]), lexeme(phrase[-1], star)] for phrase in term.phrases_of(match)]
    alternatives = [f"({' <-> '.join(phrase)})" for phrase in phrases]
    alternatives += [lexeme(word) for word in term.similar] if match <= Match.FUZZY_NAME else []
    return f"({' | '.join(alternatives)})"
