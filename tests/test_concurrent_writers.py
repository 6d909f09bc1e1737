"""Sixty concurrent writers on the same members: no lost update, and a complete change log."""

import asyncio
import random
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from store import sql
from tests.conftest import GraphQLClient, World
from tests.mutations import Mutation

WRITERS, TURNS = 60, 3
RESULTS = "results { assetId status error { code } } summary { changed }"
ADD, REMOVE, MOVE = (
    Mutation(name, f"change {{ id }} {RESULTS}")
    for name in ("collectionAssetsAdd", "collectionAssetsRemove", "collectionAssetsMove")
)
UNDO = Mutation("changeUndo", f"changes {{ id }} {RESULTS}")
OWNERS = {
    "olu": ("align", "blast", "count", "genomes", "images", "hidden"),
    "lou": ("images", "kept"),
    "sam": ("lens",),
    "ada": ("align", "blast", "lens", "images", "kept", "junk"),
}
COLLECTIONS = ("open", "inner", "bare")
EXPECTED_CODES = {"NOT_FOUND", "NOT_OWNER", "NOT_ELIGIBLE", "CONFLICT", "INVALID"}
Members = set[tuple[str, str]]
"""Pairs of a collection's slug and the name of a member."""


class Answer(NamedTuple):
    """Response to a writer: the id of the change and the changed assets."""

    who: str
    change: str
    assets: frozenset[str]


class LoggedChange(NamedTuple):
    """A change of the log; `was_member` says by asset whether it was a member before."""

    pk: int
    id: str
    revision: int
    action: str
    who: str | None
    collection: str
    was_member: dict[str, bool]


@pytest.fixture(params=[1, 2], ids=["one-server", "two-servers"])
async def servers(own_world: World, request: pytest.FixtureRequest) -> AsyncIterator[list[GraphQLClient]]:
    """Start one server, or two that share the database."""
    clients = [GraphQLClient(own_world) for _ in range(request.param)]
    yield clients
    for ask in clients:
        await ask.close()


async def test_sixty_concurrent_writers_lose_no_update(servers: list[GraphQLClient]) -> None:
    ask = servers[0]
    before, first = await _members(ask), len(await _log(ask))
    id_of = await _ids(ask)
    writers = [_write(servers[number % len(servers)], id_of, number) for number in range(WRITERS)]
    answers = [answer for batch in await asyncio.gather(*writers) for answer in batch]

    log = (await _log(ask))[first:]
    assert _replay(before, log) == await _members(ask)
    assert len(answers) >= WRITERS  # enough writes changed something
    _compare_with_log(answers, log)
    await _compare_revisions(ask, log)


def _compare_with_log(answers: list[Answer], log: list[LoggedChange]) -> None:
    """Fail unless the log contains exactly the changes of the responses."""
    logged = {change.id: change for change in log}
    change_ids = {answer.change for answer in answers}
    assert len(change_ids) == len(answers)
    for answer in answers:
        change = logged[answer.change]
        halves = [half for half in log if half.revision == change.revision]
        assert {asset for half in halves for asset in half.was_member} == answer.assets
        assert {half.who for half in halves} == {answer.who}
    revisions = {logged[id_].revision for id_ in change_ids}
    assert {change.revision for change in log} == revisions


async def _compare_revisions(ask: GraphQLClient, log: list[LoggedChange]) -> None:
    """Fail unless revisions increase by one in the order of the log."""
    revisions = [change.revision for change in log]
    assert revisions == sorted(revisions)
    assert sorted(set(revisions)) == list(range(revisions[0], revisions[-1] + 1))
    async with ask.database.snapshot() as snapshot:
        assert (await snapshot.rows(select(sql.deployment.c.revision)))[0].revision == revisions[-1]


def _replay(members: Members, log: list[LoggedChange]) -> Members:
    """Return the members after the changes, each of which toggles its assets."""
    now = set(members)
    for change in log:
        for asset, was_member in change.was_member.items():
            pair = (change.collection, asset)
            assert (pair in now) == was_member, (change, pair)
            now ^= {pair}
    return now


async def _write(ask: GraphQLClient, id_of: dict[str, str], number: int) -> list[Answer]:
    """Change members at random, sometimes undoing the last change; return the response to each."""
    chance, who = random.Random(number), tuple(OWNERS)[number % len(OWNERS)]
    name_of = {id_: name for name, id_ in id_of.items()}
    responses: list[Answer] = []
    for _ in range(TURNS):
        mutation, mutation_input = _next(chance, who, id_of, responses)
        response = await ask.response(who, mutation.query, input=mutation_input)
        while response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # other writers held the lock for too long
            assert "nothing was changed" in response.text
            response = await ask.response(who, mutation.query, input=mutation_input)
        assert "errors" not in response.json(), response.text
        payload = response.json()["data"][mutation.name]
        codes = {error["code"] for error in payload["userErrors"]}
        codes |= {result["error"]["code"] for result in payload["results"] if result["error"]}
        assert codes <= EXPECTED_CODES
        changed = [name_of[result["assetId"]] for result in payload["results"] if result["status"] == "CHANGED"]
        change = payload["change"] if "change" in payload else next(iter(payload["changes"]), None)
        assert (change is None) == (not changed) == (payload["summary"]["changed"] == 0)
        if change is not None:
            responses.append(Answer(who, change["id"], frozenset(changed)))
    return responses


def _next(
    chance: random.Random, who: str, id_of: dict[str, str], responses: list[Answer]
) -> tuple[Mutation, dict[str, Any]]:
    if responses and chance.random() < 0.4:
        return UNDO, {"changeId": responses[-1].change}
    assets = [id_of[asset] for asset in chance.sample(OWNERS[who], min(3, len(OWNERS[who])))]
    here, there = (id_of[slug] for slug in chance.sample(COLLECTIONS, 2))
    common = {"assetIds": assets, "mode": "BEST_EFFORT"}
    mutation = chance.choice((ADD, REMOVE, MOVE))
    if mutation is MOVE:
        return mutation, {"fromCollectionId": here, "toCollectionId": there, **common}
    return mutation, {"collectionId": here, **common}


async def _ids(ask: GraphQLClient) -> dict[str, str]:
    data = await ask("ada", "{ assets { nodes { ... on AssetFields { id name } } } collections { nodes { id slug } } }")
    return {node.get("name") or node["slug"]: node["id"] for kind in data.values() for node in kind["nodes"]}


async def _members(ask: GraphQLClient) -> Members:
    ends = sql.membership.join(sql.collection, sql.collection.c.pk == sql.membership.c.collection_pk).join(
        sql.asset, sql.asset.c.pk == sql.membership.c.asset_pk
    )
    async with ask.database.snapshot() as snapshot:
        rows = await snapshot.rows(select(sql.collection.c.slug, sql.asset.c.name).select_from(ends))
    return {(row.slug, row.name) for row in rows}


async def _log(ask: GraphQLClient) -> list[LoggedChange]:
    """Return every change of members, in the order of the log."""
    change, member = sql.change, sql.change_asset
    ends = (
        change.join(member, member.c.change_pk == change.c.pk)
        .join(sql.asset, sql.asset.c.pk == member.c.asset_pk)
        .join(sql.collection, sql.collection.c.id == change.c.subject_id)
        .outerjoin(sql.principal, sql.principal.c.pk == change.c.actor_pk)
    )
    columns = (*change.c["pk", "id", "revision", "action"], sql.collection.c.slug, member.c.rank)
    rows = select(*columns, sql.asset.c.name, sql.principal.c.name.label("who")).select_from(ends)
    changes: dict[int, LoggedChange] = {}
    async with ask.database.snapshot() as snapshot:
        for row in await snapshot.rows(rows.order_by(change.c.pk)):
            new = LoggedChange(row.pk, row.id, row.revision, row.action, row.who, row.slug, {})
            changes.setdefault(row.pk, new).was_member[row.name] = row.rank is not None
    return list(changes.values())
