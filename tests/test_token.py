"""Tests of API tokens: created and revoked by their user, listed for nobody else, and their last use."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from app.operation import OperationRecord
from app.token_use import INTERVAL_MS, TokenUse
from app.tokens import create_token, list_tokens, revoke_all_tokens, revoke_token
from resolvers.limits import LIMITS
from store import ids, sql, tokens
from store.database import Database
from store.ids import now_ms
from tests.conftest import ANONYMOUS, GraphQLClient, World
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code

CREATE = Mutation("tokenCreate", "secret token { id name createdAt lastUsedAt expiresAt }")
REVOKE = Mutation("tokenRevoke", "revokedTokenIds")
REVOKE_ALL = Mutation("tokensRevokeAll", "revokedTokenCount user { name }")
TOKENS = "query($first: Int, $after: String) { viewer { tokens(first: $first, after: $after) {"
TOKENS += " totalCount pageInfo { hasNextPage endCursor } nodes { id name lastUsedAt } } } }"
NAME = "{ viewer { user { name } } }"


async def names_of(ask: GraphQLClient, who: str) -> list[str]:
    """Return the names of the viewer's tokens, as listed."""
    return [node["name"] for node in (await ask(who, TOKENS))["viewer"]["tokens"]["nodes"]]


async def create(ask: GraphQLClient, who: str, name: str, **given: Any) -> str:
    """Create a token, let `name` sign in with it, and return its id."""
    payload = await CREATE(ask, who, name=name, **given)
    assert payload["userErrors"] == []
    ask.tokens = ask.tokens | {name: payload["secret"]}
    return str(payload["token"]["id"])


async def is_refused(ask: GraphQLClient, who: str) -> bool:
    """Return whether the token is refused."""
    return (await ask.response(who, NAME)).status_code == 401


async def test_a_created_token_is_its_users_and_shown_once(ask_own: GraphQLClient) -> None:
    payload = await CREATE(ask_own, "olu", name=" Notebook ", days=2)
    token, secret = payload["token"], payload["secret"]
    assert secret.startswith(tokens.API_TOKEN_PREFIX)
    assert (token["name"], token["lastUsedAt"]) == ("Notebook", None)
    ask_own.tokens = ask_own.tokens | {"notebook": secret}
    assert (await ask_own("notebook", NAME))["viewer"]["user"]["name"] == (await ask_own("olu", NAME))["viewer"][
        "user"
    ]["name"]
    listed = (await ask_own("olu", TOKENS))["viewer"]["tokens"]
    assert listed["nodes"][0] == {"id": token["id"], "name": "Notebook", "lastUsedAt": None}
    async with ask_own.database.snapshot() as snapshot:
        stored = [
            str(row) for table in sql.api_token.metadata.sorted_tables for row in await snapshot.rows(select(table))
        ]
    assert not any(secret in row for row in stored)


async def test_tokens_are_visible_to_their_user_only(ask_own: GraphQLClient) -> None:
    id_ = await create(ask_own, "olu", "notebook")
    node = "query($id: ID!) { node(id: $id) { id ... on ApiToken { name } } }"
    assert await ask_own("olu", node, id=id_) == {"node": {"id": id_, "name": "notebook"}}
    for who in ("ada", "eve", ANONYMOUS):
        assert await ask_own(who, node, id=id_) == {"node": None}
    for who in ("ada", "eve"):
        assert "notebook" not in await names_of(ask_own, who)
        async with assert_unchanged(ask_own):
            assert error_paths(await REVOKE(ask_own, who, id=id_)) == [("NOT_FOUND", ["id"])]
    assert (await ask_own(ANONYMOUS, TOKENS))["viewer"] is None


async def test_the_list_has_pages_of_the_newest_first(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    clock_ns, later_ns = ids.clock_ns, 0
    monkeypatch.setattr("store.ids.clock_ns", lambda: clock_ns() + later_ns)
    for number in range(3):
        later_ns += 1_000_000_000
        await create(ask_own, "olu", f"token {number}")
    first = (await ask_own("olu", TOKENS, first=2))["viewer"]["tokens"]
    assert ([node["name"] for node in first["nodes"]], first["totalCount"]) == (["token 2", "token 1"], 4)
    second = (await ask_own("olu", TOKENS, first=2, after=first["pageInfo"]["endCursor"]))["viewer"]["tokens"]
    assert (second["nodes"][0]["name"], second["pageInfo"]["hasNextPage"]) == ("token 0", False)


async def test_a_revoked_token_and_those_created_with_it_end_at_once(ask_own: GraphQLClient) -> None:
    first = await create(ask_own, "olu", "first")
    other = await create(ask_own, "olu", "other")
    second = await create(ask_own, "first", "second")
    third = await create(ask_own, "second", "third")
    assert (await REVOKE(ask_own, "other", id=first))["revokedTokenIds"] == [first, second, third]
    assert [await is_refused(ask_own, who) for who in ("first", "second", "third", "other", "olu")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert "other" in await names_of(ask_own, "olu")
    assert not {"first", "second", "third"} & set(await names_of(ask_own, "olu"))
    assert error_paths(await REVOKE(ask_own, "olu", id=first)) == [("NOT_FOUND", ["id"])]
    assert (await REVOKE(ask_own, "other", id=other))["revokedTokenIds"] == [other]
    assert await is_refused(ask_own, "other")


async def test_a_token_created_with_another_expires_with_it_at_the_latest(ask_own: GraphQLClient) -> None:
    ask_own.tokens = ask_own.tokens | {"short": await create_token(ask_own.database, "olu", 3_600)}
    child = (await CREATE(ask_own, "short", name="child", days=30))["token"]
    rows = await list_tokens(ask_own.database, "olu")
    expiries = {row.id: row.expires_at for row in rows}
    assert expiries[child["id"]] == rows[-2].expires_at
    assert rows[-1].parent_pk == rows[-2].pk


@pytest.mark.parametrize("days", [0, -1, LIMITS.token_days + 1])
async def test_a_lifetime_has_bounds(ask_own: GraphQLClient, days: int) -> None:
    async with assert_unchanged(ask_own):
        assert error_paths(await CREATE(ask_own, "olu", name="x", days=days)) == [("INVALID", ["days"])]
        assert error_paths(await CREATE(ask_own, "olu", name=" ")) == [("REQUIRED", ["name"])]


async def test_a_user_has_a_limited_number_of_valid_tokens(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.token.LIMITS", LIMITS._replace(active_tokens=2))
    first = await create(ask_own, "olu", "first")
    refused = await CREATE(ask_own, "olu", name="second")
    assert error_paths(refused) == [("LIMIT_EXCEEDED", [])]
    assert (refused["secret"], refused["token"]) == (None, None)
    await REVOKE(ask_own, "olu", id=first)
    await create(ask_own, "olu", "second")


async def test_administrators_revoke_all_tokens_of_a_user(ask_own: GraphQLClient) -> None:
    query = "{ viewer { user { id } } }"
    ids = {who: (await ask_own(who, query))["viewer"]["user"]["id"] for who in ("olu", "ada")}
    await create(ask_own, "olu", "notebook")
    assert await refusal_code(ask_own, "olu", REVOKE_ALL, userId=ids["ada"]) == "FORBIDDEN"
    payload = await REVOKE_ALL(ask_own, "ada", userId=ids["olu"])
    assert payload["revokedTokenCount"] == 2
    assert await is_refused(ask_own, "olu")
    assert await is_refused(ask_own, "notebook")
    async with assert_unchanged(ask_own):
        assert (await REVOKE_ALL(ask_own, "ada", userId=ids["olu"]))["revokedTokenCount"] == 0
    fields = await ask_own("ada", "{ auditLog(first: 1) { nodes { action actor { name } fields { field after } } } }")
    (change,) = fields["auditLog"]["nodes"]
    assert (change["action"], {field["field"] for field in change["fields"]}) == ("UPDATED", {"token"})


async def test_tokens_that_ended_long_ago_are_deleted(ask_own: GraphQLClient) -> None:
    ended = now_ms() - tokens.RETENTION_MS - 1
    for _ in range(2):
        await create_token(ask_own.database, "olu", 60)
    async with ask_own.database.write() as connection:
        await connection.execute(
            update(sql.api_token).where(sql.api_token.c.name == "Command line").values(expires_at=ended)
        )
    ask_own.tokens = ask_own.tokens | {"olu": await create_token(ask_own.database, "olu", 60)}
    assert len(await list_tokens(ask_own.database, "olu")) == 1


async def test_the_command_line_lists_and_revokes_by_id(ask_own: GraphQLClient) -> None:
    database = ask_own.database
    secrets = [await create_token(database, "eve", 60, f"name {number}") for number in range(3)]
    rows = (await list_tokens(database, "eve"))[-3:]
    assert [row.name for row in rows] == ["name 0", "name 1", "name 2"]
    assert await revoke_token(database, rows[0].id)
    assert not await revoke_token(database, rows[0].id)
    assert not await revoke_token(database, secrets[0])
    assert await revoke_token(database, secrets[1])
    assert await revoke_all_tokens(database, "eve") == 2
    assert await is_refused(ask_own, "eve")


class Clock:
    """A clock that tests set, in milliseconds."""

    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


def used(digest: str | None) -> OperationRecord:
    """Return the record of an operation with the token."""
    record = OperationRecord("request")
    record.token_digest = digest
    return record


async def unused_token(client: GraphQLClient) -> str:
    """Return the digest of a token without a last use: that of the shared world may have one from other tests."""
    async with client.database.write() as connection:
        await connection.execute(update(sql.api_token).values(last_used_at=None))
    return tokens.token_digest(client.tokens["eve"])


async def last_used(database: Database, digest: str) -> int | None:
    """Return the stored time of the token's last use."""
    async with database.snapshot() as snapshot:
        token = select(sql.api_token.c.last_used_at).where(sql.api_token.c.digest == digest)
        ((at,),) = await snapshot.rows(token)
    return None if at is None else int(at)


async def wait_until_used(database: Database, digest: str) -> None:
    """Return once a use of the token is stored."""
    while await last_used(database, digest) is None:  # noqa: ASYNC110 - the writer has no event for it
        await asyncio.sleep(0.01)


async def test_the_last_use_is_written_at_most_once_within_the_interval(ask_own: GraphQLClient) -> None:
    clock, digest, database = Clock(), await unused_token(ask_own), ask_own.database
    use = TokenUse(clock)
    use.observe(used(None))
    use.observe(used(digest))
    await use.write(database)
    assert await last_used(database, digest) == clock.now
    first = clock.now
    clock.now += INTERVAL_MS - 1
    use.observe(used(digest))
    async with assert_unchanged(ask_own):
        await use.write(database)
    clock.now += 1
    await use.write(database)
    assert await last_used(database, digest) == first + INTERVAL_MS - 1
    clock.now += 1
    use.observe(used(digest))
    await use.write(database, is_last=True)
    assert await last_used(database, digest) == clock.now


async def test_a_later_use_is_not_overwritten_by_another_process(ask_own: GraphQLClient) -> None:
    clock, digest, database = Clock(), await unused_token(ask_own), ask_own.database
    late, early = TokenUse(clock), TokenUse(clock)
    early.observe(used(digest))
    clock.now += 10
    late.observe(used(digest))
    await late.write(database)
    await early.write(database)
    assert await last_used(database, digest) == clock.now


async def test_operations_with_a_valid_token_are_uses_of_it(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[OperationRecord] = []
    monkeypatch.setattr(TokenUse, "observe", lambda _self, record: records.append(record))
    client = GraphQLClient(own_world)
    client.tokens = client.tokens | {"bad": "atoll_bad"}
    for who in ("olu", ANONYMOUS, "bad"):
        await client.response(who, NAME)
        await client.response(who, 'mutation { topicDelete(input: {id: "x"}) { deletedTopicId } }')
    await client.close()
    digest = tokens.token_digest(client.tokens["olu"])
    assert [record.token_digest for record in records] == [digest, digest, None, None, None, None]


async def test_uses_are_written_in_the_background_and_at_the_end(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.token_use.POLL_SECONDS", 0.01)
    clock, digest = Clock(), await unused_token(ask_own)
    use = TokenUse(clock)
    async with use.write_periodically(ask_own.database):
        use.observe(used(digest))
        await wait_until_used(ask_own.database, digest)
        clock.now += 1
        use.observe(used(digest))
    assert await last_used(ask_own.database, digest) == clock.now
