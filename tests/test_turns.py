"""Tests of the turns of slow operations: shares of viewers, their order, and waiting operations."""

import asyncio
from typing import Any

import pytest

from app import turns
from app.errors import HTTPError, UnavailableError
from app.turns import TURNS, TURNS_OF_VIEWER, WAITING_OF_VIEWER, Turns
from store.database import POOL_SIZE, WRITER_CONNECTIONS
from store.reader_threads import THREADS


class Operations:
    """Operations that keep their turns until they are ended."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.started: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *names: str) -> None:
        """Start operations, each of the viewer that its name begins with, and let them come as far as they can."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._run(name))
        await settle()

    async def end(self, name: str) -> None:
        """End a running operation."""
        self._ends[name].set()
        await self._tasks[name]
        await settle()

    async def leave(self, name: str) -> None:
        """Cancel an operation."""
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await settle()

    async def result(self, name: str) -> Any:
        """Return the exception of an operation, or None."""
        return (await asyncio.gather(self._tasks[name], return_exceptions=True))[0]

    async def _run(self, name: str) -> None:
        async with self.turns.take(name[0].encode()):
            self.started.append(name)
            await self._ends[name].wait()


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_viewer_gets_half_of_the_turns_and_others_the_rest() -> None:
    operations = Operations()
    await operations.start("a1", "a2", "a3", "a4", "b1", "b2", "b3", "c1")
    assert (TURNS, TURNS_OF_VIEWER) == (4, 2)
    assert operations.started == ["a1", "a2", "b1", "b2"]
    assert operations.turns.waiting == 4


async def test_free_turns_go_round_the_viewers_that_wait() -> None:
    operations = Operations()
    await operations.start("a1", "a2", "b1", "b2", "a3", "a4", "a5", "c1", "c2", "d1")
    for name in ("a1", "b1", "a2", "b2"):
        await operations.end(name)
    assert operations.started[4:] == ["a3", "c1", "d1", "a4"]
    await operations.end("d1")
    assert operations.started[8:] == ["c2"]


async def test_an_operation_that_leaves_gives_its_place_away() -> None:
    operations = Operations()
    await operations.start("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    await operations.leave("a3")
    await operations.leave("a1")
    assert operations.started[4:] == ["a4"]
    await operations.end("a2")
    assert operations.started[4:] == ["a4", "c1"]
    assert operations.turns.waiting == 0


async def test_a_turn_that_is_given_while_its_operation_leaves_is_not_lost() -> None:
    operations = Operations()
    await operations.start("a1", "a2", "a3")
    operations._ends["a1"].set()  # noqa: SLF001 - both in one step of the loop
    operations._tasks["a3"].cancel()  # noqa: SLF001 - both in one step of the loop
    await settle()
    await operations.start("a4")
    assert operations.started[-1] == "a4"


async def test_a_turn_passes_over_a_wait_that_ends_at_the_same_time() -> None:
    operations = Operations()
    await operations.start("a1", "a2", "a3", "a4", "a5")
    operations._tasks["a3"].cancel()  # noqa: SLF001 - all in one step of the loop
    for name in ("a1", "a2"):
        operations._ends[name].set()  # noqa: SLF001 - all in one step of the loop
    await settle()
    assert operations.started[2:] == ["a4", "a5"]


async def test_too_many_waiting_operations_are_refused_at_once() -> None:
    operations = Operations()
    await operations.start(*(f"a{number}" for number in range(TURNS_OF_VIEWER + WAITING_OF_VIEWER)))
    await operations.start("a-more", "b-other")
    refused = await operations.result("a-more")
    assert isinstance(refused, HTTPError)
    assert (refused.status, refused.code, refused.headers) == (429, "RATE_LIMITED", {"retry-after": "1"})
    assert operations.started[-1] == "b-other"


async def test_all_viewers_together_may_wait_a_limited_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITING", 2)
    operations = Operations()
    await operations.start("a1", "a2", "b1", "b2", "a3", "b3", "c1")
    assert isinstance(await operations.result("c1"), UnavailableError)
    assert operations.turns.waiting == 2
    await operations.end("a1")
    await operations.end("b1")
    assert operations.started[4:] == ["a3", "b3"], "the refused one left nothing behind"


async def test_a_wait_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.01)
    operations = Operations()
    await operations.start("a1", "a2", "a3")
    assert isinstance(await operations.result("a3"), UnavailableError)
    assert operations.turns.waiting == 0
    await operations.end("a1")
    await operations.start("a4")
    assert operations.started == ["a1", "a2", "a4"]


async def test_an_error_gives_the_turn_back() -> None:
    taken = Turns()
    for _ in range(TURNS * 2):
        with pytest.raises(ValueError, match="lost"):
            async with taken.take(b"a"):
                raise ValueError("lost")
    assert taken.waiting == 0


def test_each_turn_has_a_reader_and_one_is_left_for_the_index() -> None:
    assert TURNS + 1 == THREADS
    assert (POOL_SIZE - WRITER_CONNECTIONS) // 3 == TURNS + 1
