"""This file is how parts of answers are read: each says of one asset what a word of the table says."""

from collections.abc import Sequence

from proofs.permission_matrix.surface import Found, Read
from proofs.permission_matrix.world import AWARDED, Ids

METADATA = (
    *("externalId", "kind", "status", "name", "description", "tags", "license", "doi", "version"),
    *("createdAt", "updatedAt", "owner", "goldStandard", "language", "stepCount", "appKind", "dataKind"),
    *("sizeBytes", "fileCount", "framework"),
)


def yes(is_so: bool) -> str:  # noqa: FBT001 - the value is what is said
    """Return the word for it."""
    return "yes" if is_so else "no"


def there(_found: Found, _ids: Ids) -> str:
    """Say that it is there."""
    return "yes"


def one(what: str) -> Read:
    """Return what tells whether it is the object of that id."""
    return lambda found, ids: yes(found["id"] == ids[what])


def field(name: str) -> Read:
    """Return what tells whether the field has a value."""
    return lambda found, _ids: yes(bool(found[name]))


def access(found: Found, _ids: Ids) -> str:
    """Say which access its viewer is told to have."""
    return str(found["viewerAccess"])


def lists(name: str, *what: str) -> Read:
    """Return what tells whether a list has all the objects of those ids, and none of them otherwise."""

    def read(found: Found, ids: Ids) -> str:
        page = found[name] if name else found
        told, wanted = {node["id"] for node in page["nodes"]}, {ids[each] for each in what}
        if page["totalCount"] != len(told):
            return "its count is not that of its nodes"
        return "some of them" if told & wanted not in (wanted, set()) else yes(wanted <= told)

    return read


def counts(name: str) -> Read:
    """Return what tells whether one asset is counted: in all, by its kind and as a gold standard."""

    def read(found: Found, _ids: Ids) -> str:
        total, *kinds, gold = found[name].values()
        return yes(total == 1) if sum(kinds) == gold == total < 2 else "its counts do not agree"  # noqa: PLR2004 - one asset

    return read


def facets(name: str) -> Read:
    """Return what tells whether one asset is counted by its kind, its owner and each of its tags."""

    def read(found: Found, _ids: Ids) -> str:
        facets = (found[name] if name else found)["facets"].values()
        counts = [each["count"] for facet in facets for each in facet]
        return yes(bool(counts)) if not any(facets) or (all(facets) and {*counts} == {1}) else "its facets do not agree"

    return read


def contains(found: Found, _ids: Ids) -> str:
    """Say whether the collection holds it."""
    return known(found["containsAsset"])


def known(value: bool | None, _ids: Ids | None = None) -> str:  # noqa: FBT001 - the value is what is said
    """Say whether, where that is known."""
    return "unknown" if value is None else yes(value)


def chosen(found: Found, ids: Ids) -> str:
    """Say whether the crowd holds it, asked of the collections that one may add to."""
    told = {edge["node"]["id"]: edge["containsAsset"] for edge in found["edges"]}
    if told.pop(ids["elsewhere"]) or [*told] != [node["id"] for node in found["nodes"][1:]]:
        return "otherwise"
    return known(told[ids["crowd"]]) if ids["crowd"] in told else "absent"


def metadata(found: Found, ids: Ids) -> str:
    """Say whether all is told that is told of an asset to whoever sees it."""
    told = [found[name] for name in METADATA if name in found]  # others are of other kinds
    awarded = found["goldStandard"] == {"awardedAt": AWARDED, "awardedBy": None, "note": "whole"}
    return yes(None not in told and awarded and found["owner"] == {"id": ids["owner"]})


def release(what: str) -> Read:
    """Return what tells whether the object of that id is told to be behind an app."""
    return lambda found, ids: yes(found["release"] == {"id": ids[what]})


def history(found: Found, ids: Ids) -> str:
    """Say whether a collection's history has the change that put the asset in."""
    changes = [change for change in found["history"]["nodes"] if change["id"] == ids["added"]]
    return _of_it(changes[0], ids) if changes else "no"


def change(found: Found, ids: Ids) -> str:
    """Say whether a change is that which put the asset in."""
    return _of_it(found, ids) if found["subject"] == {"id": ids["collection"]} else "of another"


def logged(edge: Found, ids: Ids) -> str:
    """Say whether the log has the change that put the asset in."""
    return _of_it(edge["node"], ids)


def _of_it(change: Found, ids: Ids) -> str:
    """Say that there is a change of the asset alone: one of nothing would tell that there is something hidden."""
    touched = change["assets"]["nodes"]
    return "yes" if touched == [{"id": ids["asset"]}] else f"a change of {touched}"


def relocated(found: Found, ids: Ids) -> str:
    """Say whether a change tells of the asset's url."""
    told = found.get("node", found)
    names = {each["field"] for each in told["fields"]}
    return yes("url" in names) if told["subject"] == {"id": ids["asset"]} else "of another"


def unshared(found: Found, ids: Ids) -> str:
    """Say whether a change tells from whom access was taken."""
    told = found.get("node", found)
    (each,) = told["fields"]
    return yes(each == {"field": f"user:{ids['nobody']}"}) if told["subject"] == {"id": ids["asset"]} else "of another"


def are_by_count(edges: Sequence[Found]) -> bool:
    """Return whether collections stand in the order of what they count."""
    totals = [edge["node"]["assetCounts"]["total"] for edge in edges]
    return totals == sorted(totals)


def is_member(edge: Found, _ids: Ids) -> str:
    """Say whether the panel tells that the asset is in, and since when."""
    return yes(edge["isMember"] and edge["addedAt"] is not None)


def is_new(edge: Found, _ids: Ids) -> str:
    """Say whether the panel tells that the asset is not in."""
    return yes(not edge["isMember"] and edge["addedAt"] is None)


def can_remove(edge: Found, _ids: Ids) -> str:
    """Say whether the viewer is told that they can take the asset out."""
    return yes(edge["viewerCanRemove"])


def has_any(edge: Found, _ids: Ids) -> str:
    """Say whether the collection counts any asset."""
    return yes(edge["node"]["assetCounts"]["total"] > 0)
