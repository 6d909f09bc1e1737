"""Concurrent worker that grants and revokes accesses in turn while reading at both servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from random import Random
from typing import NamedTuple

import httpx

from proofs.revocation.actions import Deployment
from proofs.revocation.grants import RevocableAccess
from proofs.revocation.history import Event, Kind, find_contradiction
from proofs.revocation.probes import PART, SPARE, Probe

Clients = Mapping[str, httpx.AsyncClient]
"""By the name of the server."""


class Target(NamedTuple):
    """Server and operation of a read."""

    server: str
    probe: Probe


@dataclass
class Worker:
    """Writer that grants and revokes accesses one after the other, with readers at both servers."""

    deployment: Deployment
    accesses: Sequence[RevocableAccess]
    random: Random
    stopped: asyncio.Event  # set when any worker has found a contradiction
    history: list[Event] = field(default_factory=list)
    write_seconds: float = 0  # duration of the last write

    async def run(self, revocations: int) -> None:
        """Grant and revoke this many times: every access once in random order, then every one again, and so on."""
        rounds = (self.random.sample(self.accesses, len(self.accesses)) for _ in range(revocations))
        async with self._clients() as clients, self._clients() as concurrent_clients:
            for access in islice(chain.from_iterable(rounds), revocations):
                start = len(self.history)
                await self._cycle(access, clients, concurrent_clients)
                if find_contradiction(self.history[start:]):
                    self.stopped.set()
                if self.stopped.is_set():
                    break

    async def _cycle(self, access: RevocableAccess, clients: Clients, concurrent_clients: Clients) -> None:
        """Grant an access and read it at both servers, revoke it during another read, and read it at both again.

        All reads at one server use the same operation, so that cached results of one are available to the next.
        """
        targets = [Target(server, self.random.choice(access.probes)) for server in self.deployment.urls]
        await self._write(access, Kind.GRANTED, clients)
        await asyncio.gather(*(self._read(access, target, clients) for target in targets))
        await asyncio.gather(
            self._write(access, Kind.REVOKED, clients), self._read_during_write(access, targets, concurrent_clients)
        )
        await asyncio.gather(*(self._read(access, target, clients) for target in targets))

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[Clients]:
        """Open a client for each server, with one connection that is kept alive between requests."""
        # A server closes a connection after 5 idle seconds, possibly just as a request is sent.
        limits = httpx.Limits(max_connections=1, keepalive_expiry=2)
        async with AsyncExitStack() as stack:
            yield {
                server: await stack.enter_async_context(
                    httpx.AsyncClient(base_url=url, limits=limits, timeout=30, verify=False)  # noqa: S501 - there is no TLS
                )
                for server, url in self.deployment.urls.items()
            }

    async def _write(self, access: RevocableAccess, kind: Kind, clients: Clients) -> None:
        action, server = access.grant if kind is Kind.GRANTED else access.revoke, self.random.choice(list(clients))
        began = time.monotonic()
        await action(self.deployment, clients[server])
        ended = time.monotonic()
        self.write_seconds = ended - began
        self.history.append(Event(began, ended, access.name, kind, server, ""))

    async def _read_during_write(self, access: RevocableAccess, targets: Sequence[Target], clients: Clients) -> None:
        """Read at one target at a random moment of the write that starts now."""
        await asyncio.sleep(self.random.uniform(0, self.write_seconds))
        await self._read(access, self.random.choice(targets), clients)

    async def _read(self, access: RevocableAccess, target: Target, clients: Clients) -> None:
        token = self.deployment.tokens.get(access.reader)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": target.probe.document, "variables": self._variables(access)}
        began = time.monotonic()
        response = await clients[target.server].post("/graphql", json=body, headers=headers)
        ended = time.monotonic()
        kind, detail = _kind_of(response, target.probe, access), target.probe.fields
        if kind is Kind.FAILED:
            detail += f" - {response.text[:300]}"
        self.history.append(Event(began, ended, access.name, kind, target.server, detail))

    def _variables(self, access: RevocableAccess) -> dict[str, str]:
        ids = self.deployment.ids
        collections = {"collection": ids[f"collection:{access.name}"], "spare": ids[f"collection:{SPARE}"]}
        return {"name": access.name, "asset": ids[access.name], "part": ids[PART], **collections}


def _kind_of(response: httpx.Response, probe: Probe, access: RevocableAccess) -> Kind:
    """Classify a response. A reader without a valid token sees nothing."""
    body = response.json()
    codes = {error["extensions"]["code"] for error in body.get("errors", [])}
    if codes:
        return Kind.HIDDEN if codes == {"UNAUTHENTICATED"} else Kind.FAILED
    return Kind.VISIBLE if probe.is_positive(body["data"], access.name) else Kind.HIDDEN
