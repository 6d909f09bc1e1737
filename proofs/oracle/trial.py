"""This file is agreement: whoever asks whatever of any world, the graph answers as a plain model in Python does.

A trial makes a world, and half of its viewers ask for every list of it, for pages of all sizes from both ends, for
counts and for every object; then people change the world, and the other half asks. The model knows who may see what as
loops over a catalogue's lines, and shares no code with what it judges. On PostgreSQL, SQLite is asked the same, and
must answer the same bytes.

Source: McKeeman, «Differential Testing for Software», 1998.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from app.tokens import create_token
from proofs.databases import Databases
from proofs.determinism import NOW, fixed
from proofs.model_reader import read_model
from proofs.oracle import actions
from proofs.oracle.expected import edge, page_info
from proofs.oracle.filters import asset_filter, collection_filter
from proofs.oracle.list_requests import Wanted, asked, together
from proofs.oracle.object_queries import Question, questions
from proofs.oracle.search_queries import searches
from proofs.oracle.world import drawn, vary
from proofs.proof import BrokenPromiseError, Proof
from store.database import Database
from tests.conftest import GraphQLClient, World
from tests.lists import every_list
from tests.mutations import Mutation
from tests.oracle import ANONYMOUS, Line, Model

WRITES = 14  # between the first answers and the second
FILTERS = 8  # of either type that a viewer asks with
PAGES = 240  # that a viewer asks for, of kinds of list in any order
A_DAY = 86_400

Found = dict[str, Any]
Edges = list[Found]
"""What a whole list holds, for its pages to be held against: cursors and nodes."""


async def trial(databases: Databases, seed: int) -> int:
    """Return how many answers were as the model says; those of PostgreSQL were the same bytes as SQLite's."""
    here = await _told(databases, seed)
    if databases.backend == "sqlite":
        return here.answers
    with TemporaryDirectory(prefix="atoll-proof-") as folder:
        twin = Databases("sqlite", Path(folder), None)
        await twin.prepare()
        there = await _told(twin, seed)
    compare_bytes(seed, here, there)
    return here.answers


@dataclass
class Told:
    """What a world answered: how many answers were compared, and the bytes of each operation."""

    answers: int = 0
    operations: list[tuple[str, bytes]] = field(default_factory=list)


def compare_bytes(seed: int, here: Told, there: Told) -> None:
    """Raise BrokenPromiseError at the first operation that the two databases answer differently."""
    for (asked_here, one), (asked_there, other) in zip(here.operations, there.operations, strict=True):
        if (asked_here, one) != (asked_there, other):
            told = f"PostgreSQL: {asked_here}\n{one!r}\nSQLite: {asked_there}\n{other!r}"
            raise BrokenPromiseError(f"seed {seed}: the two databases answer differently.\n{told}")


async def _told(databases: Databases, seed: int) -> Told:
    chance = Random(seed)
    with fixed(0), patch("store.ids.random_bytes", Random(f"ids {seed}").randbytes):
        url = await databases.written(drawn(chance))
        async with _served(url, chance) as ask:
            asking = Asking(ask, await read_model(ask.database), f"seed {seed} on {databases.backend}")
            viewers = asking.viewers(chance)
            await asking.round(viewers[::2], chance)
            await asking.change(chance)
            await asking.round(viewers[1::2], chance)
    databases.drop(url)
    return asking.told


@asynccontextmanager
async def _served(url: str, chance: Random) -> AsyncIterator[GraphQLClient]:
    """Serve the world once it is varied, with a token for each of its users."""
    database = Database(url)
    await vary(database, chance)
    users = (await read_model(database)).users
    tokens = {user: await create_token(database, user, A_DAY) for user in users}
    await database.close()
    ask = GraphQLClient(World(url, tokens))
    try:
        yield ask
    finally:
        await ask.close()


class Asking:
    """Asks one world everything, and holds each answer against the model."""

    def __init__(self, ask: GraphQLClient, model: Model, title: str) -> None:
        """Take whom to ask, the world's model, and what failures begin with."""
        self._ask, self._model, self._title = ask, model, title
        self._done: list[str] = []
        self.told = Told()

    def viewers(self, chance: Random) -> list[str]:
        """Return everybody, in any order."""
        everybody = [*self._model.users, ANONYMOUS]
        return chance.sample(everybody, len(everybody))

    async def round(self, viewers: Sequence[str], chance: Random) -> None:
        """Let each of the viewers ask everything."""
        for who in viewers:
            await self._lists(who, chance)
            for question in (*questions(chance, self._model, who), *searches(chance, self._model, who)):
                data = await self._data(who, *question.alone())
                self._compare(who, question, data, question.expected)
                self.told.answers += question.answers

    async def change(self, chance: Random) -> None:
        """Let people and the platform change the world, and read its model anew after each."""
        for number in range(WRITES):
            who, name, given = await actions.drawn(self._ask.database, self._model, chance)
            self._done.append(f"{who}: {name} {json.dumps(given, ensure_ascii=False)}")
            with patch("store.ids.clock_ns", lambda at=NOW + number: at * 10**9):
                if who == actions.PLATFORM or name == "status":
                    await actions.do_as_platform(self._ask.database, self._model, name, given)
                else:
                    await self._mutate(who, name, given)
            self._model = await read_model(self._ask.database)

    async def _lists(self, who: str, chance: Random) -> None:
        """Ask for every list, for some of what filters keep of them, and for some page after page."""
        wanted = list(_wanted(chance, self._model, who))
        wholes = dict(zip(map(id, wanted), await self._wholes(who, wanted), strict=True))
        kinds = _kinds(wanted)
        walked = (each for alike in chance.sample(kinds, len(kinds)) for each in alike)
        every = ((page, whole) for each in walked if (whole := wholes[id(each)]) for page in _pages(each, whole))
        pages = list(islice(every, PAGES))
        found = await self._found(who, [page for page, _ in pages])
        for (page, whole), each in zip(pages, found, strict=True):
            self._compare(who, page, each, _page(page, whole))
        self.told.answers += len(wanted) + len(pages)

    async def _wholes(self, who: str, wanted: Sequence[Wanted]) -> list[Edges | None]:
        """Return what each list holds; None where its parent does not exist for the viewer."""
        wholes: list[Edges | None] = []
        for each, found in zip(wanted, await self._found(who, wanted), strict=True):
            cursors = [told["cursor"] for told in found["edges"]] if found else []
            self._compare(who, each, found, _whole(self._model, who, each, cursors))
            self._compare(who, each, len(set(cursors)), len(cursors))
            edges = [{"cursor": told["cursor"], "node": told["node"]} for told in found["edges"]] if found else []
            wholes.append(None if found is None else edges)
        return wholes

    async def _found(self, who: str, wanted: Sequence[Wanted]) -> list[Found | None]:
        """Return what the graph tells of each list, many in one operation."""
        found: list[Found | None] = [None] * len(wanted)
        for places in together(wanted):
            data = await self._data(who, *asked([wanted[place] for place in places], self._model))
            for number, place in enumerate(places):
                found[place] = wanted[place].of.extract(data[f"l{number}"])
        return found

    async def _data(self, who: str, query: str, variables: Line) -> Found:
        answer = await self._answer(who, query, variables)
        if "errors" in answer:
            raise BrokenPromiseError(self._failure(who, query, variables, f"Errors: {answer['errors']}"))
        return dict(answer["data"])

    async def _mutate(self, who: str, name: str, given: Line) -> None:
        query = Mutation(name, "__typename").query
        answer = await self._answer(who, query, {"input": given})
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        if "INTERNAL" in codes:
            raise BrokenPromiseError(self._failure(who, query, {"input": given}, f"Errors: {answer['errors']}"))

    async def _answer(self, who: str, query: str, variables: Line) -> Found:
        response = await self._ask.response(who, query, **variables)
        self.told.operations.append((f"{who}: {query} {json.dumps(variables)}", response.content))
        return dict(response.json())

    def _compare(self, who: str, of: Wanted | Question, found: object, expected: object) -> None:
        """Raise BrokenPromiseError where the two differ."""
        if found != expected:
            told = "\n".join(_differences(found, expected))
            raise BrokenPromiseError(self._failure(who, *of.alone(), told))

    def _failure(self, who: str, query: str, variables: Line, told: str) -> str:
        """Return what is needed to see the failure again."""
        model = self._model
        parts = {
            "has_public_sharing": model.has_public_sharing,
            "gold": sorted(model.gold),
            "changed_at": model.changed_at,
        }
        parts |= {"topics": model.topic_order, "collections": model.order}
        parts |= {"added_at": {" ".join(pair): at for pair, at in model.added_at.items()}}
        lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in model.lines)
        done = "\n".join(self._done) or "nothing yet"
        asked_for = f"{query}\n{json.dumps(variables, ensure_ascii=False)}"
        return f"{self._title}, as {who}:\n{asked_for}\n{told}\nWorld:\n{lines}\n{json.dumps(parts)}\nDone:\n{done}"


def _wanted(chance: Random, model: Model, who: str) -> Iterator[Wanted]:
    """Yield the lists of half of the kinds, and of half of those that take filters what a filter keeps of them."""
    filters = {
        "AssetFilter": [asset_filter(chance, model) for _ in range(FILTERS)],
        "CollectionFilter": [collection_filter(chance, model) for _ in range(FILTERS)],
    }
    for alike in _kinds(Wanted(each) for each in every_list(model, who)):
        if chance.randrange(2):
            yield from alike
        if (takes := alike[0].of.filter) and chance.randrange(2):
            kept = chance.choice(filters[takes])
            yield from (Wanted(each.of, kept) for each in alike)


def _kinds(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """Return the lists, those together that differ in their parent alone: one statement reads them all."""
    kinds: dict[str, list[Wanted]] = defaultdict(list)
    for each in wanted:
        kinds[str((each.shape, each.arguments))].append(each)
    return list(kinds.values())


def _pages(of: Wanted, whole: Edges) -> Iterator[Wanted]:
    """Yield each page of each size, from either end where the list has two."""
    cursors = [each["cursor"] for each in whole]
    for size in range(1, len(cursors) + 2):
        for start in range(0, max(1, len(cursors)), size):
            after = {"after": cursors[start - 1]} if start else {}
            yield Wanted(of.of, of.kept, {"first": size, **after}, is_whole=False)
            if of.of.is_two_way:
                before = {"before": cursors[-start]} if start else {}
                yield Wanted(of.of, of.kept, {"last": size, **before}, is_whole=False)


def _whole(model: Model, who: str, wanted: Wanted, cursors: Sequence[str]) -> Found | None:
    """Return what the graph should tell of a whole list, with the cursors that it told."""
    of = wanted.of
    if not of.exists(model, who):
        return None
    names = of.expected(model, who, wanted.kept)
    nodes = [{"externalId" if wanted.is_of_assets else "slug": name} for name in names]
    kind, parent = of.parent or ("", "")
    below = bool(of.arguments.get("includeDescendants"))
    edges = [
        {"cursor": cursor, "node": node, **edge(model, who, (kind, parent, of.field), name, below=below)}
        for cursor, node, name in zip(cursors, nodes, names, strict=False)
    ]
    where = page_info(cursors, 0, len(cursors), asked=wanted.page)
    return {"totalCount": len(names), "nodes": nodes, "edges": edges, "pageInfo": where}


def _page(wanted: Wanted, whole: Edges) -> Found:
    """Return what the graph should tell of a page."""
    cursors = [each["cursor"] for each in whole]
    if "last" in wanted.page:
        end = cursors.index(wanted.page["before"]) if "before" in wanted.page else len(cursors)
        start = max(0, end - wanted.page["last"])
    else:
        start = cursors.index(wanted.page["after"]) + 1 if "after" in wanted.page else 0
        end = min(len(cursors), start + wanted.page["first"])
    return {"edges": whole[start:end], "pageInfo": page_info(cursors, start, end, asked=wanted.page)}


def _differences(found: Any, expected: Any, where: str = "data") -> Iterator[str]:
    """Yield each place where the two differ, with both."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for name in found:
            yield from _differences(found[name], expected[name], f"{where}.{name}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from _differences(one, other, f"{where}.{index}")
    elif found != expected:
        yield f"{where}:\n  answered {found!r}\n  expected {expected!r}"


AGREEMENT = Proof(
    "agreement",
    "Every list, page, count and object is, for every viewer, what a model in plain Python says.",
    unit="answers",
    goal=100_000,
    trial=trial,
)
