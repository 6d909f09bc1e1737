"""Files of export jobs, and links to them that work once: rows, and the folder of the files."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Snapshot
from store.ids import now_ms
from store.jobs import RETENTION_MS

DAY_MS: Final = 24 * 3_600 * 1_000
EXPIRED_ROW_MS: Final = 30 * DAY_MS
"""How long the row of an expired file is kept, so that a download can be answered that it expired."""
LINK_MS: Final = 5 * 60 * 1_000
FILE_PREFIX: Final = "export-"
"""Beginning of the names of files in the folder, so that nothing else there is ever deleted."""


class CreatedLink(NamedTuple):
    """A new link: the secret in it, which is nowhere else, and the end of its time."""

    secret: str
    expires_at: int


async def add_file(
    connection: AsyncConnection, id_: str, user_pk: int, *, format_: str, name: str, access: Mapping[str, Any]
) -> None:
    """Record the file of a job, and forget files that expired long ago. Three statements."""
    now = now_ms()
    old = select(sql.export_file.c.pk).where(sql.export_file.c.expires_at < now - EXPIRED_ROW_MS)
    await connection.execute(delete(sql.export_link).where(sql.export_link.c.file_pk.in_(old)))
    await connection.execute(delete(sql.export_file).where(sql.export_file.c.pk.in_(old)))
    row = {"id": id_, "user_pk": user_pk, "format": format_, "name": name, "access": access}
    await connection.execute(insert(sql.export_file).values(row | {"expires_at": now + RETENTION_MS}))


async def create_link(connection: AsyncConnection, file_pk: int, token_pk: int | None) -> CreatedLink:
    """Create a link to a file, and delete the file's expired ones. Two statements."""
    now, secret = now_ms(), secrets.token_urlsafe(32)
    link = sql.export_link
    await connection.execute(delete(link).where(link.c.file_pk == file_pk, link.c.expires_at <= now))
    row = {"digest": _digest(secret), "file_pk": file_pk, "token_pk": token_pk, "expires_at": now + LINK_MS}
    await connection.execute(insert(link).values(row))
    return CreatedLink(secret, now + LINK_MS)


async def find_link(snapshot: Snapshot, secret: str) -> Row[Any] | None:
    """Return the valid link with this secret, with its file's `id` and `user_pk`; None if there is none.

    A link ends with the token that it was created with. One statement.
    """
    link, file, token, now = sql.export_link, sql.export_file, sql.api_token, now_ms()
    is_token_valid = select(token.c.pk).where(
        token.c.pk == link.c.token_pk, token.c.revoked_at.is_(None), token.c.expires_at > now
    )
    links = select(link.c.digest, file.c.id, file.c.user_pk).join(file, file.c.pk == link.c.file_pk)
    is_valid = link.c.token_pk.is_(None) | is_token_valid.exists()
    rows = await snapshot.rows(links.where(link.c.digest == _digest(secret), link.c.expires_at > now, is_valid))
    return rows[0] if rows else None


async def use_link(connection: AsyncConnection, digest: str) -> bool:
    """Delete the link; return whether it was there: of several requests, one gets True. One statement."""
    used = delete(sql.export_link).where(sql.export_link.c.digest == digest).returning(sql.export_link.c.digest)
    return (await connection.execute(used)).first() is not None


def _digest(secret: str) -> str:
    """Return the digest of a secret, which has 256 random bits, so that a fast hash is safe."""
    return sha256(secret.encode()).hexdigest()


def delete_expired_files(folder: Path) -> None:
    """Delete expired files from the folder, and unfinished ones that are older than a day."""
    for path in folder.glob(f"*{FILE_PREFIX}*"):
        milliseconds = DAY_MS if path.name.startswith(".") else DAY_MS + RETENTION_MS
        try:
            if path.lstat().st_mtime * 1_000 < now_ms() - milliseconds:
                rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:  # another process was faster
            continue
