"""Differential test of the API against the oracle, a model in plain Python.

A trial makes a random world. Half of its viewers read lists, pages of all sizes from both ends, counts, searches and
every object; then random actions change the world, and the other half reads. The oracle decides visibility by loops
over a catalogue's lines, and shares no code with the product. A trial on PostgreSQL runs on SQLite as well, and
both must respond with the same bytes.

Source: McKeeman, "Differential Testing for Software", 1998.
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
from proofs.determinism import START, fix_ids_and_time
from proofs.model_reader import read_model
from proofs.oracle import actions
from proofs.oracle.expected import edge, page_info
from proofs.oracle.filters import random_asset_filter, random_collection_filter, random_user_filter
from proofs.oracle.list_requests import ListRequest, batch_document, batches
from proofs.oracle.object_queries import ExpectedQuery, object_queries
from proofs.oracle.search_queries import search_queries
from proofs.oracle.world import random_catalogue, vary_database
from proofs.proof import BrokenPromiseError, Proof
from store.database import Database
from tests.conftest import GraphQLClient, World
from tests.lists import every_list
from tests.mutations import Mutation
from tests.oracle import ANONYMOUS, Line, Model

ACTIONS = 14  # between the two halves of the viewers
FILTERS = 8  # of each filter type, per viewer
PAGES = 240  # per viewer
TOKEN_SECONDS = 86_400

ResponseData = dict[str, Any]
Edges = list[ResponseData]
"""Cursors and nodes of a whole list, to compare its pages with."""


async def trial(databases: Databases, seed: int) -> int:
    """Check one world and return the number of responses compared."""
    transcript = await _run(databases, seed)
    if databases.backend == "sqlite":
        return transcript.compared
    with TemporaryDirectory(prefix="atoll-proof-") as folder:
        sqlite = Databases("sqlite", Path(folder), None)
        await sqlite.create_template()
        compare_transcripts(seed, transcript, await _run(sqlite, seed))
    return transcript.compared


@dataclass
class Transcript:
    """Operations of a trial with their response bodies, and the number of responses compared."""

    compared: int = 0
    operations: list[tuple[str, bytes]] = field(default_factory=list)


def compare_transcripts(seed: int, postgresql: Transcript, sqlite: Transcript) -> None:
    """Raise BrokenPromiseError at the first operation that the two databases respond to differently."""
    for one, other in zip(postgresql.operations, sqlite.operations, strict=True):
        if one != other:
            responses = "\n".join(
                f"{name}: {operation}\n{body!r}" for name, (operation, body) in (("PostgreSQL", one), ("SQLite", other))
            )
            raise BrokenPromiseError(f"seed {seed}: PostgreSQL and SQLite respond differently.\n{responses}")


async def _run(databases: Databases, seed: int) -> Transcript:
    random = Random(seed)
    with fix_ids_and_time(0), patch("store.ids.random_bytes", Random(f"ids {seed}").randbytes):
        url = await databases.create_from_catalogue(random_catalogue(random))
        async with _serve(url, random) as client:
            model = await read_model(client.database)
            checker = WorldChecker(client, model, f"seed {seed} on {databases.backend}")
            viewers = checker.shuffle_viewers(random)
            await checker.check_viewers(viewers[::2], random)
            await checker.apply_actions(random)
            await checker.check_viewers(viewers[1::2], random)
    databases.drop(url)
    return checker.transcript


@asynccontextmanager
async def _serve(url: str, random: Random) -> AsyncIterator[GraphQLClient]:
    """Vary the world and open a client with a token for each of its users."""
    database = Database(url)
    await vary_database(database, random)
    users = (await read_model(database)).users
    tokens = {user: await create_token(database, user, TOKEN_SECONDS) for user in users}
    await database.close()
    client = GraphQLClient(World(url, tokens))
    try:
        yield client
    finally:
        await client.close()


class WorldChecker:
    """Reader of one world as each of its viewers, which compares every response with the oracle."""

    def __init__(self, client: GraphQLClient, model: Model, title: str) -> None:
        """Use the model of the world. The title starts the message of a failure."""
        self._client, self._model, self._title = client, model, title
        self._history: list[str] = []
        self.transcript = Transcript()

    def shuffle_viewers(self, random: Random) -> list[str]:
        """Return all viewers in random order."""
        viewers = [*self._model.users, ANONYMOUS]
        return random.sample(viewers, len(viewers))

    async def check_viewers(self, viewers: Sequence[str], random: Random) -> None:
        """Compare lists, objects, counts and searches with the oracle, as each of the viewers."""
        for who in viewers:
            if who != ANONYMOUS and not self._model.is_active(who):
                await self._check_refusal(who)
                continue
            await self._check_lists(who, random)
            for query in (*object_queries(random, self._model, who), *search_queries(random, self._model, who)):
                data = await self._fetch(who, *query.standalone())
                self._compare(who, query, data, query.expected)
                self.transcript.compared += query.answers

    async def apply_actions(self, random: Random) -> None:
        """Change the world by random actions, and read its model again after each."""
        for number in range(ACTIONS):
            who, name, mutation_input = await actions.draw_action(self._client.database, self._model, random)
            self._history.append(f"{who}: {name} {json.dumps(mutation_input, ensure_ascii=False)}")
            with patch("store.ids.clock_ns", lambda seconds=START + number: seconds * 10**9):
                if who == actions.PLATFORM or name == "status":
                    await actions.apply_platform_action(self._client.database, self._model, name, mutation_input)
                else:
                    await self._mutate(who, name, mutation_input)
            self._model = await read_model(self._client.database)
            if name == "userReactivate":
                await self._sign_in()

    async def _sign_in(self) -> None:
        """Give a token to each active user: the tokens of those who were deactivated have ended."""
        users = [user for user in self._model.users if self._model.is_active(user)]
        tokens = {user: await create_token(self._client.database, user, TOKEN_SECONDS) for user in users}
        self._client.tokens = {**self._client.tokens, **tokens}

    async def _check_refusal(self, who: str) -> None:
        """Raise BrokenPromiseError unless the token of a deactivated user is refused."""
        query = "{ __typename }"
        codes = [error["extensions"]["code"] for error in (await self._send(who, query, {})).get("errors", ())]
        if codes != ["UNAUTHENTICATED"]:
            raise BrokenPromiseError(self._format_failure(who, query, {}, f"A deactivated user signs in: {codes}"))

    async def _check_lists(self, who: str, random: Random) -> None:
        """Compare random whole lists, some of them filtered, and pages of them."""
        requests = list(_draw_requests(random, self._model, who))
        edges_by_request = dict(zip(map(id, requests), await self._check_whole_lists(who, requests), strict=True))
        kinds = _group_by_kind(requests)
        shuffled = (request for kind in random.sample(kinds, len(kinds)) for request in kind)
        every_page = (
            (page, edges)
            for request in shuffled
            if (edges := edges_by_request[id(request)])
            for page in _page_requests(request, edges)
        )
        pages = list(islice(every_page, PAGES))
        responses = await self._fetch_lists(who, [page for page, _ in pages])
        for (page, edges), response in zip(pages, responses, strict=True):
            self._compare(who, page, response, _expected_page(page, edges))
        self.transcript.compared += len(requests) + len(pages)

    async def _check_whole_lists(self, who: str, requests: Sequence[ListRequest]) -> list[Edges | None]:
        """Compare whole lists and return their edges; None for a list whose parent is hidden."""
        edges_of_lists: list[Edges | None] = []
        for request, response in zip(requests, await self._fetch_lists(who, requests), strict=True):
            edges = response["edges"] if response else []
            cursors = [edge["cursor"] for edge in edges]
            self._compare(who, request, response, _expected_list(self._model, who, request, cursors))
            self._compare(who, request, len(set(cursors)), len(cursors))
            cursors_and_nodes = [{"cursor": edge["cursor"], "node": edge["node"]} for edge in edges]
            edges_of_lists.append(None if response is None else cursors_and_nodes)
        return edges_of_lists

    async def _fetch_lists(self, who: str, requests: Sequence[ListRequest]) -> list[ResponseData | None]:
        """Fetch the lists, many in one operation."""
        responses: list[ResponseData | None] = [None] * len(requests)
        for batch in batches(requests):
            data = await self._fetch(who, *batch_document([requests[index] for index in batch], self._model))
            for number, index in enumerate(batch):
                responses[index] = requests[index].listing.extract(data[f"l{number}"])
        return responses

    async def _fetch(self, who: str, query: str, variables: Line) -> ResponseData:
        response = await self._send(who, query, variables)
        if "errors" in response:
            raise BrokenPromiseError(self._format_failure(who, query, variables, f"Errors: {response['errors']}"))
        return dict(response["data"])

    async def _mutate(self, who: str, name: str, mutation_input: Line) -> None:
        query, variables = Mutation(name, "__typename").query, {"input": mutation_input}
        response = await self._send(who, query, variables)
        codes = [error["extensions"]["code"] for error in response.get("errors", ())]
        if "INTERNAL" in codes:
            raise BrokenPromiseError(self._format_failure(who, query, variables, f"Errors: {response['errors']}"))

    async def _send(self, who: str, query: str, variables: Line) -> ResponseData:
        response = await self._client.response(who, query, **variables)
        self.transcript.operations.append((f"{who}: {query} {json.dumps(variables)}", response.content))
        return dict(response.json())

    def _compare(self, who: str, request: ListRequest | ExpectedQuery, actual: object, expected: object) -> None:
        """Raise BrokenPromiseError if the two differ."""
        if actual != expected:
            differences = "\n".join(_find_differences(actual, expected))
            raise BrokenPromiseError(self._format_failure(who, *request.standalone(), differences))

    def _format_failure(self, who: str, query: str, variables: Line, problem: str) -> str:
        """Describe the failure with everything needed to reproduce it."""
        model = self._model
        state = {
            "has_public_sharing": model.has_public_sharing,
            "gold": sorted(model.gold),
            "changed_at": model.changed_at,
            "topics": model.topic_order,
            "collections": model.order,
            "added_at": {" ".join(pair): at for pair, at in model.added_at.items()},
        }
        lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in model.lines)
        history = "\n".join(self._history) or "none"
        operation = f"{query}\n{json.dumps(variables, ensure_ascii=False)}"
        world = f"World:\n{lines}\n{json.dumps(state)}\nActions:\n{history}"
        return f"{self._title}, as {who}:\n{operation}\n{problem}\n{world}"


def _draw_requests(random: Random, model: Model, who: str) -> Iterator[ListRequest]:
    """Yield requests for half of the kinds of lists, and filtered ones for half of the kinds that have filters."""
    filters = {
        "AssetFilter": [random_asset_filter(random, model) for _ in range(FILTERS)],
        "CollectionFilter": [random_collection_filter(random, model) for _ in range(FILTERS)],
        "UserFilter": [random_user_filter(random, model) for _ in range(FILTERS)],
    }
    for kind in _group_by_kind(ListRequest(listing) for listing in every_list(model, who)):
        if random.randrange(2):
            yield from kind
        if (filter_type := kind[0].listing.filter) and random.randrange(2):
            list_filter = random.choice(filters[filter_type])
            yield from (ListRequest(request.listing, list_filter) for request in kind)


def _group_by_kind(requests: Iterable[ListRequest]) -> list[list[ListRequest]]:
    """Group the requests that differ only in their parent: the server reads them in one statement."""
    kinds: dict[str, list[ListRequest]] = defaultdict(list)
    for request in requests:
        kinds[str((request.shape, request.arguments))].append(request)
    return list(kinds.values())


def _page_requests(request: ListRequest, edges: Edges) -> Iterator[ListRequest]:
    """Yield every page of every size, from both ends where the list has `last` and `before`."""
    listing, list_filter = request.listing, request.filter
    cursors = [edge["cursor"] for edge in edges]
    for size in range(1, len(cursors) + 2):
        for start in range(0, max(1, len(cursors)), size):
            after = {"after": cursors[start - 1]} if start else {}
            yield ListRequest(listing, list_filter, {"first": size, **after}, is_complete=False)
            if listing.is_two_way:
                before = {"before": cursors[-start]} if start else {}
                yield ListRequest(listing, list_filter, {"last": size, **before}, is_complete=False)


def _expected_list(model: Model, who: str, request: ListRequest, cursors: Sequence[str]) -> ResponseData | None:
    """Return the expected response for a whole list, with the cursors of the actual one."""
    listing = request.listing
    if not listing.exists(model, who):
        return None
    names = listing.expected(model, who, request.filter)
    nodes = [{"externalId" if request.shape.has_external_ids else "slug": name} for name in names]
    kind, parent = listing.parent or ("", "")
    with_descendants = bool(listing.arguments.get("includeDescendants"))
    location = (kind, parent, listing.field)
    edges = [
        {"cursor": cursor, "node": node, **edge(model, who, location, name, with_descendants=with_descendants)}
        for cursor, node, name in zip(cursors, nodes, names, strict=False)
    ]
    info = page_info(cursors, 0, len(cursors), arguments=request.page)
    return {"totalCount": len(names), "nodes": nodes, "edges": edges, "pageInfo": info}


def _expected_page(request: ListRequest, edges: Edges) -> ResponseData:
    """Return the expected response for a page of a whole list."""
    cursors, page = [edge["cursor"] for edge in edges], request.page
    if "last" in page:
        end = cursors.index(page["before"]) if "before" in page else len(cursors)
        start = max(0, end - page["last"])
    else:
        start = cursors.index(page["after"]) + 1 if "after" in page else 0
        end = min(len(cursors), start + page["first"])
    return {"edges": edges[start:end], "pageInfo": page_info(cursors, start, end, arguments=page)}


def _find_differences(actual: Any, expected: Any, path: str = "data") -> Iterator[str]:
    """Yield each path at which the two differ, with both values."""
    if isinstance(actual, dict) and isinstance(expected, dict) and actual.keys() == expected.keys():
        for name in actual:
            yield from _find_differences(actual[name], expected[name], f"{path}.{name}")
    elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
            yield from _find_differences(one, other, f"{path}.{index}")
    elif actual != expected:
        yield f"{path}:\n  actual   {actual!r}\n  expected {expected!r}"


ORACLE = Proof(
    "oracle",
    "Every list, page, count, search and object equals the oracle's, a model in plain Python, for every viewer.",
    unit="responses",
    goal=100_000,
    trial=trial,
)
