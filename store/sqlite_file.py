"""File of a SQLite database, which must stay the same one while it is open."""

import os
from urllib.parse import quote

from store.failure import Failure, StorageError


def file_uri(path: str) -> str:
    """Return the URI of a file that must exist: a connection never creates one, which would be empty."""
    return f"file:{quote(path)}?mode=rw"


class SQLiteFile:
    """File by device and inode, as of the first connection."""

    def __init__(self, path: str) -> None:
        """Take the path. The file need not exist yet."""
        self.path = path
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise StorageError if the path leads to another file than before, or to none any more. One system call."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - a tenth of the time of Path.stat, for each write
            identity = (status.st_dev, status.st_ino)
        except FileNotFoundError:
            identity = None
        self._identity = self._identity or identity
        if identity != self._identity:
            raise StorageError(
                Failure.UNUSABLE,
                f"{self.path} was moved, replaced or deleted while Atoll was running, so nothing is saved any more. "
                "Put the file back, or restart Atoll to use the one that is there now.",
            )
