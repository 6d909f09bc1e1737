"""All mutations that take assets, as surfaces.

Most are dry runs, repeat the current state or are refused, and leave the world unchanged. Those that change it have a
request form with `has_effect`, and run after all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

from proofs.permission_matrix.queries import ID
from proofs.permission_matrix.requests import AliasedRequest, BulkRequest, item_outcome
from proofs.permission_matrix.surface import (
    Cells,
    RequestForm,
    Response,
    ResponsePart,
    Surface,
    ViewerClient,
    find_variables,
)
from proofs.permission_matrix.world import MEMBERS, Asset, Ids
from proofs.proof import BrokenPromiseError
from resolvers.write.job import run_next_job

ERRORS = "userErrors { code message path }"
ITEM = f"assetId status asset {{ {ID} }} error {{ code message path }}"
SUMMARY = "summary { requested changed unchanged failed dryRun }"
EFFECT = f"addedEdges {{ addedAt addedBy {{ id }} note viewerCanRemove node {{ {ID} }} }} removedAssetIds"
RESULTS = f"{EFFECT} results {{ {ITEM} }} {SUMMARY} {ERRORS}"
PAYLOAD = f"{RESULTS} change {{ id }} job {{ id collections {{ id }} changes {{ id }} }}"
OF_ONE = f"{{ asset {{ {ID} }} changes {{ id }} {ERRORS} }}"
OF_COLLECTIONS = (
    f"{{ asset {{ {ID} }} addedEdges {{ addedAt note node {{ id }} }} removedCollectionIds changes {{ id }}"
    f" results {{ collectionId status collection {{ id }} error {{ code message path }} }}"
    f" {SUMMARY} {ERRORS} }}"
)
DRY_RUN = "mode: BEST_EFFORT, dryRun: true"
READ_JOB = (
    "query Read($id: ID!, $after: String) { job(id: $id) { status done total userErrors { code }"
    f" results(first: 100, after: $after, onlyFailed: false) {{ totalCount pageInfo {{ hasNextPage endCursor }}"
    f" edges {{ cursor node {{ assetId }} }} nodes {{ {ITEM} }} }} }} }}"
)


def item_status(result: ResponsePart, ids: Ids) -> str:
    """Return the status of an asset, or its error code. The result has the asset unless it was not found."""
    code = result["error"]["code"] if result["error"] else result["status"]
    visible_asset = {"id": ids["asset"]} if code != "NOT_FOUND" else None
    return str(code) if result["asset"] == visible_asset else f"{code}, and the asset is {result['asset']}"


def mutation_status(result: ResponsePart, ids: Ids) -> str:
    """Return "OK" for a successful mutation of one asset, which returns the asset, or else its error codes."""
    codes = {error["code"] for error in result["userErrors"]}
    if not codes and "asset" in result and result["asset"] != {"id": ids["asset"]}:
        return "OK without the asset"
    return " ".join(sorted(codes)) or "OK"


def collection_status(result: ResponsePart, ids: Ids) -> str:
    """Return the status of the one collection that the asset is added to or removed from, or the error codes."""
    code = mutation_status(result, ids)
    return code if code != "OK" else str(result["results"][0]["status"])


@dataclass(frozen=True)
class JobRequest(RequestForm):
    """Bulk mutation that becomes a job. The job is run and its results are read."""

    has_effect: bool = True

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document that queues the job, followed by the one that reads it."""
        (surface,) = surfaces
        return f"mutation Queue($elsewhere: ID!, $assetsAndUnknown: [ID!]!) {{ {surface.text} }} {READ_JOB}"

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces."""
        for surface in surfaces:
            response = await self._run(client, surface, assets)
            for asset in assets:
                yield surface, asset, item_outcome(response, surface, client.ids[asset])

    async def _run(self, client: ViewerClient, surface: Surface, assets: Sequence[Asset]) -> Response:
        """Return the error, or the job's results in the form of a payload."""
        document = self.document([surface]).removesuffix(READ_JOB)
        with patch("resolvers.write.membership.INLINE_BULK_ITEMS", 0):
            queued = await client.execute(document, client.variables(find_variables(document), assets))
        (payload,) = queued.data.values()
        if payload is None:
            return queued
        if not await run_next_job(client.graphql.database):
            raise BrokenPromiseError(f"{surface} queued no job")
        return Response({"job": {"results": await _read_results(client, payload["job"]["id"]), "userErrors": ()}}, ())


async def _read_results(client: ViewerClient, job_id: str) -> list[ResponsePart]:
    """Return the results of a job, after checking that nobody else can read it."""
    for other in MEMBERS:
        response = await replace(client, who=other).execute(READ_JOB, {"id": job_id, "after": None})
        if other != client.who and response != Response({"job": None}, []):
            raise BrokenPromiseError(f"the {other} can read a job of the {client.who}")
    page: ResponsePart = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    results: list[ResponsePart] = []
    while page["pageInfo"]["hasNextPage"]:
        response = await client.execute(READ_JOB, {"id": job_id, "after": page["pageInfo"]["endCursor"]})
        page = response.data["job"]["results"]
        results += page["nodes"]
    return results


BULK, BULK_WITH_EFFECT, AS_JOB, ALIASED = (
    BulkRequest(),
    BulkRequest(has_effect=True),
    JobRequest(),
    AliasedRequest("mutation"),
)

MUTATION_SURFACES: tuple[Surface, ...] = (
    Surface(
        "`collectionAssetsAdd`",
        "add",
        BULK,
        f'collectionAssetsAdd(input: {{collectionId: $elsewhere, assetIds: $assetsAndUnknown, note: "why", {DRY_RUN}}})'
        f" {{ collection {{ id }} {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`collectionAssetsAdd` as a job",
        "add",
        AS_JOB,
        "collectionAssetsAdd(input: {collectionId: $elsewhere, assetIds: $assetsAndUnknown, mode: BEST_EFFORT})"
        f" {{ {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`assetCollectionsUpdate`",
        "add",
        ALIASED,
        f"@assetCollectionsUpdate(input: {{assetId: $asset, addTo: [$elsewhere], dryRun: true}}) {OF_COLLECTIONS}",
        collection_status,
    ),
    Surface(
        "`collectionAssetsAdd`",
        "readd",
        BULK,
        f"collectionAssetsAdd(input: {{collectionId: $crowd, assetIds: $assetsAndUnknown, {DRY_RUN}}}) {{ {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`collectionAssetsRemove`",
        "remove",
        BULK,
        f"collectionAssetsRemove(input: {{collectionId: $crowd, assetIds: $assetsAndUnknown, {DRY_RUN}}})"
        f" {{ {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`assetCollectionsUpdate`",
        "remove",
        ALIASED,
        "@assetCollectionsUpdate(input: {assetId: $asset, removeFrom: [$collection], dryRun: true})"
        f" {OF_COLLECTIONS}",
        collection_status,
    ),
    Surface(
        "`collectionAssetsRemove`",
        "remove_absent",
        BULK,
        f"collectionAssetsRemove(input: {{collectionId: $elsewhere, assetIds: $assetsAndUnknown, {DRY_RUN}}})"
        f" {{ {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`collectionAssetsMove`",
        "move",
        BULK,
        "collectionAssetsMove(input: {fromCollectionId: $crowd, toCollectionId: $elsewhere,"
        f" assetIds: $assetsAndUnknown, {DRY_RUN}}}) {{ fromCollection {{ id }} toCollection {{ id }} {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`changeUndo`",
        "undo",
        BULK_WITH_EFFECT,
        f"changeUndo(input: {{changeId: $crowdAddition}}) {{ {RESULTS} subjects {{ id }} changes {{ id }}"
        " job { id } }",
        item_status,
    ),
    Surface(
        "`collectionAssetsAdd`",
        "neighbour",
        ALIASED,
        f"@collectionAssetsAdd(input: {{collectionId: $crowd, assetIds: [$asset], {DRY_RUN},"
        f" position: {{afterId: $asset}}}}) {{ {ERRORS} }}",
        mutation_status,
    ),
    Surface(
        "`collectionAssetsMove`",
        "neighbour",
        ALIASED,
        "@collectionAssetsMove(input: {fromCollectionId: $elsewhere, toCollectionId: $crowd,"
        f" assetIds: [$asset], {DRY_RUN}, position: {{beforeId: $asset}}}}) {{ {ERRORS} }}",
        mutation_status,
    ),
    Surface(
        "`collectionAssetsReorder`",
        "reorder",
        BULK,
        "collectionAssetsReorder(input: {collectionId: $crowd, assetIds: $assets, position: {atStart: true}})"
        f" {{ {PAYLOAD} }}",
        item_status,
    ),
    Surface(
        "`assetGrantsUpdate`",
        "share",
        ALIASED,
        f"@assetGrantsUpdate(input: {{assetId: $asset, set: [], revoke: [{{userId: $formerHolder}}]}}) {OF_ONE}",
        mutation_status,
    ),
    Surface(
        "`assetGoldStandardSet`",
        "award",
        ALIASED,
        f'@assetGoldStandardSet(input: {{assetId: $asset, awarded: true, note: "whole"}}) {OF_ONE}',
        mutation_status,
    ),
    Surface(
        "`assetsRegister`",
        "register",
        BULK,
        "assetsRegister(input: {assets: $registrations, mode: BEST_EFFORT})"
        f" {{ results {{ {ITEM} }} {SUMMARY} {ERRORS} }}",
        item_status,
        covers=("AssetRegistration.externalId", "AssetRegistration.uses"),
    ),
    Surface(
        "`assetsTransfer`",
        "transfer",
        ALIASED,
        "@assetsTransfer(input: {from: {userId: $owner}, to: {userId: $formerHolder}, keepEditor: true, dryRun: true})"
        f" {{ changes {{ id }} job {{ id }} {SUMMARY} {ERRORS} }}",
        mutation_status,
    ),
)
