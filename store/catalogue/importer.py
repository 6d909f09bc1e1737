"""Catalogue import: each object is created, updated or left unchanged, all in one transaction.

The import is three-way: only what changed in the file since its source was last imported applies. What people changed
since then stays; see `merge.py`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import func, select

from store import sql
from store.catalogue.asset import AssetWriter
from store.catalogue.award import write_awards
from store.catalogue.collection import write_collections
from store.catalogue.existing import ExistingObjects, load_existing
from store.catalogue.file import CatalogueFile, Progress
from store.catalogue.imported import ImportedState, StatesByObject, save_states
from store.catalogue.lines import AssetLine, InvalidLineError, parse_line
from store.catalogue.match import Matches, SluggedLine
from store.catalogue.member import LineOfCollection, MemberPlan, MemberWriter
from store.catalogue.parsed import ParsedCatalogue, parse_catalogue
from store.catalogue.plan import KeptLine, Plan, plan_import
from store.catalogue.preview import PlannedChange, read_changes
from store.catalogue.principal import ForeignLine, write_principals
from store.catalogue.prune import withdraw_missing
from store.catalogue.topic import write_topics
from store.catalogue.upsert import BATCH_SIZE, ImportSession
from store.catalogue.validate import validate
from store.changes import open_change_log
from store.database import UNLIMITED_SECONDS, Database
from store.tables import AssetKind, CollectionVisibility
from store.url import URL_SCHEMES

COUNTED_KINDS = ("user", "group", "topic", "collection", *AssetKind)
DEFAULT_SOURCE = "catalogue"


@dataclass(frozen=True)
class ImportResult:
    """Counts of objects by kind (see COUNTED_KINDS) and of memberships, and the lines that people's edits replace."""

    created: Counter[str]
    updated: Counter[str]
    unchanged: Counter[str]
    memberships: int
    removed_memberships: int = 0
    kept: Sequence[KeptLine] = ()
    foreign: Sequence[ForeignLine] = ()  # lines of users and groups that another source owns
    future_ids: Sequence[str] = ()  # assets and members with times in the future, which are ignored
    withdrawn: int = 0  # assets that the source has no longer
    hidden_collections: int = 0  # PUBLIC ones, which only administrators see while public sharing is off
    changes: Sequence[PlannedChange] = ()  # of a dry run

    @property
    def has_changes(self) -> bool:
        """Whether the import changes anything that is in the change log."""
        return bool(self.created.total() or self.updated.total() or self.memberships or self.removed_memberships)


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import. The name of the file's source keeps apart the ids and the states of several sources."""

    source: str = DEFAULT_SOURCE
    is_dry_run: bool = False
    prunes: bool = False  # whether to withdraw the source's assets that the file lacks
    may_prune_many: bool = False
    person: str | None = None  # who imports, for the change log
    url_schemes: Sequence[str] = URL_SCHEMES


async def import_catalogue(
    database: Database, path: Path, request_id: str, progress: Progress, options: ImportOptions = ImportOptions()
) -> ImportResult:
    """Import the whole file or nothing.

    Reads the file twice, so that assets need not be kept in memory, and calls `progress` with the number of bytes read,
    so each byte counts twice. Raises UnreadableFileError, and InvalidCatalogueError with all problems.
    """
    file = CatalogueFile(path)
    catalogue = parse_catalogue(file, progress, options.url_schemes)
    async with database.write(UNLIMITED_SECONDS) as connection:
        session = ImportSession(connection, await open_change_log(connection, request_id))
        session.log.origin = f"import of {path.name}" + (f" by {options.person}" if options.person else "")
        existing = await load_existing(connection, options.source, catalogue)
        plan = plan_import(catalogue, existing)
        validate(catalogue, existing, plan)
        principal_pks, foreign = await write_principals(session, catalogue)
        topics = await write_topics(session, plan, existing)
        assets = AssetWriter(session, principal_pks)
        for batch in _batches(file, progress, options.url_schemes):
            outcome = await assets.write_batch(batch)
            plan.kept += await write_awards(session, options.source, batch, outcome)
        await assets.write_uses()
        withdrawn = 0
        if options.prunes:
            has_limit = not (options.is_dry_run or options.may_prune_many)
            withdrawn = await withdraw_missing(session, options.source, catalogue.has_asset, has_limit=has_limit)
        collections = await write_collections(session, plan, existing, topics)
        members, future_members = await _write_members(session, catalogue, plan, collections, principal_pks)
        await _save_states(session, options.source, catalogue, plan, existing)
        result = ImportResult(
            session.created,
            session.updated,
            session.unchanged,
            memberships=sum(len(each.added) for each in members),
            removed_memberships=sum(len(each.removed) for each in members),
            kept=plan.kept,
            foreign=foreign,
            future_ids=[*assets.future_ids, *future_members],
            withdrawn=withdrawn,
            hidden_collections=await _count_hidden_collections(session),
            changes=await read_changes(connection, session.log.revision) if options.is_dry_run else (),
        )
        if options.is_dry_run or not (result.has_changes or session.must_commit):
            await connection.rollback()  # also undo the increment of the revision
    return result


async def _write_members(
    session: ImportSession,
    catalogue: ParsedCatalogue,
    plan: Plan,
    collections: Mapping[str, int],
    principal_pks: Mapping[str, int],
) -> tuple[list[MemberPlan], list[str]]:
    """Write the members of all collections that have lines and exist; add their entries to the plan's fields.

    Return also the members whose time is in the future.
    """
    lines = []
    for slug, line in catalogue.collections.items():
        match = plan.collection_matches.by_slug[slug]
        if match.id in collections:
            imported = {} if match.row is None else match.state and match.state.fields["assets"]
            lines.append(LineOfCollection(line, match.id, collections[match.id], imported))
    asset_ids = {id_ for each in lines for id_ in (*each.line.asset_ids, *(each.imported or ()))}
    assets = await session.load_pks(sql.asset, "external_id", asset_ids)
    writer = MemberWriter(session, assets, principal_pks)
    plans = await writer.write(lines)
    for written in lines:
        plan.fields[written.id]["assets"] = plans[written.id].entries
        if missing := plans[written.id].missing:
            plan.keep("collection", written.line.slug, [f"{missing:,} removed member{'' if missing == 1 else 's'}"])
    return [*plans.values()], writer.future_ids


async def _count_hidden_collections(session: ImportSession) -> int:
    """Return the number of PUBLIC collections while public sharing is off, else 0."""
    is_public = sql.collection.c.visibility == CollectionVisibility.PUBLIC
    hidden = select(func.count()).select_from(sql.deployment.join(sql.collection, is_public))
    return await session.connection.scalar(hidden.where(~sql.deployment.c.public_sharing)) or 0


async def _save_states(
    session: ImportSession, source: str, catalogue: ParsedCatalogue, plan: Plan, existing: ExistingObjects
) -> None:
    """Save the states of all lines of topics and collections for the next import of the source."""
    for kind, before, lines, matches in (
        ("topic", existing.topic_states, catalogue.topics, plan.topic_matches),
        ("collection", existing.collection_states, catalogue.collections, plan.collection_matches),
    ):
        after = _states_after(before, lines, matches, plan)
        session.must_commit |= await save_states(session.connection, source, kind, before, after)


def _states_after(
    before: StatesByObject, lines: Mapping[str, SluggedLine], matches: Matches, plan: Plan
) -> dict[str, ImportedState]:
    """Return the states after the import. Those of lines that the file lacks stay unless another line replaces one."""
    after = {
        match.id: ImportedState(line.id, plan.fields[match.id])
        for line, match in ((line, matches.by_slug[slug]) for slug, line in lines.items())
        if match.id in plan.fields
    }
    external_ids = {line.id for line in lines.values() if line.id is not None}
    missing = {
        id_: state
        for id_, state in before.items()
        if id_ not in after and state.external_id not in external_ids and state.fields["slug"] not in lines
    }
    return missing | after


def _batches(file: CatalogueFile, progress: Progress, url_schemes: Sequence[str]) -> Iterator[list[AssetLine]]:
    """Yield the assets of the file in batches. Raises UnreadableFileError if the file has changed."""
    lines = _asset_lines(file, progress, url_schemes)
    while batch := list(islice(lines, BATCH_SIZE)):
        file.check_unchanged()
        yield batch
    file.check_unchanged()


def _asset_lines(file: CatalogueFile, progress: Progress, url_schemes: Sequence[str]) -> Iterator[AssetLine]:
    for _, raw in file.lines(progress):
        try:
            line = parse_line(raw, url_schemes)
        except InvalidLineError:
            file.check_unchanged()  # the first reading accepted this line, so it must have changed
            raise
        if isinstance(line, AssetLine):
            yield line
