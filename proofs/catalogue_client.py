"""Clients of new databases, each with a catalogue, for trials that send operations as several users."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.tokens import create_token
from proofs.databases import Databases
from store.database import Database
from tests.conftest import GraphQLClient, World, set_public_sharing

TOKEN_SECONDS = 86_400


@asynccontextmanager
async def open_catalogue(
    databases: Databases, lines: Sequence[dict[str, Any]], users: Iterable[str], *, is_shared: bool = False
) -> AsyncIterator[GraphQLClient]:
    """Yield a client of a database with these lines, with public sharing if it is shared; drop the database at the end.

    The client has a token for each of the users.
    """
    url = await databases.create_from_catalogue(lines)
    database = Database(url)
    if is_shared:
        await set_public_sharing(database)
    tokens = {name: await create_token(database, name, TOKEN_SECONDS) for name in users}
    await database.close()
    client = GraphQLClient(World(url, tokens))
    try:
        yield client
    finally:
        await client.close()
        databases.drop(url)
