"""README: the printed commands and responses; and the settings in the docs."""

import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from app import demo
from app.application import create_application
from app.settings import Settings
from app.tokens import create_token
from store.database import Database
from store.migrate import migrate
from tests.http_server import without_cost

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO_URL = "http://127.0.0.1:8000"
TOKEN_COMMAND = "$(.venv/bin/atoll token user:mei)"


@pytest.fixture
async def demo_database(empty_url: str) -> AsyncIterator[Database]:
    database = Database(empty_url)
    await migrate(database)
    assert await demo.load(database)
    yield database
    await database.close()


async def test_the_curl_commands_of_readme_print_the_responses_below_them(demo_database: Database) -> None:
    token = await create_token(demo_database, "user:mei", 60)
    app = create_application(Settings(), database=demo_database)
    commands = re.findall(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", README, re.DOTALL)
    assert len(commands) == 2
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=DEMO_URL) as client:
        for command, printed in commands:
            response = await client.send(curl_request(command.replace(TOKEN_COMMAND, token)))
            assert without_cost(response) == orjson.loads(printed)


async def test_the_demo_is_loaded_once(demo_database: Database) -> None:
    assert not await demo.load(demo_database)


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name, _, _ in Settings().describe({}) if f"`{name}`" not in text] == []


def curl_request(command: str) -> httpx.Request:
    """Return the request that `curl -sG URL -H HEADER --data-urlencode NAME=TEXT` sends."""
    program, flags, url, *options = shlex.split(command.replace("\\\n", " "))
    assert (program, flags) == ("curl", "-sG")
    headers, parameters = {"accept": "*/*"}, {}
    for option, value in zip(options[::2], options[1::2], strict=True):
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name] = text
        else:
            assert option == "--data-urlencode"
            name, _, text = value.partition("=")
            parameters[name] = text
    return httpx.Request("GET", url, params=parameters, headers=headers)
