"""Tags that differ in spelling only: one facet, found by any of the spellings."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from store import sql
from store.search.tag_key import keys_by_tag, tag_key
from tests.conftest import GraphQLClient

FACETS = """query ($filter: AssetFilter) { assets(first: 100, filter: $filter) {
    nodes { ... on AssetFields { externalId } } facets { tags(first: 50) { tag count } } } }"""
SPELLINGS = {"align": "RNA-seq", "blast": "rna-seq", "count": "RNA-Seq", "draft": "rna seq", "genomes": "rna-seq"}


@pytest.mark.parametrize(
    ("tag", "key"),
    [("RNA-Seq", "rna seq"), ("rna_seq ", "rna seq"), ("Élan", "elan"), ("C++", "c++"), ("3.14", "3.14"), ("-", "-")],
)
def test_the_key_of_a_tag_ignores_case_accents_and_separators(tag: str, key: str) -> None:
    assert tag_key(tag) == key


def test_only_one_spelling_of_a_tag_of_an_asset_has_the_key() -> None:
    assert keys_by_tag(["rna seq", "RNA-seq", "x"]) == {"RNA-seq": "rna seq", "rna seq": None, "x": "x"}


async def set_tags(ask: GraphQLClient, tags_by_asset: Mapping[str, Sequence[str]]) -> None:
    """Replace the tags of assets as a server of an earlier version does, which knows no keys."""
    async with ask.database.write() as connection:
        for asset, tags in tags_by_asset.items():
            pk = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.external_id == asset))
            await connection.execute(delete(sql.asset_tag).where(sql.asset_tag.c.asset_pk == pk))
            await connection.execute(insert(sql.asset_tag), [{"asset_pk": pk, "tag": tag} for tag in tags])
            await connection.execute(update(sql.asset).where(sql.asset.c.pk == pk).values(tags=list(tags)))


async def facet(ask: GraphQLClient, who: str, **filter_: Any) -> dict[str, int]:
    """Return the number of assets by tag, in the order of the facet."""
    facets = (await ask(who, FACETS, filter=filter_))["assets"]["facets"]
    return {each["tag"]: each["count"] for each in facets["tags"]}


async def found(ask: GraphQLClient, who: str, **filter_: Any) -> set[str]:
    """Return the external ids of the assets that match."""
    return {node["externalId"] for node in (await ask(who, FACETS, filter=filter_))["assets"]["nodes"]}


async def test_spellings_of_a_tag_are_one_facet_and_each_of_them_finds_all(ask_own: GraphQLClient) -> None:
    await set_tags(ask_own, {asset: [tag, "x"] for asset, tag in SPELLINGS.items()})
    tags = await facet(ask_own, "ada", externalIds=list(SPELLINGS))
    assert list(tags.items()) == [("rna-seq", 5), ("x", 5)]
    for tag in ("RNA-seq", "rna-seq", "RNA SEQ", "rna_seq"):
        assert await found(ask_own, "ada", tags=[tag]) == set(SPELLINGS)
        assert await found(ask_own, "ada", allTags=[tag, "X"]) == set(SPELLINGS)
    assert await found(ask_own, "ada", tags=["rnaseq", "", "-"]) == set()


async def test_an_asset_with_several_spellings_counts_once(ask_own: GraphQLClient) -> None:
    await set_tags(ask_own, {"align": ["rna seq", "RNA-seq"], "blast": ["rna seq"]})
    assert await facet(ask_own, "ada", externalIds=["align", "blast"]) == {"RNA-seq": 2}


async def test_hidden_assets_do_not_decide_how_a_tag_is_spelt(ask_own: GraphQLClient) -> None:
    visible = await found(ask_own, "eve")
    hidden = sorted(await found(ask_own, "ada") - visible)
    shown, other = sorted(visible)[:2]
    await set_tags(ask_own, {shown: ["Zebra-fish"], other: ["x"], **{asset: ["x"] for asset in hidden}})
    before = (await ask_own.response("eve", FACETS)).content
    await set_tags(ask_own, {asset: ["x", "zebra fish"] for asset in hidden})
    assert (await ask_own.response("eve", FACETS)).content == before
    assert (await facet(ask_own, "eve"))["Zebra-fish"] == 1
    assert len(hidden) > 1
    assert (await facet(ask_own, "ada"))["zebra fish"] == len(hidden) + 1
