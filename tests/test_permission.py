"""`@permission`: each scope and each denied result, on a small schema."""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from graphql import GraphQLEnumType, build_schema

from permissions import ErrorCode, OperationError, Viewer
from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import CheckedPayload, Permission, RestrictableList, has_asset_permission, require
from schema.field import field
from store.tables import AssetAccess

ACCESSES = {"found": AssetAccess.DISCOVERABLE, "viewed": AssetAccess.VIEWER, "owned": AssetAccess.OWNER}


@dataclass(frozen=True)
class Listed(RestrictableList):
    """A list field before it is read; its items are the names of ACCESSES."""

    required: AssetAccess = AssetAccess.DISCOVERABLE
    is_empty: bool = False

    def with_required_access(self, required: AssetAccess) -> "Listed":
        return replace(self, required=required)

    def as_empty(self) -> "Listed":
        return replace(self, is_empty=True)

    @property
    def names(self) -> list[str]:
        return [] if self.is_empty else [name for name, access in ACCESSES.items() if access >= self.required]


async def _later(asset: Any, _context: Any) -> Any:
    return asset


def _asset(access: AssetAccess) -> Any:
    return SimpleNamespace(viewer_access=access, secret="told")


@dataclass(frozen=True)
class Changed(CheckedPayload):
    did_change: bool
    checked_permissions: frozenset[Permission]


@strawberry.type
class Names:
    names: list[str]


@strawberry.type
class Thing:
    secret: str | None = field(
        "Secret.", permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL)
    )
    parts: Names = field(
        "Parts.",
        permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.OMIT),
        resolver=lambda _thing, _context: Listed(),
    )


@strawberry.type
class Query:
    for_members: str | None = field("Text.", permission(Permission.SIGNED_IN), resolver=lambda _root, _context: "yes")
    for_admins: str | None = field("Text.", permission(Permission.ADMIN), resolver=lambda _root, _context: "yes")
    shy: str | None = field(
        "Text.",
        permission(Permission.SIGNED_IN, denied=DeniedResult.NULL),
        resolver=lambda _root, _context: "yes",
    )
    both: str | None = field(
        "Text.",
        permission(Permission.ADMIN, denied=DeniedResult.NULL),
        permission(Permission.SIGNED_IN),
        resolver=lambda _root, _context: "yes",
    )
    owned: Names = field(
        "Names.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=lambda _root, _context: Listed(),
    )
    found: Thing | None = field("Thing.", resolver=lambda _root, _context: _asset(AssetAccess.DISCOVERABLE))
    viewed: Thing | None = field("Thing.", resolver=lambda _root, _context: _asset(AssetAccess.VIEWER))
    item_now: Thing | None = field(
        "Thing.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=lambda _root, _context: _asset(AssetAccess.EDITOR),
    )
    item_later: Thing | None = field(
        "Thing.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=lambda _root, context: _later(_asset(AssetAccess.EDITOR), context),
    )
    item_held: Thing | None = field(
        "Thing.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=lambda _root, context: _later(_asset(AssetAccess.OWNER), context),
    )


SCHEMA = strawberry.Schema(Query)
VISITOR = Viewer(None, is_admin=False, principals=(2,), public_sharing=True, cursor_key=bytes(64), row_version=0)
MEMBER = replace(VISITOR, user_pk=7)
ADMIN = replace(MEMBER, is_admin=True)


async def _asked(viewer: Viewer, query: str) -> tuple[Any, list[str]]:
    answer = await SCHEMA.execute(query, context_value=SimpleNamespace(viewer=viewer))
    return answer.data, [str(error.original_error.code) for error in answer.errors or ()]  # type: ignore[union-attr]  # every error here is a refusal


@pytest.mark.parametrize(
    ("viewer", "name", "told", "codes"),
    [
        (VISITOR, "forMembers", None, ["UNAUTHENTICATED"]),
        (MEMBER, "forMembers", "yes", []),
        (VISITOR, "forAdmins", None, ["UNAUTHENTICATED"]),
        (MEMBER, "forAdmins", None, ["FORBIDDEN"]),
        (ADMIN, "forAdmins", "yes", []),
        (VISITOR, "shy", None, []),
        (MEMBER, "shy", "yes", []),
        (VISITOR, "both", None, ["UNAUTHENTICATED"]),
        (MEMBER, "both", None, []),
        (ADMIN, "both", "yes", []),
    ],
)
async def test_a_permission_on_the_viewer_is_site_wide(
    viewer: Viewer, name: str, told: str | None, codes: list[str]
) -> None:
    assert await _asked(viewer, f"{{ {name} }}") == ({name: told}, codes)


async def test_a_permission_on_the_parent_guards_its_fields() -> None:
    query = "{ found { secret parts { names } } viewed { secret parts { names } } }"
    assert await _asked(MEMBER, query) == (
        {
            "found": {"secret": None, "parts": {"names": []}},
            "viewed": {"secret": "told", "parts": {"names": ["found", "viewed", "owned"]}},
        },
        [],
    )


async def test_a_list_is_filtered_before_it_is_read() -> None:
    assert await _asked(MEMBER, "{ owned { names } }") == ({"owned": {"names": ["owned"]}}, [])


async def test_a_single_item_without_access_is_null_sync_or_async() -> None:
    query = "{ itemNow { secret } itemLater { secret } itemHeld { secret } }"
    expected = {"itemNow": None, "itemLater": None, "itemHeld": {"secret": "told"}}
    assert await _asked(MEMBER, query) == (expected, [])


async def test_permissions_hold_under_aliases_and_fragments() -> None:
    query = "{ a: found { ...F } viewed { ... on Thing { b: secret } } } fragment F on Thing { c: secret }"
    assert await _asked(MEMBER, query) == ({"a": {"c": None}, "viewed": {"b": "told"}}, [])


def test_permissions_are_printed() -> None:
    sdl = SCHEMA.as_str()
    assert "forAdmins: String @permission(requires: ADMIN, on: VIEWER, denied: ERROR)" in sdl
    assert "secret: String @permission(requires: ASSET_VIEW, on: PARENT, denied: NULL)" in sdl


UNKNOWN = ("UNAUTHENTICATED", "Sign in first: send a bearer token.")
FORBIDDEN = ("FORBIDDEN", "Only administrators may do this.")


@pytest.mark.parametrize(
    ("viewer", "required", "refusal"),
    [
        (VISITOR, Permission.SIGNED_IN, UNKNOWN),
        (VISITOR, Permission.ADMIN, UNKNOWN),
        (MEMBER, Permission.ADMIN, FORBIDDEN),
    ],
)
def test_a_refusal_has_code_and_message(viewer: Viewer, required: Permission, refusal: tuple[str, str]) -> None:
    with pytest.raises(OperationError) as refused:
        require(viewer, required)
    assert (refused.value.code, refused.value.message) == refusal
    assert str(refused.value) == refusal[1]


@pytest.mark.parametrize(
    ("viewer", "required"),
    [(MEMBER, Permission.SIGNED_IN), (ADMIN, Permission.SIGNED_IN), (ADMIN, Permission.ADMIN)],
)
def test_a_viewer_with_the_permission_passes(viewer: Viewer, required: Permission) -> None:
    require(viewer, required)


def test_clients_can_rely_on_the_codes() -> None:
    codes = ["UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT", "BAD_CURSOR"]
    codes += ["SYNC_TOKEN_EXPIRED", "SYNC_TOKEN_INVALID", "UNAVAILABLE"]
    assert [reason.value for reason in ErrorCode] == codes


@pytest.mark.parametrize("access", AssetAccess)
def test_a_permission_on_an_asset_is_held_from_its_access_upwards(access: AssetAccess) -> None:
    held = [each for each in Permission if each.startswith("ASSET") and has_asset_permission(_asset(access), each)]
    least = (AssetAccess.DISCOVERABLE, AssetAccess.VIEWER, AssetAccess.OWNER, AssetAccess.OWNER)
    ordered = (
        Permission.ASSET_DISCOVER,
        Permission.ASSET_VIEW,
        Permission.ASSET_OWN,
        Permission.ASSET_GRANTS_VIEW,
    )
    assert held == [each for each, needed in zip(ordered, least, strict=True) if access >= needed]


def _item(answer: Any, required: Permission) -> Any:
    """Return the value of a field with this result and a permission on its items."""
    return permission(required, on=PermissionScope.ITEM).resolve(lambda *_: answer, None, None)


OWN = Permission.ASSET_OWN


@pytest.mark.parametrize(
    "answer",
    [
        Changed(did_change=True, checked_permissions=frozenset({OWN})),
        Changed(did_change=True, checked_permissions=frozenset({Permission.ADMIN, OWN})),
        Changed(did_change=False, checked_permissions=frozenset()),
        Changed(did_change=False, checked_permissions=frozenset({OWN})),
    ],
)
def test_a_mutation_that_changed_assets_has_checked_its_permission(answer: Any) -> None:
    assert _item(answer, OWN) is answer


@pytest.mark.parametrize("checked", [frozenset(), frozenset({Permission.ASSET_VIEW})])
def test_a_mutation_that_changed_assets_without_a_check_fails(checked: frozenset[Permission]) -> None:
    with pytest.raises(AssertionError):
        _item(Changed(did_change=True, checked_permissions=checked), OWN)


def test_other_values_can_only_require_asset_discover() -> None:
    assert _item(3, Permission.ASSET_DISCOVER) == 3
    for required in (Permission.ASSET_DISCOVER, Permission.ASSET_VIEW, OWN):
        assert _item(None, required) is None
    for required in (Permission.ASSET_VIEW, OWN):
        with pytest.raises(AssertionError):
            _item(3, required)


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        (permission(Permission.SIGNED_IN), 3),
        (permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL), 3),
        (permission(OWN, on=PermissionScope.PARENT, denied=DeniedResult.OMIT), Listed()),
        (permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM), 3),
    ],
)
def test_a_permission_passes_all_arguments_on(rule: permission, answer: Any) -> None:
    asked: list[Any] = []

    def field(source: Any, info: Any, **arguments: int) -> Any:
        asked.append((source, info, arguments))
        return answer

    parent, info = _asset(AssetAccess.VIEWER), SimpleNamespace(context=SimpleNamespace(viewer=MEMBER))
    rule.resolve(field, parent, info, first=3)
    assert asked == [(parent, info, {"first": 3})]


@pytest.mark.parametrize("words", [Permission, PermissionScope, DeniedResult])
def test_permissions_are_printed_with_the_enforced_names(words: type[StrEnum]) -> None:
    printed = build_schema(SCHEMA.as_str()).type_map[words.__name__]
    assert isinstance(printed, GraphQLEnumType)
    assert list(printed.values) == [word.value for word in words]
