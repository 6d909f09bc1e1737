"""This file is one lane of the proof of revocation: sights given and taken back in turn, and looked for meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from random import Random
from typing import NamedTuple

import httpx

from proofs.revocation.actions import Stage
from proofs.revocation.grants import Sight
from proofs.revocation.history import Deed, Event, contradiction
from proofs.revocation.probes import PART, SPARE, Surface

Clients = Mapping[str, httpx.AsyncClient]
"""By the name of the server."""


class Spot(NamedTuple):
    """Where a reader looks."""

    server: str
    surface: Surface


@dataclass
class Lane:
    """A writer who gives sights and takes them back, one after the other, and readers who look for them."""

    stage: Stage
    sights: Sequence[Sight]
    chance: Random
    over: asyncio.Event  # set when any lane has come upon a contradiction
    history: list[Event] = field(default_factory=list)
    write_seconds: float = 0  # that the last write took

    async def run(self, revocations: int) -> None:
        """Give and take back so many times: each sight once, then each once more, in an order of chance."""
        rounds = (self.chance.sample(self.sights, len(self.sights)) for _ in range(revocations))
        async with self._clients() as clients, self._clients() as others:
            for sight in islice(chain.from_iterable(rounds), revocations):
                begun = len(self.history)
                await self._turn(sight, clients, others)
                if contradiction(self.history[begun:]):
                    self.over.set()
                if self.over.is_set():
                    break

    async def _turn(self, sight: Sight, clients: Clients, others: Clients) -> None:
        """Give a sight and look for it at both servers; take it back while another looks, and look again at both.

        At one server all look in one spot, so that what the server keeps of one answer is there for the next.
        """
        spots = [Spot(server, self.chance.choice(sight.surfaces)) for server in self.stage.urls]
        await self._write(sight, Deed.GAVE, clients)
        await asyncio.gather(*(self._look(sight, spot, clients) for spot in spots))
        await asyncio.gather(self._write(sight, Deed.TOOK, clients), self._look_soon(sight, spots, others))
        await asyncio.gather(*(self._look(sight, spot, clients) for spot in spots))

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[Clients]:
        """Give a client for each server, which keeps its one connection alive from one request to the next."""
        # A server closes a connection that was idle for 5 seconds, at the very moment that something is sent perhaps.
        one = httpx.Limits(max_connections=1, keepalive_expiry=2)
        async with AsyncExitStack() as stack:
            yield {
                server: await stack.enter_async_context(
                    httpx.AsyncClient(base_url=url, limits=one, timeout=30, verify=False)  # noqa: S501 - there is no TLS
                )
                for server, url in self.stage.urls.items()
            }

    async def _write(self, sight: Sight, deed: Deed, clients: Clients) -> None:
        act, server = sight.give if deed is Deed.GAVE else sight.take, self.chance.choice(list(clients))
        began = time.monotonic()
        await act(self.stage, clients[server])
        ended = time.monotonic()
        self.write_seconds = ended - began
        self.history.append(Event(began, ended, sight.name, deed, server, ""))

    async def _look_soon(self, sight: Sight, spots: Sequence[Spot], clients: Clients) -> None:
        """Look in one of the spots at some moment of the write that begins now, before its commit or after."""
        await asyncio.sleep(self.chance.uniform(0, self.write_seconds))
        await self._look(sight, self.chance.choice(spots), clients)

    async def _look(self, sight: Sight, spot: Spot, clients: Clients) -> None:
        token = self.stage.tokens.get(sight.reader)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        asked = {"query": spot.surface.document, "variables": self._variables(sight)}
        began = time.monotonic()
        answer = await clients[spot.server].post("/graphql", json=asked, headers=headers)
        ended = time.monotonic()
        deed, told = _deed(answer, spot.surface, sight), spot.surface.fields
        if deed is Deed.FAILED:
            told += f" - {answer.text[:300]}"
        self.history.append(Event(began, ended, sight.name, deed, spot.server, told))

    def _variables(self, sight: Sight) -> dict[str, str]:
        ids = self.stage.ids
        collections = {"collection": ids[f"collection:{sight.name}"], "spare": ids[f"collection:{SPARE}"]}
        return {"name": sight.name, "asset": ids[sight.name], "part": ids[PART], **collections}


def _deed(answer: httpx.Response, surface: Surface, sight: Sight) -> Deed:
    """Return what the answer comes to; a reader whose token is not good, or no longer, sees nothing."""
    body = answer.json()
    codes = {error["extensions"]["code"] for error in body.get("errors", [])}
    if codes:
        return Deed.MISSED if codes == {"UNAUTHENTICATED"} else Deed.FAILED
    return Deed.SAW if surface.shows(body["data"], sight.name) else Deed.MISSED
