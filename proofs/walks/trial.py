"""Walks through lists by cursors, while other viewers write, compared with the oracle.

A trial makes a random world and walks through several lists at once, in both directions, with pages of 1 to 5 rows.
Between two pages of a walk, others move, add, remove, restore, merge, rename, hide and show rows. At the end of a walk,
each row that was in the list all the time, and that no write moved, must have been met once, in order.
"""

from dataclasses import dataclass, field
from functools import reduce
from random import Random
from typing import Any

from proofs.catalogue_client import open_catalogue
from proofs.databases import Databases
from proofs.determinism import fix_ids_and_time
from proofs.model_reader import read_model
from proofs.proof import BrokenPromiseError, Proof
from proofs.walks.actions import Write, WriteDrawing
from proofs.walks.lists import WalkedList, draw_list
from proofs.walks.world import draw_lines
from resolvers.listing.chain import IDS_AFTER, IDS_BEFORE
from tests.conftest import MEMBERS, GraphQLClient
from tests.oracle import Model

STEPS_PER_TRIAL = 400
CONCURRENT_WALKS = 6
WRITES = 0.4  # share of the steps
CHAIN = IDS_BEFORE + 1 + IDS_AFTER
"""A block of so many rows that moves as it is looks the same at both places: a walk that a write so disturbs ends."""
PAYLOADS = {
    "changeUndo": "changes { id }",
    "collectionAssetsAdd": "change { id }",
    "collectionAssetsRemove": "change { id }",
    "collectionAssetsMove": "change { id }",
}


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of steps of one world: writes, and pages read."""
    return await run_trial(databases, seed, STEPS_PER_TRIAL)


async def run_trial(databases: Databases, seed: int, steps: int) -> int:
    """Take so many steps in one world, and return their number."""
    random = Random(seed)
    with fix_ids_and_time(seed % 1_000_000):
        async with open_catalogue(databases, draw_lines(random), MEMBERS, is_shared=True) as client:
            walks = _Walks(client, random, await read_model(client.database))
            try:
                for _ in range(steps):
                    await walks.step()
            except BrokenPromiseError as error:
                last = "\n".join(map(str, walks.writes[-12:]))
                place = f"On {databases.backend}, seed {seed}"
                raise BrokenPromiseError(f"{place}: {error}\nLast writes:\n{last}") from error
    return steps


@dataclass
class _Walk:
    """A walk: its list, the rows met so far, and those that have been in the list all the time without moving."""

    listing: WalkedList
    is_backward: bool
    staying: set[str]
    pages: list[list[str]] = field(default_factory=list)
    cursor: str | None = None
    writes: list[str] = field(default_factory=list)


class _Walks:
    """Walks through lists of one world, and the writes between their pages."""

    def __init__(self, client: GraphQLClient, random: Random, model: Model) -> None:
        self._client, self._random, self._model = client, random, model
        self._walks: list[_Walk] = []
        self._changes: list[tuple[str, frozenset[str]]] = []
        self.writes: list[Write] = []

    async def step(self) -> None:
        """Write, or read the next page of a walk."""
        while len(self._walks) < CONCURRENT_WALKS:
            self._begin()
        if self._random.random() < WRITES:
            await self._write()
        else:
            await self._read_page(self._random.choice(self._walks))

    def _begin(self) -> None:
        list_ = draw_list(self._model, self._random)
        self._walks.append(_Walk(list_, bool(self._random.randrange(2)), set(list_.rows(self._model))))

    async def _write(self) -> None:
        write = WriteDrawing(self._random, self._model, self._changes, len(self.writes)).draw()
        payload = (await self._client(write.who, _document(write.mutation), input=write.input))[write.mutation]
        self.writes.append(write)
        changes = payload.get("changes") or [payload.get("change")]
        self._changes += [(change["id"], write.moved) for change in changes if change]
        before, self._model = self._model, await read_model(self._client.database)
        for walk in list(self._walks):
            former, rows = walk.listing.rows(before), walk.listing.rows(self._model)
            unmoved = set(walk.listing.unmoving(self._model, rows, write.moved))
            unmoved &= set(walk.listing.unmoving(before, former, write.moved))
            walk.staying &= unmoved
            if len(set(former) & set(rows) - unmoved) >= CHAIN:
                self._walks.remove(walk)
            walk.writes.append(f"after page {len(walk.pages)}: {write}\n  rows: {' '.join(rows)}")

    async def _read_page(self, walk: _Walk) -> None:
        size = self._random.randint(1, 5)
        bounds = {"last": size, "before": walk.cursor} if walk.is_backward else {"first": size, "after": walk.cursor}
        answer = (
            await self._client.response(walk.listing.who, walk.listing.document, **walk.listing.variables, **bounds)
        ).json()
        if "errors" in answer:
            raise BrokenPromiseError(f"{answer['errors']}\n{_describe(walk)}")
        page: Any = reduce(lambda value, name: value and value[name], walk.listing.path, answer["data"])
        if page is None:  # the parent was deleted or hidden
            self._walks.remove(walk)
            return
        names = [node["name"] for node in page["nodes"]]
        walk.pages.append(names)
        info = page["pageInfo"]
        if names:
            walk.cursor = info["startCursor" if walk.is_backward else "endCursor"]
        if not names or not info["hasPreviousPage" if walk.is_backward else "hasNextPage"]:
            self._walks.remove(walk)
            self._check(walk)

    def _check(self, walk: _Walk) -> None:
        pages = reversed(walk.pages) if walk.is_backward else walk.pages
        met = [name for page in pages for name in page if name in walk.staying]
        expected = [name for name in walk.listing.rows(self._model) if name in walk.staying]
        if met != expected:
            raise BrokenPromiseError(f"met {met}, not {expected}\n{_describe(walk)}")


def _describe(walk: _Walk) -> str:
    pages = "\n".join(f"page {number}: {' '.join(page)}" for number, page in enumerate(walk.pages, 1))
    direction = "backward" if walk.is_backward else "forward"
    return f"{walk.listing.who} walks {direction} through {walk.listing.label}:\n{pages}\n" + "\n".join(walk.writes)


def _document(mutation: str) -> str:
    input_type = f"{mutation[0].upper()}{mutation[1:]}Input"
    payload = f"{PAYLOADS.get(mutation, '')} userErrors {{ code message }}"
    return f"mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {payload} }} }}"


WALKS = Proof(
    "walks",
    "A walk by cursors meets each row that stays in the list once, in order, while others write.",
    unit="steps",
    goal=40_000,
    trial=trial,
)
