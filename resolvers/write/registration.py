"""Registration of assets by the platform, through the code that imports catalogues; each item is validated first."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row

from permissions import visible
from resolvers.deployment import INLINE_BULK_ITEMS
from resolvers.loaders import where_in
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, enforce_mode
from resolvers.write.grant_input import GrantReader, PrincipalById, check_count, principal_ids, principals_by_id
from resolvers.write.input import Input, InputReader
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserError, UserErrorCode
from store import sql
from store.catalogue.lines import RegistrationLine
from store.catalogue.messages import FieldError, field_errors
from store.catalogue.register import FLAGS_BY_STATUS, register_assets
from store.tables import AssetAccess, AssetStatus, PrincipalKind
from store.text import clean_text

# A catalogue's names of the fields that the graph calls otherwise.
LINE_FIELDS = {
    "external_id": "id",
    "kind": "type",
    "size_bytes": "sizeBytes",
    "file_count": "fileCount",
    "step_count": "stepCount",
    "app_kind": "appKind",
}
GRAPH_FIELDS = {"id": "externalId", "type": "kind"}

Lines = dict[int, RegistrationLine]
"""The items that can be written, by their index."""

Assets = Mapping[str, Row[Any]]
"""The assets that there are, by the platform's ids."""


async def register(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create assets, or update those with a known external id."""
    items = reader.input["assets"]
    _refuse_size(reader, items)
    principals = await principals_by_id(tx, _ids_of_principals(items))
    ids = [_cleaned(item["external_id"]) for item in items]
    lines = _lines(reader, items, principals)
    assets = await _assets(tx, ids, lines)
    for index, line in lines.items():
        _refuse_kind(reader, index, line, assets)
        _refuse_absent(reader, index, line, {*ids, *assets})
    _refuse_again(reader, ids)
    if reader.input["mode"] == BulkMode.BEST_EFFORT:
        _refuse_dependent(reader, lines, assets)
    errors = _errors(reader)
    judged = [
        ItemResult(
            _id(item, id_, assets), ItemStatus.FAILED if index in errors else ItemStatus.CHANGED, errors.get(index)
        )
        for index, (item, id_) in enumerate(zip(items, ids, strict=True))
    ]
    enforce_mode(reader.input["mode"], judged)
    good = {index: line for index, line in lines.items() if index not in errors}
    changed = await register_assets(tx.connection, tx.log, [*good.values()])
    now = await _assets(tx, [line.id for line in good.values()], {})
    done = {index: ItemResult(now[line.id].id, _status(is_changed=line.id in changed)) for index, line in good.items()}
    return {"results": [done.get(index, item).to_json() for index, item in enumerate(judged)]}


def _refuse_size(reader: InputReader, items: Sequence[Input]) -> None:
    if not items:
        reader.add_error(UserErrorCode.REQUIRED, "assets must name at least one.", "assets")
    if len(items) > INLINE_BULK_ITEMS:
        message = f"assets has {len(items):,} entries; at most {INLINE_BULK_ITEMS:,} are allowed."
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "assets", limit=INLINE_BULK_ITEMS)
    reader.raise_errors()


def _ids_of_principals(items: Iterable[Input]) -> list[str]:
    return [id_ for item in items for id_ in (item["owner_id"], *principal_ids(grant["to"] for grant in _grants(item)))]


def _grants(item: Input) -> Sequence[Input]:
    return item.get("grants") or ()


def _cleaned(text: str) -> str:
    """Return a platform's id as it is kept; as it was given where it cannot be."""
    try:
        return clean_text(text)
    except ValueError:
        return text


def _lines(reader: InputReader, items: Sequence[Input], principals: PrincipalById) -> Lines:
    """Return the items that have the form they must have; refuse the others' values."""
    found = {index: _line(reader, item, principals, "assets", str(index)) for index, item in enumerate(items)}
    return {index: line for index, line in found.items() if line is not None}


def _line(reader: InputReader, item: Input, principals: PrincipalById, *path: str) -> RegistrationLine | None:
    values = {LINE_FIELDS.get(name, name): value for name, value in item.items() if name not in {"owner_id", "status"}}
    owner = principals.get(item["owner_id"])
    if owner is None or owner.kind != PrincipalKind.USER:
        reader.add_not_found("user", *path, "ownerId")
        owner = None
    if "status" in item:
        values |= _flags(reader, item["status"], *path, "status")
    if item.get("grants") is not None:
        check_count(reader, item["grants"], *path, "grants")
        held = GrantReader(reader, principals).grants(item["grants"], *path, "grants")
        values["grants"] = [{"to": who.external_id, "role": AssetAccess(access).name} for who, access in held]
    try:
        line = RegistrationLine.model_validate(
            {**values, "kind": "asset", "owner": owner.external_id if owner else "?"}
        )
    except ValidationError as error:
        for fault in field_errors(error):
            _refuse_fault(reader, fault, *path)
        return None
    return line if owner else None


def _flags(reader: InputReader, status: str | None, *path: str) -> Mapping[str, Any]:
    if status is None:
        reader.add_error(UserErrorCode.REQUIRED, "The status must not be null: leave it out to keep it.", *path)
        return {}
    return FLAGS_BY_STATUS[AssetStatus(status)]


def _refuse_fault(reader: InputReader, fault: FieldError, *path: str) -> None:
    field, *place = fault.path
    graph = fault._replace(path=(GRAPH_FIELDS.get(str(field), field), *place))
    code = UserErrorCode.REQUIRED if graph.is_empty else UserErrorCode.INVALID
    if graph.max_length is not None:
        code = UserErrorCode.TOO_LONG
    reader.add_error(
        code, f"{graph.path_text} {graph.predicate}.", *path, *map(str, graph.path), limit=graph.max_length
    )


async def _assets(tx: MutationTransaction, ids: Iterable[str], lines: Lines) -> dict[str, Row[Any]]:
    """Return the assets of those ids, and those that the lines use. One statement."""
    named = {*ids, *(id_ for line in lines.values() for id_ in line.uses)}
    rows = where_in(visible(sql.asset, tx.viewer), sql.asset.c.external_id, sorted(named))
    return {row.external_id: row for row in await tx.rows(rows)}


def _refuse_kind(reader: InputReader, index: int, line: RegistrationLine, assets: Assets) -> None:
    held = assets.get(line.id)
    if held is not None and held.kind != line.type:
        message = f"The asset is of the kind {held.kind}, and stays so."
        reader.add_error(UserErrorCode.INVALID, message, "assets", str(index), "kind")


def _refuse_absent(reader: InputReader, index: int, line: RegistrationLine, there: set[str]) -> None:
    for place, id_ in enumerate(line.uses):
        if id_ not in there:
            reader.add_not_found("asset", "assets", str(index), "uses", str(place))


def _refuse_again(reader: InputReader, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for index, id_ in enumerate(ids):
        if first.setdefault(id_, index) != index:
            message = f"This externalId is that of the item {first[id_]} as well."
            reader.add_error(UserErrorCode.INVALID, message, "assets", str(index), "externalId")


def _refuse_dependent(reader: InputReader, lines: Lines, assets: Assets) -> None:
    """Refuse items that use what will not be there, because its own item is refused; and so on for those who use it."""
    refused = -1
    while len(reader.user_errors) > refused:
        refused = len(reader.user_errors)
        failed = _errors(reader)
        left = {index: line for index, line in lines.items() if index not in failed}
        there = {*assets, *(line.id for line in left.values())}
        for index, line in left.items():
            _refuse_absent(reader, index, line, there)


def _errors(reader: InputReader) -> dict[int, UserError]:
    """Return the first error of each refused item, by its index."""
    errors: dict[int, UserError] = {}
    for error in reader.user_errors:
        assert error.path is not None  # noqa: S101 - every error here is of an item
        errors.setdefault(int(error.path[2]), error)
    return errors


def _id(item: Input, external_id: str, assets: Assets) -> str:
    """Return the asset's id; the platform's for one that there is not."""
    held = assets.get(external_id)
    return str(item["external_id"] if held is None else held.id)


def _status(*, is_changed: bool) -> ItemStatus:
    return ItemStatus.CHANGED if is_changed else ItemStatus.UNCHANGED
