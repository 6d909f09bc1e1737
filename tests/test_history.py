"""Histories of objects and the audit log, as each viewer may read them."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from store import sql
from store.changes import LoggedFieldChange, MemberChange, open_change_log
from store.tables import AssetAccess, ChangeAction
from tests.conftest import ANONYMOUS, MEMBERS, GraphQLClient, set_public_sharing
from tests.test_topic_write import CREATE, DELETE, MERGE, REORDER, UPDATE, ids

ADDED, REMOVED, MOVED = ChangeAction.ASSETS_ADDED, ChangeAction.ASSETS_REMOVED, ChangeAction.ASSETS_MOVED
ASSETS = "assets { totalCount facets { kinds { count } } nodes { ... on AssetFields { name } } }"
CHANGE = f"id action actor {{ name }} fields {{ field before after }} requestId {ASSETS}"
SUBJECT = "subject { __typename id }"
LOG = f"query($filter: ChangeFilter) {{ auditLog(first: 100, filter: $filter) {{ nodes {{ {CHANGE} {SUBJECT} }} }} }}"
PAGE = "edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


def field_change(field: str, before: str | None, after: str | None) -> dict[str, str | None]:
    return {"field": field, "before": before, "after": after}


async def append_change(
    ask: GraphQLClient,
    action: ChangeAction,
    subject: str,
    *touched: str,
    fields: Sequence[LoggedFieldChange] = (),
    least_access: int = 0,
    at: int | None = None,
) -> str:
    """Append a change of a collection or an asset, named by slug or external id, and return the id of the change."""
    async with ask.database.write() as connection:
        log = await open_change_log(connection, "by hand")
        log.at = at or log.at
        log.actor_pk = await connection.scalar(select(sql.principal.c.pk).where(sql.principal.c.external_id == "olu"))
        assets = {row.external_id: row for row in await connection.execute(select(sql.asset))}
        collections = {row.slug: row for row in await connection.execute(select(sql.collection))}
        id_ = (assets | collections)[subject].id
        if touched:
            members = {id_: [MemberChange(assets[name].pk) for name in touched]}
            await log.append_member_changes(action, members, {id_: fields})
        else:
            await log.append(action, [id_], fields, least_access)
        return str(await connection.scalar(select(sql.change.c.id).order_by(sql.change.c.pk.desc()).limit(1)))


async def grant(ask: GraphQLClient, asset: str, who: str, access: AssetAccess) -> None:
    """Grant access to an asset."""
    async with ask.database.write() as connection:
        asset_pk = select(sql.asset.c.pk).where(sql.asset.c.external_id == asset).scalar_subquery()
        principal_pk = select(sql.principal.c.pk).where(sql.principal.c.external_id == who).scalar_subquery()
        row = {"asset_pk": asset_pk, "principal_pk": principal_pk, "access": access}
        await connection.execute(insert(sql.grant).values(row))


async def history(ask: GraphQLClient, who: str, slug: str, body: str = CHANGE) -> list[dict[str, Any]]:
    """Return the changes of a collection that the viewer sees."""
    query = f"query($s: String!) {{ collection(by: {{slug: $s}}) {{ history(first: 100) {{ nodes {{ {body} }} }} }} }}"
    return list((await ask(who, query, s=slug))["collection"]["history"]["nodes"])


async def audit_log(ask: GraphQLClient, who: str = "ada", **filter: Any) -> list[dict[str, Any]]:
    """Return the changes of the audit log that an administrator sees."""
    return list((await ask(who, LOG, filter=filter))["auditLog"]["nodes"])


async def is_found(ask: GraphQLClient, who: str, id_: str) -> bool:
    """Return whether the viewer gets the change by its id."""
    node = (await ask(who, "query($id: ID!) { node(id: $id) { __typename id } }", id=id_))["node"]
    assert node in (None, {"__typename": "Change", "id": id_})
    return node is not None


def names(change: Mapping[str, Any]) -> list[str]:
    """Return the names of the assets that a change touched."""
    assets = change["assets"]
    assert assets["totalCount"] == len(assets["nodes"]) == sum(kind["count"] for kind in assets["facets"]["kinds"])
    return [asset["name"] for asset in change["assets"]["nodes"]]


async def test_each_mutation_is_logged_with_actor_and_fields_newest_first(
    ask_own: GraphQLClient,
) -> None:
    created = (await CREATE(ask_own, "ada", name="Maps", description="Of cells."))["topic"]["id"]
    await UPDATE(ask_own, "ada", id=created, name="Atlases")
    await REORDER(ask_own, "ada", id=created, position={"atStart": True})
    query = f"query($id: ID!) {{ topic(by: {{id: $id}}) {{ history {{ nodes {{ {CHANGE} {SUBJECT} }} }} }} }}"
    changes = (await ask_own("ada", query, id=created))["topic"]["history"]["nodes"]
    same = {
        "actor": {"name": "ada"},
        "assets": {"totalCount": 0, "facets": {"kinds": []}, "nodes": []},
        "subject": {"__typename": "Topic", "id": created},
    }
    first = [
        field_change("name", None, "Maps"),
        field_change("slug", None, "maps"),
        field_change("description", None, "Of cells."),
    ]
    assert [change | {"id": "", "requestId": ""} for change in changes] == [
        {"id": "", "requestId": "", "action": action, "fields": fields, **same}
        for action, fields in (
            ("REORDERED", []),
            ("UPDATED", [field_change("name", "Maps", "Atlases")]),
            ("CREATED", first),
        )
    ]
    assert len({change["requestId"] for change in changes}) == 3


async def test_the_changes_of_one_request_share_its_id(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await MERGE(ask_own, "ada", sourceIds=[id_["genomics"]], targetId=id_["empty"])
    merged, deleted, *moved = (await audit_log(ask_own))[:4]
    assert [change["action"] for change in (merged, deleted, *moved)] == ["MERGED", "DELETED", "UPDATED", "UPDATED"]
    assert len({change["requestId"] for change in (merged, deleted, *moved)}) == 1
    assert merged["fields"] == [field_change("mergedTopic", "genomics", None)]
    # The id of the deleted topic is not shown.
    assert [change["fields"] for change in moved] == [[field_change("topic", None, id_["empty"])]] * 2


# Assets that each change of the collection `members` touched, newest first, and those that each viewer sees of them.
TOUCHED = (("hidden",), ("junk",), ("images", "genomes"), ("align", "hidden"))
SEEN = {
    "ada": (("hidden",), ("junk",), ("genomes", "images"), ("align", "hidden")),
    "olu": (("hidden",), ("junk",), ("genomes", "images"), ("align", "hidden")),
    "mei": (("genomes", "images"), ("align",)),
    "lou": (("images",), ("align",)),
    "sam": (("align",),),
    "eve": (("align",),),
}


async def test_a_change_that_touched_only_hidden_assets_is_hidden_and_others_list_the_visible_ones(
    ask_own: GraphQLClient,
) -> None:
    before = {who: len(await history(ask_own, who, "members", "id")) for who in MEMBERS}
    changes = [await append_change(ask_own, ADDED, "members", *touched) for touched in reversed(TOUCHED)][::-1]
    for who in MEMBERS:
        seen = (await history(ask_own, who, "members"))[: -before[who]]
        assert [tuple(names(change)) for change in seen] == list(SEEN[who]), who
        assert {change["id"] for change in seen} == {id_ for id_ in changes if await is_found(ask_own, who, id_)}, who
    assert not any([await is_found(ask_own, ANONYMOUS, id_) for id_ in changes])


async def test_changes_of_an_import_have_no_actor(ask: GraphQLClient) -> None:
    added, created = await history(ask, "eve", "members")
    assert (added["action"], added["actor"], names(added)) == ("ASSETS_ADDED", None, ["blast"])
    assert (created["action"], created["actor"], created["fields"], names(created)) == ("CREATED", None, [], [])


async def test_the_changes_of_a_hidden_collection_are_hidden_and_its_id_in_others_is_null(
    ask_own: GraphQLClient,
) -> None:
    id_ = await ids(ask_own)
    on_open = await append_change(ask_own, REMOVED, "open", "align")
    ends = [
        field_change("parent", id_["open"], id_["inner"]),
        field_change("from", id_["open"], None),
        field_change("to", None, id_["open"]),
        field_change("topic", "top_" + "0" * 24, id_["imaging"]),
        field_change("description", id_["open"], id_["inner"]),
    ]
    await append_change(ask_own, MOVED, "inner", "align", fields=ends)
    shown = [*ends[:3], field_change("topic", None, id_["imaging"]), ends[4]]
    assert (await history(ask_own, "olu", "inner"))[0]["fields"] == shown
    await set_public_sharing(ask_own.database, is_on=False)
    hidden = [
        field_change("parent", None, id_["inner"]),
        field_change("from", None, None),
        field_change("to", None, None),
    ]
    assert (await history(ask_own, "olu", "inner"))[0]["fields"] == [*hidden, *shown[3:]]
    assert (await history(ask_own, "ada", "inner"))[0]["fields"] == shown
    assert [await is_found(ask_own, who, on_open) for who in ("ada", "olu")] == [True, False]


async def test_members_see_changes_of_collections_and_of_their_own_assets(ask_own: GraphQLClient) -> None:
    topic = (await CREATE(ask_own, "ada", name="Maps"))["topic"]["id"]
    of_topic = (await audit_log(ask_own, subjectIds=[topic]))[0]["id"]
    of_asset = await append_change(ask_own, ChangeAction.UPDATED, "align")
    of_collection = await append_change(ask_own, ChangeAction.UPDATED, "members")
    for who in MEMBERS:
        seen = [await is_found(ask_own, who, id_) for id_ in (of_topic, of_asset, of_collection)]
        assert seen == ([True] * 3 if who == "ada" else [False, who == "olu", True]), who


@pytest.mark.parametrize(
    ("asset", "least_access", "is_seen"),
    [
        ("genomes", AssetAccess.DISCOVERABLE, True),
        ("genomes", AssetAccess.VIEWER, False),  # ada may not see its content
        ("align", AssetAccess.VIEWER, True),
        ("align", AssetAccess.OWNER, True),
        ("genomes", AssetAccess.OWNER, True),  # a change of its grants
    ],
)
async def test_an_administrator_sees_a_change_of_an_asset_with_the_access_that_it_requires(
    ask_own: GraphQLClient, asset: str, least_access: AssetAccess, *, is_seen: bool
) -> None:
    id_ = await append_change(ask_own, ChangeAction.UPDATED, asset, least_access=least_access)
    assert (id_ in [change["id"] for change in await audit_log(ask_own)]) is is_seen
    assert await is_found(ask_own, "ada", id_) is is_seen


async def test_changes_of_grants_are_visible_to_owners_and_administrators(ask_own: GraphQLClient) -> None:
    actions = [ChangeAction.SHARED, ChangeAction.UNSHARED]
    ids_ = [await append_change(ask_own, action, "genomes", least_access=AssetAccess.OWNER) for action in actions]
    assert [change["id"] for change in await audit_log(ask_own, actions=actions)] == ids_[::-1]
    owner_only = {who: [await is_found(ask_own, who, id_) for id_ in ids_] for who in MEMBERS}
    assert owner_only == {who: [who in {"ada", "olu"}] * 2 for who in MEMBERS}
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.grant).values(access=AssetAccess.EDITOR))
    assert [await is_found(ask_own, who, ids_[0]) for who in ("ada", "olu")] == [True, False]


@pytest.mark.parametrize(
    ("access", "shown"),
    [
        (None, ["name"]),
        (AssetAccess.VIEWER, ["name", "url", "source", "uses"]),
        (AssetAccess.EDITOR, ["name", "url", "source", "uses"]),
        (AssetAccess.OWNER, ["name", "url", "source", "uses", "grants"]),
    ],
)
async def test_a_change_lists_the_fields_that_the_viewer_may_see(
    ask_own: GraphQLClient, access: AssetAccess | None, shown: list[str]
) -> None:
    fields = [field_change(field, "a", "b") for field in ("name", "url", "source", "uses", "grants")]
    await append_change(ask_own, ChangeAction.UPDATED, "hidden", fields=fields, least_access=AssetAccess.DISCOVERABLE)
    if access:
        await grant(ask_own, "hidden", "ada", access)
    (newest, *_) = await audit_log(ask_own)
    assert newest["fields"] == [field_change(field, "a", "b") for field in shown]
    assert newest["subject"]["__typename"] == "DataAsset"


async def test_changes_of_a_deleted_object_stay_and_their_subject_is_null(ask_own: GraphQLClient) -> None:
    created = (await CREATE(ask_own, "ada", name="Maps"))["topic"]["id"]
    await DELETE(ask_own, "ada", id=created)
    changes = await audit_log(ask_own, subjectIds=[created])
    assert [(change["action"], change["subject"]) for change in changes] == [("DELETED", None), ("CREATED", None)]
    assert changes[0]["fields"] == [field_change("name", "Maps", None)]


async def test_changes_of_the_deployment_have_no_subject(ask_own: GraphQLClient) -> None:
    async with ask_own.database.write() as connection:
        log = await open_change_log(connection, "by hand")
        await log.append(ChangeAction.UPDATED, ["deployment"], [field_change("publicSharing", "false", "true")])
    (change,) = await audit_log(ask_own, subjectIds=["deployment"])
    assert (change["subject"], change["fields"]) == (None, [field_change("publicSharing", "false", "true")])
    assert [await is_found(ask_own, who, change["id"]) for who in ("ada", "eve")] == [True, False]


IN_LOG = "{ auditLog { nodes { id } } }"
OF_TOPIC = '{ topic(by: {slug: "imaging"}) { history { nodes { id } } } }'
OF_COLLECTION = '{ collection(by: {slug: "open"}) { history { nodes { id } } } }'


async def test_the_log_and_histories_of_topics_require_an_administrator_and_those_of_collections_a_member(
    ask: GraphQLClient,
) -> None:
    forbidden = ("FORBIDDEN", "Only administrators may do this.")
    unknown = ("UNAUTHENTICATED", "Sign in first: send a bearer token.")
    for query in (IN_LOG, OF_TOPIC):
        assert await ask.errors("olu", query) == [forbidden]
    for query in (IN_LOG, OF_TOPIC, OF_COLLECTION):
        assert await ask.errors(ANONYMOUS, query) == [unknown]


async def test_the_log_is_filtered_by_actor_action_subject_and_time(ask_own: GraphQLClient) -> None:
    second = 1_800_000_000_000
    id_ = await ids(ask_own)
    names_of = {
        await append_change(ask_own, ADDED, "open", "align", at=second): "added",
        await append_change(ask_own, REMOVED, "open", "align", at=second + 1): "removed",
        await append_change(ask_own, REMOVED, "deep", "lens", at=second + 2): "deep",
    }
    await CREATE(ask_own, "ada", name="Maps")
    names_of[(await audit_log(ask_own))[0]["id"]] = "created"
    people = await ask_own("ada", "{ viewer { user { id } } }")
    ada, olu = (
        people["viewer"]["user"]["id"],
        (await ask_own("olu", "{ viewer { user { id } } }"))["viewer"]["user"]["id"],
    )

    async def matches(**given: Any) -> list[str]:
        return [names_of.get(change["id"], "catalogue") for change in await audit_log(ask_own, **given)]

    assert await matches(actorIds=[ada]) == ["created"]
    assert await matches(actorIds=[ada, olu]) == ["created", "deep", "removed", "added"]
    assert await matches(actorIds=["usr_" + "0" * 24]) == []
    assert await matches(actions=["ASSETS_REMOVED"]) == ["deep", "removed"]
    assert await matches(actions=[]) == []
    assert await matches(subjectIds=[id_["open"]]) == ["removed", "added", "catalogue", "catalogue"]
    assert await matches(subjectIds=[id_["deep"], "col_" + "0" * 24], actions=["ASSETS_REMOVED"]) == ["deep"]
    since = {"from": "2027-01-15T08:00:00.000Z", "until": "2027-01-15T08:00:00.002Z"}
    assert await matches(at=since) == ["removed", "added"]
    assert await matches(at={"from": since["until"]}) == ["deep"]
    assert await matches(subjectTypes=["TOPIC"], text="mAPs") == ["created"]
    assert await matches(subjectTypes=["COLLECTION"], text="ee", actions=["ASSETS_REMOVED"]) == ["deep"]
    assert await matches(subjectTypes=[]) == await matches(text="%") == await matches(subjectTypes=["DEPLOYMENT"]) == []


async def test_a_cursor_of_the_log_lasts(ask_own: GraphQLClient) -> None:
    page = "query($after: String) { auditLog(first: 2, after: $after) { nodes { id } pageInfo { endCursor } } }"
    cursor = (await ask_own("ada", page))["auditLog"]["pageInfo"]["endCursor"]
    before = (await ask_own("ada", page, after=cursor))["auditLog"]["nodes"]
    made = (await CREATE(ask_own, "ada", name="Maps"))["topic"]["id"]
    await DELETE(ask_own, "ada", id=made)
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.change).values(at=0))
    assert (await ask_own("ada", page, after=cursor))["auditLog"]["nodes"] == before


async def walk(ask: GraphQLClient, who: str, size: int) -> list[dict[str, Any]]:
    """Return the edges of the history of `members`, read page by page."""
    query = (
        'query($n: Int!, $after: String) { collection(by: {slug: "members"})'
        f" {{ history(first: $n, after: $after) {{ {PAGE} }} }} }}"
    )
    edges: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await ask(who, query, n=size, after=after))["collection"]["history"]
        assert page["nodes"] == [edge["node"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        edges += page["edges"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return edges


@pytest.mark.parametrize("who", ["ada", "mei", "eve"])
async def test_pages_of_every_size_join_to_the_whole_history(ask_own: GraphQLClient, who: str) -> None:
    for touched in (*TOUCHED, *TOUCHED):
        await append_change(ask_own, REMOVED, "members", *touched)
    whole = await walk(ask_own, who, 100)
    assert [edge["node"]["id"] for edge in whole] == [
        each["id"] for each in await history(ask_own, who, "members", "id")
    ]
    assert len(whole) == 2 * len(SEEN[who]) + 2
    for size in range(1, len(whole) + 1):
        assert await walk(ask_own, who, size) == whole


STEPS: Sequence[tuple[ChangeAction, str, tuple[str, ...], int]] = (
    (ADDED, "members", ("hidden",), 0),
    (ADDED, "members", ("align", "hidden"), 0),
    (ADDED, "members", ("hidden", "junk"), 0),
    (REMOVED, "open", ("align",), 0),
    (ChangeAction.SHARED, "align", (), AssetAccess.OWNER),
    (ChangeAction.UPDATED, "members", (), 0),
    (REMOVED, "members", ("blast",), 0),
    (REMOVED, "open", ("junk",), 0),
    (ChangeAction.UPDATED, "genomes", (), AssetAccess.VIEWER),
)
HIDDEN = {"ada": {8}, "mei": {0, 2, 4, 7, 8}, "eve": {0, 2, 4, 7, 8}}  # indexes of the STEPS hidden from each viewer
LISTS = f"{{ {PAGE} nodes {{ {CHANGE} {SUBJECT} }} }}"


@pytest.mark.parametrize("who", HIDDEN)
async def test_a_hidden_change_changes_no_byte(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Compare responses, cursors and the statements sent to the database."""
    every_change = f"auditLog(first: 5) {LISTS}" if who == "ada" else ""
    query = f"{{ collections {{ nodes {{ history(first: 3) {LISTS} }} }} {every_change} }}"
    answers = []
    for hidden in (HIDDEN[who], set()):
        for place in sorted(set(range(len(STEPS))) - hidden):
            action, subject, touched, least_access = STEPS[place]
            monkeypatch.setattr("store.ids.random_bytes", random.Random(place).randbytes)
            at = 1_800_000_000_000 + place
            await append_change(ask_own, action, subject, *touched, least_access=least_access, at=at)
        answer = await ask_own.response(who, query)
        assert "errors" not in answer.json()
        answers.append((answer.content, list(ask_own.statements), await walk(ask_own, who, 2)))
        async with ask_own.database.write() as connection:
            appended = select(sql.change.c.pk).where(sql.change.c.request_id == "by hand")
            await connection.execute(delete(sql.change_asset).where(sql.change_asset.c.change_pk.in_(appended)))
            await connection.execute(delete(sql.change).where(sql.change.c.request_id == "by hand"))
    assert answers[0] == answers[1]


async def test_a_cursor_is_valid_in_one_history_and_for_one_viewer(ask: GraphQLClient) -> None:
    paged = "(first: 1, after: $after) { edges { cursor } }"
    head = "query($after: String) {"
    of_open = f'{head} collection(by: {{slug: "open"}}) {{ history{paged} }} }}'
    of_deep = f'{head} collection(by: {{slug: "deep"}}) {{ history{paged} }} }}'
    in_log = f"{head} auditLog{paged} }}"
    cursor = (await ask("olu", of_open))["collection"]["history"]["edges"][0]["cursor"]
    assert len((await ask("olu", of_open, after=cursor))["collection"]["history"]["edges"]) == 1
    rejection = [("BAD_CURSOR", "This cursor does not belong to this list. Start again without a cursor.")]
    assert await ask.errors("olu", of_deep, after=cursor) == rejection
    assert await ask.errors("ada", of_open, after=cursor) == rejection
    assert await ask.errors("ada", in_log, after=cursor) == rejection


async def test_assets_of_a_change_are_sorted_by_name_and_paged(ask_own: GraphQLClient) -> None:
    first = await append_change(ask_own, ADDED, "members", "lens", "hidden", "align", "blast")
    second = await append_change(ask_own, ADDED, "members", "align", "blast")
    query = (
        "query($id: ID!, $after: String) { node(id: $id) { ... on Change { assets(first: 2, after: $after)"
        " { totalCount pageInfo { hasNextPage endCursor } nodes { ... on AssetFields { name } } } } } }"
    )
    page = (await ask_own("eve", query, id=first))["node"]["assets"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
    assert page["nodes"] == [{"name": "align"}, {"name": "blast"}]
    after = page["pageInfo"]["endCursor"]
    rest = (await ask_own("eve", query, id=first, after=after))["node"]["assets"]
    assert (rest["pageInfo"]["hasNextPage"], rest["nodes"]) == (False, [{"name": "lens"}])
    assert [code for code, _ in await ask_own.errors("eve", query, id=second, after=after)] == ["BAD_CURSOR"]


async def test_a_cursor_whose_change_became_hidden_continues_after_the_change_before_it(ask_own: GraphQLClient) -> None:
    oldest_first = [await append_change(ask_own, ADDED, "members", name) for name in ("align", "explore", "blast")]
    query = (
        'query($n: Int!, $after: String) { collection(by: {slug: "members"})'
        " { history(first: $n, after: $after) { nodes { id } pageInfo { endCursor } } } }"
    )
    page = (await ask_own("eve", query, n=2))["collection"]["history"]
    assert page["nodes"] == [{"id": oldest_first[2]}, {"id": oldest_first[1]}]
    async with ask_own.database.write() as connection:
        explore = select(sql.asset.c.pk).where(sql.asset.c.external_id == "explore").scalar_subquery()
        await connection.execute(delete(sql.grant).where(sql.grant.c.asset_pk == explore))
    after = page["pageInfo"]["endCursor"]
    assert (await ask_own("eve", query, n=1, after=after))["collection"]["history"]["nodes"] == [
        {"id": oldest_first[0]}
    ]


async def test_histories_of_many_collections_take_as_many_statements_as_of_few(ask: GraphQLClient) -> None:
    body = f"{{ pageInfo {{ hasNextPage }} nodes {{ {CHANGE} {SUBJECT} }} }}"
    query = f"query($n: Int!) {{ collections(first: $n) {{ nodes {{ history(first: 2) {body} }} }} }}"
    sent = {}
    for count in (2, 5):
        await ask("mei", query, n=count)
        sent[count] = sorted(ask.statements)
    # Statements: viewer; collections; page, changes, actors and subjects; page, count, kinds and rows of the assets.
    assert len(sent[5]) == 9
    assert sent[2] == sent[5]
