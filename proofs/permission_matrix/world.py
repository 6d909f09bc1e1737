"""World of the permission matrix: an asset for each combination, alone in a collection of its own.

Each of these collections is alone in a topic, so every count is that of one asset. Each asset is also in one of two
larger collections, the crowds: a PUBLIC one for the assets of PUBLIC collections, and an INTERNAL one for the others.
Each crowd is below an empty parent. The INTERNAL collection `elsewhere` is empty. Every asset uses the asset `tool` and
is used by the asset `desk`. Every capsule and pipeline in a PUBLIC collection is the release of an app, its front. All
members see tool, desk and fronts, and anonymous visitors do while public sharing is on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sqlalchemy import Select, select, update

from app.tokens import create_token
from proofs.databases import Databases
from proofs.model_reader import FIELDS_OF_STATUS as FLAGS
from proofs.permission_matrix.matrix import ACCESSES, STATUSES, VIEWERS, VISIBILITIES
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.tables import ChangeAction
from tests.conftest import ANONYMOUS, write_lines
from tests.oracle import KINDS, Line

MEMBERS = tuple(who for who in VIEWERS if who != ANONYMOUS)
FORMER_HOLDER = "nobody"  # held a grant that was revoked
OWNER_OF_HOLDER = {"member's": "member", "administrator's": "administrator"}
PRINCIPALS_OF_HOLDER = {
    "own": ("member", "administrator"),
    "group": ("team",),
    "everyone": ("everyone",),
    "public": ("public",),
}
# Several grants of one asset, of which the highest counts. Other assets have each single grant or none.
MIXED_GRANTS = (
    (("own", "DISCOVERABLE"), ("group", "EDITOR")),
    (("group", "OWNER"), ("everyone", "DISCOVERABLE")),
    (("everyone", "VIEWER"), ("public", "DISCOVERABLE")),
)
FIELDS_OF_KIND: Mapping[str, Line] = {
    "CAPSULE": {"language": "Python"},
    "PIPELINE": {"language": "Nextflow", "stepCount": 3},
    "NO_CODE_APP": {"appKind": "SHINY"},
    "DATA_ASSET": {"dataKind": "RESULT", "sizeBytes": 1, "fileCount": 1, "source": "s3://data"},
    "MODEL": {"framework": "JAX", "source": "s3://models"},
}
AWARDED = "1970-01-01T00:00:00.001Z"
Ids = Mapping[str, str]
"""Ids related to an asset, by the name of their variable."""


@dataclass(frozen=True)
class Asset:
    """Combination of kind, visibility, grants and status."""

    name: str
    kind: str
    visibility: str  # of its collections
    grants: tuple[tuple[str, str], ...]  # pairs of holder, a column of EFFECTIVE_GRANTS, and access
    status: str

    @property
    def owner(self) -> str:
        """The owner in the platform."""
        return next((OWNER_OF_HOLDER[holder] for holder, _ in self.grants if holder in OWNER_OF_HOLDER), "somebody")

    @property
    def has_front(self) -> bool:
        """Whether it is the release of an app."""
        return self.kind in {"CAPSULE", "PIPELINE"} and self.visibility == "PUBLIC"

    @property
    def has_source(self) -> bool:
        """Whether its kind has the field `source`."""
        return self.kind in {"DATA_ASSET", "MODEL"}

    @property
    def has_other_grants(self) -> bool:
        """Whether its line has a grant: that of the owner is not in it."""
        return any(holder in PRINCIPALS_OF_HOLDER for holder, _ in self.grants)

    @property
    def collection_slug(self) -> str:
        """The slug of its own collection."""
        return f"of-{self.name}"

    @property
    def crowd_slug(self) -> str:
        """The slug of its crowd."""
        return _crowd(self.visibility)

    @property
    def is_app(self) -> bool:
        """Whether it is an app, with the tool as its release."""
        return self.kind == "NO_CODE_APP"

    def __str__(self) -> str:
        """Describe the asset."""
        grants = ", ".join(f"{holder} {access}" for holder, access in self.grants) or "no grant"
        return f"{self.name}, a {self.status} {self.kind} in a {self.visibility} collection, with {grants}"


def _every_grants() -> Iterator[tuple[tuple[str, str], ...]]:
    yield ()
    yield from (((holder, access),) for holder, access in product(PRINCIPALS_OF_HOLDER, ACCESSES[1:]))
    yield from (((owner, "OWNER"),) for owner in OWNER_OF_HOLDER)
    yield from MIXED_GRANTS


def _every_asset() -> Iterator[Asset]:
    for visibility_index, visibility in enumerate(VISIBILITIES):
        for grants_index, grants in enumerate(_every_grants()):
            for status_index, status in enumerate(STATUSES):
                kind = KINDS[(visibility_index + grants_index + status_index) % len(KINDS)]
                name = f"{visibility}-{grants_index:02}-{status}".lower()
                yield Asset(name, kind, visibility, grants, status)


ASSETS = tuple(_every_asset())


def catalogue_lines() -> list[Line]:
    """Return the lines of the world."""
    return [*_people(), *_topics(), *map(_line, ASSETS), *_common_assets(), *_collections()]


def previous_catalogue_lines() -> list[Line]:
    """Return the lines of an earlier state: no collections, other URLs and grants, and other names of half the assets.

    It is imported first, so that the log has changes.
    """
    previous: Line = {"grants": [{"to": FORMER_HOLDER, "role": "VIEWER"}], "url": "https://example.org/before"}
    names: Sequence[Line] = ({}, {"name": "before"})
    assets = [{**_line(asset), **previous, **names[index % 2]} for index, asset in enumerate(ASSETS)]
    return [*_people(), *_topics(), *assets, *_common_assets()]


def _people() -> Iterator[Line]:
    for who in (*MEMBERS, "somebody", FORMER_HOLDER):
        yield {"kind": "user", "id": who, "name": who, "isAdmin": who == "administrator"}
    yield {"kind": "group", "id": "team", "name": "team", "members": PRINCIPALS_OF_HOLDER["own"]}


def _topics() -> Iterator[Line]:
    for slug in ("frame", *(asset.name for asset in ASSETS)):
        yield {"kind": "topic", "slug": slug, "name": slug}


def _line(asset: Asset) -> Line:
    grants = [{"to": to, "role": role} for holder, role in asset.grants for to in PRINCIPALS_OF_HOLDER.get(holder, ())]
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
        "tags": ["tagged"],
        "properties": {"team": "core"},
        "license": "MIT",
        "doi": "10.1/1",
        "version": "1.0",
        "url": "https://example.org/asset",
        "createdAt": "2024-01-01T00:00:00Z",
        **FIELDS_OF_KIND[kind],
    }


def _common_assets() -> Iterator[Line]:
    views = [{"to": to, "role": "VIEWER"} for to in ("everyone", "public")]
    yield _asset_line("tool", "CAPSULE", "somebody", views, [])
    yield _asset_line("desk", "PIPELINE", "somebody", views, [asset.name for asset in ASSETS])
    for asset in ASSETS:
        if asset.has_front:
            yield {**_asset_line(_front(asset), "NO_CODE_APP", "somebody", views, [asset.name]), "tags": []}


def _collections() -> Iterator[Line]:
    frames = [line["id"] for line in _common_assets()]
    yield _collection("frame", "frame", "PUBLIC", frames)
    # By name, this collection and the two crowds sort before all others.
    yield _collection("elsewhere", "frame", "INTERNAL", [], name="0")
    for visibility in VISIBILITIES:
        crowd = [asset.name for asset in ASSETS if asset.visibility == visibility]
        yield _collection(_parent_crowd(visibility), "frame", visibility, [])
        yield _collection(_crowd(visibility), "frame", visibility, crowd, name="1", parent=_parent_crowd(visibility))
    for asset in ASSETS:
        yield _collection(asset.collection_slug, asset.name, asset.visibility, [asset.name])


def _collection(slug: str, topic: str, visibility: str, assets: list[str], **fields: str) -> Line:
    line = {"kind": "collection", "slug": slug, "name": slug, "topic": topic, "visibility": visibility}
    return line | {"assets": assets} | fields


def _front(asset: Asset) -> str:
    return f"front-{asset.name}"


def _crowd(visibility: str) -> str:
    return f"crowd-{visibility.lower()}"


def _parent_crowd(visibility: str) -> str:
    return f"parent-{visibility.lower()}"


@dataclass(frozen=True)
class MatrixWorld:
    """Imported world: its database, a token for each member, and the ids related to each asset."""

    url: str
    tokens: Mapping[str, str]
    ids: Mapping[Asset, Ids]


async def create_world(databases: Databases) -> MatrixWorld:
    """Create the world. Its database has no open connections afterwards and can be copied."""
    url = await databases.create_from_catalogue(previous_catalogue_lines())
    database = Database(url)
    try:
        path = write_lines(databases.folder / "matrix.jsonl", [dict(line) for line in catalogue_lines()])
        await import_catalogue(database, path, "matrix", lambda _bytes: None)
        async with database.write() as connection:
            await connection.execute(update(sql.asset).values(is_gold=1, gold_at=1, gold_note="whole"))
            # Changes of an import cannot be undone, those of a user can.
            user = select(sql.principal.c.pk).where(sql.principal.c.external_id == "somebody").scalar_subquery()
            additions = sql.change.c.action == ChangeAction.ASSETS_ADDED
            await connection.execute(update(sql.change).where(additions).values(actor_pk=user, origin=None))
        tokens = {who: await create_token(database, who, 3_600) for who in MEMBERS}
        return MatrixWorld(url, tokens, await _ids(database))
    finally:
        await database.close()


async def _ids(database: Database) -> dict[Asset, Ids]:
    asset_ids = await _read(database, select(sql.asset.c.external_id.label("name"), sql.asset.c.id))
    collection = await _read(database, select(sql.collection.c.slug.label("name"), sql.collection.c.id))
    topic = await _read(database, select(sql.topic.c.slug.label("name"), sql.topic.c.id))
    user = await _read(database, select(sql.principal.c.external_id.label("name"), sql.principal.c.id))
    additions, url_changes, grant_changes = [
        await _changes(database, action) for action in ("ASSETS_ADDED", "UPDATED", "UNSHARED")
    ]

    def ids_of(asset: Asset) -> Ids:
        asset_id, collection_id, crowd = (
            asset_ids[asset.name],
            collection[asset.collection_slug],
            collection[asset.crowd_slug],
        )
        return {
            "asset": asset_id,
            "external": asset.name,
            "owner": user[asset.owner],
            "topic": topic[asset.name],
            "collection": collection_id,
            "crowd": crowd,
            "crowdParent": collection[_parent_crowd(asset.visibility)],
            "addition": additions[collection_id],
            "crowdAddition": additions[crowd],
            "urlChange": url_changes[asset_id],
            "grantChange": grant_changes[asset_id],
            **({"front": asset_ids[_front(asset)]} if asset.has_front else {}),
            "elsewhere": collection["elsewhere"],
            "formerHolder": user[FORMER_HOLDER],
            "tool": asset_ids["tool"],
            "desk": asset_ids["desk"],
        }

    return {asset: ids_of(asset) for asset in ASSETS}


async def _changes(database: Database, action: str) -> dict[str, str]:
    """Return the id of the change with this action, by its subject's id."""
    change = sql.change
    return await _read(
        database, select(change.c.subject_id.label("name"), change.c.id).where(change.c.action == action)
    )


async def _read(database: Database, rows: Select[Any]) -> dict[str, str]:
    async with database.snapshot() as snapshot:
        return {row.name: row.id for row in await snapshot.rows(rows)}
