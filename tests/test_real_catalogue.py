"""A real catalogue read completely, page by page: 1,467 assets in 527 collections, on SQLite."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.tokens import create_token
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


def largest(model: Model, who: str) -> list[ListField]:
    """Return the root lists, and those of the largest and the most nested parents."""
    slugs = [slug for slug in model.collection if model.sees_collection(who, slug)]
    fullest = sorted(slugs, key=lambda slug: len(model.members[slug]))[-2:]
    nested = [slug for slug in slugs if model.children(who, slug)][:2]
    assets = sorted(
        (asset for asset in model.asset if model.sees_asset(who, asset)), key=lambda asset: len(model.holders[asset])
    )
    topic = max(model.topic, key=lambda slug: sum(line["topic"] == slug for line in model.collection.values()))
    parents = {None, ("viewer", ""), ("topic", topic), *(("collection", slug) for slug in (*fullest, *nested))}
    parents |= {("asset", asset) for asset in assets[-3:]}
    asked = [each for each in every_list(model, who) if each.parent in parents and each.exists(model, who)]
    return [each for index, each in enumerate(asked) if index % 3 == 0 or not each.argument_text]


@pytest.mark.parametrize("who", WHO)
async def test_a_real_catalogue_is_told_as_the_oracle_tells_it_page_by_page(ask_real: GraphQLClient, who: str) -> None:
    model = await load_model(ask_real, LINES)
    lists = largest(model, who)
    counted = await ask_lists(ask_real, who, lists, ["first: 7"] * len(lists))
    pages = await walk(ask_real, who, lists, [100 - index % 3 for index in range(len(lists))], backward=False)
    for each, start, walked in zip(lists, counted, pages, strict=True):
        expected = each.expected(model, who, None)
        assert start is not None
        assert (node_names(start, each.selection), start["totalCount"]) == (expected[:7], len(expected)), each
        cursors = [edge["cursor"] for page in walked for edge in page["edges"]]
        assert len(cursors) == len(set(cursors)) == len(expected), each


@pytest.mark.parametrize("who", WHO)
async def test_every_collection_of_a_real_catalogue_holds_and_counts_what_the_oracle_says(
    ask_real: GraphQLClient, who: str
) -> None:
    model = await load_model(ask_real, LINES)
    query = """query($after: String) { collections(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor } nodes { slug ancestors { slug }
        assets(first: 100) { totalCount nodes { ... on AssetFields { externalId } } }
        assetCounts(includeDescendants: true) {
          total capsules pipelines noCodeApps dataAssets models goldStandards } } } }"""
    after, told = None, []
    for _ in range(len(model.collection)):
        found = (await ask_real(who, query, after=after))["collections"]
        told += found["nodes"]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert [each["slug"] for each in told] == model.collections(who)
    for each in told:
        slug = each["slug"]
        held = model.collection_assets(who, slug)
        assert [asset["externalId"] for asset in each["assets"]["nodes"]] == held[:100], slug
        assert each["assets"]["totalCount"] == len(held), slug
        assert each["assetCounts"] == model.counts(model.collection_assets(who, slug, include_descendants=True)), slug
        assert [above["slug"] for above in each["ancestors"]] == model.ancestors(who, slug), slug
