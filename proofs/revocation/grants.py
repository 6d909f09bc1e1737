"""This file is what may be given and taken back: each sight in its own way, of an asset in a collection of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofs.revocation.actions import (
    ADMINISTRATOR,
    OWNER,
    Act,
    granted,
    held,
    in_turn,
    loaded,
    registered,
    revoked,
    shared,
    token_made,
    token_revoked,
    updated,
)
from proofs.revocation.probes import COLLECTION, CONTENT, EXISTENCE, FOR_MEMBERS, OWNERSHIP, PART, SPARE, Surface
from tests.conftest import ANONYMOUS
from tests.oracle import Line

HOLDER = "holder"
"""Begins the names of those who are given a token, and lose it."""

TO_MEMBERS = (*EXISTENCE, *FOR_MEMBERS, *CONTENT)


@dataclass(frozen=True)
class Sight:
    """What a reader comes to see and loses sight of again; at the start it is not seen.

    Its name is that of its asset, and the platform's id, the tag, and the slug of its collection and its topic.
    """

    name: str
    reader: str
    give: Act
    take: Act
    surfaces: tuple[Surface, ...]
    asset: Mapping[str, Any] = field(default_factory=dict)  # how its line differs from `asset_line` without grants
    visibility: str = "INTERNAL"
    is_member: bool = True  # whether its collection holds the asset at the start

    def lines(self) -> list[Line]:
        """Return its part of the world."""
        held_at_first = [self.name] if self.is_member else []
        return [{**asset_line(self.name), **self.asset}, *_collection(self.name, self.visibility, held_at_first)]


def world(lanes: int, sights: Sequence[Sight]) -> list[Line]:
    """Return the lines of a catalogue with the sights, of so many lanes of members, and whom and what they need."""
    people = [OWNER, ADMINISTRATOR, *(f"{who}-{lane}" for lane in range(lanes) for who in ("reader", "boss", HOLDER))]
    users: list[Line] = [
        {"kind": "user", "id": name, "name": name, "isAdmin": name == ADMINISTRATOR} for name in people
    ]
    groups = [
        group for lane in range(lanes) for group in (_group(f"team-{lane}", f"reader-{lane}"), _group(f"crew-{lane}"))
    ]
    part = asset_line(PART, "everyone", "public") | {"uses": []}
    common = [part, *_collection(PART, "PUBLIC", [PART]), *_collection(SPARE)]
    return [*users, *groups, *common, *(line for sight in sights for line in sight.lines())]


def asset_line(name: str, *viewers: str) -> dict[str, Any]:
    """Return the line of a model of the owner's that those may view."""
    return {
        "kind": "asset",
        "id": name,
        "type": "MODEL",
        "name": name,
        "owner": OWNER,
        "grants": [{"to": viewer, "role": "VIEWER"} for viewer in viewers],
        "tags": [name],
        "url": f"https://example.org/{name}",
        "source": f"s3://bucket/{name}",
        "uses": [PART],
    }


def sights_of_members(lane: int) -> list[Sight]:
    """Return the ways in which members of the lane gain and lose sight."""
    reader, boss, holder = (f"{who}-{lane}" for who in ("reader", "boss", HOLDER))
    return [
        *_by_grants(lane, reader),
        *(_by_status(f"{status.lower()}-{lane}", reader, status) for status in ("ARCHIVED", "WITHDRAWN")),
        Sight(
            f"crew-{lane}",
            reader,
            loaded(_group(f"crew-{lane}", reader)),
            loaded(_group(f"crew-{lane}")),
            TO_MEMBERS,
            asset_line(f"crew-{lane}", f"crew-{lane}"),
        ),
        Sight(
            f"rank-{lane}",
            boss,
            loaded({"kind": "user", "id": boss, "name": boss, "isAdmin": True}),
            loaded({"kind": "user", "id": boss, "name": boss, "isAdmin": False}),
            (*EXISTENCE, *FOR_MEMBERS),
        ),
        Sight(
            f"token-{lane}",
            holder,
            token_made(holder),
            token_revoked(holder),
            TO_MEMBERS,
            asset_line(f"token-{lane}", "everyone"),
        ),
    ]


def _by_grants(lane: int, reader: str) -> list[Sight]:
    targets: dict[str, dict[str, Any]] = {
        "user": {"userId": reader},
        "group": {"groupId": f"team-{lane}"},
        "everyone": {"everyone": True},
        "public": {"public": True},
    }
    names = {target: f"{target}-{lane}" for target in targets}
    found = [
        Sight(name, reader, granted(name, "VIEWER", **targets[target]), revoked(name, **targets[target]), TO_MEMBERS)
        for target, name in names.items()
    ]
    told, content, ownership = (f"{what}-{lane}" for what in ("told", "content", "ownership"))
    view = granted(content, "VIEWER", userId=reader)
    return [
        *found,
        Sight(told, reader, loaded(asset_line(told, "everyone")), loaded(asset_line(told)), TO_MEMBERS),
        Sight(content, reader, view, granted(content, "DISCOVERABLE", userId=reader), CONTENT),
        Sight(
            ownership,
            reader,
            granted(ownership, "OWNER", userId=reader),
            granted(ownership, "VIEWER", userId=reader),
            OWNERSHIP,
        ),
    ]


def _by_status(name: str, reader: str, status: str) -> Sight:
    asset = asset_line(name, "everyone") | {status.lower(): True}
    return Sight(name, reader, registered(name, "RELEASED"), registered(name, status), TO_MEMBERS, asset)


def sights_of_visitors() -> list[Sight]:
    """Return the ways in which visitors gain and lose sight; public sharing is on once any of them has given it."""
    on, off = shared(publicly=True), shared(publicly=False)

    def sight(name: str, give: Act, take: Act, *surfaces: Surface, **start: Any) -> Sight:
        start = {"asset": asset_line(name, "public"), "visibility": "PUBLIC"} | start
        return Sight(name, ANONYMOUS, in_turn(on, give), take, (*EXISTENCE, *CONTENT, *surfaces), **start)

    return [
        sight("shown", granted("shown", "VIEWER", public=True), revoked("shown", public=True), asset={}),
        sight("placed", held("Add", "placed"), held("Remove", "placed"), is_member=False),
        sight("opened", updated("opened", "PUBLIC"), updated("opened", "INTERNAL"), *COLLECTION, visibility="INTERNAL"),
        sight("sharing", on, off, *COLLECTION),
        sight(
            "shelved",
            registered("shelved", "RELEASED"),
            registered("shelved", "ARCHIVED"),
            asset=asset_line("shelved", "public") | {"archived": True},
        ),
    ]


def _collection(slug: str, visibility: str = "INTERNAL", assets: Sequence[str] = ()) -> list[Line]:
    topic = {"kind": "topic", "slug": slug, "name": slug}
    collection = {"kind": "collection", "slug": slug, "name": slug, "topic": slug, "visibility": visibility}
    return [topic, {**collection, "assets": list(assets)}]


def _group(name: str, *members: str) -> Line:
    return {"kind": "group", "id": name, "name": name, "members": list(members)}
