"""Every list of the schema against the oracle: rows, order, counts and pages, for every viewer."""

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type
from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from proofs.determinism import lift_cost_limits
from resolvers.listing.listing import Listing
from schema.graph import build_schema
from store import sql
from store.tables import PrincipalKind
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, catalogue_lines
from tests.lists import TYPES_OF_PARENTS, ListField, ask_lists, every_list, node_names, walk
from tests.oracle import COUNT_FIELDS, EDITOR, OWNER, Line, Model, milliseconds

BAD_SIZE = "BAD_USER_INPUT"


async def load_model(ask: GraphQLClient, lines: Sequence[Line] | None = None) -> Model:
    """Return the oracle of a catalogue, by default the world's, with the ids and the order of this database."""
    async with ask.database.write() as connection:
        rows = [
            *await connection.execute(select(sql.principal.c.external_id, sql.principal.c.id)),
            *await connection.execute(select(sql.asset.c.external_id, sql.asset.c.id)),
            *await connection.execute(select(sql.topic.c.slug, sql.topic.c.id)),
            *await connection.execute(select(sql.collection.c.slug, sql.collection.c.id)),
        ]
        ranked = [
            slug
            for table in (sql.topic, sql.collection)
            for slug in await connection.scalars(select(table.c.slug).order_by(table.c.rank))
        ]
        written_at = await connection.scalar(select(sql.topic.c.created_at).limit(1))
    return Model(lines or catalogue_lines(), dict(tuple(row) for row in rows), written_at or 0, order=ranked)


async def vary_world(ask: GraphQLClient) -> Model:
    """Change the world so that no order equals the file's by chance, and return its oracle."""
    model = await load_model(ask)
    model.gold = {"blast", "kept", "lens"}
    model.changed_at = {"open": 500, "inner": 900, "deep": 500, "members": 100, "bare": 900}
    model.order = ["genomics", "empty", "imaging", "deep", "bare", "inner", "members", "open"]
    model.members["members"].append("align")  # visible to visitors, in a collection that is hidden from them
    model.asset["junk"]["grants"].append({"to": "lab", "role": "EDITOR"})  # archived: visible to its owners only
    model.asset["count"] = {**model.asset["count"], "createdAt": "2023-01-01T00:00:00Z"}
    model.users["ida"] = {"kind": "user", "id": "ida", "name": "Éda", "isActive": False}
    model.groups["lab"]["members"].append("ida")
    model.ids = {**model.ids, "ida": "usr_" + "0" * 24}
    pairs = [(slug, asset) for slug, held in model.members.items() for asset in held]
    model.added_at = {pair: 1_000 + index * 7 % 5 for index, pair in enumerate(pairs)}
    membership = sql.membership
    async with ask.database.write() as connection:
        principals = await _pks(connection, sql.principal, "external_id")
        assets = await _pks(connection, sql.asset, "external_id")
        collections = await _pks(connection, sql.collection, "slug")
        ida = {
            "id": model.ids["ida"],
            "external_id": "ida",
            "kind": PrincipalKind.USER,
            "name": "Éda",
            "is_active": False,
        }
        await connection.execute(sql.principal.insert().values(ida))
        ida_pk = (await _pks(connection, sql.principal, "external_id"))["ida"]
        await connection.execute(sql.group_member.insert().values(group_pk=principals["lab"], user_pk=ida_pk))
        here = {"collection_pk": collections["members"], "asset_pk": assets["align"]}
        await connection.execute(membership.insert().values(here | {"rank": 1 << 40, "added_at": 0}))
        shared = {"asset_pk": assets["junk"], "principal_pk": principals["lab"], "access": EDITOR}
        await connection.execute(sql.grant.insert().values(shared))
        golden = sql.asset.c.external_id.in_(model.gold)
        await connection.execute(update(sql.asset).where(golden).values(is_gold=1, gold_at=7, gold_note="best"))
        older = update(sql.asset).where(sql.asset.c.external_id == "count")
        await connection.execute(older.values(created_at=milliseconds("2023-01-01T00:00:00Z")))
        for rank, slug in enumerate(model.order, start=1 << 40):
            for table in (sql.topic, sql.collection):
                await connection.execute(update(table).where(table.c.slug == slug).values(rank=rank))
        for slug, at in model.changed_at.items():
            await connection.execute(update(sql.collection).where(sql.collection.c.slug == slug).values(updated_at=at))
        for (slug, asset), at in model.added_at.items():
            one = (membership.c.collection_pk == collections[slug]) & (membership.c.asset_pk == assets[asset])
            await connection.execute(update(membership).where(one).values(added_at=at))
    return model


async def _pks(connection: AsyncConnection, table: Table, by: str) -> dict[str, int]:
    return dict(tuple(row) for row in await connection.execute(select(table.c[by], table.c.pk)))


@pytest.mark.parametrize("who", VIEWERS)
async def test_every_list_in_every_order_equals_the_oracle(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    lists = list(every_list(model, who))
    for each, found in zip(lists, await ask_lists(ask_own, who, lists), strict=True):
        if found is None:
            assert not each.exists(model, who), each
            continue
        expected = each.expected(model, who, None)
        assert each.exists(model, who), each
        assert node_names(found, each.selection) == expected, each
        assert [edge["node"] for edge in found["edges"]] == found["nodes"], each
        assert found["totalCount"] == len(expected), each
        cursors = [edge["cursor"] for edge in found["edges"]] or [None]
        assert len(set(cursors)) == len(cursors), each
        assert found["pageInfo"] == {
            "hasNextPage": False,
            "hasPreviousPage": False,
            "startCursor": cursors[0],
            "endCursor": cursors[-1],
        }, each


def lists_to_page(model: Model, who: str) -> list[ListField]:
    """Return every order and direction of every list, of the parents with most rows."""
    parents = {
        None,
        ("viewer", ""),
        ("topic", "imaging"),
        ("collection", "open"),
        ("asset", "count"),
        ("asset", "align"),
        ("group", "lab"),
    }
    return [each for each in every_list(model, who) if each.parent in parents and each.exists(model, who)]


def sizes_of(turn: int, length: int) -> Sequence[int]:
    """Return the page sizes with which to read a list: every size on one turn in seven, else one size or none.

    The turn of a list differs by viewer, so that one of the seven viewers reads it with every size.
    """
    if turn % len(VIEWERS) == 0:
        return range(1, length + 2)
    return () if turn % 2 else [1 + turn % (length + 1)]


OTHER_TESTS = {
    "Query.auditLog": "test_history",
    "Viewer.groups": "test_identity",
    "Viewer.jobs": "test_identity",
    "Viewer.tokens": "test_token",
    "Collection.history": "test_history",
    "Topic.history": "test_history",
    "Change.assets": "test_history",
    "Job.results": "test_job",
}


async def test_every_list_of_the_schema_is_compared_with_the_oracle(ask: GraphQLClient) -> None:
    model = await load_model(ask)
    compared = {
        f"{TYPES_OF_PARENTS[each.parent[0] if each.parent else '']}.{each.field}" for each in every_list(model, "ada")
    }
    graph = build_schema()._schema  # noqa: SLF001 - Strawberry gives it no other name
    lists = {
        f"{kind.name}.{name}"
        for kind in graph.type_map.values()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        for name, field in kind.fields.items()
        if get_named_type(field.type).name.endswith("Connection")
        and not any(name in interface.fields for interface in kind.interfaces)
    }
    assert lists == compared | OTHER_TESTS.keys()


def test_every_list_has_a_name_of_its_own_in_its_cursors() -> None:
    names = Counter(listing.__dict__["name"] for listing in _derived_from(Listing) if "name" in listing.__dict__)
    assert [name for name, uses in names.items() if uses > 1] == []


def _derived_from(kind: type[Listing]) -> list[type[Listing]]:
    return [listing for direct in kind.__subclasses__() for listing in (direct, *_derived_from(direct))]


@pytest.mark.parametrize("who", VIEWERS)
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
async def test_pages_of_every_size_join_to_the_whole_list(ask: GraphQLClient, who: str, *, backward: bool) -> None:
    model = await load_model(ask)
    lists = [each for each in lists_to_page(model, who) if each.is_two_way or not backward]
    whole = [
        [edge["cursor"] for edge in found["edges"]]
        for found in await ask_lists(ask, who, lists, body="edges { cursor }")
        if found is not None
    ]
    first = VIEWERS.index(who)
    walks = [(index, size) for index, held in enumerate(whole) for size in sizes_of(first + index, len(held))]
    walking = [lists[index] for index, _ in walks]
    for (index, size), pages in zip(
        walks, await walk(ask, who, walking, [size for _, size in walks], backward=backward), strict=True
    ):
        failure = f"{who}, pages of {size}: {lists[index]}"
        in_order = pages[::-1] if backward else pages
        assert [edge["cursor"] for page in in_order for edge in page["edges"]] == whole[index], failure
        assert len(pages) == max(1, ceil(len(whole[index]) / size)), failure
        assert all(len(page["edges"]) == size for page in pages[:-1]), failure
        on, back = ("hasPreviousPage", "hasNextPage") if backward else ("hasNextPage", "hasPreviousPage")
        assert [page["pageInfo"][on] for page in pages] == [True] * (len(pages) - 1) + [False], failure
        assert [page["pageInfo"][back] for page in pages] == [False] + [True] * (len(pages) - 1), failure
        for page in pages:
            cursors = [edge["cursor"] for edge in page["edges"]] or [None]
            ends = (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"])
            assert ends == (cursors[0], cursors[-1]), failure


FIELDS = " ".join(("total", *COUNT_FIELDS.values(), "goldStandards"))


@pytest.mark.parametrize("who", VIEWERS)
async def test_asset_counts_equal_the_lists_by_kind(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    query = f"""query($f: AssetFilter) {{
      topics {{ nodes {{ slug assetCounts {{ {FIELDS} }} }} }}
      collections {{ nodes {{ slug
        own: assetCounts {{ {FIELDS} }}
        below: assetCounts(includeDescendants: true) {{ {FIELDS} }}
        kept: assetCounts(filter: $f) {{ {FIELDS} }}
        keptBelow: assetCounts(filter: $f, includeDescendants: true) {{ {FIELDS} }} }} }}
    }}"""
    kept: dict[str, Any]
    for kept in ({"kinds": ["CAPSULE", "MODEL"]}, {"goldStandard": True}, {"kinds": []}):
        with lift_cost_limits():
            data = await ask_own(who, query, f=kept)
        for topic in data["topics"]["nodes"]:
            assert topic["assetCounts"] == model.counts(model.topic_assets(who, topic["slug"]))
        assert [each["slug"] for each in data["collections"]["nodes"]] == model.collections(who)
        for each in data["collections"]["nodes"]:
            slug = each["slug"]
            assert each["own"] == model.counts(model.collection_assets(who, slug)), slug
            assert each["below"] == model.counts(model.collection_assets(who, slug, include_descendants=True)), slug
            assert each["kept"] == model.counts(model.collection_assets(who, slug, filter=kept)), slug
            assert each["keptBelow"] == model.counts(
                model.collection_assets(who, slug, filter=kept, include_descendants=True)
            ), slug


@pytest.mark.parametrize("who", VIEWERS)
async def test_ancestors_and_membership_edges_equal_the_oracle(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    query = """{ collections { nodes { slug parent { slug } ancestors { slug }
      assets { edges { addedAt viewerCanRemove node { ... on AssetFields { externalId } } } } } } }"""
    for each in (await ask_own(who, query))["collections"]["nodes"]:
        slug = each["slug"]
        assert [above["slug"] for above in each["ancestors"]] == model.ancestors(who, slug)
        assert (each["parent"] or {}).get("slug") == model.parent(who, slug)
        for edge in each["assets"]["edges"]:
            asset = edge["node"]["externalId"]
            assert milliseconds(edge["addedAt"]) == model.added_at[slug, asset]
            assert edge["viewerCanRemove"] == (model.is_admin(who) or model.access(who, asset) == OWNER)


@pytest.mark.parametrize("who", VIEWERS)
async def test_facets_of_a_list_without_a_filter_count_its_assets(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    facets_of = "kinds { kind count } tags(first: 30) { tag count } owners(first: 30) { count owner { name } }"
    body = f"{{ totalCount facets {{ {facets_of} }} }}"
    query = f"{{ assets {{ nodes {{ ... on AssetFields {{ externalId uses {body} usedBy {body} }} }} }} }}"
    for found in (await ask_own(who, query))["assets"]["nodes"]:
        asset = found["externalId"]
        for name, expected in (("uses", model.uses(who, asset)), ("usedBy", model.used_by(who, asset))):
            lines = [model.asset[each] for each in expected]
            facets = found[name]["facets"]
            assert found[name]["totalCount"] == len(expected)
            assert Counter({each["kind"]: each["count"] for each in facets["kinds"]}) == Counter(
                line["type"] for line in lines
            )
            assert Counter({each["tag"]: each["count"] for each in facets["tags"]}) == Counter(
                tag for line in lines for tag in line.get("tags", ())
            )
            assert Counter({each["owner"]["name"]: each["count"] for each in facets["owners"]}) == Counter(
                line["owner"] for line in lines
            )


async def test_a_hidden_parent_sends_the_same_statements_as_no_parent(ask: GraphQLClient) -> None:
    query = "query($slug: String!) { collection(by: {slug: $slug}) { parent { slug } createdBy { name } } }"
    sent = []
    for slug in ("deep", "bare"):  # a hidden parent, and no parent
        assert (await ask(ANONYMOUS, query, slug=slug))["collection"]["parent"] is None
        sent.append(sorted(ask.statements))
    assert sent[0] == sent[1]


SIZES = """query($first: Int, $last: Int, $after: String) {
  collections(first: $first, last: $last, after: $after) { nodes { slug } pageInfo { hasNextPage } } }"""
REJECTED_SIZES = [
    ({"first": -1}, "first is -1; it must be from 0 to 100."),
    ({"first": 101}, "first is 101; it must be from 0 to 100."),
    ({"last": -1}, "last is -1; it must be from 0 to 100."),
    ({"last": 101}, "last is 101; it must be from 0 to 100."),
    ({"first": 2**31 - 1}, f"first is {2**31 - 1}; it must be from 0 to 100."),
    ({"first": 1, "last": 1}, "Give first or last, not both."),
    ({"first": 20, "last": 1}, "Give first or last, not both."),
    ({"first": 0, "last": 0}, "Give first or last, not both."),
]


@pytest.mark.parametrize(("sizes", "message"), REJECTED_SIZES, ids=[str(sizes) for sizes, _ in REJECTED_SIZES])
async def test_a_page_has_one_size_from_0_to_100(ask: GraphQLClient, sizes: dict[str, int], message: str) -> None:
    assert await ask.errors("eve", SIZES, **sizes) == [("BAD_USER_INPUT", message)]


async def test_the_default_page_size_is_20_and_a_page_of_size_0_shows_whether_more_follows(
    ask: GraphQLClient,
) -> None:
    whole = ["bare", "deep", "inner", "members", "open"]
    for sizes in ({}, {"first": None}, {"last": None}, {"first": None, "last": None}, {"first": 100}, {"last": 100}):
        assert slugs(await ask("eve", SIZES, **sizes)) == (whole, False)
    assert slugs(await ask("eve", SIZES, first=None, last=2)) == (whole[-2:], False)
    assert slugs(await ask("eve", SIZES, first=2, last=None)) == (whole[:2], True)
    assert slugs(await ask("eve", SIZES, first=0)) == ([], True)
    assert slugs(await ask("eve", SIZES, last=0)) == ([], False)
    assert slugs(
        await ask(
            "eve", "{ collections(first: 0, filter: {topicIds: []}) { nodes { slug } pageInfo { hasNextPage } } }"
        )
    ) == ([], False)


def slugs(data: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the slugs of the page and whether more follow."""
    found = data["collections"]
    return [each["slug"] for each in found["nodes"]], found["pageInfo"]["hasNextPage"]


async def test_a_page_between_two_cursors_contains_no_row_outside_them(ask: GraphQLClient) -> None:
    edges = (await ask("eve", "{ collections { edges { cursor node { slug } } } }"))["collections"]["edges"]
    cursors, whole = [edge["cursor"] for edge in edges], [edge["node"]["slug"] for edge in edges]
    query = """query($first: Int, $last: Int, $after: String, $before: String) { collections(first: $first, last: $last,
      after: $after, before: $before) { nodes { slug } pageInfo { hasNextPage hasPreviousPage } } }"""
    for first, last in ((1, None), (3, None), (9, None), (None, 1), (None, 3), (None, 9)):
        found = (await ask("eve", query, first=first, last=last, after=cursors[0], before=cursors[4]))["collections"]
        between = whole[1:4]
        assert [each["slug"] for each in found["nodes"]] == (between[:first] if first else between[-(last or 0) :])
        assert found["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True}  # at least the rows of the cursors
