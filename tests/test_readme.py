"""This file is the README's word: its query gives the printed answers, and its table of settings is whole."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from app import demo
from app.settings import Settings
from app.tokens import create_token
from store.database import Database
from store.migrate import migrate
from tests.conftest import ANONYMOUS, GraphQLClient, World

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture
async def ask_demo(empty_url: str) -> AsyncIterator[GraphQLClient]:
    database = Database(empty_url)
    await migrate(database)
    assert await demo.load(database)
    assert not await demo.load(database)
    token = await create_token(database, "user:mei", 60)
    await database.close()
    asking = GraphQLClient(World(empty_url, {"mei": token}))
    yield asking
    await asking.close()


async def test_the_first_query_gives_the_printed_answers(ask_demo: GraphQLClient) -> None:
    (query,) = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
    printed = [orjson.loads(text) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
    assert [{"data": await ask_demo(who, query)} for who in ("mei", ANONYMOUS)] == printed


def test_every_setting_is_told() -> None:
    assert [name for name, _, _ in Settings().describe({}) if f"`{name}`" not in README] == []
