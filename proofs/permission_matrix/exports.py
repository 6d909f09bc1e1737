"""Lines of `atoll export` and `exportCreate` that expose an asset, as surfaces of the permission matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from app.export import Identify, export_catalogue, identify
from proofs.permission_matrix import extractors
from proofs.permission_matrix.surface import Cells, Extractor, RequestForm, ResponsePart, Surface, ViewerClient
from proofs.permission_matrix.world import AWARDED, Asset, Ids
from resolvers.export.catalogue import catalogue_lines
from resolvers.export.line import ExportedLine
from resolvers.write.job import run_next_job
from tests.conftest import ANONYMOUS

CREATE = """mutation Create($topics: [ID!], $collections: [ID!]) {
  exportCreate(input: {format: JSONL, topicIds: $topics, collectionIds: $collections}) { userErrors { code } }
}"""
READ_SCOPE = "{ topics(first: 1) { nodes { id } } collections(first: 10, orderBy: {field: NAME}) { nodes { id } } }"
"""Query of a topic, and of the first collections by name, among them the crowds."""
METADATA = ("type", "name", "description", "tags", "properties", "license", "doi", "version", "createdAt", "owner")


@dataclass(frozen=True)
class ExportRequest(RequestForm):
    """Export of the whole catalogue as the viewer. The name of each asset's line is an attribute of the asset."""

    kind: str
    name: str

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return a document without fields: exports are no part of the schema."""
        del surfaces
        return "{ __typename }"

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces; "no" without the line."""
        lines = {line.get("slug") or line["id"]: line for line in await self.lines(client) if line["kind"] == self.kind}
        for surface, asset in product(surfaces, assets):
            if surface.applies_to(asset):
                line = lines.get(getattr(asset, self.name))
                yield surface, asset, "no" if line is None else surface.extract(line, client.ids[asset])

    async def lines(self, client: ViewerClient) -> list[ExportedLine]:
        """Return the lines that the viewer exports."""
        async with client.graphql.database.snapshot() as snapshot:
            viewer = await _identify(client.who)(snapshot)
            return [line async for line in catalogue_lines(snapshot, viewer)]


@dataclass(frozen=True)
class ExportFileRequest(ExportRequest):
    """Export as a job, of some collections if `is_scoped`. Visitors, who cannot start it, get the command's file."""

    is_scoped: bool = False
    has_effect: bool = True

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document that queues the job."""
        del surfaces
        return CREATE

    async def lines(self, client: ViewerClient) -> list[ExportedLine]:
        """Return the lines of the file."""
        database = client.graphql.database
        read = (await client.execute(READ_SCOPE, {})).data if self.is_scoped else {}
        scope = {name: [node["id"] for node in part["nodes"]] for name, part in read.items()}
        started = await client.execute(CREATE, {name: ids for name, ids in scope.items() if ids})
        with TemporaryDirectory() as folder:
            if client.who != ANONYMOUS:
                await run_next_job(database, export_folder=Path(folder))
            elif started.error_code("exportCreate") == "UNAUTHENTICATED":
                await export_catalogue(database, Path(folder) / "file", _identify(client.who))
            return _read_lines(Path(folder))


def _read_lines(folder: Path) -> list[ExportedLine]:
    """Return the lines of the only file in the folder."""
    (file,) = folder.iterdir()
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def _identify(who: str) -> Identify:
    return identify(None if who == ANONYMOUS else who, is_anonymous=who == ANONYMOUS)


def has_metadata(line: ResponsePart, _ids: Ids) -> str:
    """Return whether the line has all metadata that are visible with any access."""
    is_whole = all(line.get(name) for name in METADATA)
    return extractors.yes_or_no(is_whole and line["goldStandard"] == {"awardedAt": AWARDED, "note": "whole"})


def has_field(name: str) -> Extractor:
    """Return an extractor of whether the line has the field."""
    return lambda line, _ids: extractors.yes_or_no(bool(line.get(name)))


def has_member(line: ResponsePart, ids: Ids) -> str:
    """Return whether the line of a collection has the asset."""
    members = [member["id"] for member in line.get("assets", ())]
    return extractors.yes_or_no(ids["external"] in members)


def has_only_member(line: ResponsePart, ids: Ids) -> str:
    """Return whether the line of the asset's own collection has the asset, and no other."""
    members = [member["id"] for member in line.get("assets", ())]
    return f"the members {members}" if members not in ([], [ids["external"]]) else extractors.yes_or_no(bool(members))


def _surfaces(name: str, request: type[ExportRequest]) -> Sequence[Surface]:
    """Return the surfaces of one way to export, whose name stands in theirs."""
    asset, collection, crowd = (
        request("asset", "name"),
        request("collection", "collection_slug"),
        request("collection", "crowd_slug"),
    )
    return (
        Surface(f"metadata of {name}", "exists", asset, "", has_metadata),
        Surface(f"`url` of {name}", "content", asset, "", has_field("url")),
        Surface(f"`source` of {name}", "content", asset, "", has_field("source"), only_if="has_source"),
        Surface(f"`uses` of {name}", "content", asset, "", has_field("uses")),
        Surface(f"`grants` of {name}", "grants", asset, "", has_field("grants"), only_if="has_other_grants"),
        Surface(f"line of {name}", "collection", collection, "", extractors.is_present),
        Surface(f"`assets` of {name}", "listed", collection, "", has_only_member),
        Surface(f"`assets` of {name} among others", "listed", crowd, "", has_member),
    )


EXPORT_SURFACES: Sequence[Surface] = (
    *_surfaces("`atoll export`", ExportRequest),
    *_surfaces("`exportCreate`", ExportFileRequest),
    Surface(
        "`assets` of `exportCreate` by `collectionIds`",
        "listed",
        ExportFileRequest("collection", "crowd_slug", is_scoped=True),
        "",
        has_member,
    ),
)
