"""PATCH of resources: limits, and the changes of a group's members, which are applied to a set of ids.

The library copies and compares all members in each operation, which takes minutes for a thousand operations on a large
group. The changes here take time for their own members only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError
from scim2_models import GroupMember

from app.errors import HTTPError, RequestErrorCode
from app.scim.resource import Group

MAX_OPERATIONS: Final = 1_000
"""Most operations of a PATCH."""
MAX_COMPARISONS: Final = 20_000
"""Most comparisons of operations, and of the values in them, with values of the resource: half a second of work."""

_PREFIX: Final = f"{Group.__schema__}:".lower()
_ONE_MEMBER: Final = re.compile(r'members\[\s*value\s+eq\s+("(?:[^"\\]|\\.)*")\s*\]', re.IGNORECASE)

Operation = Mapping[str, Any]
"""JSON of an operation, with keys in lower case."""
NO_OPERATION: Final[Operation] = {"op": "add", "path": "members", "value": []}
"""Operation that changes nothing: the library refuses a PATCH without operations."""


class MemberChange(NamedTuple):
    """Ids to add to the members or to remove from them, or, by `replace`, all members."""

    op: str
    ids: Sequence[str]


def read_operations(payload: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of a PATCH; none if they are not a list of objects, which the library refuses.

    Raises HTTPError for more than MAX_OPERATIONS.
    """
    values = [value for name, value in payload.items() if _is_operations(name)]
    if any(isinstance(value, list) and len(value) > MAX_OPERATIONS for value in values):
        raise too_large(f"A PATCH has at most {MAX_OPERATIONS:,} operations.")
    if len(values) != 1 or not isinstance(values[0], list):
        return []
    operations = [each for each in values[0] if isinstance(each, Mapping)]
    return [_with_lower_keys(each) for each in operations] if len(operations) == len(values[0]) else []


def with_operations(payload: Mapping[str, Any], operations: Sequence[Operation]) -> Mapping[str, Any]:
    """Return the payload with these operations, which may be none, instead of its own."""
    others = {name: value for name, value in payload.items() if not _is_operations(name)}
    return {**others, "Operations": operations or [NO_OPERATION]}


def require_comparable(operations: Iterable[Any], resource: Mapping[str, Any]) -> None:
    """Raise HTTPError if the library would compare too many values to apply the operations to the resource."""
    values = sum(1 + _count_entries(operation.value) for operation in operations)
    if values * _count_entries(resource) > MAX_COMPARISONS:
        raise too_large('The operations compare too many values. Name members by members[value eq "…"], or send fewer.')


def split_operations(operations: Sequence[Operation]) -> tuple[Sequence[Operation], Sequence[MemberChange]]:
    """Split the operations on a group: those on other attributes, and the changes of members.

    No changes if the library has to apply one of them: by another filter, to a part of a member, or invalid.
    """
    others, changes = list[Operation](), list[MemberChange]()
    for operation in operations:
        change, other = _split(operation)
        if change is None and _concerns_members(operation):
            return operations, []
        changes += [] if change is None else [change]
        others += [] if other is None else [other]
    return others, changes


def apply_changes(changes: Sequence[MemberChange], ids: Iterable[str]) -> list[str]:
    """Return the ids of the members after the changes, the former ones first."""
    members = dict.fromkeys(ids)
    for change in changes:
        if change.op == "replace":
            members.clear()
        for id_ in change.ids:
            if change.op == "remove":
                members.pop(id_, None)
            else:
                members[id_] = None
    return list(members)


def too_large(message: str) -> HTTPError:
    """Return the error of a request that is too large (413, as of a bulk request in RFC 7644, section 3.7.4)."""
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, RequestErrorCode.PAYLOAD_TOO_LARGE, message)


def _split(operation: Operation) -> tuple[MemberChange | None, Operation | None]:
    op, path = str(operation.get("op")).lower(), operation.get("path") or ""
    value: Any = operation.get("value")
    if op == "remove":
        removal = _removal(path, value)
        return removal, operation if removal is None else None
    if op not in {"add", "replace"}:
        return None, operation
    if _is_members(path):
        change = _change(op, value)
        return change, operation if change is None else None
    names = [name for name in value if _is_members(name)] if not path and isinstance(value, Mapping) else []
    if len(names) != 1:
        return None, operation
    others = {name: each for name, each in value.items() if name != names[0]}
    return _change(op, value[names[0]]), {**operation, "value": others} if others else None


def _removal(path: object, value: object) -> MemberChange | None:
    if _is_members(path):
        return MemberChange("replace", []) if value is None else _change("remove", value, only_ids=True)
    one = _ONE_MEMBER.fullmatch(_local_name(path)) if value is None else None
    try:
        return None if one is None else MemberChange("remove", [orjson.loads(one[1])])
    except orjson.JSONDecodeError:
        return None


def _change(op: str, value: object, *, only_ids: bool = False) -> MemberChange | None:
    """Return the change by the members in a value; None if the library has to read them.

    With `only_ids`, also if they are described by more than their id.
    """
    entries: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, Mapping) and isinstance(entry.get("value"), str) for entry in entries):
        return None
    if only_ids and any(each is not None for entry in entries for name, each in entry.items() if name != "value"):
        return None
    try:
        members = [GroupMember.model_validate(entry) for entry in entries]
    except ValidationError:
        return None
    return MemberChange(op, [member.value for member in members if member.value])


def _concerns_members(operation: Operation) -> bool:
    path, value = operation.get("path"), operation.get("value")
    names = value if not path and isinstance(value, Mapping) else ()
    return "members" in str(path).lower() or any(_is_members(each) or _is_schema(each) for each in (path, *names))


def _is_schema(path: object) -> bool:
    """Return whether a path or a name stands for all attributes of groups, the members among them."""
    return str(path).lower() == Group.__schema__.lower()


def _is_members(path: object) -> bool:
    return _local_name(path).lower() == "members"


def _local_name(path: object) -> str:
    """Return the path without the schema of groups."""
    text = str(path)
    return text[len(_PREFIX) :] if text.lower().startswith(_PREFIX) else text


def _is_operations(name: str) -> bool:
    return name.lower() == "operations"


def _with_lower_keys(operation: Mapping[str, Any]) -> Operation:
    return {name.lower(): value for name, value in operation.items()}


def _count_entries(value: object) -> int:
    """Return the number of entries of a list, or of the lists in an object."""
    if isinstance(value, Mapping):
        return sum(len(each) for each in value.values() if isinstance(each, list))
    return len(value) if isinstance(value, list) else 0
