"""Plain Strawberry, as its documentation teaches it: types, resolvers, aiodataloader, SQL through aiosqlite.

`uvicorn benchmarks.race.servers.plain_strawberry:app` with DATABASE set to the peers' SQLite file.
"""

import json
import os
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from time import time
from typing import Annotated, Any

import aiosqlite
import orjson
import strawberry
from aiodataloader import DataLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

ASSET = "a.pk, a.id, a.kind, a.name, a.description, a.owner_pk, a.version, a.created_at, a.doi"
COLLECTION = "pk, id, name, description"
VISIBLE = """exists (select 1 from access_grant g where g.asset_pk = a.pk
  and g.principal_pk in (select value from json_each(:principals))
  and (g.access = 4 or a.status not in ('ARCHIVED', 'WITHDRAWN')))"""
KEYS = "(select value from json_each(:keys))"
OWNERS = f"select pk, id, name from principal where pk in {KEYS}"
PAGES = f"""select * from (
  select m.collection_pk, {ASSET}, row_number() over (partition by m.collection_pk order by m.rank) as place
  from membership m join asset a on a.pk = m.asset_pk where m.collection_pk in {KEYS} and {VISIBLE})
where place <= 20 order by 1, place"""
NAMED_PAGES = f"""select * from (
  select m.collection_pk, {ASSET}, row_number() over (partition by m.collection_pk order by a.name, a.pk) as place
  from membership m join asset a on a.pk = m.asset_pk where m.collection_pk in {KEYS}
  and a.kind in (select value from json_each(:kinds)) and {VISIBLE})
where place <= 20 order by 1, place"""
OF_TOPIC = f"select topic_pk, {COLLECTION} from collection where topic_pk in {KEYS} order by rank"
TOP_LEVEL = (
    f"select topic_pk, {COLLECTION} from collection where topic_pk in {KEYS} and parent_pk is null order by rank"
)
CHILDREN = f"select parent_pk, {COLLECTION} from collection where parent_pk in {KEYS} order by rank"
COUNTS = f"""select m.collection_pk, a.kind, count(*) from membership m join asset a on a.pk = m.asset_pk
where m.collection_pk in {KEYS} and {VISIBLE} group by 1, 2"""
COUNT_OF_KIND = {
    "CAPSULE": "capsules",
    "PIPELINE": "pipelines",
    "NO_CODE_APP": "no_code_apps",
    "DATA_ASSET": "data_assets",
    "MODEL": "models",
}

_connections: list[aiosqlite.Connection] = []


async def fetch(statement: str, **values: Any) -> list[Any]:
    """Return the rows of a statement, on the process's one connection."""
    if not _connections:
        _connections.append(await aiosqlite.connect(os.environ["DATABASE"]))
    return list(await _connections[0].execute_fetchall(statement, values))


@dataclass
class Context:
    """A request's principals and loaders."""

    principals: str

    def __post_init__(self) -> None:
        """Make the loaders."""
        self.owners = RowByKey(self, OWNERS)
        self.pages = RowsByKey(self, PAGES)
        self._named_pages: dict[str, RowsByKey] = {}
        self.collections = RowsByKey(self, OF_TOPIC)
        self.top_level = RowsByKey(self, TOP_LEVEL)
        self.children = RowsByKey(self, CHILDREN)
        self.counts = RowsByKey(self, COUNTS)

    def named_pages(self, kinds: list[str]) -> "RowsByKey":
        """Return the loader of pages of these kinds, ordered by name."""
        key = json.dumps(kinds)
        return self._named_pages.setdefault(key, RowsByKey(self, NAMED_PAGES, kinds=key))


class RowByKey(DataLoader[int, Any]):
    """Batches rows whose first column is the key."""

    def __init__(self, context: Context, statement: str, **values: str) -> None:
        """Take the statement and its values; `:keys` and `:principals` are bound to it too."""
        super().__init__()
        self.context, self.statement, self.values = context, statement, values

    async def fetch(self, keys: list[int]) -> list[Any]:
        """Return the rows of all keys."""
        return await fetch(self.statement, keys=json.dumps(keys), principals=self.context.principals, **self.values)

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        """Return a row for each key."""
        rows = {row[0]: row for row in await self.fetch(keys)}
        return [rows.get(key) for key in keys]


class RowsByKey(RowByKey):
    """Batches lists of rows whose first column is the key."""

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        """Return the rows of each key."""
        rows: dict[int, list[Any]] = {key: [] for key in keys}
        for row in await self.fetch(keys):
            rows[row[0]].append(row)
        return [rows[key] for key in keys]


Info = strawberry.Info[Context, None]


@strawberry.enum
class AssetKind(Enum):
    """Kinds of asset."""

    CAPSULE = "CAPSULE"
    PIPELINE = "PIPELINE"
    NO_CODE_APP = "NO_CODE_APP"
    DATA_ASSET = "DATA_ASSET"
    MODEL = "MODEL"


@strawberry.type
class User:
    """A user."""

    id: strawberry.ID
    name: str


@strawberry.interface
class AssetFields:
    """The fields that all assets share."""

    id: strawberry.ID
    kind: AssetKind
    name: str
    description: str | None
    version: str | None
    created_at: str
    doi: str | None
    owner_pk: strawberry.Private[int]

    @strawberry.field
    async def owner(self, info: Info) -> User | None:
        """Return the owner."""
        row = await info.context.owners.load(self.owner_pk)
        return User(id=row[1], name=row[2])


@strawberry.type
class Capsule(AssetFields):
    """A capsule."""


@strawberry.type
class Pipeline(AssetFields):
    """A pipeline."""


@strawberry.type
class NoCodeApp(AssetFields):
    """A no-code app."""


@strawberry.type
class DataAsset(AssetFields):
    """A data asset."""


@strawberry.type
class Model(AssetFields):
    """A model."""


TYPES = dict(zip(COUNT_OF_KIND, (Capsule, Pipeline, NoCodeApp, DataAsset, Model), strict=True))
Asset = Annotated[Capsule | Pipeline | NoCodeApp | DataAsset | Model, strawberry.union("Asset")]


def asset_of(row: Any) -> Any:
    """Return the asset of a row."""
    _, id_, kind, name, description, owner_pk, version, created_at, doi = row
    return TYPES[kind](
        id=id_,
        kind=AssetKind(kind),
        name=name,
        description=description,
        owner_pk=owner_pk,
        version=version,
        created_at=created_at,
        doi=doi,
    )


def collection_of(row: Any) -> "Collection":
    """Return the collection of a row."""
    _, pk, id_, name, description = row
    return Collection(pk=pk, id=id_, name=name, description=description)


def topic_of(row: Any) -> "Topic":
    """Return the topic of a row."""
    pk, id_, name = row
    return Topic(pk=pk, id=id_, name=name)


@strawberry.type
class AssetCounts:
    """Assets by kind."""

    total: int = 0
    capsules: int = 0
    pipelines: int = 0
    no_code_apps: int = 0
    data_assets: int = 0
    models: int = 0


@strawberry.enum
class AssetOrderField(Enum):
    """Field that a list of assets is sorted by."""

    NAME = "NAME"


@strawberry.input
class AssetFilter:
    """Filters for assets."""

    kinds: list[AssetKind]


@strawberry.input
class AssetOrder:
    """Order of assets."""

    field: AssetOrderField


@strawberry.type
class Collection:
    """A collection."""

    pk: strawberry.Private[int]
    id: strawberry.ID
    name: str
    description: str

    @strawberry.field
    async def assets(
        self,
        info: Info,
        first: int = 20,
        filter: AssetFilter | None = None,  # noqa: A002 - the argument has this name in the schema
        order_by: AssetOrder | None = None,
    ) -> list[Asset]:
        """Return the first 20 visible members: all in their order, or those of some kinds by name."""
        del first, order_by
        context = info.context
        pages = context.pages if filter is None else context.named_pages([kind.value for kind in filter.kinds])
        return [asset_of(row[1:-1]) for row in await pages.load(self.pk)]

    @strawberry.field
    async def children(self, info: Info) -> list["Collection"]:
        """Return the collections one level below."""
        return [collection_of(row) for row in await info.context.children.load(self.pk)]

    @strawberry.field
    async def asset_counts(self, info: Info) -> AssetCounts:
        """Return the visible members by kind."""
        counts = {COUNT_OF_KIND[kind]: number for _, kind, number in await info.context.counts.load(self.pk)}
        return AssetCounts(total=sum(counts.values()), **counts)


@strawberry.type
class Topic:
    """A topic."""

    pk: strawberry.Private[int]
    id: strawberry.ID
    name: str

    @strawberry.field
    async def collections(self, info: Info, first: int = 100, top_level_only: bool = False) -> list[Collection]:  # noqa: FBT001, FBT002 - Strawberry takes arguments from parameters
        """Return the collections."""
        del first
        loader = info.context.top_level if top_level_only else info.context.collections
        return [collection_of(row) for row in await loader.load(self.pk)]


@strawberry.input
class Ref:
    """A reference by id."""

    id: strawberry.ID


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    async def topics(self, first: int = 20) -> list[Topic]:
        """Return the topics."""
        return [topic_of(row) for row in await fetch("select pk, id, name from topic order by rank limit :n", n=first)]

    @strawberry.field
    async def topic(self, by: Ref) -> Topic | None:
        """Return a topic."""
        rows = await fetch("select pk, id, name from topic where id = :id", id=by.id)
        return topic_of(rows[0]) if rows else None

    @strawberry.field
    async def asset(self, by: Ref, info: Info) -> Asset | None:
        """Return a visible asset."""
        statement = f"select {ASSET} from asset a where a.id = :id and {VISIBLE}"
        rows = await fetch(statement, id=by.id, principals=info.context.principals)
        return asset_of(rows[0]) if rows else None


class Server(GraphQL[Context, None]):
    """Strawberry's ASGI application with orjson and token authentication."""

    async def get_context(self, request: Request, response: Response) -> Context:  # type: ignore[override]  # it serves HTTP, no WebSockets
        """Authenticate the bearer token."""
        del response
        _, _, token = request.headers.get("authorization", "").partition("Bearer ")
        digest = sha256(token.encode()).hexdigest()
        statement = "select user_pk from api_token where digest = :digest and expires_at > :now"
        users = await fetch(statement, digest=digest, now=int(time() * 1_000))
        if not users:
            raise HTTPException(401)
        groups = await fetch("select group_pk from group_member where user_pk = :user", user=users[0][0])
        return Context(json.dumps([1, 2, users[0][0], *(pk for (pk,) in groups)]))

    def encode_json(self, data: object) -> bytes:
        """Serialise with orjson."""
        return orjson.dumps(data)


schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])
app = Starlette(routes=[Route("/graphql", Server(schema))])
