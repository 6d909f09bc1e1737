"""Mapping of the platform's assets to lines of a catalogue; docs/codeocean.md lists it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from codeocean.capsule import Capsule, CapsuleStatus
from codeocean.components import EveryoneRole, Permissions
from codeocean.data_asset import DataAsset, DataAssetOrigin, DataAssetType, SourceBucket

from app.codeocean.people import Line, People
from app.codeocean.platform import ListedAsset, PlatformKind
from app.codeocean.text import fit_tags, format_seconds
from store.catalogue.lines import MAX_PROPERTIES, MAX_SHORT_TEXT_LENGTH
from store.text import MAX_ASSET_NAME_LENGTH, fit_name, fit_text

Properties = dict[str, list[str]]
SCHEMES = {DataAssetOrigin.AWS: "s3", DataAssetOrigin.GCP: "gs"}


def map_asset(
    asset: ListedAsset, permissions: Permissions, people: People, listed_ids: Collection[str], url: str
) -> Line:
    """Return the line of an asset. `listed_ids` are those of all assets: a use of any other is omitted."""
    record = asset.record
    line: Line = {
        "kind": "asset",
        "id": record.id,
        "name": fit_name(record.name, MAX_ASSET_NAME_LENGTH) or record.id,
        "owner": people.owner_id(record.owner),
        "grants": list(_grants(permissions, people)),
        "description": fit_text(record.description or "", multiline=True) or None,
        "tags": fit_tags(record.tags or ()),
        "createdAt": format_seconds(record.created),
        "archived": asset.is_archived,
    }
    if isinstance(record, DataAsset):
        return line | _data_asset_fields(record, listed_ids, url)
    return line | _capsule_fields(record, asset.kind, url)


def _capsule_fields(capsule: Capsule, kind: PlatformKind, url: str) -> Line:
    versions = sorted((each.major_version, each.minor_version, each.release_time) for each in capsule.versions or ())
    return {
        "type": "PIPELINE" if kind is PlatformKind.PIPELINE else "CAPSULE",
        "released": capsule.status == CapsuleStatus.Release,
        "version": f"{versions[-1][0]}.{versions[-1][1]}" if versions else None,
        "url": f"{url}/capsule/{quote(capsule.slug, safe='')}",
        "properties": _properties(
            slug=capsule.slug,
            field=capsule.field,
            cloned_from_url=capsule.cloned_from_url,
            release_capsule=capsule.release_capsule,
            original_capsule=capsule.original_capsule.to_dict() if capsule.original_capsule else None,
            article=capsule.article,
            submission=capsule.submission,
            versions=[f"{major}.{minor} {format_seconds(at)}" for major, minor, at in versions],
        ),
    }


def _data_asset_fields(asset: DataAsset, listed_ids: Collection[str], url: str) -> Line:
    is_model = asset.type == DataAssetType.Model
    provenance = asset.provenance
    return {
        "type": "MODEL" if is_model else "DATA_ASSET",
        "dataKind": None if is_model else asset.type.upper(),
        "state": asset.state.upper(),
        "sizeBytes": asset.size,
        "fileCount": asset.files,
        "source": _location(asset.source_bucket),
        "uses": [id_ for id_ in dict.fromkeys(_used_ids(asset)) if id_ in listed_ids and id_ != asset.id],
        "url": f"{url}/data-assets/{quote(asset.id, safe='')}",
        "properties": _properties(
            mount=asset.mount,
            provenance=_without(provenance.to_dict(), "capsule", "data_assets") if provenance else None,
            app_parameters=[f"{each.name}={each.value}" for each in asset.app_parameters or ()],
            nextflow_profile=asset.nextflow_profile,
            failure_reason=asset.failure_reason,
            last_transferred=format_seconds(asset.last_transferred) if asset.last_transferred else None,
            transfer_error=asset.transfer_error,
            custom_metadata=asset.custom_metadata,
        ),
    }


def _location(bucket: SourceBucket | None) -> str | None:
    """Return the address of a bucket and its prefix; None for data in the platform itself."""
    if bucket is None or bucket.origin not in SCHEMES or not bucket.bucket:
        return None
    address = f"{SCHEMES[bucket.origin]}://{bucket.bucket}/{(bucket.prefix or '').strip('/')}"
    return fit_text(address.rstrip("/"), MAX_SHORT_TEXT_LENGTH)


def _used_ids(asset: DataAsset) -> Iterator[str]:
    """Yield the ids of the assets that a data asset was made from: its capsule, inputs, and the data it contains."""
    if asset.provenance:
        yield from (each for each in (asset.provenance.capsule, *(asset.provenance.data_assets or ())) if each)
    yield from (each.id for each in asset.contained_data_assets or () if each.id)


def _grants(permissions: Permissions, people: People) -> Iterator[Line]:
    for user in permissions.users or ():
        yield {"to": people.user_id(user.email), "role": user.role.upper()}
    for group in permissions.groups or ():
        yield {"to": people.group_id(group.group), "role": group.role.upper()}
    if permissions.everyone not in {None, EveryoneRole.None_}:
        yield {"to": "everyone", "role": str(permissions.everyone).upper()}


def _properties(**facts: Any) -> Properties:
    """Return the facts that have a value, as texts. A fact with parts has a property for each: `article.doi`."""
    properties = {
        name: texts
        for name, value in _flatten(facts)
        if (texts := [text for text in (fit_text(str(each), multiline=True) for each in _listed(value)) if text])
    }
    return dict(list(properties.items())[:MAX_PROPERTIES])


def _flatten(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            parts = {f"{name}.{part}": each for part, each in value.items()}
            yield from _flatten(parts)
        elif value is not None:
            yield fit_name(name), value


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def _without(facts: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in names}
