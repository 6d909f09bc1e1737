"""Former slugs of topics and collections, which find them until a visible object has the slug."""

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql


async def keep_slug(connection: AsyncConnection, table: Table, id_: str, slug: str) -> None:
    """Keep a slug that a topic or collection loses. One statement.

    Rows are never deleted: if the object that took the slug is hidden from a viewer, the former one still answers.
    """
    await connection.execute(insert(sql.former_slug).values(kind=table.name, slug=slug, id=id_))
