"""World of 10,000 assets, whose lists are as long as those that the weights of fields were measured with."""

from random import Random
from typing import NamedTuple

from sqlalchemy import select, update

from app.tokens import create_token
from benchmarks.race.atoll_tables import write_atoll
from benchmarks.race.world import FIRST_USER_PK, Sizes, World
from proofs.databases import Databases
from proofs.interference.operations import PREFIXES, Vocabulary
from store import sql
from store.bulk_insert import insert_many
from store.database import Database
from store.tables import AppKind, DataAssetKind
from tests.oracle import ANONYMOUS

SIZES = Sizes(assets=10_000, collections=400, members=100)
USES = 3  # of each asset
MEMBER, ADMIN = "member", "admin"
TOKEN_SECONDS = 30 * 86_400


class LargeWorld(NamedTuple):
    """The database, its viewers' tokens, and the values that operations can name."""

    url: str
    tokens: dict[str, str]
    vocabulary: Vocabulary

    @property
    def viewers(self) -> list[str]:
        """Return the members and an anonymous visitor."""
        return [*self.tokens, ANONYMOUS]


async def create_large_world(databases: Databases, sizes: Sizes = SIZES) -> LargeWorld:
    """Create the world. Takes some 20 seconds."""
    url = databases.create_empty()
    tokens = {MEMBER: await write_atoll(World(sizes), url)}
    database = Database(url)
    try:
        await _share(database, sizes)
        tokens[ADMIN] = await create_token(database, "user:2", TOKEN_SECONDS)
        return LargeWorld(url, tokens, await _read_vocabulary(database))
    finally:
        await database.close()


async def _share(database: Database, sizes: Sizes) -> None:
    """Publish all collections, give assets the fields of all kinds and uses, and make a user an administrator."""
    random = Random(3)
    uses = {
        (asset, used): place
        for asset in range(1, sizes.assets + 1)
        for place, used in enumerate(random.sample(range(1, sizes.assets + 1), USES), start=1)
        if used != asset
    }
    rows = [{"asset_pk": asset, "uses_pk": used, "rank": place} for (asset, used), place in uses.items()]
    async with database.write() as connection:
        await connection.execute(update(sql.deployment).values(public_sharing=True))
        await connection.execute(update(sql.collection).values(visibility="PUBLIC"))
        await connection.execute(
            update(sql.principal).where(sql.principal.c.pk == FIRST_USER_PK + 1).values(is_admin=True)
        )
        for column, kind in ((sql.asset.c.app_kind, AppKind), (sql.asset.c.data_kind, DataAssetKind)):
            await connection.execute(update(sql.asset).values({column: next(iter(kind))}))
        await insert_many(connection, sql.asset_use, rows)


async def _read_vocabulary(database: Database) -> Vocabulary:
    tables = {"ast": sql.asset, "col": sql.collection, "top": sql.topic, "usr": sql.principal}
    async with database.snapshot() as snapshot:
        ids = {
            prefix: [row.id for row in await snapshot.rows(select(table.c.id).limit(200))]
            for prefix, table in tables.items()
        }
    return Vocabulary(
        {prefix: list[str]() for prefix in PREFIXES} | ids, ["a1", "a2"], ["c1", "balato", "asset", "rna", "cor"]
    )
