"""Export of the catalogue, as one viewer sees it, to a file or to the standard output."""

import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from permissions import Viewer
from permissions.viewer import anonymous_viewer, operator_viewer, viewer_by_external_id
from resolvers.export.catalogue import catalogue_lines, count_objects
from resolvers.export.file_format import ExportFormat, line_writer
from resolvers.export.line import ExportedLine
from store.catalogue.importer import COUNTED_KINDS
from store.database import Database, Snapshot
from store.new_file import UnwritableFileError, check_target, new_file
from store.users import UserNotFoundError

STANDARD_OUTPUT: Final = Path("-")

Identify = Callable[[Snapshot], Awaitable[Viewer]]
ReportLine = Callable[[int, int], None]
"""Function that is called with the numbers of objects written and of all."""


class OutputClosedError(Exception):
    """The reader of the standard output went away, for example `head`."""


def identify(user: str | None, *, is_anonymous: bool) -> Identify:
    """Return the function that finds the viewer: the user with this external id, a visitor, or the operator."""

    async def identify_user(snapshot: Snapshot) -> Viewer:
        viewer = await viewer_by_external_id(snapshot, str(user))
        if viewer is None:
            raise UserNotFoundError(f"There is no user {user!r}. Name a user by the id in the catalogue.")
        return viewer

    if user is not None:
        return identify_user
    return anonymous_viewer if is_anonymous else operator_viewer


async def export_catalogue(
    database: Database,
    file: Path,
    identify_viewer: Identify,
    *,
    format_: ExportFormat = ExportFormat.JSONL,
    replace: bool = False,
    report: ReportLine | None = None,
) -> Counter[str]:
    """Write a line for each object that the viewer sees, as of one moment; return the number of objects of each kind.

    The file appears when it is complete. `report` is called for each object; its total takes five more statements.
    Raises UnwritableFileError, OutputClosedError and UserNotFoundError.
    """
    if file != STANDARD_OUTPUT:
        check_target(file, "catalogue.jsonl", replace=replace)

    async def export(snapshot: Snapshot) -> Counter[str]:
        viewer = await identify_viewer(snapshot)
        counts: Counter[str] = Counter()
        total = await count_objects(snapshot, viewer) if report else 0
        folder = None if file == STANDARD_OUTPUT else file.parent
        with (
            _open(file) as stream,
            line_writer(format_, stream, folder, is_signed_in=viewer.is_signed_in) as write_line,
        ):
            async for line in catalogue_lines(snapshot, viewer):
                write_line(line)
                _count(counts, line)
                if report and line["kind"] != "members":
                    report(sum(counts[kind] for kind in COUNTED_KINDS), total)
        return counts

    return await database.read_long(export)


@contextmanager
def _open(file: Path) -> Iterator[BinaryIO]:
    if file == STANDARD_OUTPUT:
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosedError from error
        except OSError as error:
            raise UnwritableFileError(f"Cannot write to the standard output: {error.strerror}.") from error
        return
    with new_file(file) as temporary, temporary.open("wb") as stream:
        yield stream


def _count(counts: Counter[str], line: ExportedLine) -> None:
    kind = str(line["kind"])
    if kind != "members":
        counts[line.get("type", kind)] += 1
    counts["memberships"] += len(line["assets"]) if kind in {"collection", "members"} else 0
