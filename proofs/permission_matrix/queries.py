"""This file is every place where the graph tells of an asset, each with how it is asked and the word it must say."""

from proofs.permission_matrix import extractors
from proofs.permission_matrix.requests import Each, Listed, Of
from proofs.permission_matrix.surface import Found, Surface
from tests.oracle import KINDS

ID = "... on AssetFields { id }"
FEW = f"{{ totalCount nodes {{ {ID} }} }}"
COUNTS = "{ total capsules pipelines noCodeApps dataAssets models goldStandards }"
METADATA = (
    "__typename id externalId kind status name description tags license doi version createdAt updatedAt owner { id }"
    " goldStandard { awardedAt awardedBy { id } note }"
    " ... on Capsule { language } ... on Pipeline { language stepCount } ... on NoCodeApp { appKind }"
    " ... on DataAsset { dataKind sizeBytes fileCount } ... on Model { framework }"
)
ALL = (
    f"filter: {{kinds: [{', '.join(KINDS)}], statuses: [RELEASED, DRAFT, ARCHIVED, WITHDRAWN, FAILED],"
    ' goldStandard: true, tags: ["told"], ownerIds: $owners, createdAt: {from: "2000-01-01T00:00:00Z"},'
    ' updatedAt: {from: "2000-01-01T00:00:00Z"}}, orderBy: {field: NAME, direction: ASC}'
)
TOLD = 'filter: {tags: ["told"]}'  # which they have, and nothing else that is called like one
CHANGE = "id subject { id } fields { field }"
ADDED = f"{CHANGE} assets(first: 1) {{ nodes {{ {ID} }} }}"
OF_TOOL = "asset(by: {id: $tool}) { ... on AssetFields { % } }"
OF_DESK = "asset(by: {id: $desk}) { ... on AssetFields { % } }"
CROWD = "collection(by: {id: $crowd}) { % }"
ABOVE = "collection(by: {id: $above}) { % }"
ELSEWHERE = "collection(by: {id: $elsewhere}) { % }"


def page(node: str, edge: str = "") -> str:
    """Return what is asked of a page."""
    return f"pageInfo {{ hasNextPage endCursor }} edges {{ {edge} node {{ {node} }} }}"


def walked(field: str, given: str = "", node: str = ID, edge: str = "") -> str:
    """Return what is asked of a list that is walked."""
    return f"{field}(first: 100, after: $after{given and f', {given}'}) {{ totalCount {page(node, edge)} }}"


def audit(action: str, node: str, given: str = "") -> str:
    """Return what is asked of the whole log."""
    return f"auditLog(first: 100, after: $after, filter: {{actions: [{action}]{given}}}) {{ {page(node)} }}"


def subject(change: Found) -> str:
    """Return the id of what was changed."""
    return str(change["subject"]["id"])


MEMBERS = walked("assets", edge="addedAt addedBy { id } note viewerCanRemove")
PANEL = walked("addableAssets", edge="isMember addedAt")
FACETS = "{ kinds { kind count } tags { tag count } owners { count owner { id } } }"
KINDS_AND_OWNERS = (
    "{ kinds { kind count } owners { count owner { id } } }"  # tags are counted without the filter of tags
)
EACH, WALKED, LOG = Each(), Listed(), Listed(key=subject)
ASSET, FRONT = Of("asset", "AssetFields"), Of("front", "NoCodeApp")
COLLECTION, TOPIC = Of("collection", "Collection"), Of("topic", "Topic")

SIGHTS: tuple[Surface, ...] = (
    Surface("`node`", "exists", EACH, "@node(id: $asset) { id }", extractors.one("asset")),
    Surface("`nodes`", "exists", ASSET, "id", extractors.one("asset")),
    Surface("`asset` by id", "exists", EACH, f"@asset(by: {{id: $asset}}) {{ {ID} }}", extractors.one("asset")),
    Surface(
        "`asset` by externalId",
        "exists",
        EACH,
        f"@asset(by: {{externalId: $external}}) {{ {ID} }}",
        extractors.one("asset"),
    ),
    Surface("its metadata", "exists", ASSET, METADATA, extractors.metadata),
    Surface("`assets`", "exists", WALKED, walked("assets"), extractors.there),
    Surface("`assets` by every filter", "exists", WALKED, walked("assets", ALL), extractors.there),
    Surface("`assets` by `query`", "exists", WALKED, walked("assets", 'query: "tag:told"'), extractors.there),
    Surface(
        "`assets` by its own name", "exists", EACH, f"@assets(query: $external) {FEW}", extractors.lists("", "asset")
    ),
    Surface(
        "`facets` of `assets`",
        "exists",
        EACH,
        f"@assets(query: $external, {TOLD}) {{ facets {KINDS_AND_OWNERS} }}",
        extractors.facets(""),
    ),
    Surface("its `usedBy`", "exists", ASSET, f"usedBy {FEW}", extractors.lists("usedBy", "desk")),
    Surface("`uses` of what uses it", "exists", Listed(OF_DESK, absent="no"), walked("uses"), extractors.there),
    Surface(
        "`release` of what runs it", "exists", FRONT, f"release {{ {ID} }}", extractors.release("asset"), "has_front"
    ),
    Surface("`viewerAccess`", "access", ASSET, "viewerAccess", extractors.access),
    Surface("`url`", "content", ASSET, "url", extractors.field("url")),
    Surface(
        "`source`",
        "content",
        ASSET,
        "... on DataAsset { source } ... on Model { source }",
        extractors.field("source"),
        about="has_source",
    ),
    Surface("its `uses`", "content", ASSET, f"uses {FEW}", extractors.lists("uses", "tool")),
    Surface("`usedBy` of what it uses", "content", Listed(OF_TOOL, absent="no"), walked("usedBy"), extractors.there),
    Surface(
        "its `release`",
        "content",
        ASSET,
        f"... on NoCodeApp {{ release {{ {ID} }} }}",
        extractors.release("tool"),
        about="is_app",
    ),
    Surface("`grants`", "grants", ASSET, "grants { access principal { __typename } }", extractors.field("grants")),
    Surface("`nodes`", "shown", COLLECTION, "id", extractors.one("collection")),
    Surface("`collections`", "shown", Listed(by="collection"), walked("collections", node="id"), extractors.there),
    Surface("`Collection.assets`", "held", COLLECTION, f"assets {FEW}", extractors.lists("assets", "asset")),
    Surface("`Collection.assets` among others", "held", Listed(CROWD, absent="no"), MEMBERS, extractors.there),
    Surface(
        "`Collection.assets` with descendants",
        "held",
        COLLECTION,
        f"below: assets(includeDescendants: true) {FEW}",
        extractors.lists("below", "asset"),
    ),
    Surface(
        "`Collection.assets` of what is above",
        "held",
        Listed(ABOVE, absent="no"),
        walked("assets", f"includeDescendants: true, {ALL}"),
        extractors.there,
    ),
    Surface(
        "`Collection.assets` by `query`",
        "held",
        COLLECTION,
        f'sought: assets(query: "told") {FEW}',
        extractors.lists("sought", "asset"),
    ),
    Surface(
        "`facets` of `Collection.assets`",
        "held",
        COLLECTION,
        f'faced: assets(query: "told") {{ facets {FACETS} }}',
        extractors.facets("faced"),
    ),
    Surface("`assetCounts`", "held", COLLECTION, f"assetCounts {COUNTS}", extractors.counts("assetCounts")),
    Surface(
        "`assetCounts` by a filter",
        "held",
        COLLECTION,
        f'filtered: assetCounts(filter: {{tags: ["told"]}}) {COUNTS}',
        extractors.counts("filtered"),
    ),
    Surface(
        "`assetCounts` with descendants",
        "held",
        COLLECTION,
        f"counted: assetCounts(includeDescendants: true) {COUNTS}",
        extractors.counts("counted"),
    ),
    Surface("`Topic.assetCounts`", "held", TOPIC, f"assetCounts {COUNTS}", extractors.counts("assetCounts")),
    Surface(
        "`Asset.collections`",
        "held",
        ASSET,
        f"collections {{ totalCount {page('id', 'addedAt addedBy { id } note')} nodes {{ id }} }}",
        extractors.lists("collections", "collection", "crowd"),
    ),
    Surface(
        "`collections` by `containsAssetId`",
        "held",
        EACH,
        "@topic(by: {id: $topic}) { collections(filter: {containsAssetId: $asset}) { totalCount nodes { id } } }",
        extractors.lists("collections", "collection"),
    ),
    Surface(
        "`collections` by `ASSET_COUNT`",
        "held",
        Listed(by="collection", order=extractors.are_by_count),
        walked("collections", "orderBy: {field: ASSET_COUNT, direction: ASC}", node="id assetCounts { total }"),
        extractors.has_any,
    ),
    Surface(
        "`assets` by `inCollectionIds`",
        "held",
        WALKED,
        walked("assets", "filter: {inCollectionIds: $holders}"),
        extractors.there,
    ),
    Surface(
        "`assets` by one of `inCollectionIds`",
        "held",
        EACH,
        f"@assets(filter: {{inCollectionIds: [$collection]}}) {FEW}",
        extractors.lists("", "asset"),
    ),
    Surface(
        "`assets` by `notInCollectionIds`",
        "outside",
        WALKED,
        walked("assets", "filter: {notInCollectionIds: $holders}"),
        extractors.there,
    ),
    Surface(
        "`containsAsset`",
        "contains",
        Each(null="absent"),
        "@collection(by: {id: $collection}) { containsAsset(assetId: $asset) }",
        extractors.contains,
    ),
    Surface(
        "`containsAsset` among others",
        "contains",
        Each(within=CROWD, absent="absent", null="unknown"),
        "@containsAsset(assetId: $asset)",
        extractors.known,
    ),
    Surface(
        "`viewer.collections`",
        "chosen",
        Each(within="viewer { % }", absent="absent"),
        f"@collections(first: 4, assetId: $asset) {{ totalCount {page('id', 'containsAsset')} nodes {{ id }} }}",
        extractors.chosen,
    ),
    Surface(
        "`containsAsset`",
        "lacks",
        Each(within=ELSEWHERE, absent="absent", null="unknown"),
        "@containsAsset(assetId: $asset)",
        extractors.known,
    ),
    Surface("`addableAssets`", "offered", Listed(ELSEWHERE), PANEL, extractors.is_new),
    Surface(
        "`addableAssets` without members",
        "offered",
        Listed(ELSEWHERE),
        f"addableAssets(first: 100, after: $after, excludeMembers: true, {ALL})"
        f" {{ totalCount {page(ID)} nodes {{ {ID} }} }}",
        extractors.there,
    ),
    Surface(
        "`addableAssets` by `query`",
        "offered",
        Listed(ELSEWHERE),
        walked("addableAssets", 'query: "told"', edge="isMember addedAt"),
        extractors.is_new,
    ),
    Surface(
        "`facets` of `addableAssets`",
        "offered",
        Each(within=ELSEWHERE, absent="absent"),
        f"@addableAssets(query: $external, {TOLD}) {{ facets {KINDS_AND_OWNERS} }}",
        extractors.facets(""),
    ),
    Surface("`addableAssets`", "kept", Listed(CROWD), PANEL, extractors.is_member),
    Surface("`viewerCanRemove`", "removable", Listed(CROWD, absent="no"), MEMBERS, extractors.can_remove),
    Surface("`node` of the change", "told", Of("added", "Change"), f"subject {{ id }} assets {FEW}", extractors.change),
    Surface(
        "`Change.assets`",
        "told",
        Listed("node(id: $crowded) { ... on Change { % } }", absent="no"),
        walked("assets"),
        extractors.there,
    ),
    Surface(
        "`Collection.history`",
        "history",
        Of("collection", "Collection", absent="absent"),
        f"history(first: 3) {{ nodes {{ id assets {{ nodes {{ {ID} }} }} }} }}",
        extractors.history,
    ),
    Surface(
        "`auditLog`", "logged", Listed(by="collection", key=subject), audit("ASSETS_ADDED", ADDED), extractors.logged
    ),
    Surface("`node` of the change", "url_told", Of("relocated", "Change"), CHANGE, extractors.relocated),
    Surface("`auditLog`", "url_logged", LOG, audit("UPDATED", CHANGE, ", subjectIds: $assets"), extractors.relocated),
    Surface("`node` of the change", "grants_told", Of("unshared", "Change"), CHANGE, extractors.unshared),
    Surface("`auditLog`", "grants_logged", LOG, audit("UNSHARED", CHANGE), extractors.unshared),
)
