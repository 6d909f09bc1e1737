"""Promises of every mutation: permissions, change log, hidden ids, retries. A new mutation needs a row in ACTS."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type
from sqlalchemy import select

from resolvers.write.input import graph_name
from schema.graph import build_schema
from schema.write.mutation import Mutation as MutationType
from store import sql
from store.row_versions import fetch_changes, fetch_version
from store.tables import RowKind
from tests.conftest import ANONYMOUS, GraphQLClient, World, copied
from tests.db_snapshot import DbSnapshot, db_snapshot
from tests.mutations import Mutation, assert_unchanged, refusal_code
from tests.test_job import chunk

FEW = 2
SCHEMA = build_schema()._schema  # noqa: SLF001 - Strawberry gives it no other name
ADMINISTRATORS, MEMBERS = "FORBIDDEN", ""


OWN = {"changeUndo", "exportCreate", "jobCancel", "tokenCreate", "tokenRevoke"}
"""Mutations for members that are not about assets that they own, but about other things of their own."""
FOR_ALL_MEMBERS = {"exportCreate", "tokenCreate"}
"""Mutations that no member is refused."""


@dataclass(frozen=True)
class Act:
    """Accepted call of a mutation: viewer, input, and the changes it logs, each an action on a subject.

    `$name` stands for the id of the object of that name. `refused` is the error code for members, or empty if members
    may call the mutation.
    """

    mutation: str
    who: str
    given: dict[str, Any]
    changes: tuple[str, ...]
    refused: str = ADMINISTRATORS

    @property
    def is_for_owners(self) -> bool:
        """Whether the schema requires ASSET_OWN on each item."""
        return self.refused == MEMBERS and self.mutation not in OWN

    def __str__(self) -> str:
        """Return the name of the mutation, for the test's id."""
        return self.mutation


ACTS = (
    Act("topicCreate", "ada", {"name": "New", "position": {"afterId": "$imaging"}}, ("CREATED new",)),
    Act("topicUpdate", "ada", {"id": "$imaging", "name": "New"}, ("UPDATED imaging",)),
    Act("topicReorder", "ada", {"id": "$imaging", "position": {"afterId": "$empty"}}, ("REORDERED imaging",)),
    Act(
        "topicMerge",
        "ada",
        {"sourceIds": ["$genomics"], "targetId": "$empty"},
        ("UPDATED members", "UPDATED bare", "DELETED genomics", "MERGED empty"),
    ),
    Act(
        "topicDelete",
        "ada",
        {"id": "$genomics", "moveCollectionsTo": "$empty"},
        ("UPDATED members", "UPDATED bare", "DELETED genomics"),
    ),
    Act(
        "collectionCreate",
        "ada",
        {"topicId": "$imaging", "parentId": "$open", "name": "New", "position": {"beforeId": "$inner"}},
        ("CREATED new",),
    ),
    Act("collectionUpdate", "ada", {"id": "$bare", "parentId": "$members"}, ("UPDATED bare",)),
    Act("collectionReorder", "ada", {"id": "$bare", "position": {"beforeId": "$members"}}, ("REORDERED bare",)),
    Act("collectionDelete", "ada", {"id": "$inner"}, ("REORDERED deep", "DELETED inner: align, explore, images")),
    Act(
        "collectionAssetsAdd",
        "olu",
        {"collectionId": "$bare", "assetIds": ["$blast", "$align"]},
        ("ASSETS_ADDED bare: align, blast",),
        MEMBERS,
    ),
    Act(
        "collectionAssetsRemove",
        "olu",
        {"collectionId": "$open", "assetIds": ["$blast", "$align"]},
        ("ASSETS_REMOVED open: align, blast",),
        MEMBERS,
    ),
    Act(
        "collectionAssetsMove",
        "olu",
        {"fromCollectionId": "$open", "toCollectionId": "$inner", "assetIds": ["$blast", "$align"]},
        ("ASSETS_MOVED open: align, blast", "ASSETS_MOVED inner: blast"),
        MEMBERS,
    ),
    Act(
        "collectionAssetsReorder",
        "ada",
        {"collectionId": "$open", "assetIds": ["$blast"], "position": {"atStart": True}},
        ("REORDERED open: blast",),
    ),
    Act(
        "assetCollectionsUpdate",
        "olu",
        {"assetId": "$blast", "addTo": ["$bare"], "removeFrom": ["$open"]},
        ("ASSETS_ADDED bare: blast", "ASSETS_REMOVED open: blast"),
        MEMBERS,
    ),
    Act("changeUndo", "olu", {"changeId": "$change"}, ("UNDONE bare: explore",), MEMBERS),
    Act("assetGoldStandardSet", "ada", {"assetId": "$blast", "awarded": True}, ("AWARDED blast",)),
    Act(
        "assetGrantsUpdate",
        "olu",
        {"assetId": "$blast", "set": [{"to": {"userId": "$sam"}, "access": "EDITOR"}], "revoke": [{"everyone": True}]},
        ("SHARED blast", "UNSHARED blast"),
        MEMBERS,
    ),
    Act(
        "assetsRegister",
        "ada",
        {"assets": [{"externalId": "lens", "kind": "MODEL", "name": "Lens!", "ownerId": "$sam"}]},
        ("UPDATED lens",),
    ),
    Act(
        "assetsTransfer",
        "ada",
        {"from": {"userId": "$sam"}, "to": {"userId": "$eve"}},
        ("UPDATED lens", "SHARED lens", "UNSHARED lens", "ASSETS_TRANSFERRED sam: lens"),
    ),
    Act("userUpsert", "ada", {"externalId": "ida", "name": "Ida"}, ("CREATED ida",)),
    Act("userDeactivate", "ada", {"userId": "$eve"}, ("UPDATED eve",)),
    Act("userReactivate", "ada", {"userId": "$eve"}, ()),
    Act("groupUpsert", "ada", {"externalId": "guild", "name": "Guild"}, ("CREATED guild",)),
    Act("groupMembersUpdate", "ada", {"groupId": "$crew", "add": [{"userId": "$eve"}]}, ("UPDATED crew",)),
    Act("deploymentUpdate", "ada", {"publicSharing": False}, ("UPDATED deployment",)),
    Act("exportCreate", "olu", {"format": "CSV"}, (), MEMBERS),
    Act("jobCancel", "olu", {"id": "$job"}, (), MEMBERS),
    Act("tokenCreate", "olu", {"name": "Notebook"}, ("UPDATED olu",), MEMBERS),
    Act("tokenRevoke", "olu", {"id": "$token"}, ("UPDATED olu",), MEMBERS),
    Act("tokensRevokeAll", "ada", {"userId": "$olu"}, ("UPDATED olu",)),
)
each_act = pytest.mark.parametrize("act", ACTS, ids=str)


async def names_by_id(ask: GraphQLClient) -> dict[str, str]:
    """Return the name of each object by id; the one change and the one job are named by their type."""
    named: dict[str, str] = {"deployment": "deployment"}
    async with ask.database.snapshot() as snapshot:
        for table, name in (
            (sql.topic, sql.topic.c.slug),
            (sql.collection, sql.collection.c.slug),
            (sql.asset, sql.asset.c.external_id),
            (sql.principal, sql.principal.c.external_id),
        ):
            named |= {row.id: row.name for row in await snapshot.rows(select(table.c.id, name.label("name")))}
    return named


async def prepare_world(ask: GraphQLClient) -> dict[str, str]:
    """Return the world's ids by name, and those of a change, a running job and a token, all by olu."""
    found = {name: id_ for id_, name in (await names_by_id(ask)).items()}
    add = Mutation("collectionAssetsAdd", "change { id } job { id }")
    one = {"collectionId": found["bare"], "assetIds": [found["explore"]]}
    many = {"collectionId": found["deep"], "assetIds": [found[name] for name in ("explore", "images", "count")]}
    found["token"] = (await Mutation("tokenCreate", "token { id }")(ask, "olu", name="Own"))["token"]["id"]
    found["change"] = (await add(ask, "olu", **one))["change"]["id"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", FEW)
        patched.setattr("resolvers.write.job.CHUNK_SIZE", FEW)
        found["job"] = (await add(ask, "olu", **many, mode="BEST_EFFORT"))["job"]["id"]
        await chunk(ask)
    crew = {"externalId": "crew", "name": "Crew"}
    found["crew"] = (await Mutation("groupUpsert", "group { id }")(ask, "ada", **crew))["group"]["id"]
    return found


@pytest.fixture
async def ids(ask_own: GraphQLClient) -> dict[str, str]:
    """Return the ids of the test's own world."""
    return await prepare_world(ask_own)


@pytest.fixture(scope="module")
def prepared(
    world: World, backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, dict[str, str]]:
    """Return a prepared world, with its ids, shared by all tests that do not change it."""
    path = tmp_path_factory.mktemp("every") / "every.db"
    own = copied(world, backend, request, path, "every")

    async def prepare() -> dict[str, str]:
        ask = GraphQLClient(own)
        try:
            return await prepare_world(ask)
        finally:
            await ask.close()

    return own, asyncio.run(prepare())


@pytest.fixture
async def ask_same(prepared: tuple[World, dict[str, str]]) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the shared, prepared world."""
    asking = GraphQLClient(prepared[0])
    yield asking
    await asking.close()


@pytest.fixture
def same_ids(prepared: tuple[World, dict[str, str]]) -> dict[str, str]:
    """Return the ids of the shared, prepared world."""
    return prepared[1]


def filled(value: Any, ids: dict[str, str]) -> Any:
    """Return the input with the id in place of each `$name`."""
    if isinstance(value, dict):
        return {field: filled(each, ids) for field, each in value.items()}
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    return ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def mutate(act: Act) -> Mutation:
    """Return the mutation, with its results selected if it has any."""
    assert SCHEMA.mutation_type
    payload = get_named_type(SCHEMA.mutation_type.fields[act.mutation].type)
    assert isinstance(payload, GraphQLObjectType)
    has_results = "results" in payload.fields
    return Mutation(act.mutation, "results { status error { code message path } }" if has_results else "__typename")


def test_every_mutation_is_in_the_table() -> None:
    assert SCHEMA.mutation_type
    assert [act.mutation for act in ACTS] == list(dict.fromkeys(act.mutation for act in ACTS))
    assert {act.mutation for act in ACTS} == set(SCHEMA.mutation_type.fields)


def test_mutations_print_the_permissions_in_the_table() -> None:
    printed = {
        graph_name(field.python_name): {(rule.requires, rule.on) for rule in field.directives}
        for field in MutationType.__strawberry_definition__.fields  # type: ignore[attr-defined]  # set by Strawberry
    }
    site_wide = {ADMINISTRATORS: ("ADMIN", "VIEWER"), MEMBERS: ("SIGNED_IN", "VIEWER")}
    for_owners = {("ASSET_OWN", "ITEM")}
    assert printed == {
        act.mutation: {site_wide[act.refused]} | (for_owners if act.is_for_owners else set()) for act in ACTS
    }


VIEWER_CAN = {
    "topic": {
        "update": "topicUpdate",
        "delete": "topicDelete",
        "reorder": "topicReorder",
        "merge": "topicMerge",
        "createCollection": "collectionCreate",
    },
    "collection": {
        "update": "collectionUpdate",
        "delete": "collectionDelete",
        "addAssets": "collectionAssetsAdd",
        "reorderAssets": "collectionAssetsReorder",
        "moveToTopic": "collectionUpdate",
    },
}


@pytest.mark.parametrize("who", ["ada", "olu", ANONYMOUS])
async def test_viewer_can_agrees_with_the_permissions_of_the_mutations(ask: GraphQLClient, who: str) -> None:
    allowed = {act.mutation: who == "ada" or (who != ANONYMOUS and act.refused == MEMBERS) for act in ACTS}
    slugs = {"topic": "imaging", "collection": "open"}
    for noun, flags in VIEWER_CAN.items():
        query = f"query($slug: String!) {{ {noun}(by: {{slug: $slug}}) {{ viewerCan {{ {' '.join(flags)} }} }} }}"
        viewer_can = (await ask(who, query, slug=slugs[noun]))[noun]["viewerCan"]
        assert viewer_can == {flag: allowed[mutation] for flag, mutation in flags.items()}


async def log(ask: GraphQLClient) -> list[str]:
    """Return every change in the log's order: action, subject and, after a colon, its assets."""
    names = await names_by_id(ask)
    change, touched, asset = sql.change, sql.change_asset, sql.asset
    rows = (
        select(change.c.pk, change.c.action, change.c.subject_id, change.c.actor_pk, asset.c.external_id)
        .select_from(change.outerjoin(touched, touched.c.change_pk == change.c.pk))
        .outerjoin(asset, asset.c.pk == touched.c.asset_pk)
        .order_by(change.c.pk, asset.c.external_id)
    )
    told: dict[int, tuple[str, list[str]]] = {}
    async with ask.database.snapshot() as snapshot:
        for row in await snapshot.rows(rows):
            subject = names.get(row.subject_id, row.subject_id)
            _, assets = told.setdefault(row.pk, (f"{row.action} {subject}", []))
            assets += [row.external_id] if row.external_id else []
    return [f"{what}: {', '.join(assets)}" if assets else what for what, assets in told.values()]


@each_act
async def test_each_mutation_logs_its_changes(ask_own: GraphQLClient, ids: dict[str, str], act: Act) -> None:
    gone = {id_: name for id_, name in (await names_by_id(ask_own)).items() if name in {"genomics", "inner"}}
    before = await log(ask_own)
    answer = await mutate(act)(ask_own, act.who, **filled(act.given, ids))
    assert answer["userErrors"] == []
    told = (await log(ask_own))[len(before) :]
    for id_, name in gone.items():
        told = [each.replace(id_, name) for each in told]
    assert tuple(told) == act.changes


LOGGED_KEYS = (
    (RowKind.TOPIC, sql.topic, "pk"),
    (RowKind.COLLECTION, sql.collection, "pk"),
    (RowKind.MEMBERS, sql.membership, "collection_pk"),
    (RowKind.ASSET, sql.asset, "pk"),
    (RowKind.GRANTS, sql.grant, "asset_pk"),
    (RowKind.PRINCIPAL, sql.principal, "pk"),
)


def changed_objects(before: DbSnapshot, after: DbSnapshot) -> set[tuple[RowKind, int]]:
    """Return the objects of which a row differs, by kind and pk."""
    return {
        (kind, row[table.c.keys().index(column)])
        for kind, table, column in LOGGED_KEYS
        for row in (*before[table.name], *after[table.name])
        if (row in before[table.name]) != (row in after[table.name])
    }


@each_act
async def test_each_mutation_raises_the_versions_of_the_objects_that_it_changes(
    ask_own: GraphQLClient, ids: dict[str, str], act: Act
) -> None:
    before = await db_snapshot(ask_own.database)
    async with ask_own.database.snapshot() as snapshot:
        since = await fetch_version(snapshot)
    await mutate(act)(ask_own, act.who, **filled(act.given, ids))
    async with ask_own.database.snapshot() as snapshot:
        version, changes = await fetch_version(snapshot), await fetch_changes(snapshot, since, 1_000)
    assert changes is not None
    changed = changed_objects(before, await db_snapshot(ask_own.database))
    assert {(kind, pk) for kind, pks in changes.items() for pk in pks} == changed
    assert (version > since) == bool(changed)


@each_act
async def test_without_permission_nothing_is_changed(
    ask_same: GraphQLClient, same_ids: dict[str, str], act: Act
) -> None:
    given = filled(act.given, same_ids)
    async with assert_unchanged(ask_same):
        assert await refusal_code(ask_same, ANONYMOUS, mutate(act), **given) == "UNAUTHENTICATED"
        if act.refused:
            for who in ("olu", "eve"):
                assert await refusal_code(ask_same, who, mutate(act), **given) == act.refused
        elif act.mutation not in FOR_ALL_MEMBERS:
            answer = await mutate(act)(ask_same, "eve", **given)
            failed = [result["error"] for result in answer.get("results", ()) if result["error"]]
            codes = {error["code"] for error in [*answer["userErrors"], *failed]}
            assert codes
            assert codes <= {"NOT_OWNER", "NOT_FOUND"}


def ids_in(value: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the path to each id of an input."""
    if isinstance(value, dict):
        for field, each in value.items():
            yield from ids_in(each, *path, field)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from ids_in(each, *path, str(index))
    elif isinstance(value, str) and value.startswith("$"):
        yield path


def put(value: Any, path: tuple[str, ...], id_: str) -> Any:
    """Return the input with another id at the path."""
    if not path:
        return id_
    if isinstance(value, list):
        return [put(each, path[1:], id_) if str(index) == path[0] else each for index, each in enumerate(value)]
    return {field: put(each, path[1:], id_) if field == path[0] else each for field, each in value.items()}


@each_act
async def test_unknown_wrong_and_hidden_ids_get_the_same_error(
    ask_same: GraphQLClient, same_ids: dict[str, str], act: Act
) -> None:
    hidden = same_ids["junk"] if act.who != "ada" else "ast_" + "1" * 24  # owned by olu, hidden from eve
    who = "eve" if act.is_for_owners else act.who
    async with assert_unchanged(ask_same):
        for path in ids_in(act.given):
            # An error about a grant's holder may have the path of the holder, without the key that names it.
            places = [["input", *path], ["input", *path[:-1]]]
            words = set()
            other = same_ids["imaging" if path[-1] == "groupId" else "lab"]
            for id_ in ("", "?", "ast_" + "0" * 24, "col_" + "0" * 24, other, hidden):
                answer = await mutate(act)(ask_same, who, **filled(put(act.given, path, id_), same_ids))
                at = [error for error in answer["userErrors"] if error["path"] in places]
                words.add(str([(error["code"], error["message"]) for error in at]))
                assert [error["code"] for error in at] == ["NOT_FOUND"], (path, id_, answer)
            assert len(words) == 1, (path, words)


@each_act
async def test_every_mutation_replays_its_result_for_the_same_key(
    ask_own: GraphQLClient, ids: dict[str, str], act: Act
) -> None:
    kind = SCHEMA.type_map[f"{act.mutation[0].upper()}{act.mutation[1:]}Input"]
    assert isinstance(kind, GraphQLInputObjectType)
    if "idempotencyKey" not in kind.fields:
        assert act.mutation in WITHOUT_KEY, "say why it needs none"
        return
    given = filled(act.given, ids) | {"idempotencyKey": "again"}
    first = await mutate(act)(ask_own, act.who, **given)
    async with assert_unchanged(ask_own):
        assert await mutate(act)(ask_own, act.who, **given) == first
        other = await mutate(act)(ask_own, act.who, **(given | different(kind)))
        assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_MISMATCH"]


# Mutations without an idempotency key: repeating one has the same result, or fails on the version.
WITHOUT_KEY = {
    "topicUpdate",
    "topicReorder",
    "topicDelete",
    "collectionUpdate",
    "collectionReorder",
    "collectionDelete",
    "collectionAssetsReorder",
    "assetGoldStandardSet",
    "userDeactivate",
    "userReactivate",
    "deploymentUpdate",
    "jobCancel",
    "tokenCreate",  # the result of the first call would have to be stored, with the secret
    "tokenRevoke",
    "tokensRevokeAll",
}


def different(kind: GraphQLInputObjectType) -> dict[str, Any]:
    """Return a field of the input with a value other than the call's."""
    others: dict[str, Any] = {"mode": "BEST_EFFORT", "description": "Other.", "targetId": "top_x", "changeId": "chg_x"}
    others |= {"include": ["TOPICS"], "removeFrom": [], "revoke": [], "keepEditor": True, "name": "Other", "remove": []}
    field = next(name for name in others if name in kind.fields)
    return {field: others[field]}
