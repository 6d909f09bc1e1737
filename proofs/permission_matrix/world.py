"""This file is the world that the table is asked of: an asset for each combination, alone in a collection of its own.

Each of these collections is alone in a topic too, so that every count tells of one asset. Two larger ones, the crowds,
hold all the assets that are in PUBLIC and in INTERNAL ones, each below another that holds nothing; and elsewhere,
INTERNAL, holds nothing at all. Every asset uses the tool and is used by the desk, and every capsule and pipeline in
PUBLIC ones is behind an app, its front; all members see these three, and all visitors while the deployment shares.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sqlalchemy import Select, select, update

from app.tokens import create_token
from proofs.databases import Databases
from proofs.model_reader import STATUSES as FLAGS
from proofs.permission_matrix.matrix import ACCESSES, STATUSES, VIEWERS, VISIBILITIES
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from tests.conftest import ANONYMOUS, write_lines
from tests.oracle import KINDS, Line

MEMBERS = tuple(who for who in VIEWERS if who != ANONYMOUS)
NOBODY = "nobody"  # who holds nothing, and did
OWNERS = {"member's": "member", "administrator's": "administrator"}
HOLDERS = {"own": ("member", "administrator"), "group": ("team",), "everyone": ("everyone",), "public": ("public",)}
# Beside each access held in each way: the greatest counts, however it comes.
MIXED = (
    (("own", "DISCOVERABLE"), ("group", "EDITOR")),
    (("group", "OWNER"), ("everyone", "DISCOVERABLE")),
    (("everyone", "VIEWER"), ("public", "DISCOVERABLE")),
)
OWN_FIELDS: Mapping[str, Line] = {
    "CAPSULE": {"language": "Python"},
    "PIPELINE": {"language": "Nextflow", "stepCount": 3},
    "NO_CODE_APP": {"appKind": "SHINY"},
    "DATA_ASSET": {"dataKind": "RESULT", "sizeBytes": 1, "fileCount": 1, "source": "s3://data"},
    "MODEL": {"framework": "JAX", "source": "s3://models"},
}
AWARDED = "1970-01-01T00:00:00.001Z"
Ids = Mapping[str, str]
"""What an asset's ids are in an operation, by the name of the variable."""


@dataclass(frozen=True)
class Asset:
    """A combination."""

    name: str
    kind: str
    visibility: str  # of the collections that hold it
    grants: tuple[tuple[str, str], ...]  # each a column of SPEAKS and an access
    status: str

    @property
    def owner(self) -> str:
        """Whose it is in the platform."""
        return next((OWNERS[holder] for holder, _ in self.grants if holder in OWNERS), "somebody")

    @property
    def has_front(self) -> bool:
        """Whether an app runs it."""
        return self.kind in {"CAPSULE", "PIPELINE"} and self.visibility == "PUBLIC"

    @property
    def has_source(self) -> bool:
        """Whether it is kept somewhere."""
        return self.kind in {"DATA_ASSET", "MODEL"}

    @property
    def is_app(self) -> bool:
        """Whether it runs what it uses."""
        return self.kind == "NO_CODE_APP"

    def __str__(self) -> str:
        """Return what it is."""
        held = ", ".join(f"{holder} {access}" for holder, access in self.grants) or "no grant"
        return f"{self.name}, a {self.status} {self.kind} in a {self.visibility} collection, with {held}"


def _every_grants() -> Iterator[tuple[tuple[str, str], ...]]:
    yield ()
    yield from (((holder, access),) for holder, access in product(HOLDERS, ACCESSES[1:]))
    yield from (((owner, "OWNER"),) for owner in OWNERS)
    yield from MIXED


def _every_asset() -> Iterator[Asset]:
    for place, visibility in enumerate(VISIBILITIES):
        for held, grants in enumerate(_every_grants()):
            for life, status in enumerate(STATUSES):
                kind = KINDS[(place + held + life) % len(KINDS)]
                name = f"{visibility}-{held:02}-{status}".lower()
                yield Asset(name, kind, visibility, grants, status)


ASSETS = tuple(_every_asset())


def lines() -> list[Line]:
    """Return the world as the lines of a catalogue."""
    return [*_people(), *_topics(), *map(_line, ASSETS), *_frames(), *_collections()]


def earlier_lines() -> list[Line]:
    """Return it as it was before: in no collection, with another url and another grant, half of it by another name."""
    before: Line = {"grants": [{"to": NOBODY, "role": "VIEWER"}], "url": "https://example.org/before"}
    names: Sequence[Line] = ({}, {"name": "before"})
    assets = [{**_line(asset), **before, **names[index % 2]} for index, asset in enumerate(ASSETS)]
    return [*_people(), *_topics(), *assets, *_frames()]


def _people() -> Iterator[Line]:
    for who in (*MEMBERS, "somebody", NOBODY):
        yield {"kind": "user", "id": who, "name": who, "isAdmin": who == "administrator"}
    yield {"kind": "group", "id": "team", "name": "team", "members": HOLDERS["own"]}


def _topics() -> Iterator[Line]:
    for slug in ("frame", *(asset.name for asset in ASSETS)):
        yield {"kind": "topic", "slug": slug, "name": slug}


def _line(asset: Asset) -> Line:
    grants = [{"to": to, "role": role} for holder, role in asset.grants for to in HOLDERS.get(holder, ())]
    return {**_asset_line(asset.name, asset.kind, asset.owner, grants, ["tool"]), **FLAGS[asset.status]}


def _asset_line(name: str, kind: str, owner: str, grants: Sequence[Line], uses: Sequence[str]) -> Line:
    return {
        "kind": "asset",
        "id": name,
        "type": kind,
        "name": name,
        "owner": owner,
        "grants": grants,
        "uses": uses,
        "description": name,
        "tags": ["told"],
        "license": "MIT",
        "doi": "10.1/1",
        "version": "1.0",
        "url": "https://example.org/asset",
        "createdAt": "2024-01-01T00:00:00Z",
        **OWN_FIELDS[kind],
    }


def _frames() -> Iterator[Line]:
    views = [{"to": to, "role": "VIEWER"} for to in ("everyone", "public")]
    yield _asset_line("tool", "CAPSULE", "somebody", views, [])
    yield _asset_line("desk", "PIPELINE", "somebody", views, [asset.name for asset in ASSETS])
    for asset in ASSETS:
        if asset.has_front:
            yield {**_asset_line(_front(asset), "NO_CODE_APP", "somebody", views, [asset.name]), "tags": []}


def _collections() -> Iterator[Line]:
    frames = [line["id"] for line in _frames()]
    yield _collection("frame", "frame", "PUBLIC", frames)
    # By name these three come before all others.
    yield _collection("elsewhere", "frame", "INTERNAL", [], name="0")
    for visibility in VISIBILITIES:
        crowd = [asset.name for asset in ASSETS if asset.visibility == visibility]
        yield _collection(_above(visibility), "frame", visibility, [])
        yield _collection(_crowd(visibility), "frame", visibility, crowd, name="1", parent=_above(visibility))
    for asset in ASSETS:
        yield _collection(_around(asset), asset.name, asset.visibility, [asset.name])


def _collection(slug: str, topic: str, visibility: str, assets: list[str], **given: str) -> Line:
    line = {"kind": "collection", "slug": slug, "name": slug, "topic": topic, "visibility": visibility}
    return line | {"assets": assets} | given


def _front(asset: Asset) -> str:
    return f"front-{asset.name}"


def _crowd(visibility: str) -> str:
    return f"crowd-{visibility.lower()}"


def _above(visibility: str) -> str:
    return f"above-{visibility.lower()}"


def _around(asset: Asset) -> str:
    return f"around-{asset.name}"


@dataclass(frozen=True)
class TruthWorld:
    """The world, written: where it is, a token for each member, and the ids of each asset and of what is about it."""

    url: str
    tokens: Mapping[str, str]
    ids: Mapping[Asset, Ids]


async def written(databases: Databases) -> TruthWorld:
    """Return the world, in a database of its own that nobody is connected to."""
    url = await databases.written(earlier_lines())
    database = Database(url)
    try:
        path = write_lines(databases.folder / "truth.jsonl", [dict(line) for line in lines()])
        await import_catalogue(database, path, "truth", lambda _bytes: None)
        async with database.write() as connection:
            await connection.execute(update(sql.asset).values(is_gold=1, gold_at=1, gold_note="whole"))
        tokens = {who: await create_token(database, who, 3_600) for who in MEMBERS}
        return TruthWorld(url, tokens, await _ids(database))
    finally:
        await database.close()


async def _ids(database: Database) -> dict[Asset, Ids]:
    asset = await _read(database, select(sql.asset.c.external_id.label("name"), sql.asset.c.id))
    collection = await _read(database, select(sql.collection.c.slug.label("name"), sql.collection.c.id))
    topic = await _read(database, select(sql.topic.c.slug.label("name"), sql.topic.c.id))
    user = await _read(database, select(sql.principal.c.external_id.label("name"), sql.principal.c.id))
    added, relocated, unshared = [
        await _changes(database, action) for action in ("ASSETS_ADDED", "UPDATED", "UNSHARED")
    ]

    def of(each: Asset) -> Ids:
        id_, around, crowd = asset[each.name], collection[_around(each)], collection[_crowd(each.visibility)]
        return {
            "asset": id_,
            "external": each.name,
            "owner": user[each.owner],
            "topic": topic[each.name],
            "collection": around,
            "crowd": crowd,
            "above": collection[_above(each.visibility)],
            "added": added[around],
            "crowded": added[crowd],
            "relocated": relocated[id_],
            "unshared": unshared[id_],
            **({"front": asset[_front(each)]} if each.has_front else {}),
            "elsewhere": collection["elsewhere"],
            "nobody": user[NOBODY],
            "tool": asset["tool"],
            "desk": asset["desk"],
        }

    return {each: of(each) for each in ASSETS}


async def _changes(database: Database, action: str) -> dict[str, str]:
    """Return the ids of changes by their subjects."""
    change = sql.change
    return await _read(
        database, select(change.c.subject_id.label("name"), change.c.id).where(change.c.action == action)
    )


async def _read(database: Database, rows: Select[Any]) -> dict[str, str]:
    async with database.snapshot() as snapshot:
        return {row.name: row.id for row in await snapshot.rows(rows)}
