"""This file is every mutation that takes assets, each with how it is sent and the word that it must say.

Most are dry runs, or ask for what is so already, or are refused: the world is the same afterwards. What lasts is told
by its shape, and asked of copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

from proofs.permission_matrix.queries import ID
from proofs.permission_matrix.requests import Bulk, Each, outcome
from proofs.permission_matrix.surface import UNKNOWN, Answer, Asking, Found, Says, Shape, Surface, variables_in
from proofs.permission_matrix.world import MEMBERS, Asset, Ids
from proofs.proof import BrokenPromiseError
from resolvers.write.job import run_next_job

ERRORS = "userErrors { code message path }"
ITEM = f"assetId status asset {{ {ID} }} error {{ code message path }}"
SUMMARY = "summary { requested changed unchanged failed dryRun }"
PAYLOAD = f"results {{ {ITEM} }} {SUMMARY} change {{ id }} job {{ id }} {ERRORS}"
OF_ONE = f"{{ asset {{ {ID} }} {ERRORS} }}"
OF_COLLECTIONS = (
    f"{{ asset {{ {ID} }} results {{ collectionId status collection {{ id }} error {{ code message path }} }}"
    f" {SUMMARY} {ERRORS} }}"
)
DRY = "mode: BEST_EFFORT, dryRun: true"
READ = (
    "query Read($id: ID!, $after: String) { job(id: $id) { status done total userErrors { code }"
    f" results(first: 100, after: $after, onlyFailed: false) {{ totalCount pageInfo {{ hasNextPage endCursor }}"
    f" edges {{ cursor node {{ assetId }} }} nodes {{ {ITEM} }} }} }} }}"
)


def item(found: Found, ids: Ids) -> str:
    """Say what became of an asset: its status, or why it failed. It is told of unless there is none."""
    code = found["error"]["code"] if found["error"] else found["status"]
    told = {"id": ids["asset"]} if code != "NOT_FOUND" else None
    return str(code) if found["asset"] == told else f"{code}, and the asset is {found['asset']}"


def accepted(found: Found, ids: Ids) -> str:
    """Say whether a mutation of one asset was accepted, or why not. The asset is told of when it was."""
    codes = {error["code"] for error in found["userErrors"]}
    if not codes and "asset" in found and found["asset"] != {"id": ids["asset"]}:
        return "OK, without the asset"
    return " ".join(sorted(codes)) or "OK"


def placed(found: Found, ids: Ids) -> str:
    """Say what became of the one collection that an asset was to be put in or taken out of, or why nothing did."""
    code = accepted(found, ids)
    return code if code != "OK" else str(found["results"][0]["status"])


@dataclass(frozen=True)
class Queued(Shape):
    """Sends a bulk mutation that becomes a job, does the job, and reads what became of each."""

    is_lasting: bool = True

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document that queues it, and the one that reads the job."""
        (surface,) = surfaces
        return f"mutation Queue($elsewhere: ID!, $assetsAndUnknown: [ID!]!) {{ {surface.text} }} {READ}"

    async def ask(self, asking: Asking, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Says:
        """Yield what each surface says."""
        for surface in surfaces:
            answer = await self._done(asking, surface, assets)
            for asset in assets:
                yield surface, asset, outcome(answer, surface, asking.ids[asset])

    async def _done(self, asking: Asking, surface: Surface, assets: Sequence[Asset]) -> Answer:
        """Return what was refused, or the results of the job as those of a payload."""
        document = self.document([surface]).removesuffix(READ)
        with patch("resolvers.write.membership.INLINE_BULK_ITEMS", 0):
            queued = await asking.answer(document, asking.variables(variables_in(document), assets))
        if queued.data is None:
            return queued
        (payload,) = queued.data.values()
        if not await run_next_job(asking.ask.database):
            raise BrokenPromiseError(f"{surface} has made no job")
        return Answer({"job": {"results": await _results(asking, payload["job"]["id"]), "userErrors": ()}}, ())


async def _results(asking: Asking, job: str) -> list[Found]:
    """Return the results of a job, which nobody else can read."""
    for other in MEMBERS:
        told = await replace(asking, who=other).answer(READ, {"id": job, "after": None})
        if other != asking.who and told != Answer({"job": None}, []):
            raise BrokenPromiseError(f"the {other} can read a job of the {asking.who}")
    page: Found = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    results: list[Found] = []
    while page["pageInfo"]["hasNextPage"]:
        answer = await asking.answer(READ, {"id": job, "after": page["pageInfo"]["endCursor"]})
        page = answer.data["job"]["results"]
        results += page["nodes"]
    return results


BULK, LASTING, QUEUED, EACH = Bulk(), Bulk(is_lasting=True), Queued(), Each("mutation")

ACTS: tuple[Surface, ...] = (
    Surface(
        "`collectionAssetsAdd`",
        "add",
        BULK,
        f'collectionAssetsAdd(input: {{collectionId: $elsewhere, assetIds: $assetsAndUnknown, note: "why", {DRY}}})'
        f" {{ collection {{ id }} {PAYLOAD} }}",
        item,
    ),
    Surface(
        "`collectionAssetsAdd` as a job",
        "add",
        QUEUED,
        "collectionAssetsAdd(input: {collectionId: $elsewhere, assetIds: $assetsAndUnknown, mode: BEST_EFFORT})"
        f" {{ {PAYLOAD} }}",
        item,
    ),
    Surface(
        "`assetCollectionsUpdate`",
        "add",
        EACH,
        f"@assetCollectionsUpdate(input: {{assetId: $asset, addTo: [$elsewhere], dryRun: true}}) {OF_COLLECTIONS}",
        placed,
    ),
    Surface(
        "`collectionAssetsAdd`",
        "readd",
        BULK,
        f"collectionAssetsAdd(input: {{collectionId: $crowd, assetIds: $assetsAndUnknown, {DRY}}}) {{ {PAYLOAD} }}",
        item,
    ),
    Surface(
        "`collectionAssetsRemove`",
        "remove",
        BULK,
        f"collectionAssetsRemove(input: {{collectionId: $crowd, assetIds: $assetsAndUnknown, {DRY}}}) {{ {PAYLOAD} }}",
        item,
    ),
    Surface(
        "`assetCollectionsUpdate`",
        "remove",
        EACH,
        "@assetCollectionsUpdate(input: {assetId: $asset, removeFrom: [$collection], dryRun: true})"
        f" {OF_COLLECTIONS}",
        placed,
    ),
    Surface(
        "`collectionAssetsRemove`",
        "miss",
        BULK,
        f"collectionAssetsRemove(input: {{collectionId: $elsewhere, assetIds: $assetsAndUnknown, {DRY}}})"
        f" {{ {PAYLOAD} }}",
        item,
    ),
    Surface(
        "`collectionAssetsMove`",
        "move",
        BULK,
        "collectionAssetsMove(input: {fromCollectionId: $crowd, toCollectionId: $elsewhere,"
        f" assetIds: $assetsAndUnknown, {DRY}}}) {{ from {{ id }} to {{ id }} {PAYLOAD} }}",
        item,
    ),
    Surface("`changeUndo`", "undo", LASTING, f"changeUndo(input: {{changeId: $crowded}}) {{ {PAYLOAD} }}", item),
    Surface(
        "`collectionAssetsAdd`",
        "beside",
        EACH,
        f'@collectionAssetsAdd(input: {{collectionId: $crowd, assetIds: ["{UNKNOWN}"], {DRY},'
        f" position: {{afterId: $asset}}}}) {{ {ERRORS} }}",
        accepted,
    ),
    Surface(
        "`collectionAssetsMove`",
        "beside",
        EACH,
        "@collectionAssetsMove(input: {fromCollectionId: $elsewhere, toCollectionId: $crowd,"
        f' assetIds: ["{UNKNOWN}"], {DRY}, position: {{beforeId: $asset}}}}) {{ {ERRORS} }}',
        accepted,
    ),
    Surface(
        "`collectionAssetsReorder`",
        "reorder",
        BULK,
        "collectionAssetsReorder(input: {collectionId: $crowd, assetIds: $assets, position: {atStart: true}})"
        f" {{ {PAYLOAD} }}",
        item,
    ),
    Surface(
        "`assetGrantsUpdate`",
        "share",
        EACH,
        f"@assetGrantsUpdate(input: {{assetId: $asset, set: [], revoke: [{{userId: $nobody}}]}}) {OF_ONE}",
        accepted,
    ),
    Surface(
        "`assetGoldStandardSet`",
        "award",
        EACH,
        f'@assetGoldStandardSet(input: {{assetId: $asset, awarded: true, note: "whole"}}) {OF_ONE}',
        accepted,
    ),
    Surface(
        "`assetsRegister`",
        "register",
        BULK,
        "assetsRegister(input: {assets: $registrations, mode: BEST_EFFORT})"
        f" {{ results {{ {ITEM} }} {SUMMARY} {ERRORS} }}",
        item,
        covers=("AssetRegistration.externalId", "AssetRegistration.uses"),
    ),
)
