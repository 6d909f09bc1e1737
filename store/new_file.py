"""New files that appear under their names when they are complete, on the disk, and never half-written."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp


class UnwritableFileError(Exception):
    """The file cannot be written; the message tells the command line's user why."""


def check_target(target: Path, example: str, *, replace: bool) -> None:
    """Raise UnwritableFileError if the target is a folder or a device, or exists and may not be replaced."""
    if target.is_dir():
        raise UnwritableFileError(f"{target} is a folder. Name a file, for example {target / example}.")
    if target.exists() and not target.is_file():
        raise UnwritableFileError(f"{target} is not a regular file. Name another file.")
    if target.exists() and not replace:
        raise UnwritableFileError(f"{target} exists. Name another file, or replace it with --force.")


@contextmanager
def new_file(target: Path, companions: Sequence[str] = ()) -> Iterator[Path]:
    """Yield an empty file beside the target, readable by its owner only, which replaces the target in the end.

    After an error the target is as it was. Either way no file remains whose name is the yielded one with one of the
    endings in `companions`. Raises UnwritableFileError for any OSError.
    """
    try:
        descriptor, name = mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(target)
            _sync(target.parent)
        finally:
            for ending in ("", *companions):
                Path(name + ending).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(file: Path, error: OSError) -> UnwritableFileError:
    """Return the error of a file that the system does not let us write."""
    return UnwritableFileError(f"Cannot write {file}: {(error.strerror or str(error)).lower()}. Name another file.")


def _sync(path: Path) -> None:
    """Write the file, or the names in the folder, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
