"""Inspection of a deployment's database, for `atoll check`: facts about its contents, its file or its server."""

import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Database
from store.migrate import current_revision, head_revision
from store.search.index import count_stale_rows

_MOUNTS = Path("/proc/self/mounts")  # on Linux
_SERVER = """
select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) as server,
    (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user) as role,
    (select nullif(datconnlimit, -1) from pg_database where datname = current_database()) as database,
    pg_backend_pid() as pid,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms,
    current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off' as is_durable,
    current_setting('statement_timeout') <> '0' as has_time_outs
"""


class ContentFacts(NamedTuple):
    """Facts about the contents of a database at the newest revision."""

    stale_rows: int
    """Number of rows that are missing from the search index."""
    public_sharing: bool
    last_change_ms: int | None


class FileFacts(NamedTuple):
    """Facts about the file of a SQLite database. It may be missing: then those of its folder."""

    path: Path
    file_system: str | None
    """Type of the file system, such as ext4; None where the system does not say."""
    is_writable: bool
    is_shared: bool
    """Whether other accounts of the machine may read the file."""
    size_bytes: int
    free_bytes: int
    journal_mode: str | None


class ServerFacts(NamedTuple):
    """Facts about a PostgreSQL server and the session that asks it."""

    connections: int
    """Most connections of all processes together, as the server, the role and the database have it."""
    is_pooled: bool
    """Whether a pooler answers in place of the server."""
    now_ms: int
    is_durable: bool
    has_time_outs: bool


class DatabaseFacts(NamedTuple):
    """Facts about a database. `content` is None for an old or newer revision."""

    revision: str | None
    content: ContentFacts | None
    file: FileFacts | None
    server: ServerFacts | None


async def inspect_database(database: Database) -> DatabaseFacts:
    """Read the facts. Does not create a missing file."""
    revision, content, journal_mode, server = await current_revision(database), None, None, None
    if revision is not None or not database.is_sqlite:
        async with database.engines[-1].connect() as connection:
            if revision == head_revision():
                content = await _inspect_content(connection)
            if database.is_sqlite:
                journal_mode = str((await connection.execute(text("PRAGMA journal_mode"))).scalar_one())
            else:
                server = await _inspect_server(connection)
    file = _inspect_file(Path(database.file.path), journal_mode) if database.file else None
    return DatabaseFacts(revision, content, file, server)


def find_file_system(path: Path, mounts: Sequence[str]) -> str | None:
    """Return the type of the file system of a path; None if no mount (a line of /proc/self/mounts) contains it."""
    place, found, depth = path.resolve(), None, 0
    for mount in mounts:
        _, target, kind, *_ = mount.split()
        folder = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), target))  # a space is \040
        if len(folder.parts) >= depth and place.is_relative_to(folder):  # of equal ones the last is on top
            found, depth = kind, len(folder.parts)
    return found


async def _inspect_content(connection: AsyncConnection) -> ContentFacts:
    stale_rows = await count_stale_rows(connection)
    public_sharing = await connection.scalar(select(sql.deployment.c.public_sharing))
    last_change_ms = await connection.scalar(select(func.max(sql.change.c.at)))
    return ContentFacts(stale_rows, bool(public_sharing), last_change_ms)


def _inspect_file(path: Path, journal_mode: str | None) -> FileFacts:
    folder, exists = path.resolve().parent, path.exists()
    status = path.stat() if exists else None
    return FileFacts(
        path,
        find_file_system(path, _MOUNTS.read_text(encoding="utf-8").splitlines() if _MOUNTS.exists() else ()),
        is_writable=all(os.access(place, os.W_OK) for place in (path, folder) if place.exists()),
        is_shared=os.name != "nt" and status is not None and bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH)),
        size_bytes=status.st_size if status is not None else 0,
        free_bytes=shutil.disk_usage(folder).free,
        journal_mode=journal_mode,
    )


async def _inspect_server(connection: AsyncConnection) -> ServerFacts:
    driver_connection = (await connection.get_raw_connection()).driver_connection
    assert driver_connection is not None  # noqa: S101 - the connection is open
    row = (await connection.execute(text(_SERVER))).one()
    limits = [limit for limit in (row.server, row.role, row.database) if limit is not None]
    # A pooler invents the process id with which a session starts.
    is_pooled = driver_connection.get_server_pid() != row.pid
    return ServerFacts(min(limits), is_pooled, row.now_ms, row.is_durable, row.has_time_outs)
