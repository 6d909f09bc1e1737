"""This file is what is asked after whatever happened: every list whole, every tree and count, and all of an asset.

Questions made at random come upon each of these too, though seldom just when it matters.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proofs.interference.operations import Given, Question, Selected
from proofs.interference.world import NEAR_NAMES, USERS, id_of

ALL = Given("Int", 100)


def _ids(name: str, kind: str, *more: Selected, of: str = "", **given: Given) -> Selected:
    """Return a list: how many, and the ids of all, with more of each; `of` names the interface that items have."""
    each = [
        Selected("id", "ID", on=of and "Node"),
        *(Selected(one.name, one.type, one.arguments, one.below, of) for one in more),
    ]
    below = [Selected("totalCount", "Int"), Selected("nodes", kind, below=each)]
    return Selected(name, f"{kind}Connection", {"first": ALL, **given}, below)


def _plain(*names: str) -> list[Selected]:
    return [Selected(name, "") for name in names]


def _one(name: str, *names: str) -> Selected:
    return Selected(name, "", below=_plain(*names))


def _input(kind: str, **value: Any) -> Given:
    return Given(kind, value)


TREE = Question(
    "query",
    [
        _ids(
            "topics",
            "Topic",
            *_plain("version", "updatedAt"),
            _one("assetCounts", "total", "goldStandards"),
            _ids("collections", "Collection"),
        ),
        _ids(
            "collections",
            "Collection",
            *_plain("version", "updatedAt"),
            _one("parent", "id"),
            _one("ancestors", "id"),
            _one("assetCounts", "total", "capsules"),
            _ids("children", "Collection"),
            filter=_input("CollectionFilter", topLevelOnly=True),
            orderBy=_input("CollectionOrder", field="POSITION", direction="ASC"),
        ),
        _ids(
            "collections",
            "Collection",
            _ids("assets", "Asset", of="AssetFields", includeDescendants=Given("Boolean", value=True)),
            orderBy=_input("CollectionOrder", field="ASSET_COUNT", direction="ASC"),
        ),
    ],
)
ASSETS = Question(
    "query",
    [
        _ids(
            "assets",
            "Asset",
            *_plain("status", "viewerAccess", "url"),
            _one("owner", "id", "name", "email"),
            _one("grants", "access"),
            _ids("collections", "Collection"),
            _ids("uses", "Asset", of="AssetFields"),
            _ids("usedBy", "Asset", of="AssetFields"),
            of="AssetFields",
        )
    ],
)
# Of the first two collections that every world has, seen or not.
HELD = Question(
    "query",
    [
        _ids("assets", "Asset", of="AssetFields", filter=_input("AssetFilter", **{way: [id_of("col", slug)]}))
        for slug in ("held-0", "held-1")
        for way in ("inCollectionIds", "notInCollectionIds")
    ],
)
HISTORY = Question(
    "query",
    [
        _ids(
            "collections",
            "Collection",
            Selected(
                "history",
                "ChangeConnection",
                {"first": ALL},
                [
                    Selected(
                        "nodes",
                        "Change",
                        below=[*_plain("id", "action"), _ids("assets", "Asset", of="AssetFields")],
                    )
                ],
            ),
        )
    ],
)
_FACETS = Selected(
    "facets",
    "AssetFacets",
    below=[_one("kinds", "kind", "count"), _one("tags", "tag", "count"), _one("owners", "count")],
)
SEARCH = Question(
    "query",
    [
        # Hidden things are called so, or nearly; and visible ones are nearly called so.
        replace(found, below=[*found.below, *more])
        for name in NEAR_NAMES
        for found, more in (
            (_ids("assets", "Asset", of="AssetFields", query=Given("String", name)), [_FACETS]),
            (_ids("collections", "Collection", query=Given("String", name)), []),
        )
    ]
    + [_ids("assets", "Asset", of="AssetFields", query=Given("String", f"owner:{user}")) for user in USERS[-2:]],
)


def survey(*, is_signed_in: bool) -> Sequence[Question]:
    """Return the questions; members and administrators are asked for what happened as well."""
    return (TREE, ASSETS, HELD, SEARCH, HISTORY) if is_signed_in else (TREE, ASSETS, HELD, SEARCH)
