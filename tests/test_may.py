"""Rules of writing, each as a complete table, and the panel compared with the mutation."""

from itertools import product

import pytest

from permissions import Viewer
from permissions.may import is_eligible, may_add, may_hold, may_remove, may_restore, may_share
from store import sql
from store.tables import AssetAccess, AssetStatus, PrincipalKind
from tests.conftest import MEMBERS, GraphQLClient
from tests.mutations import Mutation
from tests.test_membership_write import ids
from tests.test_permission import ADMIN, MEMBER, VISITOR

EVERYBODY = {"administrator": ADMIN, "member": MEMBER, "anonymous": VISITOR}


def test_only_released_assets_are_eligible() -> None:
    assert [status for status in AssetStatus if is_eligible(status)] == [AssetStatus.RELEASED]
    condition = is_eligible(sql.asset.c.status).compile(compile_kwargs={"literal_binds": True})
    assert str(condition) == "asset.status = 'RELEASED'"


@pytest.mark.parametrize(("is_owner", "status"), list(product((True, False), AssetStatus)))
def test_owners_add_released_assets(
    is_owner: bool,  # noqa: FBT001 - a column of the table
    status: AssetStatus,
) -> None:
    assert may_add(is_owner=is_owner, status=status) == (is_owner and status == "RELEASED")


@pytest.mark.parametrize(
    ("viewer", "is_owner", "expected"),
    [
        ("administrator", True, True),
        ("administrator", False, True),
        ("member", True, True),
        ("member", False, False),
        ("anonymous", True, False),
        ("anonymous", False, False),
    ],
)
def test_owners_and_administrators_remove_assets(
    viewer: str,
    is_owner: bool,  # noqa: FBT001 - a column of the table
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert may_remove(EVERYBODY[viewer], is_owner=is_owner) is expected


@pytest.mark.parametrize(
    ("viewer", "is_owner", "is_own_removal", "expected"),
    [
        (ADMIN, True, True, True),
        (ADMIN, True, False, True),
        (ADMIN, False, True, True),
        (ADMIN, False, False, False),
        (MEMBER, True, True, True),
        (MEMBER, True, False, True),
        (MEMBER, False, True, False),
        (MEMBER, False, False, False),
    ],
)
def test_owners_restore_assets_and_administrators_those_that_they_removed(
    viewer: Viewer,
    is_owner: bool,  # noqa: FBT001 - a column of the table
    is_own_removal: bool,  # noqa: FBT001 - a column of the table
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert may_restore(viewer, is_owner=is_owner, is_own_removal=is_own_removal) is expected


def test_owners_share_assets() -> None:
    assert may_share(is_owner=True)
    assert not may_share(is_owner=False)


@pytest.mark.parametrize(("kind", "access"), list(product(PrincipalKind, AssetAccess)))
def test_everyone_and_public_hold_viewer_at_most(kind: PrincipalKind, access: AssetAccess) -> None:
    is_limited = kind in {PrincipalKind.EVERYONE, PrincipalKind.PUBLIC}
    assert may_hold(kind, access) == (not is_limited or access <= AssetAccess.VIEWER)


PANEL = """query($slug: String!) { collection(by: {slug: $slug}) {
  addableAssets(first: 100, excludeMembers: true) { nodes { ... on AssetFields { id } } }
} }"""
ADD = Mutation("collectionAssetsAdd", "results { assetId status }")
MEMBERSHIPS = """query($slug: String!) { collection(by: {slug: $slug}) {
  assets(first: 100) { edges { viewerCanRemove node { ... on AssetFields { id } } } }
} }"""
REMOVE = Mutation("collectionAssetsRemove", "results { assetId status }")


@pytest.mark.parametrize("viewer", MEMBERS)
async def test_the_panel_lists_the_assets_that_can_be_added(ask: GraphQLClient, viewer: str) -> None:
    id_of = await ids(ask)
    assets = [id_ for id_ in id_of.values() if id_.startswith("ast_")]
    for slug in ("bare", "open"):
        panel = (await ask(viewer, PANEL, slug=slug))["collection"]["addableAssets"]["nodes"]
        given = {"collectionId": id_of[slug], "assetIds": assets, "mode": "BEST_EFFORT", "dryRun": True}
        results = (await ADD(ask, viewer, **given))["results"]
        assert {asset["id"] for asset in panel} == {each["assetId"] for each in results if each["status"] == "CHANGED"}


@pytest.mark.parametrize("viewer", MEMBERS)
async def test_edges_flag_the_assets_that_can_be_removed(ask: GraphQLClient, viewer: str) -> None:
    id_of = await ids(ask)
    edges = (await ask(viewer, MEMBERSHIPS, slug="open"))["collection"]["assets"]["edges"]
    flagged = {edge["node"]["id"] for edge in edges if edge["viewerCanRemove"]}
    assets = [edge["node"]["id"] for edge in edges]
    given = {"collectionId": id_of["open"], "assetIds": assets, "mode": "BEST_EFFORT", "dryRun": True}
    results = (await REMOVE(ask, viewer, **given))["results"]
    assert flagged == {each["assetId"] for each in results if each["status"] == "CHANGED"}
