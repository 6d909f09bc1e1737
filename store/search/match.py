"""SQL expressions of a search: whether a row matches, and its rank."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.sql.functions import FunctionElement

from store import sql
from store.search.query import FIELDS_OF_MATCH, LANGUAGES, NAME, Match, Search

STEP = 10  # ranks per Match, so that shorter names rank higher within one
LETTERS_PER_STEP = 16  # a name's rank drops by one for each group of this many letters


class _Matches(FunctionElement[bool]):
    """Condition that a row of an index matches. Arguments: the index, the FTS5 query, the tsquery."""

    name = "matches"
    inherit_cache = True


def matches_search(of: Any, search: Search) -> ColumnElement[bool]:
    """Return the condition that a row of the table `of` matches.

    Run it with `Search.parameters`, which contain the terms: the SQL is the same for equal `Search.cache_key`s.
    """
    conditions = [of.c.pk.in_(_matching_pks(of, Match.FUZZY.name))] if search.terms else []
    conditions += [of.c.pk.not_in(_matching_pks(of, "EXCLUDED"))] if search.excluded else []
    return and_(*conditions) if conditions else literal(value=False)


def match_rank(of: Any) -> ColumnElement[int]:
    """Return the rank of a matching row; better matches have greater ranks. It does not depend on any other row.

    Rows rank by their `Match`; where all terms must match in the name, shorter names then rank higher.
    """
    letters = func.length(of.c.name, type_=Integer) // LETTERS_PER_STEP
    brevity = case((letters < STEP, STEP - 1 - letters), else_=0)
    ranks = {match: match * STEP + (brevity if FIELDS_OF_MATCH.get(match) == (NAME,) else 0) for match in Match}
    del ranks[Match.FUZZY]
    worst = bindparam("worst", type_=Integer) * STEP
    return case(*((of.c.pk.in_(_matching_pks(of, match.name)), ranks[match]) for match in reversed(ranks)), else_=worst)


def _matching_pks(of: Any, query: str) -> Select[Any]:
    searched: Table = getattr(of, "element", of)
    index = table(f"{searched.name}_search", column("rowid"))
    queries = (bindparam(f"{language}_{query}", type_=String()) for language in LANGUAGES)
    return select(index.c.rowid).where(_Matches(literal_column(index.name), *queries))


sql.compile_as(_Matches, sqlite="{0} MATCH {1}", postgresql="{0}.words @@ {2}::tsquery")
