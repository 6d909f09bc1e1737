"""This file is the words of our SQL: tables as statements name them, and the forms that the two databases differ in."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
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


class _Numbers(FunctionElement[int]):
    """A table of the numbers in a JSON text."""

    name = "numbers"
    inherit_cache = True


class _Texts(FunctionElement[str]):
    """A table of the texts in a JSON text."""

    name = "texts"
    inherit_cache = True


class json_row(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """The columns of a row as one JSON array."""

    name = "array"
    inherit_cache = True


class _Rows(FunctionElement[Any]):
    """A table of the arrays in a JSON text."""

    name = "rows"
    inherit_cache = True


class _Part(FunctionElement[Any]):
    """The value at an index of a JSON array, as what PostgreSQL calls its type."""

    name = "part"
    inherit_cache = True


class json_rows_agg(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """A value of all rows as one JSON array, in the order of the subquery they come from; `[]` for no rows."""

    name = "arrays"
    type = JSON()
    inherit_cache = True


def int_table(parameter: str) -> FromClause:
    """Return a table with a column `value`, of the numbers in the parameter: a JSON text such as `[1,2]`.

    The text of a statement is then the same for any number of them.
    """
    # Both databases give a scalar function's only column the name of its alias.
    return _Numbers(bindparam(parameter, type_=String())).table_valued(column("value", BigInteger), name="value")


def text_table(parameter: str) -> FromClause:
    """Return a table with a column `value`, of the texts in the parameter: a JSON text such as `["a","b"]`."""
    return _Texts(bindparam(parameter, type_=String())).table_valued(column("value", String), name="value")


def int_list(values: Sequence[int]) -> Select[Any]:
    """Return a SELECT of the numbers, for IN: one statement's text for any number of them."""
    table_of = _Numbers(bindparam(None, json_text(values), type_=String()))
    return _values(table_of, BigInteger())


def text_list(values: Sequence[str]) -> Select[Any]:
    """Return a SELECT of the texts, for IN: one statement's text for any number of them."""
    table_of = _Texts(bindparam(None, json_text(values), type_=String()))
    return _values(table_of, String())


def _values(table_of: FunctionElement[Any], kind: TypeEngine[Any]) -> Select[Any]:
    return select(table_of.table_valued(column("value", kind), name="value").c.value)


def insert_rows(into: Table, names: Sequence[str]) -> Insert:
    """Return the INSERT of the rows in the parameter `rows`: a JSON text of arrays of numbers, texts and nulls.

    One statement for any number of rows, and one parameter: a driver takes longer to bind each value by itself.
    """
    row = _Rows(bindparam("rows", type_=String())).table_valued(column("value", JSON), name="value")
    parts = [
        _Part(row.c.value, literal_column(str(index)), literal_column(_POSTGRESQL[type(into.c[name].type)]))
        for index, name in enumerate(names)
    ]
    return insert(into).from_select(list(names), select(*parts))


def json_columns(parameter: str, *kinds: str) -> list[Any]:
    """Return the columns of a table of the rows in the parameter, `json_text` of them, each as PostgreSQL's type.

    The text of a statement is then the same for any number of them.
    """
    row = _Rows(bindparam(parameter, type_=String())).table_valued(column("value", JSON), name="value").alias()
    parts = (_Part(row.c.value, literal_column(str(index)), literal_column(kind)) for index, kind in enumerate(kinds))
    return [type_coerce(part, String()) for part in parts]


_POSTGRESQL: dict[type[TypeEngine[Any]], str] = {
    BigInteger: "bigint",
    Integer: "integer",
    String: "text",
    TSVECTOR: "tsvector",
}


def json_text(values: Sequence[object]) -> str:
    """Return the JSON text of a list parameter."""
    return orjson.dumps(values).decode()


def per_parent(parents: FromClause, rows: Select[Any]) -> Select[Any]:
    """Return a SELECT of `(value, rows)`: for each parent the rows that a correlated SELECT gives it, as JSON arrays.

    One statement for any number of parents; where the SELECT has a limit, each stops at it.
    """
    page = rows.correlate(parents).subquery("page")
    together = select(json_rows_agg(json_row(*page.c))).select_from(page).correlate(parents).scalar_subquery()
    return select(parents.c.value, together.label("rows"))


@compiles(_Numbers, "sqlite")
@compiles(_Texts, "sqlite")
def _each_sqlite(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Numbers, "postgresql")
def _numbers_postgresql(element: _Numbers, compiler: Any, **options: Any) -> str:
    return f"unnest(translate({compiler.process(element.clauses, **options)}, '[]', '{{}}')::bigint[])"


@compiles(_Texts, "postgresql")
def _texts_postgresql(element: _Texts, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **options)}::json)"


@compiles(_Rows, "sqlite")
def _rows_sqlite(element: _Rows, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Rows, "postgresql")
def _rows_postgresql(element: _Rows, compiler: Any, **options: Any) -> str:
    return f"json_array_elements({compiler.process(element.clauses, **options)}::json)"


@compiles(_Part, "sqlite")
def _part_sqlite(element: _Part, compiler: Any, **options: Any) -> str:
    value, index, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({value}, '$[{index}]')"


@compiles(_Part, "postgresql")
def _part_postgresql(element: _Part, compiler: Any, **options: Any) -> str:
    value, index, kind = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({value} ->> {index})::{kind}"


@compiles(json_row, "sqlite")
def _array_sqlite(element: json_row, compiler: Any, **options: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **options)})"


@compiles(json_row, "postgresql")
def _array_postgresql(element: json_row, compiler: Any, **options: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **options)})"


@compiles(json_rows_agg, "sqlite")
def _arrays_sqlite(element: json_rows_agg, compiler: Any, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


@compiles(json_rows_agg, "postgresql")
def _arrays_postgresql(element: json_rows_agg, compiler: Any, **options: Any) -> str:
    return f"coalesce(json_agg({compiler.process(element.clauses, **options)}), '[]'::json)"
