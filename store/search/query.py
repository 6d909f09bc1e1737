"""This file is what was typed into a search: its terms, and how each database is asked for them.

All terms must be found, in any order; the last may be the beginning of a word, and a word of five letters or more may
have one typing error. "Words in quotes" stand side by side. `tag:`, `owner:`, `kind:` and `doi:` look there alone;
several of one of these are alternatives. Nothing that is typed reaches a database's own language unquoted.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from store.search.tokens import Compound, compounds, join_tokens, split_subwords

MAX_QUERY_LENGTH = 500
MAX_QUERY_WORDS = 30  # words: what is looked for costs by them, however they are written
MIN_FUZZY_LENGTH = 5  # letters of a word in which a typing error is looked past: of the longer of the two
NAME, LABELS, REST = "name", "labels", "rest"
"""Where words are found: in the name; in tags and identifiers; in all else that is told of a thing."""

_TYPED = re.compile(r'(?:(tag|owner|kind|doi):(?=[^\s]))?(?:"([^"]*)"?|([^\s"]+))', re.IGNORECASE)
_RESOLVER = re.compile(r"(?<!\w)(?:https?://)?(?:dx\.)?doi\.org/", re.IGNORECASE)

Phrase = tuple[str, ...]


class Match(IntEnum):
    """How well something matches, the best last: by which of its fields, and how."""

    FUZZY = 0  # a word has a typing error
    FUZZY_NAME = 1
    ANYWHERE = 2
    LABELS = 3  # in the name, the tags or the identifiers
    NAME_PREFIX = 4
    NAME_WORDS = 5  # each is a whole word of the name
    EXACT_NAME = 6  # it is called just that


FIELDS_OF_MATCH = {
    Match.FUZZY_NAME: (NAME,),
    Match.LABELS: (NAME, LABELS),
    Match.NAME_PREFIX: (NAME,),
    Match.NAME_WORDS: (NAME,),
}
"""The fields that a match must be in, unless a term says another."""


@dataclass(frozen=True)
class Term:
    """One thing to be found: any of its phrases, or a word near the one that it is."""

    phrases: tuple[Phrase, ...]
    is_prefix: bool = False  # whether its last word may go on
    fuzzy_token: str | None = None  # that it is, if a typing error in it is looked past
    similar: tuple[str, ...] = ()
    has_field: bool = False  # whether it says itself where it is to be found


@dataclass(frozen=True)
class Search:
    """What is looked for: one of the terms of each element. Without any, nothing is found."""

    terms: tuple[tuple[Term, ...], ...] = ()
    name: str = ""  # what something is called that is called just that

    @property
    def fuzzy_tokens(self) -> list[str]:
        """The words in which a typing error is looked past."""
        return [term.fuzzy_token for terms in self.terms for term in terms if term.fuzzy_token]

    def with_similar(self, near: Mapping[str, Sequence[str]]) -> "Search":
        """Return the search with the words near each of its own, which differ by one typing error."""
        terms = tuple(
            tuple(replace(term, similar=tuple(near.get(term.fuzzy_token or "", ()))) for term in each)
            for each in self.terms
        )
        return replace(self, terms=terms)

    @property
    def shape(self) -> "Search":
        """What every search is that finds anything, or that finds nothing: SQL is the same for all of them."""
        return Search(((),)) if self.terms else Search()

    @property
    def parameters(self) -> dict[str, Any]:
        """What the databases are asked for each match, and which match is the worst, by the names of the parameters."""
        asked: dict[str, Any] = {f"fts5_{match.name}": self.fts5(match) for match in Match}
        asked |= {f"tsquery_{match.name}": self.tsquery(match) for match in Match}
        if self.has_similar:
            return asked | {"worst": Match.FUZZY.value}
        # Whatever is found is found anywhere, and there is nothing near to look for.
        for match in (Match.FUZZY_NAME, Match.ANYWHERE):
            asked |= {f"fts5_{match.name}": f'"{UNMATCHABLE}"', f"tsquery_{match.name}": f"'{UNMATCHABLE}'"}
        return asked | {"worst": Match.ANYWHERE.value}

    @property
    def has_similar(self) -> bool:
        """Whether there are words near those that are looked for."""
        return any(term.similar for terms in self.terms for term in terms)

    def fts5(self, match: Match) -> str:
        """Return what SQLite is asked for things that match at least so well."""
        return self._written(match, _fts5, " AND ", f'"{field_token(NAME, self.name)}"')

    def tsquery(self, match: Match) -> str:
        """Return what PostgreSQL is asked for things that match at least so well."""
        return self._written(match, _tsquery, " & ", f"'{field_token(NAME, self.name)}'")

    def _written(self, match: Match, term: Callable[[Term, Match], str], and_: str, name: str) -> str:
        if match is Match.EXACT_NAME:
            return name
        or_ = " OR " if and_ == " AND " else " | "
        return and_.join(f"({or_.join(term(each, match) for each in terms)})" for terms in self.terms)


def field_token(place: str, word: str) -> str:
    """Return a word that is found at that place alone: one that nobody can type, whole or begun."""
    return f":{place}:{word}"


UNMATCHABLE = ":nowhere:"
"""A word that nothing has: a mark without what it marks."""


class InvalidQueryError(ValueError):
    """What was typed is too long; the message is a sentence."""


def parse_query(typed: str) -> Search | None:
    """Return what is looked for; None where nothing was typed. Raises InvalidQueryError for what is too long."""
    if len(typed) > MAX_QUERY_LENGTH:
        raise InvalidQueryError(f"The query has {len(typed):,} characters; at most {MAX_QUERY_LENGTH} are allowed.")
    if not typed.strip():
        return None
    found = list(_terms(typed))
    count = sum(len(term.phrases[0]) for _, term in found)
    if count > MAX_QUERY_WORDS:
        raise InvalidQueryError(f"The query has {count:,} words; at most {MAX_QUERY_WORDS} are allowed.")
    plain = tuple((term,) for field, term in found if not field)
    placed = {field: tuple(term for of, term in found if of == field) for field, _ in found if field}
    name = join_tokens(word for field, term in found if not field for word in term.phrases[0])
    return Search((*plain, *placed.values()), name)


def _terms(typed: str) -> Iterator[tuple[str, Term]]:
    """Yield each term with the field that it names, if any."""
    text = _RESOLVER.sub("", typed).rstrip()
    for each in _TYPED.finditer(text):
        field, quoted, word = (each[1] or "").lower(), each[2], each[3]
        found = list(compounds(quoted if word is None else word))
        if not found:
            continue
        if field in {"kind", "doi"}:
            yield field, _term(field, [(join_tokens(part for chunk in found for part in chunk.tokens),)])
        elif word is None:
            yield field, _term(field, [tuple(part for chunk in found for part in chunk.tokens)])
        else:
            *first, last = found  # of one piece there are more where an accent stood alone
            yield from ((field, _word(field, chunk, is_prefix=False)) for chunk in first)
            yield field, _word(field, last, is_prefix=each.end() == len(text))


def _word(field: str, chunk: Compound, *, is_prefix: bool) -> Term:
    first, is_whole = chunk.tokens[0], len(chunk.tokens) == 1
    phrases = [chunk.tokens, (join_tokens(chunk.tokens),)]
    phrases += [tuple(parts) for parts in split_subwords(chunk.originals[0])] if is_whole else []
    word = first if is_whole and not field and is_fuzzy(first) else None
    return replace(_term(field, phrases), is_prefix=is_prefix, fuzzy_token=word)


def _term(field: str, phrases: Sequence[Phrase]) -> Term:
    found = [tuple(field_token(field, word) for word in phrase) for phrase in phrases] if field else phrases
    return Term(tuple(dict.fromkeys(found)), has_field=bool(field))


def is_fuzzy(word: str) -> bool:
    """Return whether a typing error in the word is looked past, which may have lost it a letter."""
    return len(word) >= MIN_FUZZY_LENGTH - 1 and word.isalpha()


def _fts5(term: Term, match: Match) -> str:
    rest = " *" if term.is_prefix and match is not Match.NAME_WORDS else ""
    found = [f'"{" ".join(phrase)}"{rest}' for phrase in term.phrases]
    found += [f'"{word}"' for word in term.similar] if match <= Match.FUZZY_NAME else []
    fields = None if term.has_field else FIELDS_OF_MATCH.get(match)
    told = " OR ".join(found)
    return f"{{{' '.join(fields)}}} : ({told})" if fields else f"({told})"


WEIGHT_BY_FIELD = {NAME: "A", LABELS: "B", REST: "D"}


def _tsquery(term: Term, match: Match) -> str:
    fields = "" if term.has_field else "".join(WEIGHT_BY_FIELD[field] for field in FIELDS_OF_MATCH.get(match, ()))
    rest = "*" if term.is_prefix and match is not Match.NAME_WORDS else ""

    def lexeme(word: str, rest: str = "") -> str:
        return f"'{word}':{rest}{fields}" if rest or fields else f"'{word}'"

    phrases = [[*map(lexeme, phrase[:-1]), lexeme(phrase[-1], rest)] for phrase in term.phrases]
    found = [f"({' <-> '.join(phrase)})" for phrase in phrases]
    found += [lexeme(word) for word in term.similar] if match <= Match.FUZZY_NAME else []
    return f"({' | '.join(found)})"
