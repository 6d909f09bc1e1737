"""This file is every table: what is kept, and under which constraints.

A *row* in this project is what a SELECT of one of these tables gives, its columns read by name; hot reads never make
ORM objects. Two keys name every object: `pk`, a number that joins and never leaves the server, and `id`, random and
opaque, which is all a client ever sees. Times are milliseconds since 1970 UTC: they compare, sort and page the same
on SQLite and PostgreSQL. Text compares by code point on both.
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

# Names for every constraint, so that a migration can speak of it.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

TEXT: TypeEngine[str] = String().with_variant(String(collation="C"), "postgresql")


class AssetKind(StrEnum):
    """The five kinds of asset."""

    CAPSULE = "CAPSULE"
    PIPELINE = "PIPELINE"
    NO_CODE_APP = "NO_CODE_APP"
    DATA_ASSET = "DATA_ASSET"
    MODEL = "MODEL"


class AssetStatus(StrEnum):
    """Where an asset is in its life."""

    RELEASED = "RELEASED"
    DRAFT = "DRAFT"
    ARCHIVED = "ARCHIVED"
    WITHDRAWN = "WITHDRAWN"
    FAILED = "FAILED"


class AssetAccess(IntEnum):
    """Each access holds all that stand before it."""

    DISCOVERABLE = 1
    VIEWER = 2
    EDITOR = 3
    OWNER = 4


# Who owns by a grant, NULL by lesser ones: one expression, so that PostgreSQL knows how much each of them owns. Of
# who holds grants and of what access they are, each by itself, it would suppose that everyone owns what they know of.
OWNER_BY_GRANT = f"(CASE WHEN access >= {AssetAccess.OWNER.value} THEN principal_pk END)"


class AppKind(StrEnum):
    """What a no-code app runs in."""

    APP_PANEL = "APP_PANEL"
    SHINY = "SHINY"
    STREAMLIT = "STREAMLIT"
    DASH = "DASH"
    UBUNTU = "UBUNTU"
    IGV = "IGV"
    OTHER = "OTHER"


class DataAssetKind(StrEnum):
    """What a data asset holds."""

    DATASET = "DATASET"
    RESULT = "RESULT"
    COMBINED = "COMBINED"


class CollectionVisibility(StrEnum):
    """Who sees a collection."""

    INTERNAL = "INTERNAL"
    PUBLIC = "PUBLIC"


class PrincipalKind(StrEnum):
    """Who a grant can name."""

    USER = "USER"
    GROUP = "GROUP"
    EVERYONE = "EVERYONE"
    PUBLIC = "PUBLIC"


class ChangeAction(StrEnum):
    """What a write did to an object."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    MERGED = "MERGED"
    REORDERED = "REORDERED"
    ASSETS_ADDED = "ASSETS_ADDED"
    ASSETS_REMOVED = "ASSETS_REMOVED"
    ASSETS_MOVED = "ASSETS_MOVED"
    SHARED = "SHARED"
    UNSHARED = "UNSHARED"
    AWARDED = "AWARDED"
    REVOKED = "REVOKED"
    UNDONE = "UNDONE"


# The two principals that every deployment has; a migration writes them.
EVERYONE_PK = 1
PUBLIC_PK = 2


def _pk() -> int:
    return Field(default=None, primary_key=True)  # type: ignore[no-any-return]  # the database gives it


def _text(**options: object) -> str:
    return Field(sa_type=TEXT, **options)  # type: ignore[no-any-return, call-overload]  # Field is typed for its result


def _maybe_text(**options: object) -> str | None:
    return Field(default=None, sa_type=TEXT, **options)  # type: ignore[no-any-return, call-overload]  # as above


def _ms(**options: object) -> int:
    return Field(sa_type=BigInteger, **options)  # type: ignore[no-any-return, call-overload]  # as above


def _maybe_big() -> int | None:
    return Field(default=None, sa_type=BigInteger)  # type: ignore[no-any-return]  # as above


class Deployment(SQLModel, table=True):
    """The one row of what is true of the whole deployment."""

    __tablename__ = "deployment"
    pk: int = _pk()
    revision: int = _ms(default=0)
    public_sharing: bool = False
    cursor_key: bytes = Field(sa_type=LargeBinary)


class Principal(SQLModel, table=True):
    """A user, a group, everyone or public: whoever a grant can name."""

    __tablename__ = "principal"
    pk: int = _pk()
    id: str = _text(unique=True)
    external_id: str = _text(unique=True)
    kind: str = _text()
    name: str = _text()
    email: str | None = _maybe_text()
    is_admin: bool = False


class GroupMember(SQLModel, table=True):
    """A user in a group."""

    __tablename__ = "group_member"
    __table_args__ = (Index("ix_group_member_user", "user_pk", "group_pk"), {"sqlite_with_rowid": False})
    group_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    user_pk: int = Field(foreign_key="principal.pk", primary_key=True)


class Topic(SQLModel, table=True):
    """A heading, defined and ordered by administrators."""

    __tablename__ = "topic"
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("top"))
    slug: str = _text(unique=True)
    name: str = _text()
    name_key: str = _text(unique=True)
    description: str = _text(default="")
    rank: int = _ms(unique=True)
    version: int = 1
    created_at: int = _ms()
    updated_at: int = _ms()
    created_by_pk: int | None = Field(default=None, foreign_key="principal.pk")


MAX_COLLECTION_DEPTH = 5  # the most levels of collections, one below the other


class Collection(SQLModel, table=True):
    """A named set of assets in one topic; `parent_pk` is another collection of the same topic."""

    __tablename__ = "collection"
    __table_args__ = (
        # Siblings: those of one parent, or the top of one topic.
        Index("uq_collection_sibling", "topic_pk", func.coalesce(Column("parent_pk"), 0), "name_key", unique=True),
        Index("uq_collection_rank", "topic_pk", "rank", "pk", unique=True),
        Index("ix_collection_parent", "parent_pk", "rank", "pk"),
        Index("ix_collection_name", "name_key", "id"),
    )
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("col"))
    slug: str = _text(unique=True)
    name: str = _text()
    name_key: str = _text()
    description: str = _text(default="")
    visibility: str = _text()
    topic_pk: int = Field(foreign_key="topic.pk")
    parent_pk: int | None = Field(default=None, foreign_key="collection.pk")
    rank: int = _ms()
    version: int = 1
    created_at: int = _ms()
    updated_at: int = _ms()
    created_by_pk: int | None = Field(default=None, foreign_key="principal.pk")


class Asset(SQLModel, table=True):
    """An asset of any of the five kinds, recorded under the platform's `external_id`."""

    __tablename__ = "asset"
    __table_args__ = (
        Index("ix_asset_owner", "owner_pk"),
        Index("ix_asset_name", "name_key", "id"),
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
    description: str | None = _maybe_text()
    owner_pk: int = Field(foreign_key="principal.pk")
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    license: str | None = _maybe_text()
    doi: str | None = _maybe_text()
    version: str | None = _maybe_text()
    url: str | None = _maybe_text()
    language: str | None = _maybe_text()
    step_count: int | None = None
    app_kind: str | None = _maybe_text()
    data_kind: str | None = _maybe_text()
    size_bytes: int | None = _maybe_big()
    file_count: int | None = _maybe_big()
    source: str | None = _maybe_text()
    framework: str | None = _maybe_text()
    created_at: int = _ms()
    updated_at: int = _ms()
    is_gold: int = Field(default=0)
    gold_at: int | None = _maybe_big()
    gold_by_pk: int | None = Field(default=None, foreign_key="principal.pk")
    gold_note: str | None = _maybe_text()


class AssetTag(SQLModel, table=True):
    """A tag of an asset, once; `Asset.tags` keeps their order."""

    __tablename__ = "asset_tag"
    __table_args__ = (Index("ix_asset_tag_tag", "tag", "asset_pk"), {"sqlite_with_rowid": False})
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    tag: str = _text(primary_key=True)


class AssetUse(SQLModel, table=True):
    """An asset that was made from or runs another; `rank` is the order the platform told."""

    __tablename__ = "asset_use"
    __table_args__ = (
        Index("ix_asset_use_rank", "asset_pk", "rank", "uses_pk", unique=True),
        Index("ix_asset_use_used", "uses_pk", "asset_pk"),
        {"sqlite_with_rowid": False},
    )
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    uses_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    rank: int = _ms()


class Grant(SQLModel, table=True):
    """An access to an asset, held by a principal. The owner of an asset holds one as well."""

    __tablename__ = "access_grant"
    __table_args__ = (
        CheckConstraint("access between 1 and 4", name="ck_access_grant_access"),
        # It answers «what access has this viewer to that asset» without the table.
        Index("ix_access_grant_asset", "asset_pk", "principal_pk", "access"),
        Index("ix_access_grant_owner", literal_column(OWNER_BY_GRANT), "asset_pk"),
        {"sqlite_with_rowid": False},
    )
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    principal_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    access: int


class Membership(SQLModel, table=True):
    """An asset in a collection. `rank` orders and never leaves the server: neighbours may be hidden."""

    __tablename__ = "membership"
    __table_args__ = (
        # It ends in the asset, so that a page of a collection stops at its limit.
        Index("uq_membership_rank", "collection_pk", "rank", "asset_pk", unique=True),
        Index("ix_membership_asset", "asset_pk", "collection_pk"),
        {"sqlite_with_rowid": False},
    )
    collection_pk: int = Field(foreign_key="collection.pk", primary_key=True)
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    rank: int = _ms()
    added_at: int = _ms()
    added_by_pk: int | None = Field(default=None, foreign_key="principal.pk")
    note: str | None = _maybe_text()


class Change(SQLModel, table=True):
    """One accepted write's effect on one object. The log is only ever appended to."""

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_subject", "subject_id", "pk"),)
    pk: int = _pk()
    id: str = _text(unique=True, default_factory=lambda: new_id("chg"))
    revision: int = _ms(index=True)
    at: int = _ms()
    actor_pk: int | None = Field(default=None, foreign_key="principal.pk")
    action: str = _text()
    subject_id: str = _text()
    least_access: int = 0  # to the subject, where that is an asset: whoever has less does not see the change
    fields: list[dict[str, str | None]] = Field(default_factory=list, sa_type=JSON)
    request_id: str = _text()


class ChangeAsset(SQLModel, table=True):
    """An asset that a Change touched, and what its membership was before: undoing puts that back."""

    __tablename__ = "change_asset"
    __table_args__ = (Index("ix_change_asset_asset", "asset_pk", "change_pk"), {"sqlite_with_rowid": False})
    change_pk: int = Field(sa_column=Column(ForeignKey("change.pk"), primary_key=True))
    asset_pk: int = Field(foreign_key="asset.pk", primary_key=True)
    rank: int | None = _maybe_big()
    added_at: int | None = _maybe_big()
    added_by_pk: int | None = None  # a principal's, copied from a membership that refers to it
    note: str | None = _maybe_text()


class Idempotency(SQLModel, table=True):
    """What a mutation that carried a key came to, kept for a day so that a retry does nothing twice."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_at", "at"), {"sqlite_with_rowid": False})
    user_pk: int = Field(foreign_key="principal.pk", primary_key=True)
    key: str = _text(primary_key=True)
    digest: str = _text()  # of the mutation and its input
    answer: dict[str, Any] = Field(sa_type=JSON)
    at: int = _ms()


class JobKind(StrEnum):
    """What a job does."""

    ASSETS_ADD = "ASSETS_ADD"
    ASSETS_REMOVE = "ASSETS_REMOVE"
    ASSETS_MOVE = "ASSETS_MOVE"


class JobStatus(StrEnum):
    """Where a job is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_FAILED = "PARTIALLY_FAILED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Job(SQLModel, table=True):
    """Long work. Whoever runs it holds a lease; a lease that ran out is anyone's to take up."""

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
    last_put_pk: int | None = None  # the asset that it put in last, behind which the next may go
    is_cancelled: bool = False
    user_errors: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    created_at: int = _ms()
    finished_at: int | None = _maybe_big()
    leased_until: int = _ms(default=0)


class JobInput(SQLModel, table=True):
    """What a job was asked for: some megabytes, apart from the row that is written again with each chunk."""

    __tablename__ = "job_input"
    job_pk: int = Field(foreign_key="job.pk", primary_key=True)
    given: dict[str, Any] = Field(sa_type=JSON)


class JobItem(SQLModel, table=True):
    """One of the items that a job was given, in the order of its input, and what came of it."""

    __tablename__ = "job_item"
    __table_args__ = ({"sqlite_with_rowid": False},)
    job_pk: int = Field(foreign_key="job.pk", primary_key=True)
    place: int = Field(primary_key=True)
    asset_id: str = _text()
    status: str | None = _maybe_text()
    error: str | None = _maybe_text()


class SearchStale(SQLModel, table=True):
    """A row that is no longer found by what it says: triggers note it, and the transaction that wrote it looks anew."""

    __tablename__ = "search_stale"
    __table_args__ = ({"sqlite_with_rowid": False},)
    kind: str = _text(primary_key=True)
    row_pk: int = Field(primary_key=True)


class SearchWord(SQLModel, table=True):
    """A word of anything, so that those near a misspelt one are found from either end; its rows may be gone."""

    __tablename__ = "search_word"
    __table_args__ = ({"sqlite_with_rowid": False},)
    word: str = _text(primary_key=True)
    backward: str = _text(index=True)


class ApiToken(SQLModel, table=True):
    """A bearer token of a user. Only its SHA-256 is kept: who reads the table can act as nobody."""

    __tablename__ = "api_token"
    pk: int = _pk()
    digest: str = _text(unique=True)
    user_pk: int = Field(foreign_key="principal.pk")
    created_at: int = _ms()
    expires_at: int = _ms()
    revoked_at: int | None = _maybe_big()


def table(model: type[SQLModel]) -> Table:
    """Return the model's table for statements that read columns."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
