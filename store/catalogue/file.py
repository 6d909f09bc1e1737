"""Catalogue file: reads numbered lines one at a time, to bound memory."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_LINE_BYTES = 4 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Progress = Callable[[int], None]


class UnreadableFileError(Exception):
    """The file cannot be read; the message tells the command line's user why."""


class CatalogueFile:
    """A catalogue file. The import reads it twice, and it must not change in between."""

    def __init__(self, path: Path) -> None:
        """Check that the file exists and can be read, and remember its version. Raises UnreadableFileError."""
        self._path = path
        try:
            if path.is_dir():
                raise UnreadableFileError(f"{path} is a folder, not a file.")
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableFileError(
                    f"{path} is not a regular file. A catalogue is read twice: save it to a file first."
                )
            with path.open("rb"):
                self._version = self._read_version()
        except OSError as error:
            raise unreadable(path, error) from error

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self._version[0]

    def lines(self, progress: Progress) -> Iterator[tuple[int, bytes]]:
        """Yield number (from 1) and bytes of each line that is not blank.

        Calls `progress` with the number of bytes read. A line longer than MAX_LINE_BYTES is cut one byte after that, to
        bound memory; `parse_line` rejects it. Raises UnreadableFileError.
        """
        try:
            with self._path.open("rb") as file:
                number = 0
                while raw := file.readline(MAX_LINE_BYTES + 1):
                    number += 1
                    progress(len(raw))
                    rest = raw
                    while len(rest) == MAX_LINE_BYTES + 1 and not rest.endswith(b"\n"):
                        rest = file.readline(MAX_LINE_BYTES + 1)
                        progress(len(rest))
                    line = (raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw).strip()
                    if line:
                        yield number, line
        except OSError as error:
            raise unreadable(self._path, error) from error

    def check_unchanged(self) -> None:
        """Raise UnreadableFileError if the file was changed or replaced since this object was created."""
        try:
            is_changed = self._read_version() != self._version
        except OSError as error:
            raise unreadable(self._path, error) from error
        if is_changed:
            raise UnreadableFileError(f"{self._path} changed during the import. Nothing was written; import it again.")

    def _read_version(self) -> tuple[int, int, int]:
        status = self._path.stat()
        return status.st_size, status.st_mtime_ns, status.st_ino


def unreadable(path: Path, error: OSError) -> UnreadableFileError:
    """Return the error of a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(f"{path} does not exist.")
    return UnreadableFileError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.")
