"""Tests of provisioning at sign-in: users, roles and groups from an issuer's claims, and the newest token wins."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from app.oidc_claims import ClaimNames, Provisioning
from store import sql
from store.changes import open_change_log
from store.people.writer import PeopleWriter
from store.tables import PrincipalSource
from tests.conftest import GraphQLClient, World, settings_of
from tests.db_snapshot import db_snapshot
from tests.mutations import assert_unchanged
from tests.oidc.fake_issuer import ABSENT, AUDIENCE, NOW, FakeIssuer, signing_key

KEY = signing_key("k1", "ES256")
VIEWER = "{ viewer { user { name email } isAdmin groups { nodes { name } } } }"
NAMES = ClaimNames(Provisioning.CREATE, admin_group="admins")


class Issued:
    """Client whose users sign in by tokens of an issuer."""

    def __init__(self, ask: GraphQLClient, issuer: FakeIssuer) -> None:
        self.ask, self.issuer = ask, issuer

    async def __call__(self, sub: str, iat: float = NOW, *, query: str = VIEWER, **claims: Any) -> Any:
        """Return the viewer of an operation with a token of these claims; None if it is refused."""
        self.ask.tokens = self.ask.tokens | {sub: self.issuer.token(KEY, sub=sub, iat=iat, **claims)}
        response = await self.ask.response(sub, query)
        return response.json()["data"] if response.status_code == 200 else None

    async def read(self, sub: str, iat: float = NOW, **claims: Any) -> tuple[Any, ...] | None:
        """Return the name, e-mail address, role and groups of the viewer; None if the token is refused."""
        data = await self(sub, iat, **claims)
        if data is None:
            return None
        viewer = data["viewer"]
        groups = [group["name"] for group in viewer["groups"]["nodes"]]
        return viewer["user"]["name"], viewer["user"]["email"], viewer["isAdmin"], groups


Open = Callable[[ClaimNames], Issued]


@pytest.fixture
async def open_with(own_world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Yield a function that opens a client of an application with these names of claims."""
    clients: list[GraphQLClient] = []
    async with FakeIssuer(keys=[KEY.published()]) as issuer:

        def open_client(names: ClaimNames) -> Issued:
            monkeypatch.setattr("app.application.create_issuer", lambda *_: issuer.issuer(names))
            settings = replace(settings_of(own_world.url), oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
            clients.append(GraphQLClient(own_world, settings))
            return Issued(clients[-1], issuer)

        yield open_client
        for client in clients:
            await client.close()


@pytest.fixture
def issued(open_with: Open) -> Issued:
    """Return a client of an application that creates users."""
    return open_with(NAMES)


async def test_an_unknown_user_is_created_with_name_address_role_and_groups(issued: Issued) -> None:
    claims: dict[str, Any] = {"name": "Zoë", "email": "zoe@example.org", "groups": ["staff", "admins", "staff"]}
    assert await issued.read("new", **claims) == ("Zoë", "zoe@example.org", True, ["admins", "staff"])
    async with issued.ask.database.snapshot() as snapshot:
        principal = sql.principal.c
        rows = await snapshot.rows(
            select(principal.external_id, principal.kind).where(principal.source == PrincipalSource.OIDC)
        )
    assert sorted(tuple(row) for row in rows) == [("admins", "GROUP"), ("new", "USER"), ("staff", "GROUP")]


async def test_a_mutation_may_be_the_first_operation_of_a_user(issued: Issued) -> None:
    query = 'mutation { tokenCreate(input: {name: "x"}) { secret } }'
    assert (await issued("new", query=query))["tokenCreate"]["secret"].startswith("atoll_")


@pytest.mark.parametrize(
    ("names", "expected"),
    [(replace(NAMES, provisioning=Provisioning.UPDATE), None), (replace(NAMES, provisioning=Provisioning.OFF), None)],
    ids=["update", "off"],
)
async def test_unknown_users_are_refused_unless_they_are_to_be_created(
    open_with: Open, names: ClaimNames, expected: None
) -> None:
    issued = open_with(names)
    async with assert_unchanged(issued.ask):
        assert await issued.read("new", name="New") == expected


async def test_a_read_with_known_claims_writes_nothing_and_takes_no_further_statement(
    open_with: Open, issued: Issued
) -> None:
    claims: dict[str, Any] = {"name": "New", "groups": ["staff"]}
    without = open_with(replace(NAMES, provisioning=Provisioning.OFF))
    await issued.read("new", **claims)
    async with assert_unchanged(issued.ask):
        for client in (issued, without, issued, without):  # the first time, the index reads what changed
            await client.read("new", NOW + 1, **claims)
        assert len(issued.ask.statements) == len(without.ask.statements)


async def test_changed_claims_are_taken_over_and_logged(issued: Issued) -> None:
    await issued.read("new", name="Old", groups=["staff", "lab2"])
    assert await issued.read("new", NOW + 1, name="New", groups=["staff", "admins"]) == (
        "New", None, True, ["admins", "staff"],
    )  # fmt: skip
    query = "{ auditLog(first: 3) { nodes { action actor { name } fields { field before after } } } }"
    changes = (await issued.ask("ada", query))["auditLog"]["nodes"]
    fields = [field for change in changes for field in change["fields"]]
    assert {"field": "name", "before": "Old", "after": "New"} in fields
    assert {"field": "isAdmin", "before": "false", "after": "true"} in fields
    assert [change["actor"] for change in changes] == [None] * 3


async def test_absent_names_and_addresses_stay_and_absent_groups_do_not(issued: Issued) -> None:
    await issued.read("new", name="New", email="n@example.org", groups=["staff", "admins"])
    assert await issued.read("new", NOW + 1) == ("New", "n@example.org", False, [])


async def test_an_older_token_does_not_bring_back_a_group_or_a_role(issued: Issued) -> None:
    await issued.read("new", NOW - 80, groups=["staff"])
    async with assert_unchanged(issued.ask):
        for iat in (NOW - 90, NOW - 80):
            assert await issued.read("new", iat, groups=["staff", "admins"]) == ("new", None, False, ["staff"])
    await issued.read("new", NOW, groups=["staff"])
    async with assert_unchanged(issued.ask):
        assert await issued.read("new", NOW - 1, groups=["staff", "admins"]) == ("new", None, False, ["staff"])


async def test_groups_end_with_the_first_operation_of_the_newer_token_in_every_process(
    open_with: Open, issued: Issued
) -> None:
    other = open_with(NAMES)
    await issued.read("new", groups=["staff"])
    assert await other.read("new", NOW + 1, groups=[]) == ("new", None, False, [])
    assert await issued.read("new", groups=["staff"]) == ("new", None, False, [])
    assert await issued.read("new", NOW + 2, groups=["staff"]) == ("new", None, False, ["staff"])
    assert await other.read("new", NOW + 1, groups=[]) == ("new", None, False, ["staff"])


async def test_users_of_another_source_sign_in_and_are_not_written(issued: Issued) -> None:
    async with assert_unchanged(issued.ask):
        found = await issued.read("mei", name="Other", groups=["admins"])
    assert found is not None
    assert (found[0], found[2], "admins" in found[3]) == ("mei", False, False)


async def test_groups_of_other_sources_and_users_are_left_as_they_are(issued: Issued) -> None:
    found = await issued.read("new", groups=["lab", "everyone", "public", "mei", "staff"])
    assert found == ("new", None, False, ["staff"])


async def test_a_deactivated_user_stays_out(issued: Issued) -> None:
    await issued.read("new", groups=["staff"])
    database = issued.ask.database
    async with database.write() as connection:
        log = await open_change_log(connection, "test")
        await PeopleWriter(connection, log, PrincipalSource.OIDC).write_users({"new": {"is_active": False}})
    async with assert_unchanged(issued.ask):
        assert await issued.read("new", NOW + 1, groups=["admins"]) is None


async def test_the_last_administrator_stays_one_until_there_is_another(issued: Issued) -> None:
    await issued.read("new", groups=["admins"])
    async with issued.ask.database.write() as connection:
        principal = sql.principal.c
        others = principal.external_id != "new"
        await connection.execute(update(sql.principal).where(others).values(is_admin=False))
    assert await issued.read("new", NOW + 1, name="New", groups=["staff"]) == ("New", None, True, ["staff"])
    await issued.read("other", groups=["admins"])
    assert await issued.read("new", NOW + 2, name="New", groups=["staff"]) == ("New", None, False, ["staff"])


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"groups": "staff"}, ["staff"]),
        ({"groups": ["a" * 256, "", " x", "x\0", "\ud800", 1, None, ["y"], {"z": 1}, "ok"]}, ["ok"]),
        ({"groups": {"staff": True}, "name": 5, "email": ["x"]}, []),
        ({"groups": ABSENT, "name": "a\0b", "email": "x" * 10_000}, []),
    ],
)
async def test_unusable_claims_count_as_absent(issued: Issued, claims: dict[str, Any], groups: list[str]) -> None:
    token_fits = len(str(claims)) < 8_000
    assert await issued.read("new", **claims) == (("new", None, False, groups) if token_fits else None)


async def test_claims_have_the_names_of_the_settings(open_with: Open) -> None:
    names = ClaimNames(Provisioning.CREATE, name="display", email="mail", groups="https://example.org/teams")
    claims: dict[str, Any] = {
        "display": "New",
        "mail": "n@example.org",
        "https://example.org/teams": ["staff"],
        "name": "Other",
    }
    assert await open_with(names).read("new", **claims) == ("New", "n@example.org", False, ["staff"])


async def test_a_token_that_is_refused_writes_nothing(issued: Issued) -> None:
    before = await db_snapshot(issued.ask.database)
    assert await issued.read("new", exp=1, groups=["admins"]) is None
    assert await issued.read("new", aud="another", groups=["admins"]) is None
    assert await issued.read("lab", groups=["admins"]) is None
    assert await db_snapshot(issued.ask.database) == before
