"""Fixed queries that read everything: all lists, trees, counts, searches and asset fields.

Random operations reach each of these too, but seldom right after the change that matters.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proofs.interference.operations import Argument, Operation, Selection
from proofs.interference.world import NEAR_NAMES, USERS, public_id

FIRST = Argument("Int", 20)
"""Size of pages: that of the longest lists of a new world; three levels of such lists are within the cost limits."""


def _list_field(name: str, kind: str, *fields: Selection, interface: str = "", **arguments: Argument) -> Selection:
    """Select a list: its total, and the id and the given fields of its first items.

    `interface` is the items' interface, empty if they are of one concrete type.
    """
    node = [
        Selection("id", "ID", on=interface and "Node"),
        *(
            Selection(selection.name, selection.type, selection.arguments, selection.selections, interface)
            for selection in fields
        ),
    ]
    selections = [Selection("totalCount", "Int"), Selection("nodes", kind, selections=node)]
    return Selection(name, f"{kind}Connection", {"first": FIRST, **arguments}, selections)


def _leaves(*names: str) -> list[Selection]:
    return [Selection(name, "") for name in names]


def _object(name: str, *names: str) -> Selection:
    return Selection(name, "", selections=_leaves(*names))


def _argument(kind: str, **value: Any) -> Argument:
    return Argument(kind, value)


TREE = Operation(
    "query",
    [
        _list_field(
            "topics",
            "Topic",
            *_leaves("version", "updatedAt"),
            _object("assetCounts", "total", "goldStandards"),
            _list_field("collections", "Collection"),
        ),
        _list_field(
            "collections",
            "Collection",
            *_leaves("version", "updatedAt"),
            _object("parent", "id"),
            _object("ancestors", "id"),
            _object("assetCounts", "total", "capsules"),
            _list_field("children", "Collection"),
            filter=_argument("CollectionFilter", topLevelOnly=True),
            orderBy=_argument("CollectionOrder", field="POSITION", direction="ASC"),
        ),
    ],
)
DESCENDANTS = Operation(
    "query",
    [
        _list_field(
            "collections",
            "Collection",
            _list_field("assets", "Asset", interface="AssetFields", includeDescendants=Argument("Boolean", value=True)),
            orderBy=_argument("CollectionOrder", field="ASSET_COUNT", direction="ASC"),
            first=Argument("Int", 12),  # more would cost more than anonymous visitors may read
        ),
    ],
)
# The visibility index answers the next two, which select nothing that it does not hold.
COUNTS = Operation(
    "query",
    [
        Selection("topics", "TopicConnection", selections=_leaves("totalCount")),
        _list_field(
            "collections",
            "Collection",
            _object("assetCounts", "total", "models", "goldStandards"),
            _object("assets", "totalCount"),
            _object("children", "totalCount"),
        ),
    ],
)
MEMBERS = Operation(
    "query",
    [
        _list_field("topics", "Topic", *_leaves("name"), _list_field("collections", "Collection")),
        _list_field(
            "collections",
            "Collection",
            *_leaves("name"),
            _object("parent", "id", "name"),
            _list_field("assets", "Asset", *_leaves("name", "status", "viewerAccess", "url"), interface="AssetFields"),
        ),
    ],
)
ASSETS = Operation(
    "query",
    [
        _list_field(
            "assets",
            "Asset",
            *_leaves("status", "viewerAccess", "url"),
            _object("owner", "id", "name", "email"),
            _object("grants", "access"),
            _list_field("collections", "Collection"),
            _list_field("uses", "Asset", interface="AssetFields"),
            _list_field("usedBy", "Asset", interface="AssetFields"),
            interface="AssetFields",
        )
    ],
)
# The first two collections exist in every world, visible or not.
HOLDERS = Operation(
    "query",
    [
        _list_field(
            "assets",
            "Asset",
            interface="AssetFields",
            filter=_argument("AssetFilter", **{way: [public_id("col", slug)]}),
        )
        for slug in ("held-0", "held-1")
        for way in ("inCollectionIds", "notInCollectionIds")
    ],
)
HISTORY = Operation(
    "query",
    [
        _list_field(
            "collections",
            "Collection",
            Selection(
                "history",
                "ChangeConnection",
                {"first": FIRST},
                [
                    Selection(
                        "nodes",
                        "Change",
                        selections=[*_leaves("id", "action"), _list_field("assets", "Asset", interface="AssetFields")],
                    )
                ],
            ),
        )
    ],
)
_FACETS = Selection(
    "facets",
    "AssetFacets",
    selections=[_object("kinds", "kind", "count"), _object("tags", "tag", "count"), _object("owners", "count")],
)
SEARCH = Operation(
    "query",
    [
        # Only hidden rows have these names. Visible rows have similar ones, which match fuzzily.
        replace(selection, selections=[*selection.selections, *more])
        for name in NEAR_NAMES
        for selection, more in (
            (_list_field("assets", "Asset", interface="AssetFields", query=Argument("String", name)), [_FACETS]),
            (_list_field("collections", "Collection", query=Argument("String", name)), []),
        )
    ]
    + [
        _list_field("assets", "Asset", interface="AssetFields", query=Argument("String", f"owner:{user}"))
        for user in USERS[-2:]
    ],
)


_GRAPH = [
    *(Selection(name, "", selections=_leaves("id", "name", "updatedAt")) for name in ("topics", "collections")),
    Selection(
        "assets",
        "Asset",
        selections=[Selection(name, "", on="AssetFields") for name in ("id", "name", "status", "viewerAccess", "url")],
    ),
    _object("memberships", "collectionId", "assetId", "addedAt", "note"),
    _object("uses", "assetId", "usesAssetId"),
    _object("users", "id", "name"),
    Selection("removedIds", ""),
    _object("removedMemberships", "collectionId", "assetId"),
    _object("removedUses", "assetId", "usesAssetId"),
    Selection("syncToken", ""),
    _object("pageInfo", "hasNextPage", "endCursor"),
]


_CHANGE = Selection(
    "change",
    "Change",
    selections=[*_leaves("id", "action", "at"), _list_field("assets", "Asset", interface="AssetFields")],
)


def subscribe_to_tree() -> Operation:
    """Return the subscription to the tree of topics and collections."""
    objects = [_object(name, "id", "name", "version") for name in ("topics", "collections")]
    fields = [*_leaves("cursor", "reload", "removedIds"), *objects, _CHANGE]
    return Operation("subscription", [Selection("topicTreeChanged", "TopicTreeEvent", selections=fields)])


def subscribe_to_collection(id_: str) -> Operation:
    """Return the subscription to a collection."""
    node = Selection("node", "Asset", selections=[Selection(name, "", on="AssetFields") for name in ("id", "name")])
    edges = Selection("addedEdges", "", selections=[*_leaves("addedAt", "note"), node])
    fields = [*_leaves("cursor", "reload", "removedAssetIds"), _object("collection", "name", "version"), edges, _CHANGE]
    arguments = {"id": Argument("ID!", id_)}
    return Operation("subscription", [Selection("collectionChanged", "CollectionEvent", arguments, fields)])


def resume(subscription: Operation, cursor: str) -> Operation:
    """Return the subscription from after an event on."""
    [field] = subscription.selections
    arguments = {**field.arguments, "after": Argument("String", cursor)}
    return replace(subscription, selections=[replace(field, arguments=arguments)])


def pull_graph(size: int, since: str | None) -> Operation:
    """Return the query for the first page of a pull of all rows, or of those that changed since a sync token."""
    arguments = {"first": Argument("Int", size)}
    arguments |= {} if since is None else {"since": Argument("String", since)}
    return Operation("query", [Selection("collectionGraph", "CollectionGraph", arguments, _GRAPH)])


def full_reads(*, is_signed_in: bool) -> Sequence[Operation]:
    """Return the queries; only signed-in viewers read histories."""
    reads = (TREE, DESCENDANTS, COUNTS, MEMBERS, ASSETS, HOLDERS, SEARCH)
    return (*reads, HISTORY) if is_signed_in else reads
