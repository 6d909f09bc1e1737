"""This file is the worked examples: each runs as its account, on both databases alike, in few statements."""

import itertools
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import update

from app import demo
from app.graphiql import Tab, examples
from app.tokens import make_token
from store import sql
from store.catalogue.write import write_catalogue
from store.database import Database
from store.migrate import migrate
from tests.conftest import ANONYMOUS, Ask, World, share, write_lines
from tests.postgres import Postgres

EXAMPLES = examples(Path(__file__).parent.parent / "docs" / "examples")
ACCOUNTS = {name: user for name, user, _ in demo.ACCOUNTS} | {demo.ANONYMOUS.name: ANONYMOUS}
MOST_STATEMENTS = 8
each_example = pytest.mark.parametrize("tab", EXAMPLES, ids=lambda tab: f"{tab.group}: {tab.title}")


async def _filled(url: str, catalogue: Path) -> World:
    database = Database(url)
    try:
        await migrate(database)
        await write_catalogue(database, catalogue, "demo", lambda _bytes: None)
        await share(database)
        users = [user for user in ACCOUNTS.values() if user != ANONYMOUS]
        return World(url, {user: await make_token(database, user, 3_600) for user in users})
    finally:
        await database.close()


@pytest.fixture
async def ask_demo(empty_url: str) -> AsyncIterator[Ask]:
    asking = Ask(await _filled(empty_url, demo.CATALOGUE))
    yield asking
    await asking.close()


def test_there_is_a_set_for_each_reader() -> None:
    assert {tab.group for tab in EXAMPLES} == {"web", "admin", "analyst"}
    assert {tab.account for tab in EXAMPLES} <= ACCOUNTS.keys()


def _variables(tab: Tab) -> dict[str, Any]:
    return dict(orjson.loads(tab.variables or "{}"))


async def test_every_example_answers_as_its_account_in_few_statements(ask_demo: Ask) -> None:
    for tab in EXAMPLES:
        data = await ask_demo(ACCOUNTS[tab.account or demo.ANONYMOUS.name], tab.query, **_variables(tab))
        assert None not in data.values(), tab.title
        assert 1 <= len(ask_demo.statements) <= MOST_STATEMENTS, f"{tab.title}: {len(ask_demo.statements)} statements"


def _catalogue_of(assets: int) -> list[dict[str, Any]]:
    """Return a world of so many assets in a tenth as many collections, whatever the examples ask for among them."""
    users = [{"kind": "user", "id": user, "name": user, "isAdmin": user == "user:ada"} for user in ACCOUNTS.values()]
    kinds = itertools.cycle(("CAPSULE", "PIPELINE", "NO_CODE_APP", "DATA_ASSET", "MODEL"))
    named = [
        tab_variables["externalId"] for tab_variables in map(_variables, EXAMPLES) if "externalId" in tab_variables
    ]
    ids = [named[0], *(f"asset-{number}" for number in range(assets - 1))]
    grants = [{"to": "everyone", "role": "VIEWER"}, {"to": "public", "role": "VIEWER"}]
    rows = [
        {"kind": "asset", "id": id_, "type": kind, "name": id_, "owner": "user:olu", "grants": grants, "tags": ["all"]}
        | {"uses": [ids[(place + 1) % assets]], "archived": place % 5 == 1, "updatedAt": "2025-01-01T00:00:00Z"}
        for place, (id_, kind) in enumerate(zip(ids, kinds, strict=False))
    ]
    topics = [{"kind": "topic", "slug": f"topic-{number}", "name": f"topic {number}"} for number in range(3)]
    slugs = ["human-genomes", "samtools", *(f"collection-{number}" for number in range(max(1, assets // 10)))]
    collections = [
        {"kind": "collection", "slug": slug, "name": slug, "topic": "topic-0", "visibility": "PUBLIC", "assets": ids}
        | {"parent": None if slug == "human-genomes" else "human-genomes"}
        for slug in slugs[:40]
    ]
    return [*users, *topics, *rows, *collections]


async def test_statements_depend_on_the_shape_and_never_on_the_data(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sent: dict[int, dict[str, list[str]]] = {}
    for assets in (10, 1_000):
        url = f"sqlite+aiosqlite:///{tmp_path}/{assets}.db"
        if backend == "postgresql":
            url = request.getfixturevalue("postgres").create_database(f"shape{assets}")
        asking = Ask(await _filled(url, write_lines(tmp_path / "shape.jsonl", _catalogue_of(assets))))
        sent[assets] = {}
        for tab in EXAMPLES:
            await asking(ACCOUNTS[tab.account or ""], tab.query, **_variables(tab))
            sent[assets][tab.title] = sorted(asking.statements)
        await asking.close()
    assert sent[10] == sent[1_000]


async def test_both_databases_answer_the_same_bytes(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[dict[tuple[str, str], bytes]] = []
    for url in (f"sqlite+aiosqlite:///{tmp_path}/demo.db", postgres.create_database("same_bytes")):
        chance = random.Random(1)
        monkeypatch.setattr("store.ids.random_bytes", chance.randbytes)
        monkeypatch.setattr("store.ids.clock_ns", lambda: 1_800_000_000_000_000_000)
        asking = Ask(await _filled(url, demo.CATALOGUE))
        await _set_cursor_key(asking.database)
        found = {}
        for tab, who in itertools.product(EXAMPLES, ACCOUNTS.values()):
            answer = await asking.response(who, tab.query, **_variables(tab))
            found[tab.title, who] = answer.content
        answers.append(found)
        await asking.close()
    for asked, bytes_ in answers[0].items():
        assert bytes_ == answers[1][asked], asked


async def _set_cursor_key(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(sql.deployment).values(cursor_key=bytes(64)))
