"""This file is `@permission` by itself: what each scope and each denial does, on a small graph of its own."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.require import Permission
from permissions.viewer import Viewer
from schema.field import field
from store.tables import AssetAccess

ACCESSES = {"found": AssetAccess.DISCOVERABLE, "viewed": AssetAccess.VIEWER, "owned": AssetAccess.OWNER}


@dataclass(frozen=True)
class Listed:
    """A list not yet fetched, of the names above."""

    least: AssetAccess = AssetAccess.DISCOVERABLE
    is_empty: bool = False

    def narrowed(self, least: AssetAccess) -> "Listed":
        return replace(self, least=least)

    def emptied(self) -> "Listed":
        return replace(self, is_empty=True)

    @property
    def names(self) -> list[str]:
        return [] if self.is_empty else [name for name, access in ACCESSES.items() if access >= self.least]


async def _later(asset: Any, _context: Any) -> Any:
    return asset


def _asset(access: AssetAccess) -> Any:
    return SimpleNamespace(viewer_access=access, secret="told")


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
VISITOR = Viewer(None, is_admin=False, principals=(2,), public_sharing=True, cursor_key=bytes(64))
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
async def test_the_viewer_is_asked_site_wide(viewer: Viewer, name: str, told: str | None, codes: list[str]) -> None:
    assert await _asked(viewer, f"{{ {name} }}") == ({name: told}, codes)


async def test_the_parent_is_asked_for_what_it_holds() -> None:
    query = "{ found { secret parts { names } } viewed { secret parts { names } } }"
    assert await _asked(MEMBER, query) == (
        {
            "found": {"secret": None, "parts": {"names": []}},
            "viewed": {"secret": "told", "parts": {"names": ["found", "viewed", "owned"]}},
        },
        [],
    )


async def test_a_list_is_narrowed_before_it_is_fetched() -> None:
    assert await _asked(MEMBER, "{ owned { names } }") == ({"owned": {"names": ["owned"]}}, [])


async def test_an_item_alone_is_null_without_the_access_whether_it_comes_now_or_later() -> None:
    query = "{ itemNow { secret } itemLater { secret } itemHeld { secret } }"
    expected = {"itemNow": None, "itemLater": None, "itemHeld": {"secret": "told"}}
    assert await _asked(MEMBER, query) == (expected, [])


async def test_the_rule_holds_under_aliases_and_fragments() -> None:
    query = "{ a: found { ...F } viewed { ... on Thing { b: secret } } } fragment F on Thing { c: secret }"
    assert await _asked(MEMBER, query) == ({"a": {"c": None}, "viewed": {"b": "told"}}, [])


def test_the_rule_is_printed() -> None:
    sdl = SCHEMA.as_str()
    assert "forAdmins: String @permission(requires: ADMIN, on: VIEWER, denied: ERROR)" in sdl
    assert "secret: String @permission(requires: ASSET_VIEW, on: PARENT, denied: NULL)" in sdl
