"""Extractors: functions that reduce a part of a response to a value of the matrix for one asset."""

from collections.abc import Sequence

from proofs.permission_matrix.surface import Extractor, ResponsePart
from proofs.permission_matrix.world import AWARDED, Ids

METADATA = (
    *("externalId", "kind", "status", "name", "description", "tags", "properties", "license", "doi", "version"),
    *("createdAt", "updatedAt", "owner", "goldStandard", "language", "stepCount", "appKind", "dataKind"),
    *("sizeBytes", "fileCount", "framework"),
)


def yes_or_no(value: bool) -> str:  # noqa: FBT001 - the value to format
    """Return "yes" or "no"."""
    return "yes" if value else "no"


def is_present(_found: ResponsePart, _ids: Ids) -> str:
    """Return "yes", because the part exists."""
    return "yes"


def has_id(id_name: str) -> Extractor:
    """Return an extractor of whether the object has the id of that name."""
    return lambda part, ids: yes_or_no(part["id"] == ids[id_name])


def has_value(name: str) -> Extractor:
    """Return an extractor of whether the field has a value."""
    return lambda part, _ids: yes_or_no(bool(part[name]))


def viewer_access(part: ResponsePart, _ids: Ids) -> str:
    """Return the viewer's access."""
    return str(part["viewerAccess"])


def has_all(name: str, *id_names: str) -> Extractor:
    """Return an extractor of whether a list contains all objects of these ids; "some of them" if only some.

    `name` is the list's field; if it is empty, the part is the list itself.
    """

    def extract(part: ResponsePart, ids: Ids) -> str:
        page = part[name] if name else part
        listed, expected = {node["id"] for node in page["nodes"]}, {ids[name] for name in id_names}
        if page["totalCount"] != len(listed):
            return "a total count other than the number of nodes"
        return "some of them" if listed & expected not in (expected, set()) else yes_or_no(expected <= listed)

    return extract


def has_rows(name: str, *rows: Sequence[str]) -> Extractor:
    """Return an extractor of whether a list has the rows with these ids, each once; "some of them" if only some."""

    def extract(part: ResponsePart, ids: Ids) -> str:
        counts = {part[name][tuple(ids[id_name] for id_name in row)] for row in rows}
        return "some of them, or some twice" if counts not in ({0}, {1}) else yes_or_no(counts == {1})

    return extract


def is_counted(name: str) -> Extractor:
    """Return an extractor of whether exactly one asset is counted, in total, by kind and as a gold standard."""

    def extract(part: ResponsePart, _ids: Ids) -> str:
        total, *kinds, gold = part[name].values()
        return yes_or_no(total == 1) if sum(kinds) == gold == total < 2 else "inconsistent counts"  # noqa: PLR2004 - one asset

    return extract


def is_in_facets(name: str) -> Extractor:
    """Return an extractor of whether exactly one asset is counted by its kind, its owner and each of its tags."""

    def extract(part: ResponsePart, _ids: Ids) -> str:
        facets = (part[name] if name else part)["facets"].values()
        counts = [value["count"] for facet in facets for value in facet]
        return (
            yes_or_no(bool(counts)) if not any(facets) or (all(facets) and {*counts} == {1}) else "inconsistent facets"
        )

    return extract


def contains_asset(part: ResponsePart, _ids: Ids) -> str:
    """Return whether the collection contains the asset."""
    return yes_no_or_unknown(part["containsAsset"])


def yes_no_or_unknown(value: bool | None, _ids: Ids | None = None) -> str:  # noqa: FBT001 - the value to format
    """Return "yes" or "no", or "unknown" for null."""
    return "unknown" if value is None else yes_or_no(value)


def is_in_crowd(part: ResponsePart, ids: Ids) -> str:
    """Return whether the crowd (see world.py) contains the asset, by the list of collections to add to."""
    contains_by_id = {edge["node"]["id"]: edge["containsAsset"] for edge in part["edges"]}
    if contains_by_id.pop(ids["elsewhere"]) or [*contains_by_id] != [node["id"] for node in part["nodes"][1:]]:
        return "other collections than those listed"
    return yes_no_or_unknown(contains_by_id[ids["crowd"]]) if ids["crowd"] in contains_by_id else "absent"


def has_metadata(part: ResponsePart, ids: Ids) -> str:
    """Return whether all metadata visible with any access are there."""
    values = [part[name] for name in METADATA if name in part]  # some fields belong to other kinds
    awarded = part["goldStandard"] == {"awardedAt": AWARDED, "awardedBy": None, "note": "whole"}
    described = part["properties"] == [{"name": "team", "values": ["core"]}]
    return yes_or_no(None not in values and awarded and described and part["owner"] == {"id": ids["owner"]})


def has_release(id_name: str) -> Extractor:
    """Return an extractor of whether the app's release is the object of that id."""
    return lambda part, ids: yes_or_no(part["release"] == {"id": ids[id_name]})


def is_in_history(part: ResponsePart, ids: Ids) -> str:
    """Return whether the collection's history has the change that added the asset."""
    changes = [change for change in part["history"]["nodes"] if change["id"] == ids["addition"]]
    return _touches_only(changes[0], ids) if changes else "no"


def is_change(part: ResponsePart, ids: Ids) -> str:
    """Return whether the change is the one that added the asset."""
    return _touches_only(part, ids) if part["subject"] == {"id": ids["collection"]} else "a change of another subject"


def is_logged(edge: ResponsePart, ids: Ids) -> str:
    """Return whether the audit log has the change that added the asset."""
    return _touches_only(edge["node"], ids)


def _touches_only(change: ResponsePart, ids: Ids) -> str:
    """Return "yes" if the change shows exactly this asset. A change without assets would reveal a hidden one."""
    touched = change["assets"]["nodes"]
    return "yes" if touched == [{"id": ids["asset"]}] else f"a change of {touched}"


def has_url_change(part: ResponsePart, ids: Ids) -> str:
    """Return whether a change shows that the asset's URL changed."""
    change = part.get("node", part)
    names = {change["field"] for change in change["fields"]}
    return yes_or_no("url" in names) if change["subject"] == {"id": ids["asset"]} else "a change of another subject"


def has_grant_change(part: ResponsePart, ids: Ids) -> str:
    """Return whether a change shows whose grant was revoked."""
    change = part.get("node", part)
    (field_change,) = change["fields"]
    return (
        yes_or_no(field_change == {"field": f"user:{ids['formerHolder']}"})
        if change["subject"] == {"id": ids["asset"]}
        else "a change of another subject"
    )


def is_ordered_by_count(edges: Sequence[ResponsePart]) -> bool:
    """Return whether collections are ordered by their counts."""
    totals = [edge["node"]["assetCounts"]["total"] for edge in edges]
    return totals == sorted(totals)


def is_member(edge: ResponsePart, _ids: Ids) -> str:
    """Return whether `addableAssets` shows the asset as a member, with the date."""
    return yes_or_no(edge["isMember"] and edge["addedAt"] is not None)


def is_not_member(edge: ResponsePart, _ids: Ids) -> str:
    """Return whether `addableAssets` shows the asset as no member."""
    return yes_or_no(not edge["isMember"] and edge["addedAt"] is None)


def can_remove(edge: ResponsePart, _ids: Ids) -> str:
    """Return whether the viewer may remove the asset."""
    return yes_or_no(edge["viewerCanRemove"])


def counts_any(edge: ResponsePart, _ids: Ids) -> str:
    """Return whether the collection counts any asset."""
    return yes_or_no(edge["node"]["assetCounts"]["total"] > 0)
