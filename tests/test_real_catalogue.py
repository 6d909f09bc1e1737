"""A real catalogue read completely, page by page: 1,467 assets in 527 collections, on SQLite."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.tokens import create_token
from proofs.determinism import lift_cost_limits
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.conftest import ANONYMOUS, GraphQLClient, World, set_public_sharing
from tests.lists import ListField, ask_lists, every_list, node_names, walk
from tests.missing import REAL_CATALOGUE, needs_real_catalogue
from tests.oracle import Model
from tests.test_listing import load_model

pytestmark = needs_real_catalogue

LINES: list[dict[str, Any]] = (
    [json.loads(line) for line in REAL_CATALOGUE.read_bytes().splitlines()] if REAL_CATALOGUE.exists() else []
)
OWNERS = Counter(line["owner"] for line in LINES if line["kind"] == "asset").most_common(1)
ADMIN = "user:zenodo"
WHO = (*(owner for owner, _ in OWNERS), ADMIN, ANONYMOUS)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Import the catalogue into a database and make one of its users an administrator."""
    folder = tmp_path_factory.mktemp("real")
    url = f"sqlite+aiosqlite:///{folder / 'real.db'}"

    async def make() -> dict[str, str]:
        database = Database(url)
        await migrate(database)
        await import_catalogue(database, REAL_CATALOGUE, "real", lambda _bytes: None)
        await import_catalogue(database, _promotion(folder), "real", lambda _bytes: None)
        await set_public_sharing(database)
        tokens = {who: await create_token(database, who, 3_600) for who in WHO if who != ANONYMOUS}
        await database.close()
        return tokens

    return World(url, asyncio.run(make()))


def _promotion(folder: Path) -> Path:
    line = next(line for line in LINES if line.get("id") == ADMIN)
    line["isAdmin"] = True
    path = folder / "promotion.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    return path


@pytest.fixture
async def ask_real(real: World) -> AsyncIterator[GraphQLClient]:
    """Return a client of the catalogue."""
    asking = GraphQLClient(real)
    yield asking
    await asking.close()


def sampled_lists(model: Model, who: str) -> list[ListField]:
    """Return the root lists, and those of the largest and the most nested parents."""
    slugs = [slug for slug in model.collection if model.sees_collection(who, slug)]
    largest = sorted(slugs, key=lambda slug: len(model.members[slug]))[-2:]
    nested = [slug for slug in slugs if model.children(who, slug)][:2]
    assets = sorted(
        (asset for asset in model.asset if model.sees_asset(who, asset)), key=lambda asset: len(model.holders[asset])
    )
    topic = max(model.topic, key=lambda slug: sum(line["topic"] == slug for line in model.collection.values()))
    parents = {None, ("viewer", ""), ("topic", topic), *(("collection", slug) for slug in (*largest, *nested))}
    parents |= {("asset", asset) for asset in assets[-3:]}
    lists = [field for field in every_list(model, who) if field.parent in parents and field.exists(model, who)]
    return [field for index, field in enumerate(lists) if index % 3 == 0 or not field.argument_text]


@pytest.mark.parametrize("who", WHO)
async def test_lists_of_a_real_catalogue_match_the_oracle_page_by_page(ask_real: GraphQLClient, who: str) -> None:
    model = await load_model(ask_real, LINES)
    lists = sampled_lists(model, who)
    first_pages = await ask_lists(ask_real, who, lists, ["first: 7"] * len(lists))
    pages = await walk(ask_real, who, lists, [100 - index % 3 for index in range(len(lists))], backward=False)
    for field, first_page, read_pages in zip(lists, first_pages, pages, strict=True):
        expected = field.expected(model, who, None)
        assert first_page is not None
        names = node_names(first_page, field.selection)
        assert (names, first_page["totalCount"]) == (expected[:7], len(expected)), field
        cursors = [edge["cursor"] for page in read_pages for edge in page["edges"]]
        assert len(cursors) == len(set(cursors)) == len(expected), field


@pytest.mark.parametrize("who", WHO)
async def test_collections_of_a_real_catalogue_match_the_oracle(ask_real: GraphQLClient, who: str) -> None:
    model = await load_model(ask_real, LINES)
    query = """query($after: String) { collections(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor } nodes { slug ancestors { slug }
        assets(first: 100) { totalCount nodes { ... on AssetFields { externalId } } }
        assetCounts(includeDescendants: true) {
          total capsules pipelines noCodeApps dataAssets models goldStandards } } } }"""
    after, collections = None, []
    for _ in range(len(model.collection)):
        with lift_cost_limits():
            page = (await ask_real(who, query, after=after))["collections"]
        collections += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [collection["slug"] for collection in collections] == model.collections(who)
    for collection in collections:
        slug = collection["slug"]
        members = model.collection_assets(who, slug)
        assert [asset["externalId"] for asset in collection["assets"]["nodes"]] == members[:100], slug
        assert collection["assets"]["totalCount"] == len(members), slug
        descendants = model.collection_assets(who, slug, include_descendants=True)
        assert collection["assetCounts"] == model.counts(descendants), slug
        assert [ancestor["slug"] for ancestor in collection["ancestors"]] == model.ancestors(who, slug), slug
