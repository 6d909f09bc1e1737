"""This file is the demo: a catalogue that ships with Atoll, accounts to look at it with, and tabs that know its ids."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from sqlalchemy import select, update  # noqa: TID251 - no viewer asks here: the demo shows its ids to whoever opens it

from app.graphiql import Account, Reference, Tab, find_references, replace_references
from app.tokens import create_token
from store import sql
from store.catalogue.importer import import_catalogue
from store.changes import open_change_log
from store.database import Database
from store.tables import ChangeAction
from store.users import UserNotFoundError, has_no_users, user_pk_by_external_id

CATALOGUE = Path(__file__).parent / "demo.jsonl"
A_DAY = 86_400

ACCOUNTS = (
    ("Ada Moreau", "user:ada", "administrator: every asset, and content where granted"),
    ("Olu Adeyemi", "user:olu", "owner of about 60 assets of all five kinds"),
    ("Mei Tanaka", "user:mei", "member of the group «Controlled access»"),
    ("Sam Rivera", "user:sam", "plain member"),
)
# The words that examples name things by.
COLUMN_BY_KIND = {
    "topic": sql.topic.c.slug,
    "collection": sql.collection.c.slug,
    "asset": sql.asset.c.external_id,
    "user": sql.principal.c.external_id,
    "group": sql.principal.c.external_id,
}
ANONYMOUS = Account("Anonymous", "visitor without a token: what is public", None)


async def load(database: Database) -> bool:
    """Write the demo into an empty database and turn public sharing on; return whether it was empty."""
    async with database.write() as connection:
        if not await has_no_users(connection):
            return False
        # Sharing comes first: a load that was cut short leaves the database empty, and the next begins again.
        log = await open_change_log(connection, "demo")
        await connection.execute(update(sql.deployment).values(public_sharing=True))
        sharing = {"field": "publicSharing", "before": "false", "after": "true"}
        await log.append(ChangeAction.UPDATED, ["deployment"], [sharing])
    await import_catalogue(database, CATALOGUE, "demo", lambda _bytes: None)
    return True


async def is_loaded(database: Database) -> bool:
    """Return whether the database has every user that the demo's accounts are of."""
    async with database.write() as connection:
        try:
            for _, user, _ in ACCOUNTS:
                await user_pk_by_external_id(connection, user)
        except UserNotFoundError:
            return False
    return True


async def create_accounts(database: Database) -> list[Account]:
    """Return the demo's accounts with a token of a day for each, and the anonymous visitor."""
    members = [Account(name, about, await create_token(database, user, A_DAY)) for name, user, about in ACCOUNTS]
    return [*members, ANONYMOUS]


async def insert_ids(database: Database, tabs: Sequence[Tab]) -> list[Tab]:
    """Return the tabs with the ids of what they name in words; what is not there stays named. One statement a kind."""
    ids: dict[Reference, str] = {}
    named = sorted(set[Reference]().union(*map(find_references, tabs)))
    async with database.snapshot() as snapshot:
        for kind, names in groupby(named, key=lambda name: name[0]):
            word = COLUMN_BY_KIND[kind]
            rows = select(word, word.table.c.id).where(word.in_([name for _, name in names]))
            ids |= {(kind, row[0]): row.id for row in await snapshot.rows(rows)}
    return [replace_references(tab, ids) for tab in tabs]
