"""Demo: a catalogue shipped with Atoll, accounts for each role, and example tabs with the demo's ids."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from sqlalchemy import select, update  # noqa: TID251 - not a viewer's read: the demo's ids are shown to everyone

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
    ("Mei Tanaka", "user:mei", "member of the group Controlled access"),
    ("Sam Rivera", "user:sam", "plain member"),
)
# Column with the name by which examples refer to an object, for each kind.
COLUMN_BY_KIND = {
    "topic": sql.topic.c.slug,
    "collection": sql.collection.c.slug,
    "asset": sql.asset.c.external_id,
    "user": sql.principal.c.external_id,
    "group": sql.principal.c.external_id,
}
ANONYMOUS = Account("Anonymous", "visitor without a token: what is public", None)


async def load(database: Database) -> bool:
    """Import the demo into an empty database and turn public sharing on; return whether it was empty."""
    async with database.write() as connection:
        if not await has_no_users(connection):
            return False
        # Public sharing is turned on before users are imported: after an interruption, the next load starts again.
        log = await open_change_log(connection, "demo")
        await connection.execute(update(sql.deployment).values(public_sharing=True))
        sharing = {"field": "publicSharing", "before": "false", "after": "true"}
        await log.append(ChangeAction.UPDATED, ["deployment"], [sharing])
    await import_catalogue(database, CATALOGUE, "demo", lambda _bytes: None)
    return True


async def is_loaded(database: Database) -> bool:
    """Return whether the database has all users of the demo's accounts."""
    async with database.write() as connection:
        try:
            for _, user, _ in ACCOUNTS:
                await user_pk_by_external_id(connection, user)
        except UserNotFoundError:
            return False
    return True


async def create_accounts(database: Database) -> list[Account]:
    """Create a token for each demo account, valid for a day; return the accounts and the anonymous visitor."""
    members = [Account(name, about, await create_token(database, user, A_DAY)) for name, user, about in ACCOUNTS]
    return [*members, ANONYMOUS]


async def insert_ids(database: Database, tabs: Sequence[Tab]) -> list[Tab]:
    """Return the tabs with references replaced by ids; unknown references stay. One statement per kind."""
    ids: dict[Reference, str] = {}
    references = sorted(set[Reference]().union(*map(find_references, tabs)))
    async with database.snapshot() as snapshot:
        for kind, of_kind in groupby(references, key=lambda reference: reference[0]):
            column = COLUMN_BY_KIND[kind]
            rows = select(column, column.table.c.id).where(column.in_([name for _, name in of_kind]))
            ids |= {(kind, row[0]): row.id for row in await snapshot.rows(rows)}
    return [replace_references(tab, ids) for tab in tabs]
