"""Lines of `atoll export` that expose an asset, as surfaces of the permission matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from app.export import identify
from proofs.permission_matrix import extractors
from proofs.permission_matrix.surface import Cells, Extractor, RequestForm, ResponsePart, Surface, ViewerClient
from proofs.permission_matrix.world import AWARDED, Asset, Ids
from resolvers.export.catalogue import catalogue_lines
from tests.conftest import ANONYMOUS

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
        user = None if client.who == ANONYMOUS else client.who
        async with client.graphql.database.snapshot() as snapshot:
            viewer = await identify(user, is_anonymous=user is None)(snapshot)
            lines = {
                line.get("slug") or line["id"]: line
                async for line in catalogue_lines(snapshot, viewer)
                if line["kind"] == self.kind
            }
        for surface, asset in product(surfaces, assets):
            if surface.applies_to(asset):
                line = lines.get(getattr(asset, self.name))
                yield surface, asset, "no" if line is None else surface.extract(line, client.ids[asset])


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


ASSET, COLLECTION, CROWD = (
    ExportRequest("asset", "name"),
    ExportRequest("collection", "collection_slug"),
    ExportRequest("collection", "crowd_slug"),
)

EXPORT_SURFACES: Sequence[Surface] = (
    Surface("metadata of `atoll export`", "exists", ASSET, "", has_metadata),
    Surface("`url` of `atoll export`", "content", ASSET, "", has_field("url")),
    Surface("`source` of `atoll export`", "content", ASSET, "", has_field("source"), only_if="has_source"),
    Surface("`uses` of `atoll export`", "content", ASSET, "", has_field("uses")),
    Surface("`grants` of `atoll export`", "grants", ASSET, "", has_field("grants"), only_if="has_other_grants"),
    Surface("line of `atoll export`", "collection", COLLECTION, "", extractors.is_present),
    Surface("`assets` of `atoll export`", "listed", COLLECTION, "", has_only_member),
    Surface("`assets` of `atoll export` among others", "listed", CROWD, "", has_member),
)
