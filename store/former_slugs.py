"""Former slugs of topics and collections, which find them until a visible object has the slug."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql


async def keep_slug(connection: AsyncConnection, table: Table, id_: str, slug: str) -> None:
    """Keep a slug that a topic or collection loses. One statement.

    Rows are never deleted: if the object that took the slug is hidden from a viewer, the former one still answers.
    """
    await connection.execute(insert(sql.former_slug).values(kind=table.name, slug=slug, id=id_))


def has_former_slug(table: Table, slugs: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that a topic or collection had one of the slugs."""
    return table.c.id.in_(select(sql.former_slug.c.id).where(*_are_of(table, slugs)))


def former_slugs(table: Table, slugs: Select[Any]) -> ColumnElement[Any]:
    """Return a column of the table's SELECT: pairs of a number, greater if later, and a former slug of these."""
    former = sql.former_slug
    pairs = select(sql.json_rows_agg(sql.json_row(former.c.pk, former.c.slug)))
    pairs = pairs.where(former.c.id == table.c.id, *_are_of(table, slugs)).correlate(table)
    return pairs.scalar_subquery().label("former_slugs")


def _are_of(table: Table, slugs: Select[Any]) -> tuple[ColumnElement[bool], ...]:
    return sql.former_slug.c.kind == table.name, sql.former_slug.c.slug.in_(slugs)
