"""All fields that expose an asset, as surfaces of the permission matrix."""

from proofs.permission_matrix import extractors
from proofs.permission_matrix.requests import AliasedRequest, GraphRequest, NodesRequest, PagedRequest
from proofs.permission_matrix.surface import ResponsePart, Surface
from tests.oracle import COUNT_FIELDS, KINDS

ID = "... on AssetFields { id }"
IDS = f"{{ totalCount nodes {{ {ID} }} }}"
COUNTS = f"{{ total {' '.join(COUNT_FIELDS.values())} goldStandards }}"
METADATA = (
    "__typename id externalId kind status name description tags license doi version createdAt updatedAt owner { id }"
    " properties { name values } goldStandard { awardedAt awardedBy { id } note }"
    " ... on Capsule { language } ... on Pipeline { language stepCount } ... on NoCodeApp { appKind }"
    " ... on DataAsset { dataKind sizeBytes fileCount } ... on Model { framework }"
)
EVERY_FILTER = (
    f"filter: {{kinds: [{', '.join(KINDS)}], statuses: [RELEASED, DRAFT, ARCHIVED, WITHDRAWN, FAILED],"
    ' goldStandard: true, tags: ["tagged"], allTags: ["tagged"], licenses: ["MIT"], viewerAccess: DISCOVERABLE,'
    ' ids: $assets, ownerIds: $owners, createdAt: {from: "2000-01-01T00:00:00Z"},'
    ' updatedAt: {from: "2000-01-01T00:00:00Z"}}, orderBy: {field: NAME, direction: ASC}'
)
TAGGED = 'filter: {tags: ["tagged"]}'  # excludes the asset's front, which has a similar name but no tags
CHANGE = "id subject { id } fields { field }"
ADDED = f"{CHANGE} assets(first: 1) {{ nodes {{ {ID} }} }}"
OF_TOOL = "asset(by: {id: $tool}) { ... on AssetFields { % } }"
OF_DESK = "asset(by: {id: $desk}) { ... on AssetFields { % } }"
CROWD = "collection(by: {id: $crowd}) { % }"
ABOVE = "collection(by: {id: $crowdParent}) { % }"
ELSEWHERE = "collection(by: {id: $elsewhere}) { % }"


def page_text(node: str, edge: str = "") -> str:
    """Return the selections of a page."""
    return f"pageInfo {{ hasNextPage endCursor }} edges {{ {edge} node {{ {node} }} }}"


def list_text(field: str, arguments: str = "", node: str = ID, edge: str = "") -> str:
    """Return the field of a list that is read page by page."""
    return (
        f"{field}(first: 100, after: $after{arguments and f', {arguments}'}) {{ totalCount {page_text(node, edge)} }}"
    )


def audit_log_text(action: str, node: str, filters: str = "") -> str:
    """Return the field of the audit log."""
    return f"auditLog(first: 100, after: $after, filter: {{actions: [{action}]{filters}}}) {{ {page_text(node)} }}"


def subject_id(change: ResponsePart) -> str:
    """Return the id of a change's subject."""
    return str(change["subject"]["id"])


MEMBER_LIST = list_text("assets", edge="addedAt addedBy { id } note viewerCanRemove")
ADDABLE_LIST = list_text("addableAssets", edge="isMember addedAt")
FACETS = "{ kinds { kind count } tags { tag count } owners { count owner { id } } }"
KINDS_AND_OWNERS = "{ kinds { kind count } owners { count owner { id } } }"  # facets of tags ignore the filter by tags
ALIASED, LISTED, AUDIT_LOG = AliasedRequest(), PagedRequest(), PagedRequest(key=subject_id)
GRAPH = GraphRequest()
ASSET, FRONT = NodesRequest("asset", "AssetFields"), NodesRequest("front", "NoCodeApp")
COLLECTION, TOPIC = NodesRequest("collection", "Collection"), NodesRequest("topic", "Topic")

QUERY_SURFACES: tuple[Surface, ...] = (
    Surface("`node`", "exists", ALIASED, "@node(id: $asset) { id }", extractors.has_id("asset")),
    Surface("`nodes`", "exists", ASSET, "id", extractors.has_id("asset")),
    Surface("`asset` by id", "exists", ALIASED, f"@asset(by: {{id: $asset}}) {{ {ID} }}", extractors.has_id("asset")),
    Surface(
        "`asset` by externalId",
        "exists",
        ALIASED,
        f"@asset(by: {{externalId: $external}}) {{ {ID} }}",
        extractors.has_id("asset"),
    ),
    Surface(
        "`assets` by `externalIds`",
        "exists",
        ALIASED,
        f"@assets(filter: {{externalIds: [$external]}}) {IDS}",
        extractors.has_all("", "asset"),
    ),
    Surface("metadata", "exists", ASSET, METADATA, extractors.has_metadata),
    Surface("`assets`", "exists", LISTED, list_text("assets"), extractors.is_present),
    Surface("`assets` by every filter", "exists", LISTED, list_text("assets", EVERY_FILTER), extractors.is_present),
    Surface("`assets` by `query`", "exists", LISTED, list_text("assets", 'query: "tag:tagged"'), extractors.is_present),
    Surface(
        "`assets` by its own name",
        "exists",
        ALIASED,
        f"@assets(query: $external) {IDS}",
        extractors.has_all("", "asset"),
    ),
    Surface(
        "`facets` of `assets`",
        "exists",
        ALIASED,
        f"@assets(query: $external, {TAGGED}) {{ facets {KINDS_AND_OWNERS} }}",
        extractors.is_in_facets(""),
    ),
    Surface("`collectionGraph`", "exists", GRAPH, f"assets {{ {ID} }}", extractors.has_rows("assets", ["asset"])),
    Surface("`usedBy`", "exists", ASSET, f"usedBy {IDS}", extractors.has_all("usedBy", "desk")),
    Surface(
        "`uses` of the asset that uses it",
        "exists",
        PagedRequest(OF_DESK, absent="no"),
        list_text("uses"),
        extractors.is_present,
    ),
    Surface(
        "`release` of its app",
        "exists",
        FRONT,
        f"release {{ {ID} }}",
        extractors.has_release("asset"),
        "has_front",
    ),
    Surface("`viewerAccess`", "access", ASSET, "viewerAccess", extractors.viewer_access),
    Surface("`url`", "content", ASSET, "url", extractors.has_value("url")),
    Surface(
        "`source`",
        "content",
        ASSET,
        "... on DataAsset { source } ... on Model { source }",
        extractors.has_value("source"),
        only_if="has_source",
    ),
    Surface("`uses`", "content", ASSET, f"uses {IDS}", extractors.has_all("uses", "tool")),
    Surface(
        "`usedBy` of the asset that it uses",
        "content",
        PagedRequest(OF_TOOL, absent="no"),
        list_text("usedBy"),
        extractors.is_present,
    ),
    Surface(
        "`release`",
        "content",
        ASSET,
        f"... on NoCodeApp {{ release {{ {ID} }} }}",
        extractors.has_release("tool"),
        only_if="is_app",
    ),
    Surface(
        "`uses` of `collectionGraph`",
        "content",
        GRAPH,
        "uses { assetId usesAssetId }",
        extractors.has_rows("uses", ["asset", "tool"]),
    ),
    Surface("`grants`", "grants", ASSET, "grants { access principal { __typename } }", extractors.has_value("grants")),
    Surface(
        "`viewer.assets`",
        "owned",
        PagedRequest("viewer { % }"),
        list_text("assets", EVERY_FILTER),
        extractors.is_present,
    ),
    Surface("`nodes`", "collection", COLLECTION, "id", extractors.has_id("collection")),
    Surface(
        "`collections`",
        "collection",
        PagedRequest(by="collection"),
        list_text("collections", node="id"),
        extractors.is_present,
    ),
    Surface(
        "`collections` by `ids`",
        "collection",
        ALIASED,
        "@collections(filter: {ids: [$collection]}) { totalCount nodes { id } }",
        extractors.has_all("", "collection"),
    ),
    Surface(
        "`isIn`",
        "listed",
        ALIASED,
        "@asset(by: {id: $asset}) { ... on AssetFields { isIn(collectionId: $collection) } }",
        extractors.has_value("isIn"),
    ),
    Surface(
        "`memberships` of `collectionGraph`",
        "listed",
        GRAPH,
        "memberships { collectionId assetId }",
        extractors.has_rows("memberships", ["collection", "asset"], ["crowd", "asset"]),
    ),
    Surface("`Collection.assets`", "listed", COLLECTION, f"assets {IDS}", extractors.has_all("assets", "asset")),
    Surface(
        "`Collection.assets` among others",
        "listed",
        PagedRequest(CROWD, absent="no"),
        MEMBER_LIST,
        extractors.is_present,
    ),
    Surface(
        "`Collection.assets` with descendants",
        "listed",
        COLLECTION,
        f"below: assets(includeDescendants: true) {IDS}",
        extractors.has_all("below", "asset"),
    ),
    Surface(
        "`Collection.assets` of its parent with descendants",
        "listed",
        PagedRequest(ABOVE, absent="no"),
        list_text("assets", f"includeDescendants: true, {EVERY_FILTER}"),
        extractors.is_present,
    ),
    Surface(
        "`Collection.assets` by `query`",
        "listed",
        COLLECTION,
        f'searched: assets(query: "tagged") {IDS}',
        extractors.has_all("searched", "asset"),
    ),
    Surface(
        "`facets` of `Collection.assets`",
        "listed",
        COLLECTION,
        f'faceted: assets(query: "tagged") {{ facets {FACETS} }}',
        extractors.is_in_facets("faceted"),
    ),
    Surface("`assetCounts`", "listed", COLLECTION, f"assetCounts {COUNTS}", extractors.is_counted("assetCounts")),
    Surface(
        "`assetCounts` by a filter",
        "listed",
        COLLECTION,
        f'filtered: assetCounts(filter: {{tags: ["tagged"]}}) {COUNTS}',
        extractors.is_counted("filtered"),
    ),
    Surface(
        "`assetCounts` with descendants",
        "listed",
        COLLECTION,
        f"counted: assetCounts(includeDescendants: true) {COUNTS}",
        extractors.is_counted("counted"),
    ),
    Surface("`Topic.assetCounts`", "listed", TOPIC, f"assetCounts {COUNTS}", extractors.is_counted("assetCounts")),
    Surface(
        "`Asset.collections`",
        "listed",
        ASSET,
        f"collections {{ totalCount {page_text('id', 'addedAt addedBy { id } note')} nodes {{ id }} }}",
        extractors.has_all("collections", "collection", "crowd"),
    ),
    Surface(
        "`collections` by `containsAssetId`",
        "listed",
        ALIASED,
        "@topic(by: {id: $topic}) { collections(filter: {containsAssetId: $asset}) { totalCount nodes { id } } }",
        extractors.has_all("collections", "collection"),
    ),
    Surface(
        "`collections` by `ASSET_COUNT`",
        "listed",
        PagedRequest(by="collection", order=extractors.is_ordered_by_count),
        list_text("collections", "orderBy: {field: ASSET_COUNT, direction: ASC}", node="id assetCounts { total }"),
        extractors.counts_any,
    ),
    Surface(
        "`assets` by `inCollectionIds`",
        "listed",
        LISTED,
        list_text("assets", "filter: {inCollectionIds: $holders}"),
        extractors.is_present,
    ),
    Surface(
        "`assets` by one of `inCollectionIds`",
        "listed",
        ALIASED,
        f"@assets(filter: {{inCollectionIds: [$collection]}}) {IDS}",
        extractors.has_all("", "asset"),
    ),
    Surface(
        "`assets` by `notInCollectionIds`",
        "uncollected",
        LISTED,
        list_text("assets", "filter: {notInCollectionIds: $holders}"),
        extractors.is_present,
    ),
    Surface(
        "`assets` by `inNoCollection`",
        "uncollected",
        LISTED,
        list_text("assets", "filter: {inNoCollection: true}"),
        extractors.is_present,
    ),
    Surface(
        "`containsAsset`",
        "contains",
        AliasedRequest(null="absent"),
        "@collection(by: {id: $collection}) { containsAsset(assetId: $asset) }",
        extractors.contains_asset,
    ),
    Surface(
        "`containsAsset` among others",
        "contains",
        AliasedRequest(within=CROWD, absent="absent", null="unknown"),
        "@containsAsset(assetId: $asset)",
        extractors.yes_no_or_unknown,
    ),
    Surface(
        "`viewer.collections`",
        "add_targets",
        AliasedRequest(within="viewer { % }", absent="absent"),
        f"@collections(first: 4, assetId: $asset) {{ totalCount {page_text('id', 'containsAsset')} nodes {{ id }} }}",
        extractors.is_in_crowd,
    ),
    Surface(
        "`containsAsset`",
        "not_contained",
        AliasedRequest(within=ELSEWHERE, absent="absent", null="unknown"),
        "@containsAsset(assetId: $asset)",
        extractors.yes_no_or_unknown,
    ),
    Surface("`addableAssets`", "addable", PagedRequest(ELSEWHERE), ADDABLE_LIST, extractors.is_not_member),
    Surface(
        "`addableAssets` without members",
        "addable",
        PagedRequest(ELSEWHERE),
        f"addableAssets(first: 100, after: $after, excludeMembers: true, {EVERY_FILTER})"
        f" {{ totalCount {page_text(ID)} nodes {{ {ID} }} }}",
        extractors.is_present,
    ),
    Surface(
        "`addableAssets` by `query`",
        "addable",
        PagedRequest(ELSEWHERE),
        list_text("addableAssets", 'query: "tagged"', edge="isMember addedAt"),
        extractors.is_not_member,
    ),
    Surface(
        "`facets` of `addableAssets`",
        "addable",
        AliasedRequest(within=ELSEWHERE, absent="absent"),
        f"@addableAssets(query: $external, {TAGGED}) {{ facets {KINDS_AND_OWNERS} }}",
        extractors.is_in_facets(""),
    ),
    Surface("`addableAssets`", "is_member", PagedRequest(CROWD), ADDABLE_LIST, extractors.is_member),
    Surface("`viewerCanRemove`", "removable", PagedRequest(CROWD, absent="no"), MEMBER_LIST, extractors.can_remove),
    Surface(
        "`node` of the change",
        "change",
        NodesRequest("addition", "Change"),
        f"subject {{ id }} assets {IDS}",
        extractors.is_change,
    ),
    Surface(
        "`Change.assets`",
        "change",
        PagedRequest("node(id: $crowdAddition) { ... on Change { % } }", absent="no"),
        list_text("assets"),
        extractors.is_present,
    ),
    Surface(
        "`Collection.history`",
        "history",
        NodesRequest("collection", "Collection", absent="absent"),
        f"history(first: 3) {{ nodes {{ id assets {{ nodes {{ {ID} }} }} }} }}",
        extractors.is_in_history,
    ),
    Surface(
        "`auditLog`",
        "audit",
        PagedRequest(by="collection", key=subject_id),
        audit_log_text("ASSETS_ADDED", ADDED),
        extractors.is_logged,
    ),
    Surface(
        "`node` of the change", "url_change", NodesRequest("urlChange", "Change"), CHANGE, extractors.has_url_change
    ),
    Surface(
        "`auditLog`",
        "url_audit",
        AUDIT_LOG,
        audit_log_text("UPDATED", CHANGE, ", subjectIds: $assets"),
        extractors.has_url_change,
    ),
    Surface(
        "`node` of the change",
        "grants_change",
        NodesRequest("grantChange", "Change"),
        CHANGE,
        extractors.has_grant_change,
    ),
    Surface("`auditLog`", "grants_audit", AUDIT_LOG, audit_log_text("UNSHARED", CHANGE), extractors.has_grant_change),
)
