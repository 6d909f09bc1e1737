"""Checks of the demo's catalogue, `app/demo.jsonl`, read as plain JSON."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

Line = dict[str, Any]

LINES: list[Line] = [
    json.loads(text)
    for text in (Path(__file__).parents[1] / "app" / "demo.jsonl").read_text(encoding="utf-8").splitlines()
]
KIND_ORDER = ["user", "group", "topic", "asset", "collection"]
ASSET_TYPES = {"CAPSULE", "PIPELINE", "NO_CODE_APP", "DATA_ASSET", "MODEL"}
ROLES = {"DISCOVERABLE", "VIEWER", "EDITOR", "OWNER"}
MEMBERS = ["user:ada", "user:olu", "user:mei", "user:sam"]
ANONYMOUS = "anonymous"
VIEWERS = [*MEMBERS, ANONYMOUS]
DEEPEST = 5
SHORTEST = 40
LONGEST = 160
DIFFERING = 10  # minimum number of collections with three or more different counts among the viewers
SHARED_WITH_SAM = 2
OWNED_BY_THE_CORE = 6
IN_SEVERAL = 50
RICH = 8
DISTINCT = 3


def lines(kind: str) -> list[Line]:
    """Return the lines of that kind, in the order of the file."""
    return [line for line in LINES if line["kind"] == kind]


USERS = {user["id"]: user for user in lines("user")}
GROUPS = {group["id"]: group for group in lines("group")}
ASSETS = {asset["id"]: asset for asset in lines("asset")}
TOPICS = {topic["slug"]: topic for topic in lines("topic")}
COLLECTIONS = {collection["slug"]: collection for collection in lines("collection")}


def is_shelved(asset: Line) -> bool:
    """Return whether the asset is archived or withdrawn, so that only its owners and administrators see it."""
    return bool(asset.get("archived") or asset.get("withdrawn"))


def sees(viewer: str, asset: Line) -> bool:
    """Return whether the asset is visible to the viewer, in any collection."""
    if viewer == ANONYMOUS:
        return not is_shelved(asset) and any(grant["to"] == "public" for grant in asset["grants"])
    if USERS[viewer].get("isAdmin"):
        return True
    own = {viewer, *(group["id"] for group in GROUPS.values() if viewer in group["members"])}
    is_owner = asset["owner"] == viewer or any(
        grant["to"] in own and grant["role"] == "OWNER" for grant in asset["grants"]
    )
    if is_owner or is_shelved(asset):
        return is_owner
    return any(grant["to"] in own | {"everyone", "public"} for grant in asset["grants"])


def visible_in(collection: Line, viewer: str) -> set[str]:
    """Return the ids of the collection's visible members while public sharing is on."""
    if viewer == ANONYMOUS and collection["visibility"] != "PUBLIC":
        return set()
    return {asset_id for asset_id in collection["assets"] if sees(viewer, ASSETS[asset_id])}


def visible_assets(viewer: str) -> set[str]:
    """Return the ids of all visible assets; an anonymous visitor sees members of PUBLIC collections only."""
    if viewer == ANONYMOUS:
        return set().union(*(visible_in(collection, viewer) for collection in COLLECTIONS.values()))
    return {asset["id"] for asset in ASSETS.values() if sees(viewer, asset)}


def visible_counts(collection: Line) -> list[int]:
    """Count the collection's visible members for each of the five viewers."""
    return [len(visible_in(collection, viewer)) for viewer in VIEWERS]


def ancestry(slug: str) -> list[str]:
    """Return the slugs from the collection up to its root; in a cycle, only DEEPEST + 1 of them."""
    path = [slug]
    while (parent := COLLECTIONS[path[-1]]["parent"]) is not None and len(path) <= DEEPEST:
        path.append(parent)
    return path


def test_the_counts_by_kind_are_those_of_the_catalogue() -> None:
    assert Counter(line["kind"] for line in LINES) == {
        "user": 66,
        "group": 2,
        "topic": 4,
        "asset": 242,
        "collection": 29,
    }
    assert Counter(asset["type"] for asset in ASSETS.values()) == {
        "DATA_ASSET": 86,
        "CAPSULE": 56,
        "PIPELINE": 54,
        "MODEL": 25,
        "NO_CODE_APP": 21,
    }


def test_the_kind_comes_first_in_each_line_and_lines_are_sorted_by_kind() -> None:
    assert all(next(iter(line)) == "kind" for line in LINES)
    kinds = [KIND_ORDER.index(line["kind"]) for line in LINES]
    assert kinds == sorted(kinds)


def test_no_id_or_slug_is_used_twice() -> None:
    ids = [line.get("id") or f"{line['kind']}/{line['slug']}" for line in LINES]
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    assert [slug for slug in [*TOPICS, *COLLECTIONS] if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)] == []


def test_every_owner_member_and_principal_is_in_the_file() -> None:
    principals = {"everyone", "public", *USERS, *GROUPS}
    assert {asset["owner"] for asset in ASSETS.values()} <= USERS.keys()
    assert {user for group in GROUPS.values() for user in group["members"]} <= USERS.keys()
    grants = [grant for asset in ASSETS.values() for grant in asset["grants"]]
    assert {grant["to"] for grant in grants} <= principals
    assert {grant["role"] for grant in grants} == ROLES


def test_every_use_is_another_asset_of_the_file() -> None:
    for asset in ASSETS.values():
        uses = asset.get("uses", [])
        assert set(uses) <= ASSETS.keys() - {asset["id"]}
        assert len(set(uses)) == len(uses)


def test_every_collection_has_a_topic_parent_and_assets_of_the_file() -> None:
    for collection in COLLECTIONS.values():
        assert collection["topic"] in TOPICS
        assert collection["parent"] is None or COLLECTIONS[collection["parent"]]["topic"] == collection["topic"]
        assert collection["assets"]
        assert set(collection["assets"]) <= ASSETS.keys()
        assert len(set(collection["assets"])) == len(collection["assets"])


def test_every_user_without_an_account_has_no_email() -> None:
    emails = {user["id"]: user["email"] for user in USERS.values() if "email" in user}
    assert sorted(emails) == sorted(MEMBERS)
    assert all(email.endswith("@example.org") for email in emails.values())
    assert [user["id"] for user in USERS.values() if user.get("isAdmin")] == ["user:ada"]


def test_every_asset_has_a_description_of_its_own() -> None:
    descriptions = [asset["description"] for asset in ASSETS.values()]
    assert [text for text in descriptions if not SHORTEST <= len(text) <= LONGEST or text != text.strip()] == []
    assert [text for text, times in Counter(descriptions).items() if times > 1] == []


def test_every_topic_and_collection_has_a_description_of_its_own() -> None:
    descriptions = [heading["description"] for heading in [*TOPICS.values(), *COLLECTIONS.values()]]
    assert [text for text in descriptions if not SHORTEST <= len(text) <= LONGEST] == []
    assert len(set(descriptions)) == len(descriptions)


def test_sibling_names_are_unique() -> None:
    siblings = Counter((line["topic"], line["parent"], line["name"].strip().casefold()) for line in lines("collection"))
    assert [key for key, times in siblings.items() if times > 1] == []
    assert len({topic["name"].casefold() for topic in TOPICS.values()}) == len(TOPICS)


def test_every_licence_is_plain_text() -> None:
    licences = [asset["license"] for asset in ASSETS.values() if "license" in asset]
    assert [licence for licence in licences if licence.startswith("['") or licence in {"", "None"}] == []


def test_no_tree_is_deeper_than_five() -> None:
    depths = [len(ancestry(slug)) for slug in COLLECTIONS]
    assert max(depths) <= DEEPEST
    assert min(depths) == 1
    assert {2, 3} <= set(depths)


def test_no_public_collection_lies_under_an_internal_one() -> None:
    for slug in COLLECTIONS:
        for child, parent in pairwise(COLLECTIONS[step]["visibility"] for step in ancestry(slug)):
            assert (child, parent) != ("PUBLIC", "INTERNAL")
    visibilities = Counter(collection["visibility"] for collection in COLLECTIONS.values())
    assert visibilities.keys() == {"PUBLIC", "INTERNAL"}


def test_the_five_viewers_see_five_different_numbers_of_assets() -> None:
    totals = [len(visible_assets(viewer)) for viewer in VIEWERS]
    assert len(set(totals)) == len(VIEWERS), totals


def test_in_at_least_ten_collections_viewers_see_three_different_numbers() -> None:
    differing = [slug for slug, collection in COLLECTIONS.items() if len(set(visible_counts(collection))) >= DISTINCT]
    assert len(differing) >= DIFFERING


def test_in_one_collection_each_viewer_sees_a_different_number() -> None:
    assert any(len(set(visible_counts(collection))) == len(VIEWERS) for collection in COLLECTIONS.values())


def test_one_collection_is_empty_for_visitors_and_full_for_members() -> None:
    assert any(
        not visible_in(collection, ANONYMOUS) and min(len(visible_in(collection, member)) for member in MEMBERS) >= RICH
        for collection in COLLECTIONS.values()
    )


@pytest.mark.parametrize("asset_type", sorted(ASSET_TYPES))
def test_the_owner_has_released_assets_and_drafts_of_each_kind(asset_type: str) -> None:
    owned = [asset for asset in ASSETS.values() if asset["owner"] == "user:olu" and asset["type"] == asset_type]
    drafts = [asset for asset in owned if not asset.get("released", True) or asset.get("state") in {"DRAFT", "FAILED"}]
    assert drafts
    assert len(owned) > len(drafts)


def test_the_owner_has_released_assets_outside_collections() -> None:
    collected = {asset_id for collection in COLLECTIONS.values() for asset_id in collection["assets"]}
    addable = [
        asset
        for asset in ASSETS.values()
        if asset["owner"] == "user:olu" and asset.get("released", True) and asset.get("state", "READY") == "READY"
    ]
    assert [asset["id"] for asset in addable if asset["id"] not in collected]


def test_drafts_are_in_no_collection() -> None:
    collected = {asset_id for collection in COLLECTIONS.values() for asset_id in collection["assets"]}
    unready = {
        asset["id"]
        for asset in ASSETS.values()
        if not asset.get("released", True) or asset.get("state", "READY") != "READY"
    }
    assert not collected & unready


def test_archived_and_withdrawn_assets_are_visible_to_their_owner_and_not_to_a_member() -> None:
    shelved = [asset for asset in ASSETS.values() if is_shelved(asset)]
    visible_to_olu = {asset["id"] for asset in shelved if sees("user:olu", asset)}
    assert {"archived", "withdrawn"} <= {key for asset in shelved if asset["id"] in visible_to_olu for key in asset}
    assert [asset["id"] for asset in shelved if sees("user:sam", asset) or sees(ANONYMOUS, asset)] == []


def test_a_group_owns_assets_and_a_member_has_editor_grants() -> None:
    grants = [(grant["to"], grant["role"]) for asset in ASSETS.values() for grant in asset["grants"]]
    assert grants.count(("group:imaging-core", "OWNER")) == OWNED_BY_THE_CORE
    assert grants.count(("user:sam", "EDITOR")) == SHARED_WITH_SAM


def test_many_assets_are_in_several_collections() -> None:
    memberships = Counter(asset_id for collection in COLLECTIONS.values() for asset_id in collection["assets"])
    assert sum(times > 1 for times in memberships.values()) >= IN_SEVERAL
