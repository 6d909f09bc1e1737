"""This file is search as SQL: the condition that a row is found, and how well."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Table,
    bindparam,
    case,
    column,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from store.search.query import Match, Search


class _Matches(FunctionElement[bool]):
    """Whether a row of an index matches: the index, what SQLite is asked, and what PostgreSQL is."""

    name = "matches"
    inherit_cache = True


def is_found(of: Any, search: Search) -> ColumnElement[bool]:
    """Return the condition that a row is found."""
    return of.c.pk.in_(_matching(of, search, Match.NEAR)) if search.terms else literal(value=False)


def quality(of: Any, search: Search) -> ColumnElement[int]:
    """Return how well a row that is found matches, as the number of a `Match`: by itself, whatever others say."""
    better = [(of.c.pk.in_(_matching(of, search, match)), match.value) for match in reversed(Match) if match]
    return case(*better, else_=Match.NEAR.value)


def _matching(of: Any, search: Search, match: Match) -> Select[Any]:
    named: Table = getattr(of, "element", of)
    index = table(f"{named.name}_search", column("rowid"))
    asked = (bindparam(None, text, type_=String()) for text in (search.fts5(match), search.tsquery(match)))
    return select(index.c.rowid).where(_Matches(literal_column(index.name), *asked))


@compiles(_Matches, "sqlite")
def _matches_sqlite(element: _Matches, compiler: Any, **options: Any) -> str:
    index, fts5, _ = element.clauses
    return f"{compiler.process(index, **options)} MATCH {compiler.process(fts5, **options)}"


@compiles(_Matches, "postgresql")
def _matches_postgresql(element: _Matches, compiler: Any, **options: Any) -> str:
    index, _, tsquery = element.clauses
    return f"{compiler.process(index, **options)}.words @@ {compiler.process(tsquery, **options)}::tsquery"
