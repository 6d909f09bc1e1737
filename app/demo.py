"""Demo: a catalogue shipped with Atoll, and accounts for each role."""

from pathlib import Path

from sqlalchemy import update

from app.graphiql import Account
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
    ("Ada Moreau", "user:ada", "administrators", "administrator: every asset, and content where granted"),
    ("Olu Adeyemi", "user:olu", "owners", "owner of about 60 assets of all five kinds"),
    ("Mei Tanaka", "user:mei", "members", "member of the group Controlled access"),
    ("Sam Rivera", "user:sam", "members", "plain member"),
)
ANONYMOUS = Account("Anonymous", "visitor without a token: what is public", "anyone", None)


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
            for _, user, _, _ in ACCOUNTS:
                await user_pk_by_external_id(connection, user)
        except UserNotFoundError:
            return False
    return True


async def create_accounts(database: Database) -> list[Account]:
    """Create a token for each demo account, valid for a day; return the accounts and the anonymous visitor."""
    members = [
        Account(name, about, role, await create_token(database, user, A_DAY)) for name, user, role, about in ACCOUNTS
    ]
    return [*members, ANONYMOUS]
