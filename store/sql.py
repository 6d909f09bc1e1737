"""SQL building blocks: table objects, and constructs that the two databases spell differently."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    Select,
    String,
    Table,
    bindparam,
    column,
    insert,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from store import tables
from store.tables import table

Selection = Select[Any]
"""A SELECT. The type of its rows is stated where they are fetched (`store.rows`)."""
Expression = ColumnElement[Any]
Expressions = Sequence[Expression]

api_token = table(tables.ApiToken)
asset = table(tables.Asset)
asset_tag = table(tables.AssetTag)
asset_use = table(tables.AssetUse)
change = table(tables.Change)
change_asset = table(tables.ChangeAsset)
collection = table(tables.Collection)
deployment = table(tables.Deployment)
grant = table(tables.Grant)
group_member = table(tables.GroupMember)
idempotency = table(tables.Idempotency)
job = table(tables.Job)
job_input = table(tables.JobInput)
job_item = table(tables.JobItem)
membership = table(tables.Membership)
principal = table(tables.Principal)
search_stale = table(tables.SearchStale)
search_word = table(tables.SearchWord)
topic = table(tables.Topic)


class _Integers(FunctionElement[int]):
    """Table of the integers in a JSON array."""

    name = "integers"
    inherit_cache = True


class _Strings(FunctionElement[str]):
    """Table of the strings in a JSON array."""

    name = "strings"
    inherit_cache = True


class _Elements(FunctionElement[Any]):
    """Table of the elements of a JSON array, as JSON."""

    name = "elements"
    inherit_cache = True


class _Element(FunctionElement[Any]):
    """Value at an index of a JSON array, cast to a PostgreSQL type."""

    name = "element"
    inherit_cache = True


class json_row(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """Columns of a row as one JSON array."""

    name = "json_row"
    inherit_cache = True


class json_rows_agg(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """Aggregate of a value over all rows as one JSON array, in the subquery's order; `[]` for no rows."""

    name = "json_rows_agg"
    type = JSON()
    inherit_cache = True


# Lists reach a statement as one JSON parameter: its text, and the plan cached for it, are the same for any length.


def int_table(parameter: str) -> FromClause:
    """Return a table with a column `value`: the integers in the parameter, a JSON text such as `[1,2]`."""
    # Both databases give a scalar function's only column the name of its alias.
    return _Integers(bindparam(parameter, type_=String())).table_valued(column("value", BigInteger), name="value")


def text_table(parameter: str) -> FromClause:
    """Return a table with a column `value`: the strings in the parameter, a JSON text such as `["a","b"]`."""
    return _Strings(bindparam(parameter, type_=String())).table_valued(column("value", String), name="value")


def int_list(values: Sequence[int]) -> Select[Any]:
    """Return a SELECT of the integers, for IN."""
    return _select_values(_Integers(bindparam(None, json_text(values), type_=String())), BigInteger())


def text_list(values: Sequence[str]) -> Select[Any]:
    """Return a SELECT of the strings, for IN."""
    return _select_values(_Strings(bindparam(None, json_text(values), type_=String())), String())


def _select_values(elements: FunctionElement[Any], type_: TypeEngine[Any]) -> Select[Any]:
    return select(elements.table_valued(column("value", type_), name="value").c.value)


def insert_rows(into: Table, names: Sequence[str]) -> Insert:
    """Return the INSERT of the rows in the parameter `rows`: a JSON text of arrays of integers, strings and nulls.

    One parameter for all rows: drivers take longer to bind each value by itself.
    """
    row = _Elements(bindparam("rows", type_=String())).table_valued(column("value", JSON), name="value")
    values = _elements(row, [_POSTGRESQL_TYPES[type(into.c[name].type)] for name in names])
    return insert(into).from_select(list(names), select(*values))


def json_columns(parameter: str, *postgresql_types: str) -> list[Any]:
    """Return the columns of a table of the rows in the parameter: a JSON text of arrays, one type per element."""
    row = _Elements(bindparam(parameter, type_=String())).table_valued(column("value", JSON), name="value").alias()
    return [type_coerce(value, String()) for value in _elements(row, postgresql_types)]


def _elements(row: FromClause, postgresql_types: Sequence[str]) -> list[_Element]:
    return [
        _Element(row.c.value, literal_column(str(index)), literal_column(type_))
        for index, type_ in enumerate(postgresql_types)
    ]


_POSTGRESQL_TYPES: dict[type[TypeEngine[Any]], str] = {
    BigInteger: "bigint",
    Integer: "integer",
    String: "text",
    TSVECTOR: "tsvector",
}


def json_text(values: Sequence[object]) -> str:
    """Return the JSON text of a list parameter."""
    return orjson.dumps(values).decode()


def per_parent(parents: FromClause, rows: Select[Any]) -> Select[Any]:
    """Return a SELECT of `(value, rows)`: for each parent, the rows of a correlated SELECT as JSON arrays.

    One statement for any number of parents. A LIMIT of the SELECT applies to each.
    """
    page = rows.correlate(parents).subquery("page")
    aggregated = select(json_rows_agg(json_row(*page.c))).select_from(page).correlate(parents).scalar_subquery()
    return select(parents.c.value, aggregated.label("rows"))


@compiles(_Integers, "sqlite")
@compiles(_Strings, "sqlite")
@compiles(_Elements, "sqlite")
def _json_each_sqlite(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Integers, "postgresql")
def _integers_postgresql(element: _Integers, compiler: Any, **options: Any) -> str:
    return f"unnest(translate({compiler.process(element.clauses, **options)}, '[]', '{{}}')::bigint[])"


@compiles(_Strings, "postgresql")
def _strings_postgresql(element: _Strings, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **options)}::json)"


@compiles(_Elements, "postgresql")
def _elements_postgresql(element: _Elements, compiler: Any, **options: Any) -> str:
    return f"json_array_elements({compiler.process(element.clauses, **options)}::json)"


@compiles(_Element, "sqlite")
def _element_sqlite(element: _Element, compiler: Any, **options: Any) -> str:
    value, index, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({value}, '$[{index}]')"


@compiles(_Element, "postgresql")
def _element_postgresql(element: _Element, compiler: Any, **options: Any) -> str:
    value, index, type_ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({value} ->> {index})::{type_}"


@compiles(json_row, "sqlite")
def _json_row_sqlite(element: json_row, compiler: Any, **options: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **options)})"


@compiles(json_row, "postgresql")
def _json_row_postgresql(element: json_row, compiler: Any, **options: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **options)})"


@compiles(json_rows_agg, "sqlite")
def _json_rows_agg_sqlite(element: json_rows_agg, compiler: Any, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


@compiles(json_rows_agg, "postgresql")
def _json_rows_agg_postgresql(element: json_rows_agg, compiler: Any, **options: Any) -> str:
    return f"coalesce(json_agg({compiler.process(element.clauses, **options)}), '[]'::json)"
