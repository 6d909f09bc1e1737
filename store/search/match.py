"""This file is search as SQL: the condition that a row is found, and how well."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    bindparam,
    case,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from store.search.query import FIELDS_OF_MATCH, NAME, Match, Search

STEP = 10  # from one match to the next, for what tells between those
LENGTH = 16  # letters of a name by which it says more


class _Matches(FunctionElement[bool]):
    """Whether a row of an index matches: the index, what SQLite is asked, and what PostgreSQL is."""

    name = "matches"
    inherit_cache = True


def matches_search(of: Any, search: Search) -> ColumnElement[bool]:
    """Return the condition that a row is found, whatever is looked for: `Search.parameters` tells that."""
    return of.c.pk.in_(_matching(of, Match.FUZZY)) if search.terms else literal(value=False)


def match_rank(of: Any) -> ColumnElement[int]:
    """Return how well a row that is found matches, the best as the greatest number: by itself, whatever others say.

    By the `Match` first; then, of what is found by its name, by how little else the name says.
    """
    others = func.length(of.c.name, type_=Integer) // LENGTH
    brevity = case((others < STEP, STEP - 1 - others), else_=0)
    ways = {match: match * STEP + (brevity if FIELDS_OF_MATCH.get(match) == (NAME,) else 0) for match in Match}
    del ways[Match.FUZZY]
    worst = bindparam("worst", type_=Integer) * STEP
    return case(*((of.c.pk.in_(_matching(of, match)), ways[match]) for match in reversed(ways)), else_=worst)


def _matching(of: Any, match: Match) -> Select[Any]:
    named: Table = getattr(of, "element", of)
    index = table(f"{named.name}_search", column("rowid"))
    asked = (bindparam(f"{language}_{match.name}", type_=String()) for language in ("fts5", "tsquery"))
    return select(index.c.rowid).where(_Matches(literal_column(index.name), *asked))


@compiles(_Matches, "sqlite")
def _matches_sqlite(element: _Matches, compiler: Any, **options: Any) -> str:
    index, fts5, _ = element.clauses
    return f"{compiler.process(index, **options)} MATCH {compiler.process(fts5, **options)}"


@compiles(_Matches, "postgresql")
def _matches_postgresql(element: _Matches, compiler: Any, **options: Any) -> str:
    index, _, tsquery = element.clauses
    return f"{compiler.process(index, **options)}.words @@ {compiler.process(tsquery, **options)}::tsquery"
