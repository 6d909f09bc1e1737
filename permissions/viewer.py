"""The viewer: the caller of an operation, with everything that authorization depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, bindparam, false, null, select

from store import sql
from store.database import Snapshot
from store.ids import now_ms
from store.sign_in import TakenClaims
from store.sql import Selection, json_text
from store.tables import EVERYONE_PK, PUBLIC_PK, PrincipalKind
from store.tokens import token_digest

_NULL: Final = null()
_NOBODY_PK = 0  # of no user
PRINCIPALS_PARAMETER, USER_PARAMETER = "viewer_principals", "viewer_pk"


@dataclass(frozen=True)
class Viewer:
    """An administrator, a member or an anonymous visitor, as of the operation's snapshot."""

    user_pk: int | None
    is_admin: bool
    principals: tuple[int, ...]  # pks of all principals whose grants the viewer has
    public_sharing: bool
    cursor_key: bytes
    row_version: int = field(compare=False)  # of the database, in that snapshot
    user_id: str | None = field(default=None, compare=False)
    is_operator: bool = False  # reads everything; never the viewer of a request
    token_pk: int | None = field(default=None, compare=False)  # of the API token, if there is one
    taken_claims: TakenClaims | None = field(default=None, compare=False)  # of a user found by their external id

    @property
    def id(self) -> str:
        """Public id of the viewer as an object. It is not the user's, because clients store objects by id."""
        return "vwr_" + str(self.user_id)[4:]

    @property
    def is_signed_in(self) -> bool:
        """Whether the viewer is a member of the deployment, or its operator."""
        return self.user_pk is not None or self.is_operator

    @property
    def kind(self) -> tuple[bool, bool, bool, bool]:
        """Properties on which the texts of statements depend; viewers of one kind share statements."""
        return self.is_admin, self.is_signed_in, self.public_sharing, self.is_operator

    @cached_property
    def parameters(self) -> Mapping[str, object]:
        """Values of the parameters that `visible` puts into statements."""
        return {PRINCIPALS_PARAMETER: json_text(self.principals), USER_PARAMETER: self.user_pk}


async def anonymous_viewer(snapshot: Snapshot) -> Viewer:
    """Return the viewer of an operation without a token. One statement."""
    viewer = await _fetch_viewer(snapshot, _ANONYMOUS)
    assert viewer  # noqa: S101 - the first migration inserts the deployment's row
    return viewer


async def operator_viewer(snapshot: Snapshot) -> Viewer:
    """Return the viewer of commands of those who operate the database, and could read its tables. One statement.

    They see what administrators see, with all content and all grants.
    """
    return replace(await anonymous_viewer(snapshot), is_admin=True, is_operator=True)


def audience_viewer(viewer: Viewer, *, is_member: bool) -> Viewer:
    """Return a member without own grants or an anonymous visitor, in the deployment of the viewer."""
    principals = (EVERYONE_PK, PUBLIC_PK) if is_member else (PUBLIC_PK,)
    nobody = Viewer(
        user_pk=None,
        is_admin=False,
        principals=principals,
        public_sharing=viewer.public_sharing,
        cursor_key=viewer.cursor_key,
        row_version=viewer.row_version,
    )
    return replace(nobody, user_pk=_NOBODY_PK) if is_member else nobody


async def viewer_by_token(snapshot: Snapshot, token: str) -> Viewer | None:
    """Return the active user of an API token; None if it is unknown, expired or revoked. One statement."""
    return await _fetch_member(snapshot, _BY_TOKEN, digest=token_digest(token), now=now_ms())


async def viewer_by_external_id(snapshot: Snapshot, external_id: str) -> Viewer | None:
    """Return the active user with this id in the platform; None if there is none. One statement."""
    return await _fetch_member(snapshot, _BY_EXTERNAL_ID, external_id=external_id)


async def viewer_by_pk(snapshot: Snapshot, pk: int) -> Viewer | None:
    """Return the user with this pk, for jobs that run on their behalf; None if deactivated. One statement."""
    return await _fetch_member(snapshot, _BY_PK, pk=pk)


async def _fetch_member(snapshot: Snapshot, statement: Selection, **parameters: object) -> Viewer | None:
    viewer = await _fetch_viewer(snapshot, statement, **parameters)
    return viewer if viewer and viewer.is_signed_in else None


async def _fetch_viewer(snapshot: Snapshot, statement: Selection, **parameters: object) -> Viewer | None:
    for row in await snapshot.rows(statement, parameters):
        return _read_viewer(row)
    return None


def _read_viewer(row: Row[Any]) -> Viewer:
    own = () if row.pk is None else (row.pk, *row.groups, EVERYONE_PK)
    return Viewer(
        user_pk=row.pk,
        is_admin=bool(row.is_admin),
        principals=(*own, PUBLIC_PK),
        public_sharing=row.public_sharing,
        cursor_key=row.cursor_key,
        row_version=row.row_version,
        user_id=row.id,
        token_pk=row.token_pk,
        taken_claims=None if row.source is None else TakenClaims(row.source, row.digest, row.issued_at),
    )


def _select_viewer(
    is_user: ColumnElement[bool],
    token_pk: ColumnElement[Any] = _NULL,
    *,
    source: ColumnElement[Any] = _NULL,
    digest: ColumnElement[Any] = _NULL,
    issued_at: ColumnElement[Any] = _NULL,
) -> Selection:
    """Return the SELECT of the deployment with the active user that the condition chooses, or without one."""
    groups = select(sql.json_rows_agg(sql.group_member.c.group_pk)).where(
        sql.group_member.c.user_pk == sql.principal.c.pk
    )
    is_active_user = and_(sql.principal.c.kind == PrincipalKind.USER, sql.principal.c.is_active, is_user)
    return select(
        sql.deployment.c.public_sharing,
        sql.deployment.c.cursor_key,
        sql.deployment.c.row_version,
        sql.principal.c.pk,
        sql.principal.c.id,
        sql.principal.c.is_admin,
        groups.label("groups"),
        token_pk.label("token_pk"),
        source.label("source"),
        digest.label("digest"),
        issued_at.label("issued_at"),
    ).select_from(sql.deployment.outerjoin(sql.principal, is_active_user))


# A comparison with one value finds the user by its index. For `IN`, SQLite would index all users for each request.
_TOKEN = select(sql.api_token.c.user_pk).where(
    sql.api_token.c.digest == bindparam("digest"),
    sql.api_token.c.expires_at > bindparam("now"),
    sql.api_token.c.revoked_at.is_(None),
)
_TOKEN_USER, _TOKEN_PK = _TOKEN.scalar_subquery(), _TOKEN.with_only_columns(sql.api_token.c.pk).scalar_subquery()
_ANONYMOUS = _select_viewer(false())
_BY_TOKEN = _select_viewer(sql.principal.c.pk == _TOKEN_USER, _TOKEN_PK)
_BY_EXTERNAL_ID = _select_viewer(
    sql.principal.c.external_id == bindparam("external_id"),
    source=sql.principal.c.source,
    digest=sql.sign_in.c.digest,
    issued_at=sql.sign_in.c.issued_at,
).outerjoin(sql.sign_in, sql.sign_in.c.user_pk == sql.principal.c.pk)
_BY_PK = _select_viewer(sql.principal.c.pk == bindparam("pk"))
