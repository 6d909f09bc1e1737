"""End of a server: clients with open connections see no reset."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from store.database import Database
from store.migrate import migrate
from tests.cli_process import Server, environment, run_server

CLIENTS = 7
BODY = b'{"query": "{ topics { totalCount } }"}'
HEAD = b"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
REQUEST = HEAD % len(BODY) + BODY


async def send_until_refused(server: Server, seen: Counter[str]) -> None:
    """Send requests on connections that the server closes, until it refuses one; count responses and resets."""
    url = httpx.URL(server.url)
    while True:
        try:
            reader, writer = await asyncio.open_connection(url.host, url.port)
        except ConnectionRefusedError:
            return
        try:
            await send_until_closed(reader, writer, seen)
        except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError):
            seen["reset"] += 1
        finally:
            writer.close()


async def send_until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Counter[str]) -> None:
    head = b""
    while b"connection: close" not in head:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        seen[head.split(b" ")[1].decode()] += 1
        await asyncio.sleep(0.02)
    seen["closed"] += 1


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_client_of_a_server_that_ends_sees_a_reset(tmp_path: Path, workers: str) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'atoll.db'}")
    await migrate(database)
    await database.close()
    settings = environment(DATABASE_URL=database.url.render_as_string(), DRAIN_SECONDS="2")
    with run_server(tmp_path, settings, "--workers", workers) as server:
        seen = Counter[str]()
        clients = [asyncio.create_task(send_until_refused(server, seen)) for _ in range(CLIENTS)]
        await asyncio.sleep(0.5)
        assert (await asyncio.to_thread(httpx.get, f"{server.url}/readyz")).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(1)
        ready = await asyncio.to_thread(httpx.get, f"{server.url}/readyz")
        assert ready.json()["reason"] == "The server is shutting down."
        async with asyncio.timeout(30):
            await asyncio.gather(*clients)
    assert seen["reset"] == 0, seen
    assert seen["closed"] >= CLIENTS
    assert seen["200"] > seen["closed"]
