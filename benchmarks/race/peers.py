"""The peers' databases: the world in tables as a careful developer would make them, on SQLite and PostgreSQL.

Same rows, ids and grants as Atoll's database, with the indexes that the peers' statements need, analysed. Every peer
authenticates the same bearer token by the same digest, and applies the same rule.
"""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.race.world import World

TABLES = {
    "principal": "pk integer primary key, id text unique, name text, email text",
    "group_member": "user_pk integer, group_pk integer, primary key (user_pk, group_pk)",
    "api_token": "digest text primary key, user_pk integer, expires_at bigint",
    "topic": "pk integer primary key, id text unique, name text, rank integer",
    "collection": "pk integer primary key, id text unique, topic_pk integer references topic, name text, "
    "description text, parent_pk integer references collection, rank integer",
    "asset": "pk integer primary key, id text unique, kind text, name text, description text, "
    "owner_pk integer references principal, status text, version text, created_at text, doi text",
    "access_grant": "principal_pk integer, asset_pk integer, access integer, primary key (principal_pk, asset_pk)",
    "membership": "collection_pk integer references collection, asset_pk integer references asset, rank integer, "
    "primary key (collection_pk, asset_pk)",
}
INDEXES = (
    "create index grant_of_asset on access_grant (asset_pk, principal_pk, access)",
    "create index membership_of_asset on membership (asset_pk)",
    "create index membership_in_order on membership (collection_pk, rank, asset_pk)",
    "create index collection_of_topic on collection (topic_pk, rank)",
    "create index collection_of_parent on collection (parent_pk, rank)",
    "create index asset_of_owner on asset (owner_pk)",
)
VIEWER = "viewer"
"""Role that row-level security applies to, and its password."""

ROW_LEVEL_SECURITY = f"""
create role {VIEWER} login password '{VIEWER}';
grant select on all tables in schema public to {VIEWER};
create function viewer_principals() returns integer[] language sql stable security definer as $$
  select array[1, 2] || user_pk || array(select group_pk from group_member m where m.user_pk = t.user_pk)
  from api_token t
  where digest = current_setting('viewer.digest', true) and expires_at > extract(epoch from now()) * 1000
$$;
alter table asset enable row level security;
create policy visible on asset for select to {VIEWER} using (exists (
  select 1 from access_grant g where g.asset_pk = asset.pk
  and g.principal_pk = any ((select viewer_principals())::integer[])
  and (g.access = 4 or asset.status not in ('ARCHIVED', 'WITHDRAWN'))));
alter table membership enable row level security;
create policy visible on membership for select to {VIEWER} using (
  exists (select 1 from asset a where a.pk = membership.asset_pk));
revoke all on api_token, access_grant, group_member from {VIEWER};
grant select on access_grant to {VIEWER};
"""


def rows(world: World, digest: str, expires_at: int) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of each table."""
    assets = list(world.assets())
    return {
        "principal": [(row.pk, row.id, row.name, row.email) for row in world.principals()],
        "group_member": [(world.viewer_pk, pk) for pk in world.viewer_group_pks],
        "api_token": [(digest, world.viewer_pk, expires_at)],
        "topic": [(row.pk, row.id, row.name, row.pk) for row in world.topics()],
        "collection": [
            (row.pk, row.id, row.topic_pk, row.name, row.description, row.parent_pk, row.pk)
            for row in world.collections()
        ],
        "asset": [
            (
                row.pk,
                row.id,
                row.kind.value,
                row.name,
                row.description,
                row.owner_pk,
                "RELEASED",
                row.version,
                timestamp(row.created_at),
                row.doi,
            )
            for row in assets
        ],
        "access_grant": [(pk, row.pk, access) for row in assets for pk, access in row.grants.items()],
        "membership": [tuple(row) for row in world.memberships()],
    }


def timestamp(milliseconds: int) -> str:
    """Return a time as Atoll writes it."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def write_sqlite(path: Path, tables: dict[str, list[tuple[Any, ...]]]) -> None:
    """Write the peers' SQLite database."""
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    for name, columns in TABLES.items():
        connection.execute(f"create table {name} ({columns})")
        places = ", ".join("?" * len(tables[name][0]))
        connection.executemany(f"insert into {name} values ({places})", tables[name])
    for index in INDEXES:
        connection.execute(index)
    connection.execute("analyze")
    connection.commit()
    connection.close()


async def write_postgresql(url: str, tables: dict[str, list[tuple[Any, ...]]]) -> None:
    """Write the peers' PostgreSQL database, with row-level security for the role VIEWER."""
    connection = await asyncpg.connect(url)
    for name, columns in TABLES.items():
        await connection.execute(f"create table {name} ({columns})")
        await connection.copy_records_to_table(name, records=tables[name])
    for index in INDEXES:
        await connection.execute(index)
    await connection.execute(ROW_LEVEL_SECURITY)
    await connection.execute("analyze")
    await connection.close()
