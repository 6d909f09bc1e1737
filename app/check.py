"""Findings of `atoll check`: parts of a deployment that are in order, deserve a look, or keep Atoll from working."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from app.connections import OTHER_DESCRIPTORS, connection_limit
from app.cors import ANY_ORIGIN
from app.drain import STOP_SECONDS
from app.oidc_claims import Provisioning
from app.settings import PREFIX, Settings
from app.trusted_documents import TrustedDocuments
from store.error import parse_database_url
from store.inspection import ContentFacts, DatabaseFacts, FileFacts, ServerFacts
from store.migrate import head_revision, is_newer, is_usable
from store.postgres_options import PostgresOptions

LEAST_FREE_BYTES: Final = 1_000_000_000
FULL_BYTES: Final = 10_000_000
"""Free space with which writes will soon fail."""
CLOCK_MS: Final = 5_000
"""Difference between clocks that is worth a notice."""

TEMPORARY_FOLDERS: Final = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run")))  # noqa: S108 - to warn of them
NETWORK_FILE_SYSTEMS: Final = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs",
    "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs",
}  # fmt: skip
PASSING_FILE_SYSTEMS: Final = {"overlay": "the container's own layer", "ramfs": "memory", "tmpfs": "memory"}

LIMITS: Final = {
    "operation_seconds": "Have the proxy wait longer than that for a response.",
    "idle_seconds": "Have the proxy close its idle connections sooner.",
    "drain_seconds": f"Give the server {STOP_SECONDS} seconds more than that to stop (TimeoutStopSec, grace period).",
    "pool_size": "Each process opens so many connections to PostgreSQL, and one more.",
    "rate_points": "Each process counts for itself.",
    "rate_burst": "Each process counts for itself.",
    "max_connections": "Have the proxy keep fewer open.",
    "max_operations": "A quarter of them may be those of one user.",
}
"""Advice for each setting that is a limit, if it is not the default."""


class Level(StrEnum):
    """Weight of a finding."""

    OK = "ok"
    NOTICE = "notice"
    ERROR = "error"
    """Atoll does not work."""


class Finding(NamedTuple):
    """One line of `atoll check`: the part that was looked at, its state, and the remedy if it needs one."""

    level: Level
    subject: str
    text: str

    def format(self) -> str:
        """Return the line."""
        return f"{self.level:<6}  {self.subject:<17}  {self.text}"


def check_settings(settings: Settings, descriptors: int | None) -> Iterator[Finding]:
    """Yield the findings that need no database. `descriptors` is how many a process may open; None for no limit."""
    names = ", ".join(settings.allowed_hosts)
    advice = "none, so any is answered. Set ATOLL_ALLOWED_HOSTS to the names of this deployment."
    yield _finding("allowed hosts", names, advice if not names else None)
    advice = "every page on the web may call the API. Set ATOLL_CORS_ORIGINS to those of your clients."
    origins = settings.cors_origins
    yield _finding("CORS origins", ", ".join(origins) or "none", advice if ANY_ORIGIN in origins else None)
    advice = "on, for all who reach the server. Unless that is meant, set ATOLL_GRAPHIQL=0."
    yield _finding("GraphiQL", "off", advice if settings.graphiql else None)
    yield from _check_people(settings)
    yield from _check_limits(settings)
    yield _check_descriptors(settings, descriptors)


def check_documents(documents: TrustedDocuments) -> Finding:
    """Return the finding about trusted documents, all of which were read."""
    others = "and no others" if documents.is_only else "and all others"
    state = f"{len(documents.texts):,}, {others}" if documents.texts else "none"
    return Finding(Level.OK, "trusted documents", state)


def check_database(facts: DatabaseFacts, settings: Settings, processes: int, now_ms: int) -> Iterator[Finding]:
    """Yield the findings about the database, which so many processes will use."""
    if facts.file is not None:
        yield from _check_file(facts.file)
    if facts.server is not None:
        yield from _check_server(facts.server, settings, processes)
    yield _check_clock(facts, now_ms)
    yield _check_revision(facts.revision)
    if facts.content is not None:
        yield from _check_content(facts.content)


def _finding(subject: str, state: str, advice: str | None, level: Level = Level.NOTICE) -> Finding:
    """Return a finding of this level with the advice; without one, that the state is in order."""
    return Finding(Level.OK, subject, state) if advice is None else Finding(level, subject, advice)


def _check_people(settings: Settings) -> Iterator[Finding]:
    """Yield the findings about sign-in and provisioning."""
    provisioning = settings.oidc_provisioning
    is_idle = provisioning is not Provisioning.OFF and settings.oidc_issuer is None
    advice = "set, but ATOLL_OIDC_ISSUER is not, so that nobody signs in that way. Set both, or neither."
    yield _finding("OIDC provisioning", provisioning, advice if is_idle else None)
    is_on = settings.scim_token is not None or settings.scim_token_file is not None
    advice = "on, with its token in the environment, which other processes may read. Use ATOLL_SCIM_TOKEN_FILE."
    yield _finding("SCIM", "on" if is_on else "off", advice if settings.scim_token is not None else None)


def _check_limits(settings: Settings) -> Iterator[Finding]:
    default = Settings()
    changed = [name for name in LIMITS if getattr(settings, name) != getattr(default, name)]
    for name in changed:
        value = f"{PREFIX}{name.upper()} is {getattr(settings, name)}, not {getattr(default, name)}"
        yield Finding(Level.NOTICE, "limits", f"{value}. {LIMITS[name]}")
    if not changed:
        yield Finding(Level.OK, "limits", "defaults")


def _check_descriptors(settings: Settings, descriptors: int | None) -> Finding:
    if descriptors is None:
        return Finding(Level.OK, "descriptors", "unlimited")
    wanted, connections = settings.max_connections, connection_limit(settings.max_connections, descriptors)
    state = f"{descriptors:,} for a process started here, enough for {connections:,} connections"
    advice = f"{state}, not {wanted:,}. Raise them: ulimit -n, or LimitNOFILE in a systemd unit."
    level = Level.ERROR if descriptors <= OTHER_DESCRIPTORS else Level.NOTICE
    return _finding("descriptors", state, advice if connections < wanted else None, level)


def _check_file(file: FileFacts) -> Iterator[Finding]:
    place, kind = file.path.resolve(), file.file_system or "unknown"
    if not file.is_writable:
        advice = f"{file.path} or its folder is not writable for this user. Give it write permission on both."
        yield Finding(Level.ERROR, "database file", advice)
    if not file.path.is_absolute():
        advice = f"{file.path} depends on the folder that Atoll is started in. Write {place} instead."
        yield Finding(Level.NOTICE, "database file", advice)
    elif any(place.is_relative_to(folder) for folder in TEMPORARY_FOLDERS):
        advice = f"{file.path} is in a folder for temporary files, which the system empties. Move it."
        yield Finding(Level.NOTICE, "database file", advice)
    elif file.is_writable:
        yield Finding(Level.OK, "database file", str(file.path))
    advice = f"{kind}, a network file system: SQLite's locks are not safe there. Use a local disk, or PostgreSQL."
    if kind in PASSING_FILE_SYSTEMS:
        advice = f"{kind}: {PASSING_FILE_SYSTEMS[kind]}, which is lost with it. Put the file on a volume or a disk."
    yield _finding("file system", kind, advice if kind in NETWORK_FILE_SYSTEMS | {*PASSING_FILE_SYSTEMS} else None)
    advice = f"other accounts may read the file, with names and e-mail addresses. Run: chmod 600 {file.path}"
    yield _finding("file mode", "readable by its owner only", advice if file.is_shared else None)
    yield _check_space(file)
    if file.journal_mode is not None:
        advice = f"{file.journal_mode}: readers and writers wait for each other. Use a local disk, and restart Atoll."
        yield _finding("journal mode", "wal", advice if file.journal_mode != "wal" else None)


def _check_space(file: FileFacts) -> Finding:
    state = f"{file.free_bytes / 1e9:,.1f} GB free, for a database of {file.size_bytes / 1e9:,.1f} GB"
    if file.free_bytes < FULL_BYTES:
        return Finding(Level.ERROR, "disk space", f"{state}: writes fail. Free some space.")
    is_scarce = file.free_bytes < max(LEAST_FREE_BYTES, file.size_bytes)
    advice = f"{state}. A migration may take as much as the database: free some space."
    return _finding("disk space", state, advice if is_scarce else None)


def _check_server(server: ServerFacts, settings: Settings, processes: int) -> Iterator[Finding]:
    yield _check_pooler(server, settings)
    if not server.is_pooled:  # a pooler has limits of its own
        needed = processes * (settings.pool_size + 1)
        state = f"{needed} of {server.connections} at most, in {processes} process{'' if processes == 1 else 'es'}"
        advice = f"{state}. Lower ATOLL_POOL_SIZE, run fewer processes, or raise max_connections."
        yield _finding("connections", state, advice if needed > server.connections else None)
    advice = "fsync or synchronous_commit is off: a crash loses acknowledged writes. Turn both on."
    yield _finding("durability", "each commit is on disk", advice if not server.is_durable else None)


def _check_pooler(server: ServerFacts, settings: Settings) -> Finding:
    is_expected = PostgresOptions(parse_database_url(settings.database_url)).is_pooled
    advice = None
    if server.is_pooled and not is_expected:
        advice = "a pooler is in front of the server. Add ?statement_cache_size=0 to ATOLL_DATABASE_URL."
    elif server.is_pooled and not server.has_time_outs:
        advice = "the role has no statement_timeout, and a pooler keeps none. Give it one by ALTER ROLE."
    elif is_expected and not server.is_pooled:
        advice = "none, so statement_cache_size=0 makes statements slower. Remove it from ATOLL_DATABASE_URL."
    return _finding("pooler", "in front of the server" if server.is_pooled else "none", advice)


def _check_clock(facts: DatabaseFacts, now_ms: int) -> Finding:
    behind_ms = max(0, ((facts.content and facts.content.last_change_ms) or 0) - now_ms)
    if behind_ms > CLOCK_MS:
        advice = f"{behind_ms / 1000:,.0f} seconds behind the last write. Synchronize the clocks of all machines."
        return Finding(Level.NOTICE, "clock", advice)
    if facts.server is None:
        return Finding(Level.OK, "clock", "not behind the last write")
    difference_ms = abs(facts.server.now_ms - now_ms)
    state = f"{difference_ms / 1000:,.1f} seconds from that of the database server"
    return _finding("clock", state, f"{state}. Synchronize both." if difference_ms > CLOCK_MS else None)


def _check_revision(revision: str | None) -> Finding:
    state = f"{revision}, {'newer, and compatible with this version' if is_newer(revision) else 'up to date'}"
    remedy = (
        "too new for this version. Run a newer version of Atoll."
        if is_newer(revision)
        else f"this version needs {head_revision()}. Run: atoll migrate"
    )
    advice = None if is_usable(revision) else f"{revision or 'none'}: {remedy}"
    return _finding("database revision", state, advice, Level.ERROR)


def _check_content(content: ContentFacts) -> Iterator[Finding]:
    advice = f"{content.stale_rows:,} rows are not indexed. Run: atoll migrate"
    yield _finding("search index", "up to date", advice if content.stale_rows else None, Level.ERROR)
    advice = "on: visitors see PUBLIC collections. Unless that is meant, turn it off by the mutation deploymentUpdate."
    yield _finding("public sharing", "off: visitors see nothing", advice if content.public_sharing else None)
