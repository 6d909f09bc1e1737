"""Load on a server: clients that send random mutations one after another, and keep their responses."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from random import Random
from typing import Any

import httpx
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from proofs.crashes.server import INLINE_ITEMS
from proofs.crashes.world import OWNER
from proofs.proof import BrokenPromiseError
from schema.graph import build_schema, graphql_schema
from tests.model import World
from tests.mutations import Mutation
from tests.random_actions import OFTEN, ActionDrawing

KEY = "idempotencyKey"
RESPONSE_SECONDS = 60
BULK = {"collectionAssetsAdd": "collectionId", "collectionAssetsRemove": "collectionId"}
OMITTED = {
    "status": "it is no mutation",
    "changeUndo": "the model does not say where an undone removal is put back",
    "assetGrantsUpdate": "its payload does not show the change",
    "assetGoldStandardSet": "its payload does not show the change",
    "deploymentUpdate": "its payload does not show the change",
    **dict.fromkeys(
        ("userUpsert", "userDeactivate", "userReactivate", "groupUpsert", "groupMembersUpdate", "assetsTransfer"),
        "its payload does not show the change",
    ),
}
ACTIONS = [action for action in OFTEN if action[1] not in OMITTED]
EVIDENCE = {
    "change": "change { id }",
    "job": "job { id }",
    "topic": "topic { id history(first: 1) { nodes { id } } }",
    "collection": "collection { id history(first: 1) { nodes { id } } }",
    "results": "results { status }",
    "deletedTopicId": "deletedTopicId",
    "deletedTopicIds": "deletedTopicIds",
    "deletedCollectionId": "deletedCollectionId",
}
"""Selections of payloads that show the changes of a mutation."""

_schema = graphql_schema(build_schema())
_serial = count()


@dataclass
class Operation:
    """A mutation sent to the server. Its changes in the log have its request id."""

    who: str
    mutation: str
    input: dict[str, Any]  # with public ids
    repeats: "Operation | None" = None
    request_id: str = field(default_factory=lambda: f"crash-{next(_serial)}")
    payload: dict[str, Any] | None = None  # of a response that was received
    is_denied: bool = False  # the response says that nothing was changed
    chunks: set[int] = field(default_factory=set)  # of its job, that are in the log

    @property
    def is_acknowledged(self) -> bool:
        """Whether a response with a payload was received."""
        return self.payload is not None

    @property
    def first(self) -> "Operation":
        """The operation that this one repeats, or itself."""
        return self.repeats or self

    def change_ids(self) -> set[str]:
        """Return ids of changes that the response shows."""
        payload = self.payload or {}
        nodes = [node for noun in ("topic", "collection") for node in _history(payload.get(noun))]
        return {each["id"] for each in (*nodes, payload.get("change")) if each}

    def deleted_ids(self) -> set[str]:
        """Return ids of objects that the response shows as deleted."""
        payload = self.payload or {}
        ids = [*payload.get("deletedTopicIds", ()), payload.get("deletedTopicId"), payload.get("deletedCollectionId")]
        return set() if self.input.get("dryRun") else {each for each in ids if each}

    def shows_change(self) -> bool:
        """Return whether the response shows that an asset's place was changed."""
        results = () if self.input.get("dryRun") else (self.payload or {}).get("results") or ()
        return any(result["status"] == "CHANGED" for result in results)


def _history(noun: Mapping[str, Any] | None) -> Sequence[Any]:
    return noun["history"]["nodes"] if noun else ()


def document(mutation: str) -> str:
    """Return the document of the mutation, with the fields of its payload that show its changes."""
    assert _schema.mutation_type
    payload = get_named_type(_schema.mutation_type.fields[mutation].type)
    assert isinstance(payload, GraphQLObjectType)
    return Mutation(mutation, " ".join(text for name, text in EVIDENCE.items() if name in payload.fields)).query


DOCUMENTS = {action[1]: document(action[1]) for action in ACTIONS}


class Drawing:
    """Random operations in the model's world."""

    def __init__(self, random: Random, model: World, ids: Mapping[str, str]) -> None:
        """Take the world and the public id of each label; neither may change meanwhile."""
        self._random, self._model, self._ids = random, model, ids

    def draw(self) -> Operation:
        """Draw an operation: a third has an idempotency key of its own, a tenth is a job."""
        draw = ActionDrawing(self._random, self._model)
        if draw.is_so(1, 10):
            who, mutation, given = OWNER, *self._job(draw)
        else:
            _, mutation, people, input_of = draw.one(ACTIONS)
            who = OWNER if people.count(OWNER) > 1 and draw.is_so(6) else draw.one(people)
            given = input_of(draw, who)
        given.pop(KEY, None)
        if "name" in given and draw.is_so(6):
            given["name"] = f"name {self._random.randrange(10_000)}"
        kind = _schema.type_map[f"{mutation[0].upper()}{mutation[1:]}Input"]
        assert isinstance(kind, GraphQLInputObjectType)
        if KEY in kind.fields and not given.get("dryRun") and draw.is_so(4):
            given[KEY] = f"key {self._random.getrandbits(64):x}"
        return Operation(who, mutation, self._with_ids(given))

    def _job(self, draw: ActionDrawing) -> tuple[str, dict[str, Any]]:
        mutation = draw.one(list(BULK))
        collection, assets = draw.collection(), list(self._model.assets)
        likely = draw.owned(OWNER) if mutation == "collectionAssetsAdd" else draw.members(collection)
        picked = likely if len(likely) > INLINE_ITEMS else assets
        size = self._random.randint(INLINE_ITEMS + 1, len(picked))
        mode = draw.one(("BEST_EFFORT", "BEST_EFFORT", "ATOMIC"))
        return mutation, {
            "collectionId": collection,
            "assetIds": self._random.sample(picked, size),
            "mode": mode,
        }

    def _with_ids(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {field: self._with_ids(each, field) for field, each in value.items()}
        if isinstance(value, list):
            return [self._with_ids(each, name) for each in value]
        is_id = name in {"id", "addTo", "removeFrom", "moveCollectionsTo"} or name.endswith(("Id", "Ids"))
        return self._ids.get(value, f"unknown_{value}") if is_id and isinstance(value, str) else value


class Load:
    """Clients of one server."""

    def __init__(self, url: str, tokens: Mapping[str, str]) -> None:
        """Take the server's address and the tokens of its users."""
        self._url, self._tokens = url, tokens
        self.operations: list[Operation] = []
        self._is_stopping = False
        self._has_response = asyncio.Event()

    def stop(self) -> None:
        """Let each client end with its running operation."""
        self._is_stopping = True

    async def wait_for_response(self) -> None:
        """Wait until the clients that were started last have a response."""
        self._is_stopping = False
        self._has_response.clear()
        async with asyncio.timeout(RESPONSE_SECONDS):
            await self._has_response.wait()

    async def run(self, drawing: Drawing) -> None:
        """Send operations one after another until `stop`, or until the server is gone."""
        async with self._client() as client:
            while not self._is_stopping:
                if not await self._send(client, drawing.draw()):
                    return

    async def repeat(self, operations: Sequence[Operation]) -> None:
        """Repeat operations that have an idempotency key. Raises BrokenPromiseError unless each gets a response."""
        async with self._client() as client:
            for operation in operations:
                again = Operation(operation.who, operation.mutation, operation.input, operation.first)
                if not await self._send(client, again) or again.is_denied:
                    raise BrokenPromiseError(f"Repeated in vain: {again}")

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, timeout=RESPONSE_SECONDS, verify=False)  # noqa: S501 - the address is http, and certificates take long to load

    async def _send(self, client: httpx.AsyncClient, operation: Operation) -> bool:
        """Send the operation and keep the response; return whether there was one."""
        self.operations.append(operation)
        token = self._tokens.get(operation.who)
        headers = {"x-request-id": operation.request_id} | ({"authorization": f"Bearer {token}"} if token else {})
        body = {"query": DOCUMENTS[operation.mutation], "variables": {"input": operation.input}}
        try:
            response = await client.post("/graphql", json=body, headers=headers)
        except httpx.TransportError:
            return False
        self._keep(operation, response)
        self._has_response.set()
        return True

    def _keep(self, operation: Operation, response: httpx.Response) -> None:
        body = response.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", ())}
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and codes == {"UNAVAILABLE"}:
            operation.is_denied = "may be saved" not in body["errors"][0]["message"]
        elif not codes:
            operation.payload = body["data"][operation.mutation]
        elif codes <= {"FORBIDDEN", "UNAUTHENTICATED"}:
            operation.payload = {}
        else:
            raise BrokenPromiseError(f"The server failed: {response.status_code} {response.text[:500]}\n{operation}")
