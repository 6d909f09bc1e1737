"""This file is a catalogue file being read: its lines one at a time, each bounded, each with its number."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_LINE_BYTES = 4 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Progress = Callable[[int], None]


class UnreadableFileError(Exception):
    """The file cannot be read; the message is one plain sentence."""


class CatalogueFile:
    """A file that is read more than once, and must not change meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open the file once; raise UnreadableFileError when it does not exist or cannot be read."""
        self._path = path
        try:
            if path.is_dir():
                raise UnreadableFileError(f"{path} is a folder, not a file.")
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableFileError(
                    f"{path} is no file on a disk: a catalogue is read twice, so save it in one first."
                )
            with path.open("rb"):
                self._stamp = self._now()
        except OSError as error:
            raise _unreadable(path, error) from error

    @property
    def size_bytes(self) -> int:
        """The length of the file."""
        return self._stamp[0]

    def lines(self, progress: Progress) -> Iterator[tuple[int, bytes]]:
        """Yield the number, from 1, and the bytes of each line that is not blank.

        `progress` is called with the byte count of every line. A longer line is cut after MAX_LINE_BYTES + 1 bytes to
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
            raise _unreadable(self._path, error) from error

    def check_unchanged(self) -> None:
        """Raise UnreadableFileError when the file is not the one that was opened first."""
        try:
            is_changed = self._now() != self._stamp
        except OSError as error:
            raise _unreadable(self._path, error) from error
        if is_changed:
            raise UnreadableFileError(f"{self._path} changed while it was read: nothing was written. Import it again.")

    def _now(self) -> tuple[int, int, int]:
        now = self._path.stat()
        return now.st_size, now.st_mtime_ns, now.st_ino


def _unreadable(path: Path, error: OSError) -> UnreadableFileError:
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(f"There is no file {path}.")
    return UnreadableFileError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.")
