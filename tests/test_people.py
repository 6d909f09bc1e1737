"""Store of users and groups: one source owns each, only differences are written, and every change is logged."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from permissions.viewer import viewer_by_external_id, viewer_by_pk, viewer_by_token
from store import sql
from store.changes import open_change_log
from store.database import Database
from store.people.members import GroupWrite
from store.people.refusal import PeopleRefusedError, RefusalReason
from store.people.writer import PeopleWriter, UserColumns, WrittenPeople
from store.rows import PrincipalRow
from store.tables import PrincipalSource
from tests.conftest import World
from tests.db_snapshot import db_snapshot

CATALOGUE, SCIM, MANUAL = PrincipalSource.CATALOGUE, PrincipalSource.SCIM, PrincipalSource.MANUAL


class People:
    """Writes users and groups, each write in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def users(
        self, users: Mapping[str, UserColumns], source: PrincipalSource = CATALOGUE, to: PrincipalSource | None = None
    ) -> WrittenPeople:
        async with self.database.write() as connection:
            log = await open_change_log(connection, "req_people")
            return await PeopleWriter(connection, log, source, to).write_users(users)

    async def groups(
        self, groups: Mapping[str, GroupWrite], source: PrincipalSource = CATALOGUE, to: PrincipalSource | None = None
    ) -> WrittenPeople:
        async with self.database.write() as connection:
            log = await open_change_log(connection, "req_people")
            return await PeopleWriter(connection, log, source, to).write_groups(groups)

    async def set_active(self, who: str, *, is_active: bool) -> None:
        user = await self.row(who)
        async with self.database.write() as connection:
            log = await open_change_log(connection, "req_people")
            await PeopleWriter(connection, log, MANUAL).set_active(user, is_active=is_active)

    async def row(self, external_id: str) -> PrincipalRow:
        async with self.database.snapshot() as snapshot:
            [row] = await snapshot.rows(select(sql.principal).where(sql.principal.c.external_id == external_id))
        return cast("PrincipalRow", row)

    async def pk(self, external_id: str) -> int:
        return (await self.row(external_id)).pk

    async def changes(self) -> list[tuple[str, str, list[tuple[str, str | None, str | None]]]]:
        """Return the logged changes: action, external id, and the fields with the ids of members replaced."""
        names = {}
        async with self.database.snapshot() as snapshot:
            for row in await snapshot.rows(select(sql.principal.c.id, sql.principal.c.external_id)):
                names[row.id] = row.external_id
            written = select(sql.change).where(sql.change.c.request_id == "req_people").order_by(sql.change.c.pk)
            rows = await snapshot.rows(written)
        return [(row.action, names[row.subject_id], [_named(field, names) for field in row.fields]) for row in rows]


def _named(change: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str | None, str | None]:
    field, _, id_ = change["field"].partition(":")
    return (f"{field}:{names[id_]}" if id_ else field), change["before"], change["after"]


@pytest.fixture
async def people(own_world: World) -> AsyncIterator[People]:
    database = Database(own_world.url)
    yield People(database)
    await database.close()


async def _refusal(write: Any) -> tuple[RefusalReason, str]:
    with pytest.raises(PeopleRefusedError) as error:
        await write
    [refusal] = error.value.refusals.values()
    assert str(error.value) == refusal.message
    return refusal.reason, refusal.message


async def test_a_new_user_has_the_columns_given_and_defaults_for_the_rest(people: People) -> None:
    written = await people.users({"new": {}, "full": {"name": "Full", "email": "f@x.org", "is_admin": True}}, SCIM)
    assert (list(written.created), list(written.updated)) == (["new", "full"], [])
    new, full = await people.row("new"), await people.row("full")
    assert (new.name, new.email, new.is_admin, new.is_active, new.source) == ("new", None, False, True, "SCIM")
    assert (full.name, full.email, full.is_admin) == ("Full", "f@x.org", True)
    assert (written.ids["new"], written.pks["full"]) == (new.id, full.pk)
    assert await people.changes() == [
        ("CREATED", "new", [("name", None, "new"), ("provisionedBy", None, "SCIM")]),
        (
            "CREATED",
            "full",
            [
                ("name", None, "Full"),
                ("email", None, "f@x.org"),
                ("isAdmin", None, "true"),
                ("provisionedBy", None, "SCIM"),
            ],
        ),
    ]


async def test_only_columns_that_differ_are_written_and_logged(people: People) -> None:
    written = await people.users({"eve": {"name": "Eve", "is_admin": False}, "sam": {"name": "sam"}, "lou": {}})
    assert (list(written.created), list(written.updated)) == ([], ["eve"])
    assert await people.changes() == [("UPDATED", "eve", [("name", "eve", "Eve")])]
    assert (await people.row("eve")).email == "eve@example.org"


async def test_a_promotion_is_logged_with_both_values(people: People) -> None:
    await people.users({"eve": {"is_admin": True}})
    assert await people.changes() == [("UPDATED", "eve", [("isAdmin", "false", "true")])]


async def test_members_are_replaced_added_and_removed_and_logged_by_name(people: People) -> None:
    pks = {who: await people.pk(who) for who in ("mei", "eve", "sam")}
    await people.groups(
        {
            "lab": GroupWrite(members=[pks["eve"], pks["sam"]]),
            "core": GroupWrite("Core", add=[pks["eve"]], remove=[pks["sam"]]),
            "crew": GroupWrite("Crew", members=[pks["mei"]]),
        }
    )
    assert await people.changes() == [
        (
            "CREATED",
            "crew",
            [("name", None, "Crew"), ("provisionedBy", None, "CATALOGUE"), ("member:mei", None, "mei")],
        ),
        ("UPDATED", "lab", [("member:sam", None, "sam"), ("member:eve", None, "eve"), ("member:mei", "mei", None)]),
        ("UPDATED", "core", [("name", "core", "Core"), ("member:eve", None, "eve")]),
    ]
    async with people.database.snapshot() as snapshot:
        eve = await viewer_by_external_id(snapshot, "eve")
    assert eve
    assert {await people.pk("lab"), await people.pk("core")} < set(eve.principals)


async def test_the_same_again_changes_nothing(people: People) -> None:
    before = await db_snapshot(people.database)
    await people.users({"eve": {"name": "eve", "email": "eve@example.org", "is_admin": False, "is_active": True}}, SCIM)
    await people.groups({"lab": GroupWrite("lab", members=[await people.pk("mei")])}, SCIM)
    after = await db_snapshot(people.database)
    assert before.pop("deployment") != after.pop("deployment")  # the revision: whoever opens a log discards it
    assert before == after


async def test_another_source_is_refused_with_the_owner_and_the_way_out(people: People) -> None:
    await people.users({"ida": {"name": "Ida"}}, SCIM)
    before = await db_snapshot(people.database)
    reason, message = await _refusal(people.users({"ida": {"name": "Other"}, "eve": {"name": "Eve"}}))
    assert reason == RefusalReason.OTHER_SOURCE
    assert message == (
        'The user "ida" belongs to the source SCIM. Change it at the identity provider, which provisions it by SCIM,'
        " or let an administrator give it another source by userUpsert."
    )
    reason, message = await _refusal(people.groups({"lab": GroupWrite(add=[await people.pk("eve")])}, MANUAL))
    assert (reason, message[:45]) == (RefusalReason.OTHER_SOURCE, 'The group "lab" belongs to the source CATALOG')
    assert await db_snapshot(people.database) == before


async def test_an_id_of_another_kind_is_refused(people: People) -> None:
    for write, message in (
        (people.users({"lab": {}}), '"lab" is the id of a group, so no user can have it. Choose another id.'),
        (
            people.groups({"eve": GroupWrite()}),
            '"eve" is the id of a user, so no group can have it. Choose another id.',
        ),
        (people.users({"public": {}}), '"public" is reserved, so no user can have it. Choose another id.'),
    ):
        assert await _refusal(write) == (RefusalReason.OTHER_KIND, message)


async def test_a_hand_over_writes_and_gives_the_user_to_another_source(people: People) -> None:
    await people.users({"eve": {"name": "Eve"}}, MANUAL, to=SCIM)
    await people.groups({"lab": GroupWrite()}, MANUAL, to=SCIM)
    assert await people.changes() == [
        ("UPDATED", "eve", [("name", "eve", "Eve"), ("provisionedBy", "CATALOGUE", "SCIM")]),
        ("UPDATED", "lab", [("provisionedBy", "CATALOGUE", "SCIM")]),
    ]
    await people.users({"eve": {"name": "Eve of SCIM"}}, SCIM)


@pytest.mark.parametrize("columns", [{"is_admin": False}, {"is_active": False}])
async def test_the_last_active_administrator_stays(people: People, columns: UserColumns) -> None:
    message = '"ada" is the last active administrator. Make another user an administrator first.'
    assert await _refusal(people.users({"ada": columns})) == (RefusalReason.LAST_ADMINISTRATOR, message)
    await people.users({"eve": {"is_admin": True, "is_active": False}})
    assert (await _refusal(people.users({"ada": columns})))[0] == RefusalReason.LAST_ADMINISTRATOR
    assert (await _refusal(people.set_active("ada", is_active=False)))[0] == RefusalReason.LAST_ADMINISTRATOR
    # Another one in the same write, or before it, is enough.
    await people.users({"ada": columns, "sam": {"is_admin": True}})
    await people.users({"ada": {"is_admin": True, "is_active": True}})
    await people.users({"sam": columns})


async def test_a_deactivated_user_is_no_viewer_and_their_tokens_end(people: People, own_world: World) -> None:
    await people.set_active("eve", is_active=False)
    await people.set_active("eve", is_active=False)
    pk = await people.pk("eve")

    async def viewers() -> list[bool]:
        async with people.database.snapshot() as snapshot:
            found = (
                await viewer_by_token(snapshot, own_world.tokens["eve"]),
                await viewer_by_external_id(snapshot, "eve"),
                await viewer_by_pk(snapshot, pk),
            )
        return [viewer is not None for viewer in found]

    assert await viewers() == [False, False, False]
    await people.set_active("eve", is_active=True)
    assert await viewers() == [False, True, True]  # the tokens stay revoked
    assert await people.changes() == [
        ("UPDATED", "eve", [("isActive", "true", "false")]),
        ("UPDATED", "eve", [("isActive", "false", "true")]),
    ]


async def test_a_token_of_a_deactivated_user_is_refused_even_if_it_was_not_revoked(
    people: People, own_world: World
) -> None:
    async with people.database.write() as connection:
        await connection.execute(update(sql.principal).values(is_active=False))
    async with people.database.snapshot() as snapshot:
        assert await viewer_by_token(snapshot, own_world.tokens["eve"]) is None
