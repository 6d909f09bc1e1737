"""SQL building blocks: table objects, and constructs whose SQL differs between SQLite and PostgreSQL."""

from collections.abc import Callable, Sequence
from string import Formatter
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    Select,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
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
"""A SELECT with untyped rows: the code that fetches them states their type (see `store.rows`)."""
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
export_file = table(tables.ExportFile)
export_link = table(tables.ExportLink)
former_place = table(tables.FormerPlace)
former_slug = table(tables.FormerSlug)
grant = table(tables.Grant)
group_member = table(tables.GroupMember)
idempotency = table(tables.Idempotency)
imported_line = table(tables.ImportedLine)
job = table(tables.Job)
job_input = table(tables.JobInput)
job_item = table(tables.JobItem)
membership = table(tables.Membership)
principal = table(tables.Principal)
pull = table(tables.Pull)
pull_chunk = table(tables.PullChunk)
row_version = table(tables.RowVersion)
scim_resource = table(tables.ScimResource)
search_stale = table(tables.SearchStale)
search_unindexed = table(tables.SearchUnindexed)
search_word = table(tables.SearchWord)
sign_in = table(tables.SignIn)
topic = table(tables.Topic)


class _Integers(FunctionElement[int]):
    """Table-valued function: the integers in a JSON array."""

    name = "integers"
    inherit_cache = True


class _Strings(FunctionElement[str]):
    """Table-valued function: the strings in a JSON array."""

    name = "strings"
    inherit_cache = True


class _Elements(FunctionElement[Any]):
    """Table-valued function: the elements of a JSON array, as JSON."""

    name = "elements"
    inherit_cache = True


class _Element(FunctionElement[Any]):
    """Value at an index of a JSON array; on PostgreSQL, cast to the type that is the third argument."""

    name = "element"
    inherit_cache = True


class _IsOneOf(FunctionElement[bool]):
    """Whether the first argument is among the integers in a JSON array, the second."""

    name = "is_one_of"
    type = Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True  # it is compared to nothing: SQLite would not use an index for `… = 1`


class json_row(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """JSON array of its arguments, the columns of a row."""

    name = "json_row"
    inherit_cache = True


class json_rows_agg(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """Aggregate of a value over all rows as one JSON array, in the subquery's order; `[]` for no rows."""

    name = "json_rows_agg"
    type = JSON()
    inherit_cache = True


class _TextAggregate(FunctionElement[str]):
    """Aggregate of a text over all rows, in the subquery's order, separated by spaces; empty for no rows."""

    name = "text_aggregate"
    type = String()
    inherit_cache = True


# A list is passed as one JSON parameter, so that the SQL text and its cached plan are the same for any length.


def int_table(parameter: str) -> FromClause:
    """Return a table with a column `value`: the integers in the parameter, a JSON text such as `[1,2]`."""
    # Named `value`, because both databases name the only column of a scalar function after the alias.
    return _Integers(bindparam(parameter, type_=String())).table_valued(column("value", BigInteger), name="value")


def text_table(parameter: str) -> FromClause:
    """Return a table with a column `value`: the strings in the parameter, a JSON text such as `["a","b"]`."""
    return _Strings(bindparam(parameter, type_=String())).table_valued(column("value", String), name="value")


def is_one_of(value: Expression, parameter: str, among: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a value is one of the integers; the parameter may replace them at the execution."""
    return _IsOneOf(value, bindparam(parameter, json_text(among), type_=String()))


def int_list(values: Sequence[int]) -> Select[Any]:
    """Return a SELECT of the integers, as the right side of IN."""
    return _select_values(_Integers(bindparam(None, json_text(values), type_=String())), BigInteger())


def text_list(values: Sequence[str]) -> Select[Any]:
    """Return a SELECT of the strings, as the right side of IN."""
    return _select_values(_Strings(bindparam(None, json_text(values), type_=String())), String())


def _select_values(elements: FunctionElement[Any], type_: TypeEngine[Any]) -> Select[Any]:
    return select(elements.table_valued(column("value", type_), name="value").c.value)


def int_pairs(parameter: str) -> Select[Any]:
    """Return a SELECT of the pairs of integers in the parameter, such as `[[1,2],[3,4]]`, as the right side of IN."""
    columns: list[Any] = [cast(value, BigInteger) for value in json_columns(parameter, "bigint", "bigint")]
    return select(*columns)


def insert_rows(into: Table, names: Sequence[str]) -> Insert:
    """Return an INSERT of the rows in the parameter `rows`, a JSON text such as `[[1,"a"],[2,null]]`.

    Each row has a value per name: an integer, a string or null. One parameter for all is faster than one per value.
    """
    row = _Elements(bindparam("rows", type_=String())).table_valued(column("value", JSON), name="value")
    values = _elements(row, [_POSTGRESQL_TYPES[type(into.c[name].type)] for name in names])
    return insert(into).from_select(list(names), select(*values))


def json_columns(parameter: str, *postgresql_types: str) -> list[Any]:
    """Return the columns of the rows in a parameter, a JSON text such as `[["a",1],["b",2]]`; one type per column."""
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
    """Return a list as the JSON text of a parameter."""
    return orjson.dumps(values).decode()


def per_parent(parents: FromClause, rows: Select[Any]) -> Select[Any]:
    """Return a SELECT of `(value, rows)`: for each parent, the rows of a correlated SELECT as JSON arrays.

    One statement for any number of parents. A LIMIT in `rows` applies to each parent separately.
    """
    page = rows.correlate(parents).subquery("page")
    aggregated = select(json_rows_agg(json_row(*page.c))).select_from(page).correlate(parents).scalar_subquery()
    return select(parents.c.value, aggregated.label("rows"))


def json_values(rows: Select[Any], *correlated: FromClause) -> ColumnElement[str]:
    """Return a scalar subquery: the values of the only column of a correlated SELECT, as the text of a JSON array."""
    column = rows.correlate(*correlated).subquery()
    array = select(json_rows_agg(*column.c)).correlate(*correlated).scalar_subquery()
    # The concatenation makes it a text for SQLite too, which remembers of some values that they are JSON.
    return cast(array, String) + literal_column("''")


def text_values(rows: Select[Any], *correlated: FromClause) -> ColumnElement[str]:
    """Return a scalar subquery: the texts of the only column of a correlated SELECT, separated by spaces."""
    values = rows.correlate(*correlated).subquery()
    return select(_TextAggregate(*values.c)).correlate(*correlated).scalar_subquery()


def count_members(collection: FromClause) -> ColumnElement[int]:
    """Return the number of a collection's members, hidden ones included. It limits reads, and is never shown."""
    members = select(func.count()).select_from(membership).where(membership.c.collection_pk == collection.c.pk)
    return members.correlate(collection).scalar_subquery()


def compile_as(construct: type[FunctionElement[Any]], *, sqlite: str, postgresql: str) -> None:
    """Set the SQL of a construct on each database: `{0}` is its first argument, `{all}` the list of all of them."""
    compiles(construct)(_compiler_of(sqlite))  # also for `str(statement)`
    compiles(construct, "postgresql")(_compiler_of(postgresql))


def _compiler_of(template: str) -> Callable[..., str]:
    fields = {field for _, field, _, _ in Formatter().parse(template)}

    def compile_construct(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
        # An argument that is compiled but not rendered would leave a gap in PostgreSQL's numbered parameters.
        arguments = [
            compiler.process(clause, **options) if fields & {str(index), "all"} else ""
            for index, clause in enumerate(element.clauses)
        ]
        return template.format(*arguments, all=", ".join(arguments))

    return compile_construct


compile_as(_Integers, sqlite="json_each({0})", postgresql="unnest(translate({0}, '[]', '{{}}')::bigint[])")
# PostgreSQL estimates the rows of `= ANY` by the values of the parameter, and those of a subselect by none.
compile_as(
    _IsOneOf,
    sqlite="({0} IN (SELECT value FROM json_each({1})))",
    postgresql="({0} = ANY(translate({1}, '[]', '{{}}')::bigint[]))",
)
compile_as(_Strings, sqlite="json_each({0})", postgresql="json_array_elements_text({0}::json)")
compile_as(_Elements, sqlite="json_each({0})", postgresql="json_array_elements({0}::json)")
compile_as(_Element, sqlite="json_extract({0}, '$[{1}]')", postgresql="({0} ->> {1})::{2}")
compile_as(json_row, sqlite="json_array({all})", postgresql="json_build_array({all})")
compile_as(json_rows_agg, sqlite="json_group_array({0})", postgresql="coalesce(json_agg({0}), '[]'::json)")
compile_as(
    _TextAggregate,
    sqlite="coalesce(group_concat({0}, ' '), '')",
    postgresql="coalesce(string_agg({0}, ' '), '')",
)
