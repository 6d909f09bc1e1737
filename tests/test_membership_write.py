"""Bulk membership mutations: add, remove, move, reorder and undo."""

from typing import Any

import pytest
from sqlalchemy import select, update

from store import sql
from tests.conftest import ANONYMOUS, GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code

RESULTS = """results { asset { ... on AssetFields { name } } status error { code message path } }
summary { requested changed unchanged failed dryRun }"""
OF_ONE = f"collection {{ slug }} change {{ id action }} {RESULTS}"
ADD = Mutation("collectionAssetsAdd", OF_ONE)
REMOVE = Mutation("collectionAssetsRemove", OF_ONE)
REORDER = Mutation("collectionAssetsReorder", OF_ONE)
UNDO = Mutation("changeUndo", f"subjects {{ ... on Collection {{ slug }} }} changes {{ id action }} {RESULTS}")
MOVE = Mutation(
    "collectionAssetsMove",
    f"fromCollection {{ slug }} toCollection {{ slug }} change {{ id action }} {RESULTS}",
)
UPDATE = Mutation(
    "assetCollectionsUpdate",
    """asset { ... on AssetFields { name } } summary { requested changed unchanged failed dryRun }
    results { collectionId collection { slug } status error { code message path } }""",
)
UNKNOWN = "ast_" + "0" * 24
HELD = """query($s: String!) { collection(by: {slug: $s}) {
  version updatedAt assets { edges { addedAt note addedBy { name } node { ... on AssetFields { name } } } }
} }"""


async def ids(ask: GraphQLClient) -> dict[str, str]:
    """Return the ids of assets by name and of collections by slug."""
    found = await ask(
        "ada", "{ assets { nodes { ... on AssetFields { id name } } } collections { nodes { id slug } } }"
    )
    nodes = [*found["assets"]["nodes"], *found["collections"]["nodes"]]
    return {node.get("name") or node["slug"]: node["id"] for node in nodes}


async def held(ask: GraphQLClient, slug: str, who: str = "ada") -> list[str]:
    return [edge["node"]["name"] for edge in (await ask(who, HELD, s=slug))["collection"]["assets"]["edges"]]


def outcomes(payload: dict[str, Any]) -> list[str]:
    """Return the status of each result, or its error code."""
    return [result["error"]["code"] if result["error"] else result["status"] for result in payload["results"]]


async def test_an_owner_adds_assets_at_the_end_in_the_order_given(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    before = (await ask_own("ada", HELD, s="members"))["collection"]
    added = await ADD(ask_own, "olu", collectionId=id_["members"], assetIds=[id_["count"], id_["align"]], note=" Why ")
    assert added["collection"] == {"slug": "members"}
    assert added["change"]["action"] == "ASSETS_ADDED"
    assert added["summary"] == {"requested": 2, "changed": 2, "unchanged": 0, "failed": 0, "dryRun": False}
    assert [(each["asset"]["name"], each["status"]) for each in added["results"]] == [
        ("count", "CHANGED"),
        ("align", "CHANGED"),
    ]
    after = (await ask_own("ada", HELD, s="members"))["collection"]
    assert [edge["node"]["name"] for edge in after["assets"]["edges"]] == [
        *("blast", "genomes", "images", "hidden"),
        *("count", "align"),
    ]
    last = after["assets"]["edges"][-1]
    assert (last["note"], last["addedBy"]) == ("Why", {"name": "olu"})
    # Members do not change the collection's version, which would reveal hidden additions.
    assert (after["version"], after["updatedAt"]) == (before["version"], before["updatedAt"])


async def test_adding_a_member_is_unchanged_even_for_viewers_who_may_not_add(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await ADD(ask_own, "eve", collectionId=id_["open"], assetIds=[id_["align"], id_["lens"], id_["align"]])
        assert outcomes(answer) == ["UNCHANGED", "UNCHANGED"]
        assert answer["summary"] == {"requested": 2, "changed": 0, "unchanged": 2, "failed": 0, "dryRun": False}
        assert answer["change"] is None
        answer = await REMOVE(ask_own, "eve", collectionId=id_["bare"], assetIds=[id_["align"]])
        assert (outcomes(answer), answer["change"]) == (["UNCHANGED"], None)


# Who may add which asset to the empty collection "bare": an owner, an administrator, a member of a group that owns the
# asset, an editor, a viewer, and users who cannot see it.
ADDERS = [
    ("olu", "blast", "CHANGED"),
    ("ada", "blast", "NOT_OWNER"),
    ("eve", "blast", "NOT_OWNER"),
    ("lou", "images", "CHANGED"),
    ("mei", "images", "NOT_OWNER"),
    ("eve", "images", "NOT_FOUND"),
    ("olu", "draft", "NOT_ELIGIBLE"),
    ("olu", "junk", "NOT_ELIGIBLE"),
    ("lou", "kept", "NOT_ELIGIBLE"),
    ("eve", "junk", "NOT_FOUND"),
    ("eve", "draft", "NOT_OWNER"),
]


@pytest.mark.parametrize(("who", "asset", "outcome"), ADDERS)
async def test_only_owners_add_assets_and_only_released_ones(
    ask_own: GraphQLClient, who: str, asset: str, outcome: str
) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_[asset]]}
    assert outcomes(await ADD(ask_own, who, **given, mode="BEST_EFFORT")) == [outcome]
    assert await held(ask_own, "bare") == ([asset] if outcome == "CHANGED" else [])


REMOVERS = [
    ("olu", "align", "CHANGED"),
    ("ada", "align", "CHANGED"),
    ("ada", "hidden", "CHANGED"),
    ("olu", "junk", "CHANGED"),
    ("lou", "kept", "CHANGED"),
    ("sam", "lens", "CHANGED"),
    ("sam", "align", "NOT_OWNER"),
    ("olu", "lens", "NOT_OWNER"),
    ("mei", "count", "NOT_OWNER"),
    ("eve", "hidden", "NOT_FOUND"),
    ("mei", "junk", "NOT_FOUND"),
]


@pytest.mark.parametrize(("who", "asset", "outcome"), REMOVERS)
async def test_owners_and_administrators_remove_assets_of_any_status(
    ask_own: GraphQLClient, who: str, asset: str, outcome: str
) -> None:
    id_ = await ids(ask_own)
    before = await held(ask_own, "open")
    removed = await REMOVE(ask_own, who, collectionId=id_["open"], assetIds=[id_[asset]], mode="BEST_EFFORT")
    assert outcomes(removed) == [outcome]
    left = [name for name in before if name != asset] if outcome == "CHANGED" else before
    assert await held(ask_own, "open") == left


@pytest.mark.parametrize("mutation", [ADD, REMOVE], ids=lambda mutation: mutation.name)
async def test_a_hidden_asset_gets_the_same_error_as_an_unknown_one(ask_own: GraphQLClient, mutation: Mutation) -> None:
    id_ = await ids(ask_own)
    words = set()
    async with assert_unchanged(ask_own):
        for asset in (id_["hidden"], id_["junk"], UNKNOWN, id_["open"], "", "?"):
            answer = await mutation(ask_own, "eve", collectionId=id_["open"], assetIds=[asset])
            words.add(str(answer).replace(asset or "''", ""))
    assert len(words) == 1


async def test_one_failed_asset_prevents_all_changes_and_reports_its_path(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_["blast"], id_["blast"], UNKNOWN, id_["draft"], id_["lens"]]
    async with assert_unchanged(ask_own):
        answer = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=given)
        assert [result["status"] for result in answer["results"]] == ["ROLLED_BACK", "FAILED", "FAILED", "FAILED"]
        assert answer["summary"] == {"requested": 4, "changed": 0, "unchanged": 0, "failed": 3, "dryRun": False}
        assert answer["change"] is None
        assert error_paths(answer) == [
            ("NOT_FOUND", ["assetIds", "2"]),
            ("NOT_ELIGIBLE", ["assetIds", "3"]),
            ("NOT_OWNER", ["assetIds", "4"]),
        ]
        assert [error["message"] for error in answer["userErrors"]] == [
            "There is no such asset.",
            "The asset is a draft. Release it first.",
            "Only owners of the asset may add it.",
        ]


async def test_best_effort_changes_the_valid_assets(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_["lens"], id_["blast"], UNKNOWN]
    answer = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=given, mode="BEST_EFFORT")
    assert outcomes(answer) == ["NOT_OWNER", "CHANGED", "NOT_FOUND"]
    assert answer["userErrors"] == []
    assert answer["summary"] == {"requested": 3, "changed": 1, "unchanged": 0, "failed": 2, "dryRun": False}
    assert await held(ask_own, "bare") == ["blast"]


async def test_a_dry_run_forecasts_the_results_and_changes_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    looking = Mutation(
        "collectionAssetsAdd", "collection { assetCounts { total } } results { status } summary { changed }"
    )
    given = {"collectionId": id_["bare"], "assetIds": [id_["blast"], id_["align"]]}
    async with assert_unchanged(ask_own):
        tried = await looking(ask_own, "olu", **given, dryRun=True)
    assert tried["collection"] == {"assetCounts": {"total": 0}}
    done = await looking(ask_own, "olu", **given)
    assert (done["results"], done["summary"]) == (tried["results"], tried["summary"])


async def test_a_dry_run_releases_the_lock_with_its_response(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    for _ in range(3):
        await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]], dryRun=True)
    assert outcomes(await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]])) == ["CHANGED"]


PLACES = [
    ({"atStart": True}, ["blast", "genomes", "images", "hidden"], 0),
    ({"afterId": "blast"}, ["blast", "genomes", "images", "hidden"], 1),
    ({"beforeId": "hidden"}, ["blast", "genomes", "images", "hidden"], 3),
    ({"atEnd": True}, ["blast", "genomes", "images", "hidden"], 4),
]


@pytest.mark.parametrize(("position", "before", "place"), PLACES)
async def test_assets_are_added_as_one_block_at_the_position(
    ask_own: GraphQLClient, position: dict[str, Any], before: list[str], place: int
) -> None:
    id_ = await ids(ask_own)
    at = {side: id_.get(value, value) if isinstance(value, str) else value for side, value in position.items()}
    await ADD(ask_own, "olu", collectionId=id_["members"], assetIds=[id_["count"], id_["align"]], position=at)
    assert await held(ask_own, "members") == [*before[:place], "count", "align", *before[place:]]


async def test_absent_and_hidden_neighbours_get_the_same_error(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        for neighbour in (UNKNOWN, id_["hidden"], id_["genomes"]):  # sam sees neither of the two members
            given = {"collectionId": id_["members"], "assetIds": [id_["lens"]], "position": {"beforeId": neighbour}}
            assert error_paths(await ADD(ask_own, "sam", **given)) == [("NOT_FOUND", ["position", "beforeId"])]


async def test_a_visible_neighbour_that_is_not_a_member_is_invalid(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["members"], "assetIds": [id_["lens"]], "position": {"beforeId": id_["align"]}}
    async with assert_unchanged(ask_own):
        [error] = (await ADD(ask_own, "sam", **given))["userErrors"]
    assert error["message"] == "The neighbour is not in the collection. Choose an asset that is, or an end."
    assert (error["code"], error["path"]) == ("INVALID", ["input", "position", "beforeId"])


@pytest.mark.parametrize("mutation", [ADD, REMOVE, MOVE, REORDER], ids=lambda mutation: mutation.name)
async def test_invalid_input_reports_the_field(ask_own: GraphQLClient, mutation: Mutation) -> None:
    id_ = await ids(ask_own)
    to = {"fromCollectionId": id_["open"], "toCollectionId": id_["bare"]}
    where: dict[str, Any] = {**to} if mutation is MOVE else {"collectionId": id_["open"]}
    if mutation is REORDER:
        where["position"] = {"atEnd": True}
    async with assert_unchanged(ask_own):
        assert error_paths(await mutation(ask_own, "ada", **where, assetIds=[])) == [("REQUIRED", ["assetIds"])]
        field = "toCollectionId" if mutation is MOVE else "collectionId"
        for wrong in ("col_" + "0" * 24, id_["align"], ""):
            lost = await mutation(ask_own, "ada", **{**where, field: wrong}, assetIds=[id_["align"]])
            assert error_paths(lost) == [("NOT_FOUND", [field])]
            assert lost["results"] == []


async def test_a_hidden_collection_is_not_found(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.deployment).values(public_sharing=False))
    async with assert_unchanged(ask_own):
        answer = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]])
        assert error_paths(answer) == [("NOT_FOUND", ["collectionId"])]


async def test_a_move_removes_and_adds_as_one_change(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    where = {"fromCollectionId": id_["open"], "toCollectionId": id_["inner"]}
    given = [id_["count"], id_["align"], id_["genomes"], id_["lens"], id_["junk"], UNKNOWN]
    moved = await MOVE(ask_own, "olu", **where, assetIds=given, mode="BEST_EFFORT")
    # align is in both, genomes in neither; lens is owned by sam, junk is archived.
    assert outcomes(moved) == ["CHANGED", "CHANGED", "UNCHANGED", "NOT_OWNER", "NOT_ELIGIBLE", "NOT_FOUND"]
    assert (moved["fromCollection"], moved["toCollection"], moved["change"]["action"]) == (
        {"slug": "open"},
        {"slug": "inner"},
        "ASSETS_MOVED",
    )
    assert await held(ask_own, "open") == ["lens", "hidden", "blast", "junk", "kept"]
    assert await held(ask_own, "inner") == ["align", "explore", "images", "count"]


async def test_a_move_keeps_the_note_and_needs_permission_to_add(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]], note="Kept")
    where = {"fromCollectionId": id_["bare"], "toCollectionId": id_["inner"]}
    async with assert_unchanged(ask_own):
        moved = await MOVE(ask_own, "ada", **where, assetIds=[id_["blast"]])
        assert error_paths(moved) == [("NOT_OWNER", ["assetIds", "0"])]
        same = await MOVE(ask_own, "olu", **{**where, "toCollectionId": id_["bare"]}, assetIds=[id_["blast"]])
        assert error_paths(same) == [("INVALID", ["toCollectionId"])]
    await MOVE(ask_own, "olu", **where, assetIds=[id_["blast"]], position={"atStart": True})
    first = (await ask_own("olu", HELD, s="inner"))["collection"]["assets"]["edges"][0]
    assert (first["node"]["name"], first["note"]) == ("blast", "Kept")


async def test_administrators_reorder_assets_as_one_block(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    block = [id_["count"], id_["lens"]]
    await REORDER(ask_own, "ada", collectionId=id_["open"], assetIds=block, position={"afterId": id_["align"]})
    order = ["hidden", "align", "count", "lens", "blast", "junk", "kept"]
    assert await held(ask_own, "open") == order
    # Viewers who cannot see hidden see the same order without it.
    assert await held(ask_own, "open", "eve") == ["align", "count", "lens", "blast"]
    async with assert_unchanged(ask_own):
        again = await REORDER(
            ask_own, "ada", collectionId=id_["open"], assetIds=block, position={"beforeId": id_["blast"]}
        )
        assert (outcomes(again), again["change"]) == (["UNCHANGED", "UNCHANGED"], None)
        beside = await REORDER(
            ask_own, "ada", collectionId=id_["open"], assetIds=block, position={"afterId": id_["lens"]}
        )
        assert error_paths(beside) == [("INVALID", ["position", "afterId"])]
        absent = await REORDER(
            ask_own, "ada", collectionId=id_["open"], assetIds=[id_["images"]], position={"atEnd": True}
        )
        assert error_paths(absent) == [("INVALID", ["assetIds", "0"])]


async def test_reordering_keeps_hidden_members_next_to_their_neighbours(ask_own: GraphQLClient) -> None:
    """Hidden rows keep their position among unmoved rows, and ranks between two rows never run out."""
    id_ = await ids(ask_own)
    for name in ("blast", "align", "count", "lens") * 8:
        await REORDER(
            ask_own,
            "ada",
            collectionId=id_["open"],
            assetIds=[id_[name]],
            position={"afterId": id_["hidden"]},
        )
    assert await held(ask_own, "open") == ["hidden", "lens", "count", "align", "blast", "junk", "kept"]


async def test_one_asset_is_added_to_collections_and_removed_from_others(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    add_to, remove_from = [id_["bare"], id_["open"], id_["inner"]], [id_["members"], id_["deep"]]
    given = {"assetId": id_["blast"], "addTo": add_to, "removeFrom": remove_from}
    async with assert_unchanged(ask_own):
        tried = await UPDATE(ask_own, "olu", **given, dryRun=True)
    done = await UPDATE(ask_own, "olu", **given)
    assert tried["results"] == done["results"]
    assert [(each["collection"]["slug"], each["status"]) for each in done["results"]] == [
        ("bare", "CHANGED"),
        ("open", "UNCHANGED"),
        ("inner", "CHANGED"),
        ("members", "CHANGED"),
        ("deep", "UNCHANGED"),
    ]
    assert await held(ask_own, "inner") == ["align", "explore", "images", "blast"]
    assert await held(ask_own, "members") == ["genomes", "images", "hidden"]


async def test_changing_the_collections_of_an_asset_is_all_or_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        wrong = await UPDATE(ask_own, "olu", assetId=id_["blast"], addTo=[id_["bare"], "col_x"])
        assert error_paths(wrong) == [("NOT_FOUND", ["addTo", "1"])]
        assert [each["status"] for each in wrong["results"]] == ["ROLLED_BACK", "FAILED"]
        for hidden in (id_["hidden"], UNKNOWN):
            answer = await UPDATE(ask_own, "eve", assetId=hidden, addTo=[id_["bare"]])
            assert error_paths(answer) == [("NOT_FOUND", ["assetId"])]
        in_both = [id_[name] for name in ("bare", "open", "inner", "deep")]
        both = await UPDATE(ask_own, "olu", assetId=id_["blast"], addTo=in_both[::-1], removeFrom=in_both)
        assert error_paths(both) == [("INVALID", ["removeFrom", str(index)]) for index in range(4)]
        assert error_paths(await UPDATE(ask_own, "olu", assetId=id_["blast"])) == [("REQUIRED", ["addTo"])]
        answer = await UPDATE(ask_own, "ada", assetId=id_["blast"], addTo=[id_["bare"]])
        assert error_paths(answer) == [("NOT_OWNER", ["addTo", "0"])]
        answer = await UPDATE(ask_own, "olu", assetId=id_["draft"], addTo=[id_["bare"]])
        assert error_paths(answer) == [("NOT_ELIGIBLE", ["addTo", "0"])]
    taken = await UPDATE(ask_own, "ada", assetId=id_["blast"], removeFrom=[id_["open"]])
    assert [each["status"] for each in taken["results"]] == ["CHANGED"]


async def test_undoing_an_addition_skips_assets_changed_since(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_["blast"], id_["align"], id_["count"]]
    added = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=given)
    await REMOVE(ask_own, "ada", collectionId=id_["bare"], assetIds=[id_["align"]])
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["align"]])
    undone = await UNDO(ask_own, "olu", changeId=added["change"]["id"])
    assert [(each["asset"]["name"], each["status"]) for each in undone["results"]] == [
        ("align", "FAILED"),
        ("blast", "CHANGED"),
        ("count", "CHANGED"),
    ]
    assert [each["action"] for each in undone["changes"]] == ["UNDONE"]
    assert outcomes(undone)[0] == "CONFLICT"
    assert await held(ask_own, "bare") == ["align"]


async def test_undoing_a_removal_restores_position_and_note(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await ADD(
        ask_own,
        "olu",
        collectionId=id_["members"],
        assetIds=[id_["align"]],
        note="Kept",
        position={"atStart": True},
    )
    before = (await ask_own("ada", HELD, s="members"))["collection"]
    removed = await REMOVE(ask_own, "ada", collectionId=id_["members"], assetIds=[id_["align"], id_["images"]])
    # An administrator may restore an asset that they removed, although they may not add it; the owner may do both.
    await UNDO(ask_own, "ada", changeId=removed["change"]["id"])
    assert (await ask_own("ada", HELD, s="members"))["collection"] == before
    removed = await REMOVE(ask_own, "ada", collectionId=id_["members"], assetIds=[id_["align"]])
    assert outcomes(await UNDO(ask_own, "olu", changeId=removed["change"]["id"])) == ["CHANGED"]
    removed = await REMOVE(ask_own, "olu", collectionId=id_["members"], assetIds=[id_["align"]])
    async with assert_unchanged(ask_own):
        assert outcomes(await UNDO(ask_own, "ada", changeId=removed["change"]["id"])) == ["NOT_OWNER"]


async def test_moves_past_hidden_members_change_no_undo(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    collection = {"collectionId": id_["open"]}
    before = await held(ask_own, "open", "sam")
    removed = await REMOVE(ask_own, "sam", **collection, assetIds=[id_["lens"]])
    await REORDER(ask_own, "ada", **collection, assetIds=[id_["align"]], position={"atStart": True})
    assert await held(ask_own, "open", "sam") == before[1:]
    assert outcomes(await UNDO(ask_own, "sam", changeId=removed["change"]["id"])) == ["CHANGED"]
    assert await held(ask_own, "open", "sam") == before == ["lens", "align", "blast", "count"]
    await REMOVE(ask_own, "sam", **collection, assetIds=[id_["lens"]])
    added = await ADD(ask_own, "sam", **collection, assetIds=[id_["lens"]], position={"afterId": id_["align"]})
    await REORDER(ask_own, "ada", **collection, assetIds=[id_["lens"]], position={"afterId": id_["hidden"]})
    assert await held(ask_own, "open", "sam") == ["align", "lens", "blast", "count"]
    assert outcomes(await UNDO(ask_own, "sam", changeId=added["change"]["id"])) == ["CHANGED"]
    assert await held(ask_own, "open", "sam") == before[1:]


async def test_restored_members_return_to_their_former_neighbours(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    collection = {"collectionId": id_["open"]}
    given = [id_[name] for name in ("align", "blast", "count", "lens")]
    removed = await REMOVE(ask_own, "ada", **collection, assetIds=given)
    assert await held(ask_own, "open") == ["hidden", "junk", "kept"]
    await REORDER(ask_own, "ada", **collection, assetIds=[id_["hidden"]], position={"atEnd": True})
    await ADD(ask_own, "olu", **collection, assetIds=[id_["explore"]], position={"atStart": True})
    assert await held(ask_own, "open") == ["explore", "junk", "kept", "hidden"]
    await UNDO(ask_own, "ada", changeId=removed["change"]["id"])
    # lens stood before all that are left; the nearest of these was hidden. The others stood after hidden.
    assert await held(ask_own, "open") == ["explore", "junk", "kept", "lens", "hidden", "align", "blast", "count"]


async def test_a_move_and_its_undo_are_undone_as_a_whole(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    before = await held(ask_own, "open"), await held(ask_own, "inner")
    where = {"fromCollectionId": id_["open"], "toCollectionId": id_["inner"]}
    moved = await MOVE(ask_own, "olu", **where, assetIds=[id_["count"], id_["align"]])
    after = await held(ask_own, "open"), await held(ask_own, "inner")
    undone = await UNDO(ask_own, "olu", changeId=moved["change"]["id"])
    assert outcomes(undone) == ["CHANGED", "CHANGED"]
    assert (await held(ask_own, "open"), await held(ask_own, "inner")) == before
    redone = await UNDO(ask_own, "olu", changeId=undone["changes"][0]["id"])
    assert outcomes(redone) == ["CHANGED", "CHANGED"]
    assert (await held(ask_own, "open"), await held(ask_own, "inner")) == after


async def test_a_partly_undone_move_reports_the_change_of_that_part(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    where = {"fromCollectionId": id_["open"], "toCollectionId": id_["inner"]}
    # align is in both, so it is only removed from open; count is moved to inner and removed from there.
    moved = await MOVE(ask_own, "olu", **where, assetIds=[id_["count"], id_["align"]])
    await REMOVE(ask_own, "olu", collectionId=id_["inner"], assetIds=[id_["count"]])
    undone = await UNDO(ask_own, "olu", changeId=moved["change"]["id"])
    assert [(each["asset"]["name"], each["status"]) for each in undone["results"]] == [
        ("align", "CHANGED"),
        ("count", "FAILED"),
    ]
    assert [each["action"] for each in undone["changes"]] == ["UNDONE"]
    assert await held(ask_own, "open") == ["lens", "hidden", "align", "blast", "junk", "kept"]


async def test_a_change_that_cannot_be_undone_is_rejected(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    added = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["genomes"]])
    async with assert_unchanged(ask_own):
        # genomes is hidden from eve, and therefore the change too.
        for unseen in (added["change"]["id"], "chg_" + "0" * 24, id_["bare"]):
            assert error_paths(await UNDO(ask_own, "eve", changeId=unseen)) == [("NOT_FOUND", ["changeId"])]
        assert outcomes(await UNDO(ask_own, "mei", changeId=added["change"]["id"])) == ["NOT_OWNER"]


async def test_anonymous_visitors_change_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    one = {"collectionId": id_["open"], "assetIds": [id_["align"]]}
    two = {"fromCollectionId": id_["open"], "toCollectionId": id_["bare"], "assetIds": [id_["align"]]}
    async with assert_unchanged(ask_own):
        assert await refusal_code(ask_own, ANONYMOUS, ADD, **one) == "UNAUTHENTICATED"
        assert await refusal_code(ask_own, ANONYMOUS, REMOVE, **one) == "UNAUTHENTICATED"
        assert await refusal_code(ask_own, ANONYMOUS, MOVE, **two) == "UNAUTHENTICATED"
        assert await refusal_code(ask_own, ANONYMOUS, UPDATE, assetId=id_["align"], addTo=[]) == "UNAUTHENTICATED"
        assert await refusal_code(ask_own, ANONYMOUS, UNDO, changeId="chg_x") == "UNAUTHENTICATED"
        assert await refusal_code(ask_own, "olu", REORDER, **one, position={"atEnd": True}) == "FORBIDDEN"


@pytest.mark.parametrize("mutation", [ADD, REMOVE], ids=lambda mutation: mutation.name)
async def test_a_replay_shows_results_by_current_permissions(ask_own: GraphQLClient, mutation: Mutation) -> None:
    id_ = await ids(ask_own)
    slug, asset = ("bare", "images") if mutation is ADD else ("inner", "images")
    given = {"collectionId": id_[slug], "assetIds": [id_[asset]], "idempotencyKey": "again"}
    first = await mutation(ask_own, "lou", **given)
    assert outcomes(first) == ["CHANGED"]
    async with assert_unchanged(ask_own):
        assert await mutation(ask_own, "lou", **given) == first
        other = await mutation(ask_own, "lou", **{**given, "assetIds": [id_["align"]]})
        assert error_paths(other) == [("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])]
    async with ask_own.database.write() as connection:
        pk = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.name == asset))
        await connection.execute(sql.grant.delete().where(sql.grant.c.asset_pk == pk))
    again = await mutation(ask_own, "lou", **given)
    assert (again["results"][0]["status"], again["results"][0]["asset"], again["change"]) == ("CHANGED", None, None)


async def test_statements_do_not_depend_on_the_number_of_assets(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    sent: dict[str, list[int]] = {}
    for names in (["blast"], ["align", "count", "genomes", "images", "explore"]):
        for mutation in (ADD, REMOVE):
            await mutation(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_[name] for name in names])
            sent.setdefault(mutation.name, []).append(len(ask_own.statements))
    assert all(len(set(counts)) == 1 for counts in sent.values()), sent


async def test_restored_and_newer_members_can_both_get_neighbours(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"], id_["align"]])
    removed = await REMOVE(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["align"]])
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["count"]])
    await UNDO(ask_own, "olu", changeId=removed["change"]["id"])
    before = await held(ask_own, "bare")
    assert sorted(before) == ["align", "blast", "count"]
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["genomes"]], position={"afterId": id_[before[1]]})
    await ADD(
        ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["explore"]], position={"beforeId": id_[before[2]]}
    )
    assert await held(ask_own, "bare") == [before[0], before[1], "genomes", "explore", before[2]]


async def test_a_removal_is_restored_at_its_position_after_ranks_were_rebalanced(
    ask_own: GraphQLClient,
) -> None:
    id_ = await ids(ask_own)
    order = ["lens", "hidden", "align", "blast", "count", "junk", "kept"]
    assert await held(ask_own, "open") == order
    removed = await REMOVE(ask_own, "olu", collectionId=id_["open"], assetIds=[id_["hidden"], id_["blast"]])
    for name in ("junk", "kept") * 15:
        await REORDER(
            ask_own, "ada", collectionId=id_["open"], assetIds=[id_[name]], position={"beforeId": id_["count"]}
        )
    await UNDO(ask_own, "olu", changeId=removed["change"]["id"])
    rest = ["lens", "hidden", "align", "blast", "count"]
    assert [name for name in await held(ask_own, "open") if name in rest] == rest


@pytest.mark.parametrize("hidden", [[], ["hidden"]], ids=["nothing hidden", "hidden between"])
async def test_a_restored_member_reveals_no_hidden_neighbour(ask_own: GraphQLClient, hidden: list[str]) -> None:
    id_ = await ids(ask_own)
    for names in (["explore", "blast"], hidden):
        if names:
            given = [id_[name] for name in names]
            assert set(outcomes(await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=given))) == {"CHANGED"}
    # align sorts before blast: with the same rank it would come first.
    removed = await REMOVE(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"]])
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["align"]])
    await UNDO(ask_own, "olu", changeId=removed["change"]["id"])
    assert await held(ask_own, "bare", "eve") == ["explore", "blast", "align"]
    removed = await REMOVE(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["align"]])
    await UPDATE(ask_own, "olu", assetId=id_["count"], addTo=[id_["bare"]])
    await UNDO(ask_own, "olu", changeId=removed["change"]["id"])
    assert await held(ask_own, "bare", "eve") == ["explore", "blast", "align", "count"]


async def test_a_former_owner_restores_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    added = await ADD(ask_own, "lou", collectionId=id_["bare"], assetIds=[id_["images"]])
    undone = await UNDO(ask_own, "lou", changeId=added["change"]["id"])
    async with ask_own.database.write() as connection:
        await connection.execute(update(sql.grant).where(sql.grant.c.access == 4).values(access=2))
    async with assert_unchanged(ask_own):
        assert outcomes(await UNDO(ask_own, "lou", changeId=undone["changes"][0]["id"])) == ["NOT_OWNER"]


async def test_a_change_of_too_many_assets_is_not_undone(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await ids(ask_own)
    added = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"], id_["align"]])
    monkeypatch.setattr("resolvers.undoable.MAX_ITEMS", 1)
    async with assert_unchanged(ask_own):
        refused_ = await UNDO(ask_own, "olu", changeId=added["change"]["id"])
        assert error_paths(refused_) == [("LIMIT_EXCEEDED", ["changeId"])]


async def test_an_id_that_is_too_long_is_rejected(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"], "x" * 201])
        assert error_paths(answer) == [("TOO_LONG", ["assetIds", "1"])]


async def test_a_change_of_order_is_visible_to_administrators_only(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    history = "query($s: String!) { collection(by: {slug: $s}) { history(first: 1) { nodes { action } } } }"
    before = await ask_own("eve", history, s="open")
    position = {"afterId": id_["hidden"]}
    await REORDER(ask_own, "ada", collectionId=id_["open"], assetIds=[id_["lens"]], position=position)
    assert await ask_own("eve", history, s="open") == before
    assert (await ask_own("ada", history, s="open"))["collection"]["history"]["nodes"] == [{"action": "REORDERED"}]
