"""Report of an import on the command line."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from store.catalogue.importer import COUNTED_KINDS, ImportResult
from store.catalogue.preview import format_changes

MAX_LISTED = 20
"""Number of lines left out, or ids, that the report names; it counts the others."""


def format_import(result: ImportResult, *, is_dry_run: bool) -> Iterator[str]:
    """Yield the lines of the report; those of a dry run begin with each change that the import would make."""
    yield from format_changes(result.changes)
    yield ("dry run, nothing was imported: " if is_dry_run else "") + _format_result(result)
    if result.withdrawn:
        yield f"withdrawn, because the source has them no longer: {result.withdrawn:,}"
    if result.kept:
        yield from _limited("left as people made it:", [f"{kind} {slug}: {edits}" for kind, slug, edits in result.kept])
    if result.foreign:
        counts = Counter((kind, source) for kind, _, source in result.foreign)
        title = ", ".join(f"{count:,} {kind} ({source})" for (kind, source), count in counts.items())
        lines = [f"{kind} {id_}" for kind, id_, _ in result.foreign]
        yield from _limited(f"left, because another source owns them: {title}", lines)
    if result.future_ids:
        yield from _limited("times in the future, which are ignored:", list(result.future_ids))
    if result.hidden_collections:
        count = f"{result.hidden_collections:,} PUBLIC collection"
        yield f"visible to administrators only, while public sharing is off: {count}"


def format_counts(counts: Mapping[str, int]) -> str:
    """Format numbers of objects by kind."""
    return ", ".join(f"{counts[kind]:,} {kind}" for kind in COUNTED_KINDS if counts[kind])


def _format_result(result: ImportResult) -> str:
    counts_by_word = {"created": result.created, "updated": result.updated, "unchanged": result.unchanged}
    parts = [f"{word}: {format_counts(counts)}" for word, counts in counts_by_word.items() if counts.total()]
    removed = [f"memberships removed: {result.removed_memberships:,}"] if result.removed_memberships else []
    return "; ".join([*parts, f"memberships added: {result.memberships:,}", *removed])


def _limited(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield title
    yield from (f"  {line}" for line in lines[:MAX_LISTED])
    if len(lines) > MAX_LISTED:
        yield f"  and {len(lines) - MAX_LISTED:,} more"
