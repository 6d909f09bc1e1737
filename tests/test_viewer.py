"""Tests of viewers: the viewer of a token or an id, and the principals whose grants apply to it."""

from collections.abc import AsyncIterator
from dataclasses import FrozenInstanceError, replace
from hashlib import sha256
from importlib import import_module

import pytest
from sqlalchemy import delete, select
from sqlalchemy.dialects import sqlite
from sqlmodel import SQLModel

from app.tokens import revoke_token
from permissions.viewer import (
    Viewer,
    anonymous_viewer,
    viewer_by_external_id,
    viewer_by_pk,
    viewer_by_token,
)
from permissions.visible import owned_assets, visible
from store import sql
from store.database import Database, Snapshot
from store.row_versions import fetch_version
from store.tables import EVERYONE_PK, PUBLIC_PK
from store.tokens import token_digest
from tests.conftest import MEMBERS, World, set_public_sharing

visibility = import_module("permissions.visible")  # in the package, `visible` is the function
GROUP_OF = {"mei": "lab", "lou": "core"}


@pytest.fixture
async def database(own_world: World) -> AsyncIterator[Database]:
    own_database = Database(own_world.url)
    yield own_database
    await own_database.close()


@pytest.fixture
async def snapshot(database: Database) -> AsyncIterator[Snapshot]:
    async with database.snapshot() as own_snapshot:
        yield own_snapshot


async def _pks(snapshot: Snapshot) -> dict[str, int]:
    rows = await snapshot.rows(select(sql.principal.c.external_id, sql.principal.c.pk))
    return {row.external_id: row.pk for row in rows}


async def _cursor_key(snapshot: Snapshot) -> bytes:
    return bytes((await snapshot.rows(select(sql.deployment.c.cursor_key)))[0].cursor_key)


@pytest.mark.parametrize("who", MEMBERS)
async def test_a_members_principals_are_their_own_their_groups_everyone_and_public(
    snapshot: Snapshot, own_world: World, who: str
) -> None:
    pks = await _pks(snapshot)
    groups = [pks[GROUP_OF[who]]] if who in GROUP_OF else []
    expected = Viewer(
        user_pk=pks[who],
        is_admin=who == "ada",
        principals=(pks[who], *groups, EVERYONE_PK, PUBLIC_PK),
        public_sharing=True,
        cursor_key=await _cursor_key(snapshot),
        row_version=-1,  # viewers of two versions are equal
    )
    assert expected.is_signed_in is True
    (id_,) = (row.id for row in await snapshot.rows(select(sql.principal.c.id).where(sql.principal.c.pk == pks[who])))
    for viewer in (
        await viewer_by_external_id(snapshot, who),
        await viewer_by_pk(snapshot, pks[who]),
        await viewer_by_token(snapshot, own_world.tokens[who]),
    ):
        assert viewer == expected
        assert viewer.user_id == id_  # not compared above


@pytest.mark.parametrize("sharing", [True, False])
async def test_an_anonymous_visitors_only_principal_is_public(database: Database, *, sharing: bool) -> None:
    await set_public_sharing(database, is_on=sharing)
    async with database.snapshot() as snapshot:
        visitor = await anonymous_viewer(snapshot)
        assert visitor == Viewer(
            user_pk=None,
            is_admin=False,
            principals=(PUBLIC_PK,),
            public_sharing=sharing,
            cursor_key=await _cursor_key(snapshot),
            row_version=-1,  # viewers of two versions are equal
        )
        assert visitor.row_version == await fetch_version(snapshot) > 0
    assert visitor.is_signed_in is False


async def test_only_users_are_viewers(snapshot: Snapshot) -> None:
    pks = await _pks(snapshot)
    for name in ("lab", "everyone", "public"):
        assert await viewer_by_external_id(snapshot, name) is None
        assert await viewer_by_pk(snapshot, pks[name]) is None
    assert await viewer_by_external_id(snapshot, "nobody") is None
    assert await viewer_by_pk(snapshot, max(pks.values()) + 1) is None


async def test_a_token_is_stored_as_a_digest_that_is_not_a_token(snapshot: Snapshot, own_world: World) -> None:
    token = own_world.tokens["eve"]
    assert token_digest(token) == sha256(token.encode()).hexdigest()
    assert await viewer_by_token(snapshot, token_digest(token)) is None
    assert await viewer_by_token(snapshot, token[:-1]) is None


async def test_a_token_is_valid_until_its_last_millisecond(
    snapshot: Snapshot, own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = own_world.tokens["eve"]
    rows = await snapshot.rows(select(sql.api_token.c.expires_at).where(sql.api_token.c.digest == token_digest(token)))
    for late, is_valid in ((-1, True), (0, False), (1, False)):
        now = rows[0].expires_at + late
        monkeypatch.setattr("permissions.viewer.now_ms", lambda now=now: now)
        assert (await viewer_by_token(snapshot, token) is not None) is is_valid


async def test_a_revoked_token_has_no_viewer(database: Database, own_world: World) -> None:
    token = own_world.tokens["eve"]
    assert await revoke_token(database, token)
    async with database.snapshot() as snapshot:
        assert await viewer_by_token(snapshot, token) is None
        assert await viewer_by_token(snapshot, own_world.tokens["mei"]) is not None


async def test_a_database_without_a_deployment_row_has_no_viewers(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(delete(sql.deployment))
    async with database.snapshot() as snapshot:
        assert await viewer_by_external_id(snapshot, "ada") is None
        with pytest.raises(AssertionError):
            await anonymous_viewer(snapshot)


async def test_a_viewer_is_immutable(snapshot: Snapshot) -> None:
    visitor = await anonymous_viewer(snapshot)
    with pytest.raises(FrozenInstanceError):
        visitor.is_admin = True  # type: ignore[misc]  # the assignment must fail


MEMBER = Viewer(7, is_admin=False, principals=(7, 3, 1, 2), public_sharing=True, cursor_key=b"one", row_version=0)
OTHER = Viewer(8, is_admin=False, principals=(8, 1, 2), public_sharing=True, cursor_key=b"two", row_version=0)


def test_viewers_to_whom_the_same_rules_apply_are_of_one_kind() -> None:
    assert MEMBER.kind == OTHER.kind
    others = [{"is_admin": True}, {"user_pk": None}, {"public_sharing": False}]
    assert MEMBER.kind not in {replace(MEMBER, **each).kind for each in others}  # type: ignore[arg-type]  # one field each


def test_a_viewer_has_the_parameters_of_statements() -> None:
    assert MEMBER.parameters == {"viewer_principals": "[7,3,1,2]", "viewer_pk": 7}


@pytest.mark.parametrize("is_admin", [False, True])
@pytest.mark.parametrize("table", ["owned", *visibility._SELECT_BY_TABLE])  # noqa: SLF001 - all of them
def test_statements_of_one_kind_of_viewer_differ_in_their_parameters_only(table: str, *, is_admin: bool) -> None:
    texts, values = set(), []
    for viewer in (replace(MEMBER, is_admin=is_admin), replace(OTHER, is_admin=is_admin)):
        source = sql.asset if table == "owned" else SQLModel.metadata.tables[table]
        rows = owned_assets(source, viewer) if table == "owned" else visible(source, viewer)
        compiled = rows.compile(dialect=sqlite.dialect())
        texts.add(str(compiled))
        given = {name: value for name, value in compiled.params.items() if name not in viewer.parameters}
        own = {name: value for name, value in compiled.params.items() if name in viewer.parameters}
        assert own.items() <= viewer.parameters.items()
        values.append(given)
    assert len(texts) == 1
    assert values[0] == values[1]
