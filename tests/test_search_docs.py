"""docs/search.md: its limits are those of the code, and its examples find the documented matches."""

import re
from collections.abc import AsyncIterator

import pytest

from app import demo
from store.database import Database
from store.migrate import migrate
from store.search.document import MAX_LABEL_TOKENS
from store.search.folding import MAX_TOKEN_LENGTH
from store.search.match import LETTERS_PER_STEP
from store.search.parse import MAX_QUERY_LENGTH, MAX_QUERY_WORDS
from store.search.query import MIN_FUZZY_LENGTH
from store.search.tokens import MAX_OCCURRENCES, MAX_TOKENS
from tests.cli_process import ROOT
from tests.conftest import GraphQLClient, World

TEXT = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
ASSETS = "query ($text: String) { assets(query: $text, first: 100) { nodes { ... on AssetFields { name } } } }"


def table(title: str) -> dict[str, str]:
    """Return the rows of the table whose first column has that title."""
    body = TEXT.split(f"| {title} |", 1)[1].split("\n\n", 1)[0]
    return {first.strip(" `"): second for first, second in re.findall(r"^\| (.*?) \| (.*?) \|$", body, re.MULTILINE)}


@pytest.fixture
async def ask_demo(empty_url: str) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the demo."""
    database = Database(empty_url)
    await migrate(database)
    await demo.load(database)
    ada = (await demo.create_accounts(database))[0]
    await database.close()
    client = GraphQLClient(World(empty_url, {"ada": str(ada.token)}))
    yield client
    await client.close()


async def names(ask: GraphQLClient, query: str) -> list[str]:
    """Return the names of the matches in order."""
    return [node["name"] for node in (await ask("ada", ASSETS, text=query))["assets"]["nodes"]]


def test_the_documented_limits_are_those_of_the_code() -> None:
    limits = {name: int(value.replace(",", "")) for name, value in table("limit").items()}
    assert limits == {
        "characters of a query": MAX_QUERY_LENGTH,
        "words of a query, without its fields; more are left aside": MAX_QUERY_WORDS,
        "letters of the longer word of a fuzzy match, at least": MIN_FUZZY_LENGTH,
        "characters of a token; longer ones are truncated": MAX_TOKEN_LENGTH,
        "tokens of an indexed text": MAX_TOKENS,
        "occurrences of one token in an indexed text": MAX_OCCURRENCES,
        "tokens of all tags and identifiers of an asset": MAX_LABEL_TOKENS,
    }
    assert f"in steps of {LETTERS_PER_STEP} letters" in TEXT


async def test_each_documented_query_finds_the_documented_asset_first(ask_demo: GraphQLClient) -> None:
    examples = table("query")
    first_matches = {query: next(iter(await names(ask_demo, query)), None) for query in examples}
    assert len(examples) >= 10
    assert first_matches == examples


SYNTAX = [
    ("nucl", "StarDist Plant Nuclei 3D ResNet", True),
    ('"bright field"', "Escherichia coli bright field segmentation dataset - DeepBacs", True),
    ('"field bright"', "Escherichia coli bright field segmentation dataset - DeepBacs", False),
    ("flyee", "flye", True),
    ("caer", "CARE (2D) - ZeroCostDL4Mic", False),
    ("noise2void", "Noise2Void (2D) - ZeroCostDL4Mic", True),
    ("tag:bam tag:cram", "samtools idxstats", True),
    ("https://doi.org/10.5281/zenodo.6348084", "StarDist Fluorescence Nuclei Segmentation", True),
    ("doi:10.5281/zenodo.634808", "StarDist Fluorescence Nuclei Segmentation", False),
    ("stardist OR flye", "flye", True),
    ("stardist -nuclei", "StarDist Fluorescence Nuclei Segmentation", False),
    ("stardist NOT nuclei", "Combining StarDist and TrackMate example 2 - T cell dataset", True),
]


async def test_the_syntax_means_what_is_documented(ask_demo: GraphQLClient) -> None:
    for query, name, is_found in SYNTAX:
        assert (name in await names(ask_demo, query)) is is_found, query
