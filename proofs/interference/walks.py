"""Pages of a collection's assets by cursors, and the viewer's own changes of these between two pages."""

from random import Random
from typing import Any

from proofs.interference.operations import Argument, Operation, Selection
from tests.oracle import OWNER, Model

CURSORS = 3  # of a page, from which walks go on


def choose_collection(random: Random, model: Model, who: str) -> str | None:
    """Return a collection, if there is one with visible assets, with hidden and own ones if there is one such."""

    def weight(slug: str) -> tuple[bool, bool, float]:
        members = model.members[slug]
        is_partly_hidden = any(not model.sees_asset(who, asset) for asset in members)
        return is_partly_hidden, any(model.access(who, asset) == OWNER for asset in members), random.random()

    return max(
        (slug for slug in model.collections(who) if model.collection_assets(who, slug)), key=weight, default=None
    )


def page_of(id_: str, size: int, **cursor: str) -> Operation:
    """Return the query for a page of a collection's assets: after a cursor, before one, or the first page."""
    size_argument = "last" if "before" in cursor else "first"
    arguments = {size_argument: Argument("Int", size)}
    arguments |= {name: Argument("String", value) for name, value in cursor.items()}
    cursors = Selection("edges", "CollectionAssetEdge", selections=[Selection("cursor", "String")])
    ids = Selection("nodes", "Asset", selections=[Selection("id", "ID", on="Node")])
    assets = Selection("assets", "CollectionAssetConnection", arguments, [cursors, ids])
    by = {"by": Argument("CollectionRef!", {"id": id_})}
    return Operation("query", [Selection("collection", "Collection", by, [assets])])


def change_own_member(random: Random, model: Model, who: str, slug: str) -> Operation | None:
    """Return a mutation that removes an asset of the viewer from the collection, or adds one; None without any."""
    owned = [asset for asset in model.asset if model.access(who, asset) == OWNER and model.sees_asset(who, asset)]
    if not owned:
        return None
    asset = random.choice([each for each in owned if each in model.members[slug]] or owned)
    is_member = asset in model.members[slug]
    name, input_type = ("Remove", "CollectionAssetsRemoveInput!") if is_member else ("Add", "CollectionAssetsAddInput!")
    value: dict[str, Any] = {"collectionId": model.ids[slug], "assetIds": [model.ids[asset]]}
    others = [each for each in model.members[slug] if model.sees_asset(who, each)]
    if not is_member and others:
        value["position"] = {random.choice(("afterId", "beforeId")): model.ids[random.choice(others)]}
    results = Selection("results", "AssetResult", selections=[Selection("status", "ItemStatus")])
    change = Selection(
        f"collectionAssets{name}", "CollectionAssetsPayload", {"input": Argument(input_type, value)}, [results]
    )
    return Operation("mutation", [change])
