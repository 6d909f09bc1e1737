"""Database tables and their constraints.

The classes only define tables: code elsewhere reads the rows of SELECTs, not ORM objects, which take longer to create.
Every object has two keys: `pk`, a number for joins that never leaves the server, and `id`, the random and opaque key
that clients see. Timestamps are milliseconds since 1970 UTC, so that they compare and sort alike on SQLite and
PostgreSQL. Text compares by code point on both.
"""

from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    func,
    literal_column,
)
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from store.ids import new_id

# Explicit names, because migrations refer to constraints by name.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

TEXT: TypeEngine[str] = String().with_variant(String(collation="C"), "postgresql")


class AssetKind(StrEnum):
    """Kinds of asset."""

    CAPSULE = "CAPSULE"
    PIPELINE = "PIPELINE"
    NO_CODE_APP = "NO_CODE_APP"
    DATA_ASSET = "DATA_ASSET"
    MODEL = "MODEL"


class AssetStatus(StrEnum):
    """Life cycle status of an asset."""

    RELEASED = "RELEASED"
    DRAFT = "DRAFT"
    ARCHIVED = "ARCHIVED"
    WITHDRAWN = "WITHDRAWN"
    FAILED = "FAILED"


class AssetAccess(IntEnum):
    """Access levels to an asset; each includes the lower ones."""

    DISCOVERABLE = 1
    VIEWER = 2
    EDITOR = 3
    OWNER = 4


# Principal of an OWNER grant, NULL for lower access. PostgreSQL keeps statistics of an indexed expression, and so can
# estimate how many assets a principal owns. From the two columns, which it assumes to be independent, it would
# overestimate that for `everyone`, who holds many grants but few as OWNER.
OWNER_BY_GRANT = f"(CASE WHEN access >= {AssetAccess.OWNER.value} THEN principal_pk END)"


class AppKind(StrEnum):
    """Runtime of a no-code app."""

    APP_PANEL = "APP_PANEL"
    SHINY = "SHINY"
    STREAMLIT = "STREAMLIT"
    DASH = "DASH"
    UBUNTU = "UBUNTU"
    IGV = "IGV"
    OTHER = "OTHER"


class DataAssetKind(StrEnum):
    """Content of a data asset."""

    DATASET = "DATASET"
    RESULT = "RESULT"
    COMBINED = "COMBINED"


class CollectionVisibility(StrEnum):
    """Visibility of a collection."""

    INTERNAL = "INTERNAL"
    PUBLIC = "PUBLIC"


class PrincipalKind(StrEnum):
    """Kinds of principal, the holders of grants."""

    USER = "USER"
    GROUP = "GROUP"
    EVERYONE = "EVERYONE"
    PUBLIC = "PUBLIC"


class PrincipalSource(StrEnum):
    """Sources of users and groups. Each user and each group has one, and only that source writes it."""

    CATALOGUE = "CATALOGUE"
    OIDC = "OIDC"
    SCIM = "SCIM"
    MANUAL = "MANUAL"


class ChangeAction(StrEnum):
    """Action of a change on its subject."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    MERGED = "MERGED"
    REORDERED = "REORDERED"
    ASSETS_ADDED = "ASSETS_ADDED"
    ASSETS_REMOVED = "ASSETS_REMOVED"
    ASSETS_MOVED = "ASSETS_MOVED"
    ASSETS_TRANSFERRED = "ASSETS_TRANSFERRED"
    SHARED = "SHARED"
    UNSHARED = "UNSHARED"
    AWARDED = "AWARDED"
    REVOKED = "REVOKED"
    UNDONE = "UNDONE"


# Principals of every deployment, inserted by a migration.
EVERYONE_PK = 1
PUBLIC_PK = 2


def _pk() -> int:
    return Field(default=None, primary_key=True)  # type: ignore[no-any-return]  # assigned by the database


def _text(**options: object) -> str:
    return Field(sa_type=TEXT, **options)  # type: ignore[no-any-return, call-overload]  # Field returns Any


def _optional_text(**options: object) -> str | None:
    return Field(default=None, sa_type=TEXT, **options)  # type: ignore[no-any-return, call-overload]  # Field returns Any


def _big_int(**options: object) -> int:
    return Field(sa_type=BigInteger, **options)  # type: ignore[no-any-return, call-overload]  # Field returns Any


def _optional_big_int() -> int | None:
    return Field(default=None, sa_type=BigInteger)  # type: ignore[no-any-return]  # Field returns Any


class Deployment(SQLModel, table=True):
    """State of the deployment, in a single row."""

    __tablename__ = "deployment"
    pk: int = _pk()
    revision: int = _big_int(default=0)
    public_sharing: bool = False
    cursor_key: bytes = Field(sa_type=LargeBinary)
    row_version: int = _big_int(default=0)  # greatest version in `row_version`; triggers increment it


class Principal(SQLModel, table=True):
    """A user, a group, `everyone` or `public`."""

    __tablename__ = "principal"
    __table_args__ = (
        Index("ix_principal_sort_key", "kind", "sort_key", "id"),
        Index("ix_principal_email", func.lower(Column("email"))),
    )
    pk: int = _pk()
    id: str = _text(unique=True)
    external_id: str = _text(unique=True)
    kind: str = _text()
    name: str = _text()
    sort_key: str = _text(default="")
    email: str | None = _optional_text()
    is_admin: bool = False
    source: str = _text(default=PrincipalSource.CATALOGUE.value)
    is_active: bool = True  # a user's: tokens of deactivated users are not accepted


class GroupMember(SQLModel, table=True):
    """Membership of a user in a group."""

    __tablename__ = "group_member"
    __table_args__ = (Index("ix_group_member_user", "user_pk", "group_pk"), {"sqlite_with_rowid": False})
    group_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    user_pk: int = Field(foreign_key="principal.pk", primary_key=True)


class Topic(SQLModel, table=True):
    """A heading over collections. Administrators define and order topics."""

    __tablename__ = "topic"
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("top"))
    slug: str = _text(unique=True)
    name: str = _text()
    name_key: str = _text(unique=True)
    description: str = _text(default="")
    rank: int = _big_int(unique=True)
    version: int = 1
    created_at: int = _big_int()
    updated_at: int = _big_int()
    created_by_pk: int | None = Field(default=None, foreign_key="principal.pk")


MAX_COLLECTION_DEPTH = 5  # levels of nested collections


class Collection(SQLModel, table=True):
    """A named, ordered set of assets in a topic. A parent collection is in the same topic as its children."""

    __tablename__ = "collection"
    __table_args__ = (
        # Names are unique among siblings: children of one parent, or top-level collections of one topic.
        Index("uq_collection_sibling", "topic_pk", func.coalesce(Column("parent_pk"), 0), "name_key", unique=True),
        Index("uq_collection_rank", "topic_pk", "rank", "pk", unique=True),
        Index("ix_collection_parent", "parent_pk", "rank", "pk"),
        Index("ix_collection_sort_key", "sort_key", "id"),
    )
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("col"))
    slug: str = _text(unique=True)
    name: str = _text()
    name_key: str = _text()
    sort_key: str = _text(default="")
    description: str = _text(default="")
    visibility: str = _text()
    topic_pk: int = Field(foreign_key="topic.pk")
    parent_pk: int | None = Field(default=None, foreign_key="collection.pk")
    rank: int = _big_int()
    version: int = 1
    created_at: int = _big_int()
    updated_at: int = _big_int()
    created_by_pk: int | None = Field(default=None, foreign_key="principal.pk")


class Asset(SQLModel, table=True):
    """An asset of any kind. `external_id` is its id on the platform; `asset_columns.py` describes its columns."""

    __tablename__ = "asset"
    __table_args__ = (
        Index("ix_asset_owner", "owner_pk"),
        Index("ix_asset_sort_key", "sort_key", "id"),
        Index("ix_asset_created", "created_at", "id"),
        Index("ix_asset_updated", "updated_at", "id"),
        Index("ix_asset_relevance", "is_gold", "updated_at", "id"),
    )
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("ast"))
    external_id: str = _text(unique=True)
    kind: str = _text()
    status: str = _text()
    name: str = _text()
    name_key: str = _text()
    sort_key: str = _text(default="")
    description: str | None = _optional_text()
    owner_pk: int = Field(foreign_key="principal.pk")
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    properties: dict[str, list[str]] = Field(default_factory=dict, sa_type=JSON)
    license: str | None = _optional_text()
    doi: str | None = _optional_text()
    version: str | None = _optional_text()
    url: str | None = _optional_text()
    language: str | None = _optional_text()
    step_count: int | None = None
    app_kind: str | None = _optional_text()
    data_kind: str | None = _optional_text()
    size_bytes: int | None = _optional_big_int()
    file_count: int | None = _optional_big_int()
    source: str | None = _optional_text()
    framework: str | None = _optional_text()
    created_at: int = _big_int()
    updated_at: int = _big_int()
    is_gold: int = Field(default=0)
    gold_at: int | None = _optional_big_int()
    gold_by_pk: int | None = Field(default=None, foreign_key="principal.pk")
    gold_note: str | None = _optional_text()


class AssetTag(SQLModel, table=True):
    """A tag of an asset, for indexed look-up; `Asset.tags` holds the same tags in order.

    The key is that of `keys_by_tag`: None for a further spelling of another tag of the asset.
    """

    __tablename__ = "asset_tag"
    __table_args__ = (Index("ix_asset_tag_key", "tag_key", "asset_pk"), {"sqlite_with_rowid": False})
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    tag: str = _text(primary_key=True)
    tag_key: str | None = _optional_text()


class AssetUse(SQLModel, table=True):
    """A use of one asset by another, which was made from it or runs it. `rank` keeps the platform's order."""

    __tablename__ = "asset_use"
    __table_args__ = (
        Index("ix_asset_use_rank", "asset_pk", "rank", "uses_pk", unique=True),
        Index("ix_asset_use_used", "uses_pk", "asset_pk"),
        {"sqlite_with_rowid": False},
    )
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    uses_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    rank: int = _big_int()


class Grant(SQLModel, table=True):
    """A principal's access to an asset. The asset's owner has an OWNER grant too."""

    __tablename__ = "access_grant"
    __table_args__ = (
        CheckConstraint("access between 1 and 4", name="ck_access_grant_access"),
        # Covering index for the viewer's access to an asset.
        Index("ix_access_grant_asset", "asset_pk", "principal_pk", "access"),
        Index("ix_access_grant_owner", literal_column(OWNER_BY_GRANT), "asset_pk"),
        {"sqlite_with_rowid": False},
    )
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    principal_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    access: int


class Membership(SQLModel, table=True):
    """An asset in a collection. `rank` orders members and never leaves the server: gaps would reveal hidden ones."""

    __tablename__ = "membership"
    __table_args__ = (
        # The asset is the tie-breaker of the order: with it, a page is read from the index up to its LIMIT.
        Index("uq_membership_rank", "collection_pk", "rank", "asset_pk", unique=True),
        Index("ix_membership_asset", "asset_pk", "collection_pk"),
        {"sqlite_with_rowid": False},
    )
    collection_pk: int = Field(foreign_key="collection.pk", primary_key=True)
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    rank: int = _big_int()
    added_at: int = _big_int()
    added_by_pk: int | None = Field(default=None, foreign_key="principal.pk")
    note: str | None = _optional_text()


class Change(SQLModel, table=True):
    """Effect of one write on one object. The change log is append-only."""

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_subject", "subject_id", "pk"),)
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("chg"))
    revision: int = _big_int(index=True)
    at: int = _big_int()
    actor_pk: int | None = Field(default=None, foreign_key="principal.pk")
    action: str = _text()
    subject_id: str = _text()
    least_access: int = 0  # if the subject is an asset, the access to it that a viewer needs to see the change
    fields: list[dict[str, str | None]] = Field(default_factory=list, sa_type=JSON)
    request_id: str = _text()
    subject_name: str | None = _optional_text()  # the subject's name right after the change
    subject_key: str | None = _optional_text()  # the same, folded as by `fold_name`, to be searched
    # Visibility of a collection when it was deleted; None if only administrators saw it, and for other changes.
    deleted_visibility: str | None = _optional_text()
    origin: str | None = _optional_text()  # of an import, its file
    undoes_pk: int | None = Field(default=None, index=True)  # of an undo, the change that it undid
    # Of an undo, the change at the start of the chain: an undo of an undo has the same original as that undo.
    original_pk: int | None = Field(default=None, index=True)
    # State before the change, as far as its undo needs it; None if it cannot be undone, or is one of members.
    effect: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))


class ChangeAsset(SQLModel, table=True):
    """An asset affected by a membership change, with its former membership, which an undo restores."""

    __tablename__ = "change_asset"
    __table_args__ = (Index("ix_change_asset_asset", "asset_pk", "change_pk"), {"sqlite_with_rowid": False})
    change_pk: int = Field(sa_column=Column(ForeignKey("change.pk"), primary_key=True))
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    rank: int | None = _optional_big_int()
    added_at: int | None = _optional_big_int()
    added_by_pk: int | None = None  # no foreign key: copied from a membership
    note: str | None = _optional_text()


class FormerPlace(SQLModel, table=True):
    """Place of a topic or collection before a write, kept for some days so that walks by cursors go on from there.

    `topic_pk` and `parent_pk` are a collection's. `rank` is None if the write created the row.
    """

    __tablename__ = "former_place"
    __table_args__ = (Index("ix_former_place_at", "at"),)
    pk: int = _pk()
    revision: int = _big_int()
    at: int = _big_int()
    kind: str = _text()  # name of the row's table
    id: str = _text()
    row_pk: int  # no foreign key: the row may be deleted
    topic_pk: int | None = None
    parent_pk: int | None = None
    rank: int | None = _optional_big_int()
    visibility: str | None = _optional_text()  # a collection's, for those who saw it before it was deleted


class FormerSlug(SQLModel, table=True):
    """A slug that a topic or collection had. It finds the object until a visible one has the slug."""

    __tablename__ = "former_slug"
    __table_args__ = (Index("ix_former_slug_slug", "slug", "kind"),)
    pk: int = _pk()
    kind: str = _text()  # name of the object's table
    slug: str = _text()
    id: str = _text()


class ImportedLine(SQLModel, table=True):
    """State of a catalogue's line when it was last imported, by its source, with the object that it describes.

    `object_id` has no foreign key: the line of a deleted object stays, so that the next import does not create it.
    """

    __tablename__ = "imported_line"
    __table_args__ = (
        Index("uq_imported_line_external_id", "source", "kind", "external_id", unique=True),
        Index("ix_imported_line_object", "object_id"),
        {"sqlite_with_rowid": False},
    )
    source: str = _text(primary_key=True)
    kind: str = _text(primary_key=True)
    object_id: str = _text(primary_key=True)
    external_id: str | None = _optional_text()  # id in the line; None for a topic or collection known by its slug
    fields: dict[str, Any] = Field(sa_type=JSON)


class Idempotency(SQLModel, table=True):
    """Result of a mutation with an idempotency key, kept for a day and returned to retries."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_at", "at"), {"sqlite_with_rowid": False})
    user_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    key: str = _text(primary_key=True)
    digest: str = _text()  # of the mutation and its input
    answer: dict[str, Any] = Field(sa_type=JSON)
    at: int = _big_int()


class JobKind(StrEnum):
    """Operation of a job."""

    ASSETS_ADD = "ASSETS_ADD"
    ASSETS_REMOVE = "ASSETS_REMOVE"
    ASSETS_MOVE = "ASSETS_MOVE"
    CHANGES_UNDO = "CHANGES_UNDO"
    ASSETS_TRANSFER = "ASSETS_TRANSFER"
    EXPORT = "EXPORT"


class JobStatus(StrEnum):
    """Status of a job."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_FAILED = "PARTIALLY_FAILED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Job(SQLModel, table=True):
    """An asynchronous bulk operation. Its worker holds a lease; any worker may claim a job with an expired lease."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_status", "status", "pk"),)
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("job"))
    kind: str = _text()
    status: str = _text()
    user_pk: int = Field(foreign_key="principal.pk")
    request_id: str = _text()
    total: int
    done: int = 0
    last_put_pk: int | None = None  # asset inserted last: the next chunk is placed after it
    is_cancelled: bool = False
    user_errors: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    collection_ids: list[str] = Field(default_factory=list, sa_type=JSON)
    change_ids: list[str] = Field(default_factory=list, sa_type=JSON)
    created_at: int = _big_int()
    finished_at: int | None = _optional_big_int()
    leased_until: int = _big_int(default=0)


class JobInput(SQLModel, table=True):
    """Input of a job, up to megabytes. Kept out of the job's own row, because each chunk rewrites that row."""

    __tablename__ = "job_input"
    job_pk: int = Field(foreign_key="job.pk", primary_key=True)
    given: dict[str, Any] = Field(sa_type=JSON)


class JobItem(SQLModel, table=True):
    """An item of a job, with its result; `place` is its position in the input."""

    __tablename__ = "job_item"
    __table_args__ = ({"sqlite_with_rowid": False},)
    job_pk: int = Field(foreign_key="job.pk", primary_key=True)
    place: int = Field(primary_key=True)
    asset_id: str = _text()
    status: str | None = _optional_text()
    error: str | None = _optional_text()


class Pull(SQLModel, table=True):
    """Row set of a `collectionGraph`, as its viewer saw it at the first page, or the changes since another one.

    The chunks have the rows: first those of all pages, then others that only the next sync reads.
    """

    __tablename__ = "pull"
    __table_args__ = (Index("ix_pull_user", "user_pk", "digest"), Index("ix_pull_expires_at", "expires_at"))
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("pul"))
    user_pk: int | None = Field(default=None, foreign_key="principal.pk")  # None for visitors
    parts: str = _text()  # separated by spaces
    state_id: str | None = _optional_text()  # of a difference, the pull with the rows that its viewer then has
    torn: list[list[int]] = Field(sa_type=JSON)  # keys of rows of which the viewer may have another version
    digest: str = _text()  # of the rows: a viewer who sees the same ones again gets the same pull, unless it is torn
    size: int  # number of rows in all pages
    served_until: int = _big_int()  # end of the time in which pages are served
    expires_at: int = _big_int()


class PullChunk(SQLModel, table=True):
    """Successive rows of a pull, from the position `start`: compressed JSON."""

    __tablename__ = "pull_chunk"
    __table_args__ = ({"sqlite_with_rowid": False},)
    pull_pk: int = Field(foreign_key="pull.pk", primary_key=True)
    start: int = Field(primary_key=True)
    rows: bytes = Field(sa_type=LargeBinary)


class ExportFile(SQLModel, table=True):
    """The file of an export job, in the folder of exports. The row stays for a while after the file has expired."""

    __tablename__ = "export_file"
    pk: int = _pk()
    id: str = _text(unique=True)  # the job's
    user_pk: int = Field(foreign_key="principal.pk")
    format: str = _text()
    name: str = _text()  # in the folder
    access: dict[str, Any] = Field(sa_type=JSON)  # that the viewer had to the rows of the file
    expires_at: int = _big_int(index=True)


class ExportLink(SQLModel, table=True):
    """A link to an export's file that works once. Only its SHA-256 digest is stored."""

    __tablename__ = "export_link"
    __table_args__ = ({"sqlite_with_rowid": False},)
    digest: str = _text(primary_key=True)
    file_pk: int = Field(foreign_key="export_file.pk", index=True)
    token_pk: int | None = None  # the API token that the link was created with, and ends with
    expires_at: int = _big_int()


class SearchUnindexed(SQLModel, table=True):
    """Marker of a row with a stale search document. Triggers insert it; the same transaction indexes the row.

    A row that a server of an earlier version wrote stays marked until the next write, because it was indexed as that
    version did.
    """

    __tablename__ = "search_unindexed"
    __table_args__ = ({"sqlite_with_rowid": False},)
    kind: str = _text(primary_key=True)
    row_pk: int = Field(primary_key=True)


class SearchStale(SQLModel, table=True):
    """The same markers for servers of versions before `search_unindexed`, which delete those of rows they indexed."""

    __tablename__ = "search_stale"
    __table_args__ = ({"sqlite_with_rowid": False},)
    kind: str = _text(primary_key=True)
    row_pk: int = Field(primary_key=True)


class SearchWord(SQLModel, table=True):
    """A word of the search index, also spelt backward, for fuzzy matching. Kept even if no row contains it any more."""

    __tablename__ = "search_word"
    __table_args__ = ({"sqlite_with_rowid": False},)
    word: str = _text(primary_key=True)
    backward: str = _text(index=True)


class RowKind(StrEnum):
    """Kinds of object in the log of row versions."""

    TOPIC = "TOPIC"
    COLLECTION = "COLLECTION"
    MEMBERS = "MEMBERS"  # the members of a collection, or their order; the key is the collection's
    ASSET = "ASSET"
    GRANTS = "GRANTS"  # the grants on an asset; the key is the asset's
    PRINCIPAL = "PRINCIPAL"


class RowVersion(SQLModel, table=True):
    """Version of the last write to an object. Triggers insert it; an object without one was not written since then."""

    __tablename__ = "row_version"
    __table_args__ = ({"sqlite_with_rowid": False},)
    kind: str = _text(primary_key=True)
    pk: int = _big_int(primary_key=True)
    version: int = _big_int(index=True)


class ApiToken(SQLModel, table=True):
    """A bearer token of a user. Only its SHA-256 digest is stored, so that a leaked table contains no usable token."""

    __tablename__ = "api_token"
    pk: int = _pk()
    id: str = _text(unique=True, index=True)
    digest: str = _text(unique=True)
    user_pk: int = Field(foreign_key="principal.pk", index=True)
    parent_pk: int | None = None  # the token that this one was created with, and is revoked with
    name: str = _text(default="")
    created_at: int = _big_int()
    expires_at: int = _big_int()
    revoked_at: int | None = _optional_big_int()
    last_used_at: int | None = _optional_big_int()


class SignIn(SQLModel, table=True):
    """Claims of an issuer's token that were taken over last for a user: their digest, and the token's time of issue."""

    __tablename__ = "sign_in"
    __table_args__ = ({"sqlite_with_rowid": False},)
    user_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    digest: str = _text()
    issued_at: int = _big_int()


class ScimResource(SQLModel, table=True):
    """A user or group as an identity provider sent it by SCIM; absent after the provider deleted it."""

    __tablename__ = "scim_resource"
    __table_args__ = (Index("ix_scim_resource_name", "kind", "name_key"),)
    principal_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    kind: str = _text()  # as of the principal
    name_key: str = _text()  # a user's name for signing in, or a group's name, in lower case
    external_id: str | None = _optional_text(index=True)  # the provider's id
    resource: dict[str, Any] = Field(sa_type=JSON)
    created_at: int = _big_int()
    updated_at: int = _big_int()


def table(model: type[SQLModel]) -> Table:
    """Return the model's table."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
