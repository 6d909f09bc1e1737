"""Subscriptions over real sockets: events, hidden writes, ends of sight, and resumption."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.tokens import revoke_token
from engine import LoadQueue
from fragments.memory import MembersAt, Memory
from permissions.viewer import Viewer, viewer_by_token
from resolvers.context import Context
from resolvers.subscription.collection import CollectionEvent, CollectionWatch
from resolvers.subscription.watch import States
from resolvers.write.job import run_next_job
from store import ids, sql
from store.database import Snapshot
from store.failure import Failure, StorageError
from store.tables import AssetStatus
from tests.conftest import ANONYMOUS, World, copied
from tests.live_server import COLLECTION_CHANGED, JOB_UPDATED, TREE_CHANGED, Events, LiveServer, serve
from tests.mutations import Mutation

ADD = Mutation("collectionAssetsAdd", "results { status }")
REMOVE = Mutation("collectionAssetsRemove", "results { status }")
MOVE = Mutation("collectionAssetsMove", "results { status }")
REORDER = Mutation("collectionAssetsReorder", "results { status }")
GRANT = Mutation("assetGrantsUpdate", "asset { __typename }")
GROUP = Mutation("groupMembersUpdate", "group { id }")
DEPLOYMENT = Mutation("deploymentUpdate", "deployment { id }")
UPDATE_COLLECTION = Mutation("collectionUpdate", "collection { id }")
DELETE_COLLECTION = Mutation("collectionDelete", "deletedCollectionId")
CREATE_TOPIC = Mutation("topicCreate", "topic { id }")
REORDER_TOPIC = Mutation("topicReorder", "topic { id }")
DELETE_TOPIC = Mutation("topicDelete", "deletedTopicId")
DEACTIVATE = Mutation("userDeactivate", "user { id }")


@pytest.fixture
async def live(own_world: World) -> AsyncIterator[LiveServer]:
    async with serve(own_world) as server:
        yield server


def names(event: dict[str, Any]) -> list[str]:
    """Return the names of the added assets."""
    return [edge["node"]["name"] for edge in event["addedEdges"]]


def summary(event: dict[str, Any]) -> tuple[list[str], list[str], bool]:
    return names(event), event["removedAssetIds"], event["reload"]


async def run(live: LiveServer, mutation: Mutation, who: str, **given: Any) -> None:
    """Run a mutation that must succeed."""
    payload = await mutation(live.ask, who, **given)
    assert payload["userErrors"] == []


async def add(live: LiveServer, collection: str, *assets: str, who: str = "olu") -> None:
    await run(live, ADD, who, collectionId=live.ids[collection], assetIds=[live.ids[name] for name in assets])


async def remove(live: LiveServer, collection: str, *assets: str, who: str = "olu") -> None:
    await run(live, REMOVE, who, collectionId=live.ids[collection], assetIds=[live.ids[name] for name in assets])


async def share(live: LiveServer, asset: str, user: str, access: str = "VIEWER") -> None:
    grants = [{"to": {"userId": live.ids[user]}, "access": access}]
    await run(live, GRANT, "olu", assetId=live.ids[asset], set=grants)


async def unshare(live: LiveServer, asset: str, user: str) -> None:
    await run(live, GRANT, "olu", assetId=live.ids[asset], revoke=[{"userId": live.ids[user]}])


async def first(events: Events) -> dict[str, Any]:
    """Return the first event of a subscription without a cursor, which says to read the list."""
    event = await events.next()
    assert summary(event) == ([], [], True)
    return dict(event)


async def test_additions_removals_and_moves_are_events(live: LiveServer) -> None:
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await add(live, "members", "align")
        added = await events.next()
        assert summary(added) == (["align"], [], False)
        assert added["change"] == {"action": "ASSETS_ADDED"}
        await remove(live, "members", "align")
        assert summary(await events.next()) == ([], [live.ids["align"]], False)
        there = {"fromCollectionId": live.ids["members"], "toCollectionId": live.ids["bare"]}
        await run(live, MOVE, "olu", assetIds=[live.ids["blast"]], **there)
        assert summary(await events.next()) == ([], [live.ids["blast"]], False)
        await events.assert_quiet()


@pytest.mark.usefixtures("engine_on")
@pytest.mark.parametrize("age", [0, 1], ids=["the same", "another"])
async def test_members_in_the_index_count_only_if_they_are_of_the_version_of_the_snapshot(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    async def no_members(_memory: Memory, viewer: Viewer, _collection_pk: int, version: int) -> MembersAt:
        return MembersAt(viewer, version - age, [])

    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        monkeypatch.setattr(Memory, "members_of", no_members)
        await add(live, "members", "align")
        event = await events.next()
        assert names(event) == (["align"] if age else [])
        assert bool(event["removedAssetIds"]) == (not age)


async def test_an_event_says_to_read_the_list_again_when_the_visible_order_changed(live: LiveServer) -> None:
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        place = {"collectionId": live.ids["members"], "position": {"atStart": True}}
        await run(live, REORDER, "ada", assetIds=[live.ids["images"]], **place)
        event = await events.next()
        assert (summary(event), event["change"]) == (([], [], True), None)


async def test_a_changed_name_of_the_collection_is_an_event(live: LiveServer) -> None:
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await run(live, UPDATE_COLLECTION, "ada", id=live.ids["members"], name="All members")
        event = await events.next()
        assert (event["collection"], summary(event)) == ({"name": "All members"}, ([], [], False))
        assert event["change"] == {"action": "UPDATED"}


async def test_a_look_takes_one_statement_and_equal_sights_share_their_members(live: LiveServer) -> None:
    states, found = States(), []

    async def look(snapshot: Snapshot) -> CollectionEvent | None:
        viewer = await viewer_by_token(snapshot, live.world.tokens["mei"])
        assert viewer is not None
        live.ask.statements.clear()
        watch = CollectionWatch(states, id=live.ids["members"])
        return await watch.look(Context(viewer, snapshot, LoadQueue().batch))

    for _ in range(2):
        event = await live.ask.database.read(look)
        assert len(live.ask.statements) == 1
        assert event is not None
        assert event.state is not None
        found.append(event.state.members)
    assert found[0] is found[1]
    assert live.ids["blast"] in found[0].ids


async def hidden_writes(live: LiveServer) -> None:
    """Write to objects that are hidden from eve, who sees nothing but blast in `members`."""
    await remove(live, "members", "hidden")
    await add(live, "members", "hidden")
    await share(live, "genomes", "lou")
    place = {"collectionId": live.ids["members"], "position": {"atStart": True}}
    await run(live, REORDER, "ada", assetIds=[live.ids["hidden"]], **place)
    await remove(live, "members", "images")
    await live.write(update(sql.asset).where(sql.asset.c.id == live.ids["genomes"]).values(name="other"))


async def test_hidden_writes_are_no_events(live: LiveServer) -> None:
    async with (
        live.subscribe("eve", COLLECTION_CHANGED, id=live.ids["members"]) as events,
        live.subscribe("eve", TREE_CHANGED) as tree,
    ):
        await first(events)
        await tree.next()
        await hidden_writes(live)
        await events.assert_quiet()
        await tree.assert_quiet(0.1)
        await remove(live, "members", "blast")
        assert summary(await events.next()) == ([], [live.ids["blast"]], False)


async def test_the_bytes_of_events_do_not_depend_on_hidden_writes(
    world: World, backend: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, at = [], ids.clock_ns() + 60 * 10**9
    for name, write in (("quiet", None), ("busy", hidden_writes)):
        own = copied(world, backend, request, tmp_path / f"{name}.db", f"t_{name}")
        async with serve(own) as live, live.subscribe("eve", COLLECTION_CHANGED, id=live.ids["members"]) as events:
            received = [str(await events.socket.connection.recv())]
            if write is not None:
                await write(live)
            with monkeypatch.context() as patched:
                patched.setattr(ids, "random_bytes", lambda size: b"\7" * size)
                patched.setattr(ids, "clock_ns", lambda: at)
                await add(live, "members", "align")
                received.append(str(await events.socket.connection.recv()))
            frames.append(received)
    assert frames[0] == frames[1]
    assert '"align"' in frames[0][1]


async def leave_group(live: LiveServer) -> None:
    group, user = (sql.principal.select().with_only_columns(sql.principal.c.pk) for _ in "12")
    await live.write(
        delete(sql.group_member).where(
            sql.group_member.c.group_pk.in_(group.where(sql.principal.c.name == "lab")),
            sql.group_member.c.user_pk.in_(user.where(sql.principal.c.name == "mei")),
        )
    )


async def revoke_group(live: LiveServer) -> None:
    gone = [{"groupId": live.ids["lab"]}]
    await run(live, GRANT, "olu", assetId=live.ids["genomes"], revoke=gone)
    await run(live, GRANT, "olu", assetId=live.ids["images"], revoke=gone)


async def archive(live: LiveServer) -> None:
    assets = [live.ids["genomes"], live.ids["images"]]
    await live.write(update(sql.asset).where(sql.asset.c.id.in_(assets)).values(status=AssetStatus.ARCHIVED))


@pytest.mark.parametrize("end_sight", [leave_group, revoke_group, archive])
async def test_assets_that_leave_the_sight_are_removed_once(
    live: LiveServer, end_sight: Callable[[LiveServer], Awaitable[None]]
) -> None:
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await end_sight(live)
        gone = set[str]()
        while len(gone) < 2:
            event = await events.next()
            assert not gone.intersection(event["removedAssetIds"])
            assert event["change"] is None
            gone.update(event["removedAssetIds"])
        assert gone == {live.ids["genomes"], live.ids["images"]}
        await remove(live, "members", "genomes", "images")
        await events.assert_quiet()


async def test_an_asset_that_becomes_visible_is_added(live: LiveServer) -> None:
    async with live.subscribe("eve", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await share(live, "images", "eve")
        event = await events.next()
        assert (summary(event), event["change"]) == ((["images"], [], False), None)
        await unshare(live, "images", "eve")
        assert summary(await events.next()) == ([], [live.ids["images"]], False)
        await unshare_again(live)
        await events.assert_quiet()


async def unshare_again(live: LiveServer) -> None:
    """Remove the asset that eve does not see any more, and add it again."""
    await remove(live, "members", "images")
    await add(live, "members", "images", who="lou")


async def test_the_end_of_public_sharing_ends_the_subscription_to_a_public_collection(live: LiveServer) -> None:
    async with live.subscribe("eve", COLLECTION_CHANGED, id=live.ids["open"]) as events:
        await first(events)
        await run(live, DEPLOYMENT, "ada", publicSharing=False)
        event = await events.next()
        assert (event["collection"], event["change"]) == (None, None)
        assert set(event["removedAssetIds"]) == {live.ids[name] for name in ("lens", "align", "blast", "count")}
        assert await events.end() == {"id": "1", "type": "complete"}


async def test_a_deleted_collection_ends_its_subscription(live: LiveServer) -> None:
    async with live.subscribe("eve", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await run(live, DELETE_COLLECTION, "ada", id=live.ids["members"])
        assert (await events.next())["collection"] is None
        assert (await events.end())["type"] == "complete"


async def test_an_unknown_and_a_hidden_collection_are_alike(live: LiveServer) -> None:
    await run(live, DEPLOYMENT, "ada", publicSharing=False)
    received = []
    for id_ in (live.ids["open"], "col_" + "0" * 24):
        async with live.subscribe("eve", COLLECTION_CHANGED, id=id_) as events:
            event = await events.next()
            received.append((event | {"collectionId": "", "cursor": len(event["cursor"])}, await events.end()))
    assert received[0] == received[1]
    assert received[0][0]["collection"] is None


async def resumed(live: LiveServer, who: str, cursor: str, collection: str = "members") -> list[dict[str, Any]]:
    """Return the events of a subscription from a cursor until there is no other."""
    received = []
    async with live.subscribe(who, COLLECTION_CHANGED, id=live.ids[collection], after=cursor) as events:
        marker = {"id": live.ids[collection], "description": f"after {cursor[:8]}"}
        await run(live, UPDATE_COLLECTION, "ada", **marker)
        while True:
            event = await events.next()
            received.append(event)
            if event["change"] == {"action": "UPDATED"}:
                return received


async def cursor_of(live: LiveServer, who: str, collection: str = "members") -> str:
    async with live.subscribe(who, COLLECTION_CHANGED, id=live.ids[collection]) as events:
        return str((await first(events))["cursor"])


def joined(events: list[dict[str, Any]]) -> tuple[list[str], list[str], bool]:
    """Return all additions and removals, and whether the list has to be read again."""
    return (
        [name for event in events for name in names(event)],
        [id_ for event in events for id_ in event["removedAssetIds"]],
        any(event["reload"] for event in events),
    )


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_resumed_subscription_neither_misses_nor_repeats_a_change(
    own_world: World, *, is_restarted: bool
) -> None:
    async with serve(own_world) as live:
        cursor = await cursor_of(live, "mei")
        await add(live, "members", "align", "explore")
        await remove(live, "members", "explore", "genomes")
        if not is_restarted:
            assert joined(await resumed(live, "mei", cursor)) == (["align"], [live.ids["genomes"]], False)
    if is_restarted:
        async with serve(own_world) as live:
            assert joined(await resumed(live, "mei", cursor)) == (["align"], [live.ids["genomes"]], False)


async def test_a_resumed_subscription_without_changes_is_quiet(live: LiveServer) -> None:
    cursor = await cursor_of(live, "mei")
    await hidden_from_mei(live)
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"], after=cursor) as events:
        await events.assert_quiet()
        await add(live, "members", "align")
        assert summary(await events.next()) == (["align"], [], False)


async def hidden_from_mei(live: LiveServer) -> None:
    await remove(live, "members", "hidden")


async def test_a_loss_of_sight_while_disconnected_is_a_removal_if_the_process_knows_the_state(
    live: LiveServer,
) -> None:
    cursor = await cursor_of(live, "mei")
    await revoke_group(live)
    removed = [live.ids["genomes"], live.ids["images"]]
    assert joined(await resumed(live, "mei", cursor)) == ([], removed, False)


async def test_a_loss_of_sight_while_disconnected_is_a_reload_on_another_process(own_world: World) -> None:
    async with serve(own_world) as live:
        cursor = await cursor_of(live, "mei")
        await revoke_group(live)
    async with serve(own_world) as live:
        assert joined(await resumed(live, "mei", cursor)) == ([], [], True)


async def test_the_order_is_read_again_if_it_changed_while_disconnected(own_world: World) -> None:
    async with serve(own_world) as live:
        cursor = await cursor_of(live, "mei")
        place = {"collectionId": live.ids["members"], "position": {"atStart": True}}
        await run(live, REORDER, "ada", assetIds=[live.ids["images"]], **place)
        await add(live, "members", "align")
    async with serve(own_world) as live:
        assert joined(await resumed(live, "mei", cursor)) == (["align"], [], True)


@pytest.mark.parametrize(("who", "collection"), [("eve", "members"), ("mei", "inner"), ("mei", "members")])
async def test_a_cursor_is_bound_to_viewer_and_collection(live: LiveServer, who: str, collection: str) -> None:
    cursor = await cursor_of(live, "mei")
    cursor = cursor[:-1] + ("A" if cursor[-1] != "A" else "B") if (who, collection) == ("mei", "members") else cursor
    async with live.subscribe(who, COLLECTION_CHANGED, id=live.ids[collection], after=cursor) as events:
        message = await events.end()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "BAD_CURSOR"


async def test_changes_of_the_tree_are_events(live: LiveServer) -> None:
    async with live.subscribe("eve", TREE_CHANGED) as events:
        event = await events.next()
        assert (event["reload"], event["topics"], event["collections"]) == (True, [], [])
        await run(live, CREATE_TOPIC, "ada", name="Optics")
        event = await events.next()
        assert (event["topics"], event["removedIds"], event["reload"]) == ([{"name": "Optics"}], [], False)
        await run(live, REORDER_TOPIC, "ada", id=live.ids["empty"], position={"atStart": True})
        assert (await events.next())["reload"] is True
        await run(live, DELETE_TOPIC, "ada", id=live.ids["empty"])
        event = await events.next()
        assert (event["removedIds"], event["reload"]) == ([live.ids["empty"]], False)
        await run(live, UPDATE_COLLECTION, "ada", id=live.ids["members"], name="All members")
        event = await events.next()
        assert (event["collections"], event["change"]) == ([{"name": "All members"}], {"action": "UPDATED"})
        await add(live, "members", "align")
        await events.assert_quiet()
        await run(live, DEPLOYMENT, "ada", publicSharing=False)
        event = await events.next()
        assert set(event["removedIds"]) == {live.ids[name] for name in ("open", "deep", "bare")}
        assert [each["name"] for each in event["collections"]] == ["inner"]  # it is at the top now
        cursor = event["cursor"]
    async with live.subscribe("eve", TREE_CHANGED, after=cursor) as events:
        await events.assert_quiet()
        await run(live, CREATE_TOPIC, "ada", name="Acoustics")
        assert (await events.next())["topics"] == [{"name": "Acoustics"}]


async def test_a_tree_that_another_process_does_not_know_is_read_again(own_world: World) -> None:
    async with serve(own_world) as live, live.subscribe("eve", TREE_CHANGED) as events:
        cursor = (await events.next())["cursor"]
        await run(live, CREATE_TOPIC, "ada", name="Optics")
    async with serve(own_world) as live, live.subscribe("eve", TREE_CHANGED, after=cursor) as events:
        event = await events.next()
        assert (event["reload"], event["topics"], event["removedIds"]) == (True, [], [])


async def test_a_job_is_followed_until_it_has_finished(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", 1)
    monkeypatch.setattr("app.worker.run_next_job", no_job)
    started = Mutation("collectionAssetsAdd", "job { id }")
    assets = [live.ids["align"], live.ids["explore"]]
    payload = await started(live.ask, "olu", collectionId=live.ids["members"], assetIds=assets)
    job = payload["job"]["id"]
    async with live.subscribe("olu", JOB_UPDATED, id=job) as events, live.subscribe("eve", JOB_UPDATED, id=job) as hers:
        assert await events.next() == {"id": job, "status": "QUEUED", "done": 0, "total": 2}
        assert await hers.next() is None
        assert (await hers.end())["type"] == "complete"
        await run_next_job(live.ask.database)
        while (event := await events.next())["status"] == "RUNNING":
            pass
        assert event == {"id": job, "status": "SUCCEEDED", "done": 2, "total": 2}
        assert (await events.end())["type"] == "complete"


async def no_job(*_: object) -> bool:
    return False


async def deactivate(live: LiveServer) -> None:
    await run(live, DEACTIVATE, "ada", userId=live.ids["mei"])


async def revoke(live: LiveServer) -> None:
    await revoke_token(live.ask.database, live.world.tokens["mei"])


async def expire(live: LiveServer) -> None:
    await live.write(update(sql.api_token).values(expires_at=ids.now_ms() - 1))


@pytest.mark.parametrize("end_token", [deactivate, revoke, expire])
async def test_a_token_that_is_not_valid_any_more_closes_the_connection(
    live: LiveServer, end_token: Callable[[LiveServer], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.subscription.CHECK_SECONDS", 0.3)
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await end_token(live)
        assert await events.socket.close_code() == (4403, "The bearer token is not valid any more.")


async def test_no_event_follows_a_revocation(live: LiveServer) -> None:
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        await revoke(live)
        await add(live, "members", "align")
        assert (await events.socket.close_code())[0] == 4403
        with pytest.raises(Exception, match="not valid any more"):
            await events.socket.receive()


async def test_subscriptions_are_for_members(live: LiveServer) -> None:
    async with live.socket() as socket:
        await socket.send(type="connection_init", payload=live.headers(ANONYMOUS))
        assert await socket.close_code() == (4403, "Sign in first: send a bearer token.")


async def test_a_subscription_outlives_a_failure_of_the_database(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.subscription.RETRY_SECONDS", 0.2)
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await first(events)
        failures = [StorageError(failure, "gone") for failure in (Failure.BUSY, Failure.FULL)]

        async def fail(self: CollectionWatch, *arguments: Any) -> Any:
            if failures:
                raise failures.pop()
            return await look(self, *arguments)

        look = CollectionWatch.look
        monkeypatch.setattr(CollectionWatch, "look", fail)
        await add(live, "members", "align")
        assert summary(await events.next()) == (["align"], [], False)
        assert failures == []


async def test_an_unexpected_failure_is_masked_and_ends_the_subscription(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(CollectionWatch, "look", fail)
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        message = await events.end()
    assert (message["type"], "secret" in str(message)) == ("error", False)
    assert message["payload"][0]["extensions"]["code"] == "INTERNAL"
