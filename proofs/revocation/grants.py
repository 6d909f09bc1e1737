"""Accesses that can be granted and revoked, each in its own way, to an asset in a collection of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofs.revocation.actions import (
    ADMINISTRATOR,
    OWNER,
    Action,
    change_membership,
    grant_access,
    import_line,
    in_sequence,
    issue_token,
    register_status,
    revoke_access,
    set_visibility,
    sign_in,
    switch_public_sharing,
    withdraw_token,
)
from proofs.revocation.probes import (
    COLLECTION_PROBES,
    CONTENT_PROBES,
    EXISTENCE_PROBES,
    MEMBERS_ONLY_PROBES,
    OWNERSHIP_PROBES,
    PART,
    SPARE,
    Probe,
)
from tests.conftest import ANONYMOUS
from tests.oracle import Line

TOKEN_HOLDER = "holder"  # noqa: S105 - a user
"""Prefix of the users whose token is created and revoked, also by deactivating them."""

MEMBER_PROBES = (*EXISTENCE_PROBES, *MEMBERS_ONLY_PROBES, *CONTENT_PROBES)


@dataclass(frozen=True)
class RevocableAccess:
    """Access of a reader to an asset, which can be granted and revoked. Initially it is not granted.

    Its name is also the external id, name and tag of its asset, and the slug of its collection and topic.
    """

    name: str
    reader: str
    grant: Action
    revoke: Action
    probes: tuple[Probe, ...]
    asset: Mapping[str, Any] = field(default_factory=dict)  # fields that differ from `asset_line` without grants
    visibility: str = "INTERNAL"
    is_member: bool = True  # whether its collection initially contains the asset

    def lines(self) -> list[Line]:
        """Return the lines of its asset, collection and topic."""
        members = [self.name] if self.is_member else []
        return [{**asset_line(self.name), **self.asset}, *_collection(self.name, self.visibility, members)]


def catalogue_lines(workers: int, accesses: Sequence[RevocableAccess]) -> list[Line]:
    """Return the catalogue lines of these accesses, with users and groups for this many workers."""
    people = [
        OWNER,
        ADMINISTRATOR,
        *(f"{role}-{worker}" for worker in range(workers) for role in ("reader", "boss", TOKEN_HOLDER)),
    ]
    users: list[Line] = [
        {"kind": "user", "id": name, "name": name, "isAdmin": name == ADMINISTRATOR} for name in people
    ]
    users += [_leaver(worker, is_active=False) for worker in range(workers)]
    groups = [
        group
        for worker in range(workers)
        for group in (_group(f"team-{worker}", f"reader-{worker}"), _group(f"crew-{worker}"))
    ]
    part = asset_line(PART, "everyone", "public") | {"uses": []}
    common = [part, *_collection(PART, "PUBLIC", [PART]), *_collection(SPARE)]
    return [*users, *groups, *common, *(line for access in accesses for line in access.lines())]


def asset_line(name: str, *viewers: str) -> dict[str, Any]:
    """Return the line of one of the owner's models, with VIEWER grants for these holders."""
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


def member_accesses(worker: int) -> list[RevocableAccess]:
    """Return the accesses that one worker grants and revokes, each with a signed-in reader."""
    reader, boss, holder = (f"{role}-{worker}" for role in ("reader", "boss", TOKEN_HOLDER))
    return [
        *_by_grants(worker, reader),
        *(_by_status(f"{status.lower()}-{worker}", reader, status) for status in ("ARCHIVED", "WITHDRAWN")),
        RevocableAccess(
            f"crew-{worker}",
            reader,
            import_line(_group(f"crew-{worker}", reader)),
            import_line(_group(f"crew-{worker}")),
            MEMBER_PROBES,
            asset_line(f"crew-{worker}", f"crew-{worker}"),
        ),
        RevocableAccess(
            f"rank-{worker}",
            boss,
            import_line({"kind": "user", "id": boss, "name": boss, "isAdmin": True}),
            import_line({"kind": "user", "id": boss, "name": boss, "isAdmin": False}),
            (*EXISTENCE_PROBES, *MEMBERS_ONLY_PROBES),
        ),
        RevocableAccess(
            f"token-{worker}",
            holder,
            issue_token(holder),
            withdraw_token(holder),
            MEMBER_PROBES,
            asset_line(f"token-{worker}", "everyone"),
        ),
        RevocableAccess(
            f"active-{worker}",
            _leaver(worker)["id"],
            in_sequence(import_line(_leaver(worker)), issue_token(_leaver(worker)["id"])),
            import_line(_leaver(worker, is_active=False)),
            MEMBER_PROBES,
            asset_line(f"active-{worker}", "everyone"),
        ),
        RevocableAccess(
            f"claims-{worker}",
            f"visitor-{worker}",
            sign_in(f"visitor-{worker}", f"claimed-{worker}", shares=f"claims-{worker}"),
            sign_in(f"visitor-{worker}"),
            MEMBER_PROBES,
        ),
    ]


def _by_grants(worker: int, reader: str) -> list[RevocableAccess]:
    targets: dict[str, dict[str, Any]] = {
        "user": {"userId": reader},
        "group": {"groupId": f"team-{worker}"},
        "everyone": {"everyone": True},
        "public": {"public": True},
    }
    names = {target: f"{target}-{worker}" for target in targets}
    by_holder = [
        RevocableAccess(
            name,
            reader,
            grant_access(name, "VIEWER", **targets[target]),
            revoke_access(name, **targets[target]),
            MEMBER_PROBES,
        )
        for target, name in names.items()
    ]
    catalogue, content, ownership = (f"{name}-{worker}" for name in ("catalogue", "content", "ownership"))
    view = grant_access(content, "VIEWER", userId=reader)
    return [
        *by_holder,
        RevocableAccess(
            catalogue,
            reader,
            import_line(asset_line(catalogue, "everyone")),
            import_line(asset_line(catalogue)),
            MEMBER_PROBES,
        ),
        RevocableAccess(content, reader, view, grant_access(content, "DISCOVERABLE", userId=reader), CONTENT_PROBES),
        RevocableAccess(
            ownership,
            reader,
            grant_access(ownership, "OWNER", userId=reader),
            grant_access(ownership, "VIEWER", userId=reader),
            OWNERSHIP_PROBES,
        ),
    ]


def _by_status(name: str, reader: str, status: str) -> RevocableAccess:
    asset = asset_line(name, "everyone") | {status.lower(): True}
    return RevocableAccess(
        name, reader, register_status(name, "RELEASED"), register_status(name, status), MEMBER_PROBES, asset
    )


def visitor_accesses() -> list[RevocableAccess]:
    """Return the accesses of anonymous visitors. Granting any of them turns public sharing on."""
    on, off = switch_public_sharing(is_on=True), switch_public_sharing(is_on=False)

    def access(name: str, grant: Action, revoke: Action, *probes: Probe, **start: Any) -> RevocableAccess:
        start = {"asset": asset_line(name, "public"), "visibility": "PUBLIC"} | start
        return RevocableAccess(
            name, ANONYMOUS, in_sequence(on, grant), revoke, (*EXISTENCE_PROBES, *CONTENT_PROBES, *probes), **start
        )

    return [
        access("shown", grant_access("shown", "VIEWER", public=True), revoke_access("shown", public=True), asset={}),
        access("placed", change_membership("Add", "placed"), change_membership("Remove", "placed"), is_member=False),
        access(
            "opened",
            set_visibility("opened", "PUBLIC"),
            set_visibility("opened", "INTERNAL"),
            *COLLECTION_PROBES,
            visibility="INTERNAL",
        ),
        access("sharing", on, off, *COLLECTION_PROBES),
        access(
            "shelved",
            register_status("shelved", "RELEASED"),
            register_status("shelved", "ARCHIVED"),
            asset=asset_line("shelved", "public") | {"archived": True},
        ),
    ]


def _collection(slug: str, visibility: str = "INTERNAL", assets: Sequence[str] = ()) -> list[Line]:
    topic = {"kind": "topic", "slug": slug, "name": slug}
    collection = {"kind": "collection", "slug": slug, "name": slug, "topic": slug, "visibility": visibility}
    return [topic, {**collection, "assets": list(assets)}]


def _group(name: str, *members: str) -> Line:
    return {"kind": "group", "id": name, "name": name, "members": list(members)}


def _leaver(worker: int, *, is_active: bool = True) -> Line:
    name = f"{TOKEN_HOLDER}-leaver-{worker}"
    return {"kind": "user", "id": name, "name": name, "isActive": is_active}
