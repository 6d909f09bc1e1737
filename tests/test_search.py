"""Search: tokens, matches and their order, harmless input, and no sign of hidden rows."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from store import sql
from store.search import index
from store.search.index import index_stale_rows, reset_index
from store.search.parse import MAX_QUERY_LENGTH, MAX_QUERY_WORDS
from store.search.tokens import tokenize
from store.text import fold_name
from tests.conftest import ANONYMOUS, GraphQLClient

NAMES = "{ ... on AssetFields { name } }"
ASSETS = f"query ($typed: String) {{ assets(query: $typed, first: 100) {{ totalCount nodes {NAMES} }} }}"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Straße Ångström naïve Łódź", "strasse angstrom naive lodz"),
        ("bwa_mem", "bwa mem bwamem"),
        ("10.5281/zenodo.123", "10 5281 zenodo 123 10.5281zenodo123"),
        ("RNAseq", "rnaseq rn aseq rna seq"),
        ("GitHub", "github git hub"),
        ("bam2fq", "bam2fq bam 2 fq bam 2fq"),
        ("e\u0301tude हिन्दी", "etude हिन्दी"),
        ("🦊🧬 x", "🦊 🧬 x 🦊🧬"),
        (" \t\x00 ?!", ""),
    ],
)
def test_tokens_ignore_case_accents_and_joins(text: str, tokens: str) -> None:
    assert tokenize(text) == tokens.split()


async def update_assets(ask: GraphQLClient, **values_by_name: Mapping[str, Any]) -> None:
    """Update assets of the world, by their names."""
    async with ask.database.write() as connection:
        for name, values in values_by_name.items():
            await connection.execute(update(sql.asset).where(sql.asset.c.external_id == name).values(values))


async def search(ask: GraphQLClient, who: str, typed: str | None) -> list[str]:
    """Return the names of the assets that match, in their order."""
    assets = (await ask(who, ASSETS, typed=typed))["assets"]
    assert assets["totalCount"] == len(assets["nodes"])
    return [node["name"] for node in assets["nodes"]]


ALIGN = {"name": "Quick RNA-seq alignment", "description": "Maps reads with bwa_mem.", "doi": "10.5281/Zenodo.123"}


@pytest.mark.parametrize(
    "typed",
    [
        *("quick", "QUICK", "qui", "quíck", "alignment quick", '"rna seq alignment"', "rnaseq", "RNAseq", "RNA seq"),
        *("alignmnet", "alingment", "alignmen", "alignmentt", "quick alignmen", "quikc", "10.5281/zenodo.123"),
        *("https://doi.org/10.5281/zenodo.123", "doi:10.5281/zenodo.123", "doi:https://doi.org/10.5281/ZENODO.123"),
        *("DOI: 10.5281/zenodo.123", "https://www.doi.org/10.5281/zenodo.123", "quick doi:  10.5281/zenodo.123"),
        *("bwamem", "bwa-mem", "bwa mem", "reads quick", "kind:capsule quick", "owner:olu quick", "tag:all quick"),
        *("quik", "qick", "kind:capsule quick owner:ol", "quick rna\u00b4seq", '"capsule maps"'),
        *("tag:none tag:all quick", '"quick rna', "  quick  ", "quick !!!", "reads maps", "olu quick"),
    ],
)
async def test_an_asset_matches_by_its_fields(ask_own: GraphQLClient, typed: str) -> None:
    await update_assets(ask_own, align=ALIGN)
    assert await search(ask_own, "olu", typed) == [ALIGN["name"]]


@pytest.mark.parametrize(
    "typed",
    [
        *("slow", "uic", '"alignment rna"', "alignxxnt", "qiuk", "doi:10.5281", "kind:model quick", "owner:mei quick"),
        *(
            "tag:none quick",
            "!!!",
            '""',
            "quick absent",
            "quick -maps",
            "quick NOT align OR alignment",
            "kind:nothing quick",
        ),
        *(
            "quick nam",
            "quick own",
            "quick kin",
            "kind:",
            "owner:",
            '"all align"',
            "quick\u00b4absent",
            "quc",
        ),
    ],
)
async def test_an_asset_does_not_match_other_text(ask_own: GraphQLClient, typed: str) -> None:
    await update_assets(ask_own, align=ALIGN)
    assert await search(ask_own, "olu", typed) == []


async def test_a_blank_query_does_not_restrict_the_list(ask: GraphQLClient) -> None:
    every = await search(ask, "ada", None)
    assert await search(ask, "ada", "") == await search(ask, "ada", "  \n") == every != []


async def test_the_best_match_comes_first_then_gold_standards_then_the_latest_change(ask_own: GraphQLClient) -> None:
    names = ["alpha", "alpha beta", "beta alphabet", "x", "y", "beta alpah"]
    assets = await search(ask_own, "ada", None)
    for name, asset in zip(names, assets, strict=False):
        await update_assets(ask_own, **{asset: {"name": name, "description": None, "is_gold": 0, "updated_at": 5}})
    labelled: dict[str, Any] = {assets[3]: {"tags": ["alpha"]}, assets[4]: {"description": "alpha"}}
    await update_assets(ask_own, **labelled)
    assert await search(ask_own, "ada", "alpha") == ["alpha", "alpha beta", "beta alphabet", "x", "y", "beta alpah"]
    await update_assets(ask_own, **{assets[4]: {"description": None, "tags": ["alpha"], "is_gold": 1, "gold_at": 1}})
    assert await search(ask_own, "ada", "alpha") == ["alpha", "alpha beta", "beta alphabet", "y", "x", "beta alpah"]


async def test_among_matches_by_name_the_shortest_name_comes_first(ask_own: GraphQLClient) -> None:
    names = ["Voronoi diagrams of everything", "Voronoi maps", "Voronoi diagrams of whatever has seeds"]
    assets = (await search(ask_own, "ada", None))[:3]
    await update_assets(ask_own, **{asset: {"name": name} for name, asset in zip(names, assets, strict=True)})
    await update_assets(ask_own, **{assets[2]: {"is_gold": 1, "gold_at": 1, "updated_at": 9}})
    for typed in ("voronoi", "voro", "vornoi"):
        assert await search(ask_own, "ada", typed) == [names[1], names[0], names[2]]


async def test_each_of_many_collections_is_searched_separately(ask: GraphQLClient) -> None:
    page = "assets(%s) { totalCount nodes { ... on Node { id } } }"
    query = f"{{ collections(first: 50) {{ nodes {{ found: {page} all: {page} }} }} }}"
    collections = (await ask("ada", query % ('query: "all", first: 100', "first: 100")))["collections"]["nodes"]
    assert len({len(each["found"]["nodes"]) for each in collections}) > 1
    for each in collections:
        assert each["found"]["totalCount"] == len(each["found"]["nodes"])
        assert [node for node in each["all"]["nodes"] if node in each["found"]["nodes"]] == each["found"]["nodes"]


@pytest.mark.parametrize("who", ["ada", "olu", "mei", ANONYMOUS])
async def test_only_visible_assets_match(ask: GraphQLClient, who: str) -> None:
    every = set(await search(ask, who, None))
    for name in await search(ask, "ada", None):
        assert (name in await search(ask, who, name)) == (name in every), name


async def test_a_new_collection_matches_at_once_and_a_deleted_one_no_longer(ask_own: GraphQLClient) -> None:
    topic = (await ask_own("ada", "{ topics { nodes { id } } }"))["topics"]["nodes"][0]["id"]
    given = f'{{topicId: "{topic}", name: "Zebrafish"}}'
    create = f"mutation {{ collectionCreate(input: {given}) {{ collection {{ id }} }} }}"
    made = (await ask_own("ada", create))["collectionCreate"]["collection"]["id"]
    looked = (
        '{ collections(query: "zebraf") { nodes { id } } viewer { collections(query: "ZEBRAFISH") { totalCount } } }'
    )
    answer = await ask_own("ada", looked)
    assert ([node["id"] for node in answer["collections"]["nodes"]], answer["viewer"]["collections"]) == (
        [made],
        {"totalCount": 1},
    )
    await ask_own("ada", f'mutation {{ collectionDelete(input: {{id: "{made}"}}) {{ userErrors {{ code }} }} }}')
    assert (await ask_own("ada", looked))["collections"]["nodes"] == []


async def test_assets_of_a_renamed_owner_match_the_new_name(ask_own: GraphQLClient) -> None:
    async with ask_own.database.write() as connection:
        named = update(sql.principal).where(sql.principal.c.external_id == "olu")
        await connection.execute(named.values(name="Olu Zephyr"))
    assert await search(ask_own, "ada", "owner:zephyr") != []


async def test_no_phrase_spans_two_tags(ask_own: GraphQLClient) -> None:
    await update_assets(
        ask_own, align=ALIGN | {"tags": ["cell", "atlas"]}, lens={"name": "Atlas", "tags": ["cell atlas"]}
    )
    for typed in ('"cell atlas"', 'tag:"cell atlas"'):
        assert await search(ask_own, "olu", typed) == ["Atlas"]


async def test_no_search_reveals_the_external_id_or_the_address_of_an_owner(ask_own: GraphQLClient) -> None:
    before = await search(ask_own, "ada", "owner:olu")
    async with ask_own.database.write() as connection:
        known = update(sql.principal).where(sql.principal.c.external_id == "olu")
        await connection.execute(known.values(external_id="quagga@zebra.example", email="quagga@zebra.example"))
        await reset_index(connection)
    for typed in ("quagga", "owner:quagga", "owner:qua", "zebra.ex", "qaugga", '"zebra example"'):
        assert await search(ask_own, "ada", typed) == []
    assert await search(ask_own, "ada", "owner:olu") == before != []


TYPED = (
    "quagga",
    "quaggas",
    "quaga",
    "qu",
    '"quagga',
    "tag:quagga",
    "owner:quagga",
    "kind:model",
    "qugaga",
    "alignment",
)


async def test_no_search_reveals_a_word_of_a_hidden_asset(ask_own: GraphQLClient) -> None:
    query = """query ($typed: String) { assets(query: $typed) { totalCount edges { cursor } facets {
        kinds { kind count } tags { tag count } owners { count owner { name } } } } }"""
    before = [(await ask_own.response("eve", query, typed=typed)).content for typed in TYPED]
    hidden = set(await search(ask_own, "ada", None)) - set(await search(ask_own, "eve", None))
    await update_assets(
        ask_own, **{name: {"name": "Quagga alignment", "tags": ["quagga"], "description": "quaggas"} for name in hidden}
    )
    assert hidden
    assert len(await search(ask_own, "ada", "quagga")) >= len(hidden)
    assert [(await ask_own.response("eve", query, typed=typed)).content for typed in TYPED] == before


BAD = [
    *(
        '"',
        '"""',
        '" OR "',
        "a OR b",
        "NEAR(a b)",
        "a AND",
        "(",
        ")",
        "a*",
        "-a",
        "^a",
        "{name}: x",
        "name : a",
        "a:b:c",
    ),
    *(
        "'; DROP TABLE asset; --",
        "' || 1",
        "a & b | !c",
        "a <-> b",
        ":*",
        "\\",
        "\\'",
        "%",
        "_",
        "tag:",
        'tag:"',
        "tag:tag:",
    ),
    *("🦊" * MAX_QUERY_WORDS, "e\u0301" * 200, "\u0301\u0301", "\u202e", "\u200b", "ﷺ ﷺ", "İ" * 100),
    *(
        " ".join("abcdefghijklmnopqrst"),
        "kind:",
        "doi:doi:doi:",
        "owner:''",
        "a'b",
        "a\nb\tc",
        "“a b”",
        "\uff41\uff42\uff43",
    ),
]


@pytest.mark.parametrize("typed", BAD, ids=range(len(BAD)))
async def test_odd_queries_cause_no_error(ask: GraphQLClient, typed: str) -> None:
    response = await ask.response("ada", ASSETS, typed=typed)
    assert (response.status_code, "errors" in response.json()) == (200, False), response.text


async def test_a_query_that_is_too_long_is_rejected(ask: GraphQLClient) -> None:
    message = f"The query has 10,000 characters; at most {MAX_QUERY_LENGTH} are allowed."
    assert await ask.errors("ada", ASSETS, typed="a" * 10_000) == [("BAD_USER_INPUT", message)]


# Matches of several ranks, some equal.
ALIGNED: dict[str, dict[str, Any]] = {
    "align": {"name": "align"},
    "blast": {"name": "Align"},
    "count": {"name": "Alignment of many reads, one after the other"},
    "draft": {"name": "Reads to align"},
    "explore": {"name": "alinged"},
    "genomes": {"name": "x", "tags": ["align"]},
    "hidden": {"name": "y", "description": "aligns"},
    "images": {"name": "z", "description": "it alihns"},
}
ASSETS_WALK = """query ($first: Int, $last: Int, $after: String, $before: String, $order: AssetOrder!) {
  found: assets(query: "align", first: $first, last: $last, after: $after, before: $before, orderBy: $order) {
    nodes { ... on Node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
PANEL_WALK = """query ($first: Int, $after: String, $order: AssetOrder!) { collection(by: {slug: "open"}) {
  found: addableAssets(query: "align", first: $first, after: $after, orderBy: $order) {
    nodes { ... on Node { id } } pageInfo { hasNextPage endCursor } } } }"""


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ["RELEVANCE", "NAME", "CREATED_AT", "UPDATED_AT"])
async def test_pages_of_a_search_join_to_the_whole_list_in_every_order(
    ask_own: GraphQLClient, field: str, direction: str
) -> None:
    await update_assets(
        ask_own, **{name: values | {"name_key": fold_name(values["name"])} for name, values in ALIGNED.items()}
    )

    async def page(walk: str, **bounds: Any) -> dict[str, Any]:
        answer = await ask_own("olu", walk, order={"field": field, "direction": direction}, **bounds)
        return dict((answer.get("collection") or answer)["found"])

    for walk in (ASSETS_WALK, PANEL_WALK):
        every = (await page(walk, first=100))["nodes"]
        forward, after = list[Any](), None
        while after or not forward:
            found = await page(walk, first=2, after=after)
            forward += found["nodes"]
            after = found["pageInfo"]["endCursor"] if found["pageInfo"]["hasNextPage"] else None
        assert forward == every
        assert len(every) > 4
    backward, before = list[Any](), None
    while before or not backward:
        found = await page(ASSETS_WALK, last=3, before=before)
        backward = found["nodes"] + backward
        before = found["pageInfo"]["startCursor"] if found["pageInfo"]["hasPreviousPage"] else None
    assert backward == (await page(ASSETS_WALK, first=100))["nodes"]


async def test_the_index_is_rebuilt_in_batches(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    before, parts = await search(ask_own, "ada", "align"), list[int]()
    monkeypatch.setattr(index, "BATCH", 2)
    async with ask_own.database.write() as connection:
        count = await reset_index(connection)
        await index_stale_rows(connection, parts.append)
        assert (await connection.execute(select(sql.search_unindexed))).all() == []
    assert (sum(parts), max(parts), parts[-1]) == (count, 2, count % 2)
    assert await search(ask_own, "ada", "align") == before != []


async def test_a_cursor_of_a_search_is_invalid_in_the_whole_list(ask: GraphQLClient) -> None:
    page = "query ($after: String) { assets(first: 1, after: $after) { pageInfo { endCursor } } }"
    search = page.replace("first: 1", 'first: 1, query: "all"')
    cursor = (await ask("ada", search))["assets"]["pageInfo"]["endCursor"]
    assert [code for code, _ in await ask.errors("ada", page, after=cursor)] == ["BAD_CURSOR"]


async def test_facets_count_visible_assets_within_the_other_filters(ask: GraphQLClient) -> None:
    query = """{ assets(query: "all", filter: {kinds: [CAPSULE]}) { totalCount facets {
        kinds { kind count } tags { tag count } owners(first: 1) { count owner { name } } } } }"""
    for who in ("ada", "mei", ANONYMOUS):
        each = "{ ... on AssetFields { __typename tags } }"
        listed = await ask(who, f'{{ assets(query: "all", first: 100) {{ nodes {each} }} }}')
        nodes = listed["assets"]["nodes"]
        assets = (await ask(who, query))["assets"]
        kinds = {each["kind"]: each["count"] for each in assets["facets"]["kinds"]}
        assert sum(kinds.values()) == len(nodes)
        capsules = [node for node in nodes if node["__typename"] == "Capsule"]
        assert kinds.get("CAPSULE", 0) == len(capsules) == assets["totalCount"]
        tags = {each["tag"]: each["count"] for each in assets["facets"]["tags"]}
        assert tags == {tag: sum(tag in node["tags"] for node in capsules) for node in capsules for tag in node["tags"]}
        assert len(assets["facets"]["owners"]) <= 1


async def test_each_list_gets_the_parts_that_are_requested_of_it(ask: GraphQLClient) -> None:
    slugs = [
        node["slug"]
        for node in (await ask("ada", "{ collections(first: 2) { nodes { slug } } }"))["collections"]["nodes"]
    ]
    bodies = ("totalCount", "facets { kinds { kind count } }", f"nodes {NAMES}")
    alone = [
        (await ask("ada", f'{{ collection(by: {{slug: "{slug}"}}) {{ assets(query: "all") {{ {each} }} }} }}'))[
            "collection"
        ]
        for slug in slugs
        for each in bodies
    ]
    parts = [
        f'l{number}: collection(by: {{slug: "{slug}"}}) {{ assets(query: "all") {{ {each} }} }}'
        for number, (slug, each) in enumerate((slug, each) for slug in slugs for each in bodies)
    ]
    for first, second in ((0, 4), (0, 5), (1, 3), (1, 5), (2, 3)):
        answer = await ask("ada", f"{{ {parts[first]} {parts[second]} }}")
        assert list(answer.values()) == [alone[first], alone[second]]
