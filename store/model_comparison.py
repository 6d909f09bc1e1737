"""Alembic's options for comparing the models with a database, shared by `make migration` and its test."""

from typing import Any, Literal

from sqlalchemy import Column, String
from sqlmodel import AutoString, SQLModel

from store.search.document import SEARCHED_TABLES


def expression_indexes() -> set[str]:
    """Return the names of the models' indexes over expressions."""
    return {
        str(index.name)
        for table in SQLModel.metadata.tables.values()
        for index in table.indexes
        if not all(isinstance(expression, Column) for expression in index.expressions)
    }


def _is_compared(name: str | None, type_: str) -> bool:
    """Return whether to compare an object (table, column, index …) between models and database.

    Excludes indexes over expressions, which SQLite cannot reflect, and the tables of the search index, which have no
    models. Migrations of both are written by hand.
    """
    if type_ == "index":
        return name not in expression_indexes()
    return type_ != "table" or not str(name).startswith(tuple(f"{kind}_search" for kind in SEARCHED_TABLES))


def _render_type(item_type: str, item: object, _context: object) -> str | Literal[False]:
    """Return the type to write into the migration, False for Alembic's default. Strings get TEXT, for its collation."""
    if item_type == "type" and isinstance(item, AutoString):
        raise TypeError("A column of str needs sa_type=TEXT, as the others in store/tables.py.")
    return "TEXT" if item_type == "type" and isinstance(item, String) else False


COMPARISON: dict[str, Any] = {
    "compare_type": True,
    "include_name": lambda name, type_, _parents: _is_compared(name, type_),
    "include_object": lambda _object, name, type_, _is_reflected, _other: _is_compared(name, type_),
    "render_item": _render_type,
}
