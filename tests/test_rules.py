"""Rules of visibility, as sentences about the users of the test world."""

import pytest
from sqlalchemy import update

from app.tokens import create_token, revoke_token
from store import sql
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, set_public_sharing

ASSETS = """{ assets(orderBy: {field: NAME, direction: ASC}) {
  totalCount nodes { ... on AssetFields { name viewerAccess } }
} }"""

# Access of each viewer to each asset, by hand from the rules: D(iscoverable), V(iewer), E(ditor), O(wner) or nothing.
#          ada  olu  mei  lou  sam  eve  anonymous
SIGHT = """
align      V    O    V    V    V    V    V
blast      V    O    V    V    V    V    .
count      D    O    V    D    D    D    .
draft      V    O    V    V    V    V    .
explore    V    O    V    V    V    V    .
genomes    D    O    V    .    .    .    .
hidden     D    O    .    .    .    .    .
images     D    O    E    O    .    .    .
junk       V    O    .    .    .    .    .
kept       V    O    .    O    .    .    .
lens       V    V    V    V    O    V    V
"""
LETTERS = {"D": "DISCOVERABLE", "V": "VIEWER", "E": "EDITOR", "O": "OWNER"}
SEEN: dict[str, dict[str, str]] = {who: {} for who in VIEWERS}
for row in SIGHT.strip().splitlines():
    name, *letters = row.split()
    for who, letter in zip(VIEWERS, letters, strict=True):
        if letter != ".":
            SEEN[who][name] = LETTERS[letter]


@pytest.mark.parametrize("who", VIEWERS)
async def test_access_is_the_greatest_of_ones_grants_and_without_any_the_asset_is_absent(
    ask: GraphQLClient, who: str
) -> None:
    assets = (await ask(who, ASSETS))["assets"]
    assert {asset["name"]: asset["viewerAccess"] for asset in assets["nodes"]} == SEEN[who]
    assert assets["totalCount"] == len(SEEN[who])


@pytest.mark.parametrize("who", VIEWERS)
async def test_an_asset_alone_is_seen_by_the_same_rule_as_in_the_list(ask: GraphQLClient, who: str) -> None:
    for name in SEEN["olu"]:
        by_name = await ask(
            who, "query($n: String!) { asset(by: {externalId: $n}) { ... on AssetFields { name } } }", n=name
        )
        assert (by_name["asset"] is not None) == (name in SEEN[who]), name


CONTENT = """query($n: String!) { asset(by: {externalId: $n}) { ... on AssetFields {
  url
  uses { totalCount nodes { ... on AssetFields { name } } }
  grants { access principal {
    __typename ... on User { name } ... on Group { name } ... on Everyone { label } ... on Public { label }
  } }
} } }"""


COUNT_GRANTS = [
    {"access": "OWNER", "principal": {"__typename": "User", "name": "olu"}},
    {"access": "VIEWER", "principal": {"__typename": "Group", "name": "lab"}},
    {"access": "DISCOVERABLE", "principal": {"__typename": "Everyone", "label": "Everyone"}},
]


async def test_discoverable_shows_no_content(ask: GraphQLClient) -> None:
    for who in ("sam", "eve", "ada"):
        assert (await ask(who, CONTENT, n="count"))["asset"] == {
            "url": None,
            "uses": {"totalCount": 0, "nodes": []},
            "grants": COUNT_GRANTS if who == "ada" else None,
        }


async def test_a_viewer_sees_content_but_no_grants(ask: GraphQLClient) -> None:
    seen = (await ask("mei", CONTENT, n="count"))["asset"]
    assert seen["url"] == "https://example.org/count"
    assert seen["uses"] == {"totalCount": 1, "nodes": [{"name": "align"}]}  # without `hidden`, which mei cannot see
    assert seen["grants"] is None


async def test_an_owner_sees_grants_greatest_first(ask: GraphQLClient) -> None:
    seen = (await ask("olu", CONTENT, n="count"))["asset"]
    assert seen["uses"] == {"totalCount": 2, "nodes": [{"name": "hidden"}, {"name": "align"}]}
    assert seen["grants"] == COUNT_GRANTS


async def test_a_group_with_owner_owns(ask: GraphQLClient) -> None:
    seen = (await ask("lou", CONTENT, n="images"))["asset"]
    assert [grant["access"] for grant in seen["grants"]] == ["OWNER", "OWNER", "EDITOR"]


async def test_administrators_have_no_more_than_their_grants_beyond_discovery_and_grants(
    ask: GraphQLClient,
) -> None:
    for name in ("genomes", "hidden", "images"):
        seen = (await ask("ada", CONTENT, n=name))["asset"]
        assert (seen["url"], seen["grants"][0]["access"]) == (None, "OWNER")


SOURCE = (
    """query($n: String!) { asset(by: {externalId: $n}) { ... on DataAsset { source } ... on Model { source } } }"""
)


async def test_where_data_lies_is_content(ask: GraphQLClient) -> None:
    assert (await ask("mei", SOURCE, n="genomes"))["asset"] == {"source": "s3://bucket/genomes"}
    assert (await ask("ada", SOURCE, n="genomes"))["asset"] == {"source": None}
    assert (await ask("eve", SOURCE, n="lens"))["asset"] == {"source": "s3://bucket/lens"}
    assert (await ask("ada", SOURCE, n="kept"))["asset"] == {"source": "s3://bucket/kept"}


USED_BY = """query($n: String!) { asset(by: {externalId: $n}) { ... on AssetFields {
  usedBy { totalCount nodes { ... on AssetFields { name } } }
} } }"""


async def test_a_use_shows_only_to_those_who_view_the_one_that_uses_and_see_both_ends(ask: GraphQLClient) -> None:
    used_by = {}
    for who in VIEWERS:
        seen = (await ask(who, USED_BY, n="align"))["asset"]["usedBy"]
        used_by[who] = [asset["name"] for asset in seen["nodes"]]
        assert seen["totalCount"] == len(seen["nodes"])
    assert used_by == {
        "ada": ["explore", "lens"],  # not count, which ada may only discover: uses are content
        "olu": ["count", "explore", "lens"],
        "mei": ["count", "explore", "lens"],
        "lou": ["explore", "lens"],
        "sam": ["explore", "lens"],
        "eve": ["explore", "lens"],
        ANONYMOUS: ["lens"],
    }


COLLECTIONS = "{ collections { totalCount nodes { slug } } topics { totalCount nodes { slug } } }"


async def test_members_see_every_internal_collection_and_every_topic(ask: GraphQLClient) -> None:
    for who in ("olu", "mei", "eve"):
        seen = await ask(who, COLLECTIONS)
        assert [each["slug"] for each in seen["collections"]["nodes"]] == ["bare", "deep", "inner", "members", "open"]
        assert [each["slug"] for each in seen["topics"]["nodes"]] == ["imaging", "genomics", "empty"]


async def test_anonymous_visitors_see_public_collections_and_their_topics(ask: GraphQLClient) -> None:
    seen = await ask(ANONYMOUS, COLLECTIONS)
    assert [each["slug"] for each in seen["collections"]["nodes"]] == ["bare", "deep", "open"]
    assert [each["slug"] for each in seen["topics"]["nodes"]] == ["imaging", "genomics"]
    assert (seen["collections"]["totalCount"], seen["topics"]["totalCount"]) == (3, 2)


async def test_everyone_means_members_and_never_an_anonymous_visitor(ask: GraphQLClient) -> None:
    assert "blast" in SEEN["eve"]
    assert await ask(ANONYMOUS, '{ asset(by: {externalId: "blast"}) { __typename } }') == {"asset": None}


async def test_an_asset_shared_with_the_public_shows_to_visitors_only_inside_a_public_collection(
    ask: GraphQLClient,
) -> None:
    # explore has a public grant, but is in no PUBLIC collection.
    assert await ask(ANONYMOUS, '{ asset(by: {externalId: "explore"}) { __typename } }') == {"asset": None}


async def test_anonymous_visitors_see_no_email_address(ask: GraphQLClient) -> None:
    query = '{ asset(by: {externalId: "align"}) { ... on AssetFields { owner { name email } } } }'
    assert await ask(ANONYMOUS, query) == {"asset": {"owner": {"name": "olu", "email": None}}}
    assert await ask("eve", query) == {"asset": {"owner": {"name": "olu", "email": "olu@example.org"}}}


async def test_anonymous_visitors_know_only_owners_of_what_they_see(ask: GraphQLClient) -> None:
    users = await ask(
        "eve",
        '{ mine: viewer { user { id } } a: asset(by: {externalId: "align"}) { ... on AssetFields { owner { id } } } }',
    )
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on User { name } } }"
    ids = [users["mine"]["user"]["id"], users["a"]["owner"]["id"]]
    assert await ask(ANONYMOUS, query, ids=ids) == {"nodes": [None, {"name": "olu"}]}
    assert await ask("mei", query, ids=ids) == {"nodes": [{"name": "eve"}, {"name": "olu"}]}


async def test_while_sharing_is_off_public_collections_show_to_administrators_alone(ask_own: GraphQLClient) -> None:
    await set_public_sharing(ask_own.database, is_on=False)
    slugs = {}
    for who in ("ada", "olu", ANONYMOUS):
        seen = await ask_own(who, COLLECTIONS)
        slugs[who] = [each["slug"] for each in seen["collections"]["nodes"]]
    assert slugs == {
        "ada": ["bare", "deep", "inner", "members", "open"],
        "olu": ["inner", "members"],
        ANONYMOUS: [],
    }
    assert (await ask_own(ANONYMOUS, COLLECTIONS))["topics"] == {"totalCount": 0, "nodes": []}
    assert (await ask_own(ANONYMOUS, ASSETS))["assets"] == {"totalCount": 0, "nodes": []}
    await set_public_sharing(ask_own.database, is_on=True)
    assert (await ask_own(ANONYMOUS, COLLECTIONS))["collections"]["totalCount"] == 3  # nothing was deleted


HELD = """{ collection(by: {slug: "open"}) {
  assets { totalCount nodes { ... on AssetFields { name } } } assetCounts { total models capsules }
} }"""


async def test_archived_and_withdrawn_members_show_to_owners_and_administrators_alone(ask: GraphQLClient) -> None:
    held = {}
    for who in VIEWERS:
        seen = (await ask(who, HELD))["collection"]
        held[who] = [asset["name"] for asset in seen["assets"]["nodes"]]
        assert seen["assets"]["totalCount"] == seen["assetCounts"]["total"] == len(held[who])
    assert held == {
        "ada": ["lens", "hidden", "align", "blast", "count", "junk", "kept"],
        "olu": ["lens", "hidden", "align", "blast", "count", "junk", "kept"],
        "mei": ["lens", "align", "blast", "count"],
        "lou": ["lens", "align", "blast", "count", "kept"],
        "sam": ["lens", "align", "blast", "count"],
        "eve": ["lens", "align", "blast", "count"],
        ANONYMOUS: ["lens", "align"],
    }


async def test_an_archived_member_returns_with_its_status(ask_own: GraphQLClient) -> None:
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.asset).where(sql.asset.c.name == "junk").values(status="RELEASED"))
    seen = (await ask_own("eve", HELD))["collection"]["assets"]["nodes"]
    assert [asset["name"] for asset in seen] == ["lens", "align", "blast", "count", "junk"]


TREE = """query($s: String!) { collection(by: {slug: $s}) {
  parent { slug } ancestors { slug } children { nodes { slug } }
  assetCounts(includeDescendants: true) { total }
  assets(includeDescendants: true) { nodes { ... on AssetFields { name } } }
} }"""


async def test_a_collection_below_a_hidden_one_stands_at_the_top(ask: GraphQLClient) -> None:
    deep = (await ask("eve", TREE, s="deep"))["collection"]
    assert deep["parent"] == {"slug": "inner"}
    assert deep["ancestors"] == [{"slug": "open"}, {"slug": "inner"}]
    deep = (await ask(ANONYMOUS, TREE, s="deep"))["collection"]
    # Not even open, which is visible, because inner, between open and deep, is hidden.
    assert (deep["parent"], deep["ancestors"]) == (None, [])
    top = "{ collections(filter: {topLevelOnly: true}) { nodes { slug } } }"
    assert (await ask(ANONYMOUS, top))["collections"]["nodes"] == [{"slug": "bare"}, {"slug": "deep"}, {"slug": "open"}]
    assert (await ask("eve", top))["collections"]["nodes"] == [{"slug": "bare"}, {"slug": "members"}, {"slug": "open"}]


async def test_descendants_are_counted_and_listed_once_as_far_as_the_viewer_sees_the_way(ask: GraphQLClient) -> None:
    expected = {
        "olu": ["lens", "hidden", "align", "blast", "count", "junk", "kept", "explore", "images", "genomes"],
        "mei": ["lens", "align", "blast", "count", "explore", "images", "genomes"],
        "eve": ["lens", "align", "blast", "count", "explore"],
        ANONYMOUS: ["lens", "align"],
    }
    for who, names in expected.items():
        seen = (await ask(who, TREE, s="open"))["collection"]
        assert [asset["name"] for asset in seen["assets"]["nodes"]] == names
        assert seen["assetCounts"]["total"] == len(names)


async def test_a_missing_token_is_an_anonymous_visitor_and_a_bad_one_an_error(ask: GraphQLClient) -> None:
    assert await ask(ANONYMOUS, "{ viewer { isAdmin } }") == {"viewer": None}
    bodies = set()
    for header in ("Bearer atoll_unknown", "Bearer x.y.z", "Basic b2x1Om9sdQ==", "Bearer ", "", "Bearer", "atoll_"):
        answer = await ask.client.post(
            "/graphql", json={"query": "{ viewer { isAdmin } }"}, headers={"authorization": header}
        )
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"].startswith("Bearer")
        bodies.add(answer.content)
    assert len(bodies) == 1


async def test_an_expired_and_a_revoked_token_are_bad_from_the_next_operation_on(ask_own: GraphQLClient) -> None:
    token = await create_token(ask_own.database, "eve", 60)
    ask_own.tokens = {**ask_own.tokens, "again": token}
    assert (await ask_own.response("again", "{ viewer { isAdmin } }")).status_code == 200
    assert await revoke_token(ask_own.database, token)
    assert (await ask_own.response("again", "{ viewer { isAdmin } }")).status_code == 401
    assert not await revoke_token(ask_own.database, token)
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.api_token).values(expires_at=1))
    assert (await ask_own.response("eve", "{ viewer { isAdmin } }")).status_code == 401
