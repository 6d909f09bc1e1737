"""Pulls of the collection graph by a client, and the same by the oracle; objects are named by external id or slug."""

from typing import Any

from tests.conftest import GraphQLClient
from tests.oracle import ANONYMOUS, VIEWER, Model

ROWS = """topics { id slug } collections { id slug } assets { ... on AssetFields { id externalId } }
  memberships { collectionId assetId addedAt addedBy { id } note } uses { assetId usesAssetId }
  users { id externalId }"""
PULL = f"""query($first: Int, $after: String, $include: [GraphPart!]) {{
  collectionGraph(first: $first, after: $after, include: $include) {{ {ROWS}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
PARTS = ("topics", "collections", "assets", "memberships", "uses", "users")
NAME_FIELDS = {"topics": "slug", "collections": "slug", "assets": "externalId", "users": "externalId"}

Page = dict[str, Any]


async def next_page(ask: GraphQLClient, who: str, first: int = 1_000, after: str | None = None, **further: Any) -> Page:
    """Return a page of a pull."""
    page: Page = (await ask(who, PULL, first=first, after=after, **further))["collectionGraph"]
    assert sum(len(page[part]) for part in PARTS) <= first
    return page


async def pull(ask: GraphQLClient, who: str, first: int = 1_000, after: str | None = None, **further: Any) -> Page:
    """Return the rows of all pages, from the cursor on."""
    page = await next_page(ask, who, first, after, **further)
    rows = {part: list(page[part]) for part in PARTS}
    while page["pageInfo"]["hasNextPage"]:
        page = await next_page(ask, who, first, page["pageInfo"]["endCursor"], **further)
        for part in PARTS:
            rows[part] += page[part]
    return rows


def name_rows(rows: Page, model: Model) -> dict[str, list[Any]]:
    """Return the rows by names: objects sorted, and pairs in the order of their first object's list."""
    name_of = {id_: name for name, id_ in model.ids.items()}
    objects = {part: sorted(row[field] for row in rows[part]) for part, field in NAME_FIELDS.items()}
    members = [(name_of[row["collectionId"]], name_of[row["assetId"]]) for row in rows["memberships"]]
    uses = [(name_of[row["assetId"]], name_of[row["usesAssetId"]]) for row in rows["uses"]]
    return objects | {"memberships": _by_first(members), "uses": _by_first(uses)}


def expected_rows(model: Model, who: str) -> dict[str, list[Any]]:
    """Return the rows that the viewer sees, as `name_rows` does."""
    assets = sorted(asset for asset in model.asset if model.sees_asset(who, asset))
    collections = sorted(slug for slug in model.collection if model.sees_collection(who, slug))
    members = [(slug, asset) for slug in collections for asset in model.members[slug] if asset in assets]
    uses = [
        (asset, used)
        for asset in assets
        if model.access(who, asset) >= VIEWER
        for used in model.asset[asset].get("uses", ())
        if used in assets
    ]
    topics = sorted(slug for slug in model.topic if model.sees_topic(who, slug))
    users = [] if who == ANONYMOUS else sorted(model.users)
    parts: dict[str, list[Any]] = {"topics": topics, "collections": collections, "assets": assets, "users": users}
    return parts | {"memberships": _by_first(members), "uses": _by_first(uses)}


def _by_first(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(pairs, key=lambda pair: pair[0])
