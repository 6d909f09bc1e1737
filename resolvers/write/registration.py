"""Registration of assets by the platform: each item is validated, then written like a line of a catalogue file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from permissions import visible
from resolvers.loaders import where_in
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, enforce_mode
from resolvers.write.grant_input import GrantReader
from resolvers.write.input import Input, InputReader, graph_name
from resolvers.write.principal_input import Principals, load_principals
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserError, UserErrorCode
from store import sql
from store.asset_columns import ASSET_COLUMNS
from store.catalogue.lines import RegistrationLine
from store.catalogue.messages import FieldError, field_errors
from store.catalogue.register import FLAGS_BY_STATUS, register_assets
from store.rows import AssetRow, PrincipalRow
from store.tables import AssetAccess, AssetStatus
from store.text import clean_text

LINE_FIELDS = {"external_id": "id"} | {column.name: column.line_name for column in ASSET_COLUMNS}
"""Name in a catalogue line of each input field. `uses` and `grants` are missing: their names are the same in both."""
GRAPH_FIELDS = {"id": "externalId"} | {column.line_name: column.graph_name for column in ASSET_COLUMNS}
"""GraphQL name of each field of a catalogue line."""

_READ_APART = {"owner", "owner_id", "status"}

LineByIndex = dict[int, RegistrationLine]
AssetsByExternalId = Mapping[str, AssetRow]


async def register(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create assets, or update those with a known external id."""
    items = reader.input["assets"]
    _check_size(reader, items)
    principals = await load_principals(tx, _references(items))
    ids = [_clean_id(item["external_id"]) for item in items]
    lines = _read_lines(tx, reader, items, principals)
    assets = await _load_assets(tx, ids, lines)
    for index, line in lines.items():
        _check_kind(reader, index, line, assets)
        _check_uses(reader, index, line, {*ids, *assets})
    _check_duplicates(reader, ids)
    if reader.input["mode"] == BulkMode.BEST_EFFORT:
        _check_dependents(reader, lines, assets)
    errors = _error_by_index(reader)
    planned = [
        ItemResult(_asset_id(item, id_, assets), _planned_status(errors.get(index)), errors.get(index))
        for index, (item, id_) in enumerate(zip(items, ids, strict=True))
    ]
    enforce_mode(reader.input["mode"], planned)
    valid = {index: line for index, line in lines.items() if index not in errors}
    changed = await register_assets(tx.connection, tx.log, [*valid.values()])
    written = await _load_assets(tx, [line.id for line in valid.values()], {})
    results = {
        index: ItemResult(written[line.id].id, ItemStatus.CHANGED if line.id in changed else ItemStatus.UNCHANGED)
        for index, line in valid.items()
    }
    return {"results": [results.get(index, result).to_json() for index, result in enumerate(planned)]}


def _check_size(reader: InputReader, items: Sequence[Input]) -> None:
    if not items:
        reader.add_error(UserErrorCode.REQUIRED, "assets must contain at least one entry.", "assets")
    reader.raise_errors()


def _references(items: Iterable[Input]) -> Iterator[Input]:
    """Yield the references to owners and to principals with grants."""
    for item in items:
        yield from _owners(item).values()
        yield from (grant["to"] for grant in _grants(item))


def _owners(item: Input) -> Mapping[str, Input]:
    """Return the references to the owner by the field that has them: `owner_id`, `owner`, or wrongly both or none."""
    by_id = {} if item.get("owner_id") is None else {"owner_id": {"user_id": item["owner_id"]}}
    return by_id if item.get("owner") is None else by_id | {"owner": item["owner"]}


def _grants(item: Input) -> Sequence[Input]:
    return item.get("grants") or ()


def _clean_id(external_id: str) -> str:
    """Return the external id as it is stored; an invalid one unchanged."""
    try:
        return clean_text(external_id)
    except ValueError:
        return external_id


def _read_lines(
    tx: MutationTransaction, reader: InputReader, items: Sequence[Input], principals: Principals
) -> LineByIndex:
    """Return the lines of the items whose fields are valid, by index; add an error for each invalid field."""
    lines = {index: _read_line(tx, reader, item, principals, "assets", str(index)) for index, item in enumerate(items)}
    return {index: line for index, line in lines.items() if line is not None}


def _read_line(
    tx: MutationTransaction, reader: InputReader, item: Input, principals: Principals, *path: str
) -> RegistrationLine | None:
    values = {LINE_FIELDS.get(name, name): value for name, value in item.items() if name not in _READ_APART}
    owner = _read_owner(reader, item, principals, *path)
    if "status" in item:
        values |= _status_flags(reader, item["status"], *path, "status")
    if item.get("grants") is not None:
        grants = GrantReader(reader, principals).grants(item["grants"], *path, "grants")
        values["grants"] = [{"to": who.external_id, "role": AssetAccess(access).name} for who, access in grants]
    try:
        line = RegistrationLine.model_validate(
            {**values, "kind": "asset", "owner": owner.external_id if owner else "?"}, context=tx.url_schemes
        )
    except ValidationError as error:
        for field_error in field_errors(error):
            _add_field_error(reader, field_error, *path)
        return None
    return line if owner else None


def _read_owner(reader: InputReader, item: Input, principals: Principals, *path: str) -> PrincipalRow | None:
    owners = _owners(item)
    if len(owners) != 1:
        code = UserErrorCode.INVALID if owners else UserErrorCode.REQUIRED
        reader.add_error(code, "Name the owner once: give either ownerId or owner.", *path, "ownerId")
        return None
    ((field, reference),) = owners.items()
    return principals.find_user(reader, reference, *path, graph_name(field))


def _status_flags(reader: InputReader, status: str | None, *path: str) -> Mapping[str, Any]:
    if status is None:
        reader.add_error(UserErrorCode.REQUIRED, "status must not be null. Omit it to keep the current value.", *path)
        return {}
    return FLAGS_BY_STATUS[AssetStatus(status)]


def _add_field_error(reader: InputReader, error: FieldError, *path: str) -> None:
    field, *rest = error.path
    error = error._replace(path=(GRAPH_FIELDS.get(str(field), field), *rest))
    code = UserErrorCode.REQUIRED if error.is_empty else UserErrorCode.INVALID
    if error.max_length is not None:
        code = UserErrorCode.TOO_LONG
    message = f"{error.path_text} {error.predicate}."
    reader.add_error(code, message, *path, *map(str, error.path), limit=error.max_length)


async def _load_assets(tx: MutationTransaction, ids: Iterable[str], lines: LineByIndex) -> dict[str, AssetRow]:
    """Return the existing assets with these external ids or used by the lines, by external id. One statement."""
    named_ids = {*ids, *(id_ for line in lines.values() for id_ in line.uses)}
    rows = where_in(visible(sql.asset, tx.viewer), sql.asset.c.external_id, sorted(named_ids))
    return {row.external_id: row for row in await tx.rows(rows)}


def _check_kind(reader: InputReader, index: int, line: RegistrationLine, assets: AssetsByExternalId) -> None:
    existing = assets.get(line.id)
    if existing is not None and existing.kind != line.type:
        message = f"The asset has the kind {existing.kind}, which cannot change to {line.type}."
        reader.add_error(UserErrorCode.INVALID, message, "assets", str(index), "kind")


def _check_uses(reader: InputReader, index: int, line: RegistrationLine, existing_ids: set[str]) -> None:
    for position, id_ in enumerate(line.uses):
        if id_ not in existing_ids:
            reader.add_not_found("asset", "assets", str(index), "uses", str(position))


def _check_duplicates(reader: InputReader, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for index, id_ in enumerate(ids):
        if first.setdefault(id_, index) != index:
            message = f"Item {first[id_]} has the same externalId. Omit one of them."
            reader.add_error(UserErrorCode.INVALID, message, "assets", str(index), "externalId")


def _check_dependents(reader: InputReader, lines: LineByIndex, assets: AssetsByExternalId) -> None:
    """Reject items that use an asset which a rejected item would have created; repeat until no more are rejected."""
    count = -1
    while len(reader.user_errors) > count:
        count = len(reader.user_errors)
        rejected = _error_by_index(reader)
        valid = {index: line for index, line in lines.items() if index not in rejected}
        existing_ids = {*assets, *(line.id for line in valid.values())}
        for index, line in valid.items():
            _check_uses(reader, index, line, existing_ids)


def _error_by_index(reader: InputReader) -> dict[int, UserError]:
    """Return the first error of each rejected item."""
    errors: dict[int, UserError] = {}
    for error in reader.user_errors:
        assert error.path is not None  # noqa: S101 - every error here is of an item
        errors.setdefault(int(error.path[2]), error)
    return errors


def _asset_id(item: Input, external_id: str, assets: AssetsByExternalId) -> str:
    """Return the id of an existing asset, or else the external id of the input."""
    existing = assets.get(external_id)
    return str(item["external_id"] if existing is None else existing.id)


def _planned_status(error: UserError | None) -> ItemStatus:
    return ItemStatus.CHANGED if error is None else ItemStatus.FAILED
