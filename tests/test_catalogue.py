"""Catalogue import: objects that are created, updated and left unchanged, on both databases."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.import_report import format_import
from store import sql
from store.catalogue.importer import ImportResult, import_catalogue
from store.catalogue.parsed import InvalidCatalogueError
from store.database import Database
from store.migrate import migrate
from tests.conftest import World, catalogue_lines, write_lines
from tests.db_snapshot import db_snapshot
from tests.missing import REAL_CATALOGUE, needs_real_catalogue

Line = dict[str, Any]

WORLD = Counter(user=6, group=2, topic=3, collection=5, CAPSULE=2, PIPELINE=2, NO_CODE_APP=1, DATA_ASSET=4, MODEL=2)
MEMBERSHIPS = 16


@pytest.fixture
async def database(empty_url: str) -> AsyncIterator[Database]:
    """Return an empty, migrated database."""
    empty = Database(empty_url)
    await migrate(empty)
    yield empty
    await empty.close()


class Import:
    """Imports lines into a database."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database, self.path = database, path

    async def __call__(self, lines: list[Line]) -> ImportResult:
        return await import_catalogue(self.database, write_lines(self.path, lines), "req_test", lambda _bytes: None)

    async def rows(self, statement: Any) -> list[Any]:
        async with self.database.snapshot() as snapshot:
            return [row[0] if len(row) == 1 else tuple(row) for row in await snapshot.rows(statement)]


@pytest.fixture
def import_into_empty(database: Database, tmp_path: Path) -> Import:
    """Return an importer into the empty database."""
    return Import(database, tmp_path / "catalogue.jsonl")


@pytest.fixture
async def import_again(own_world: World, tmp_path: Path) -> AsyncIterator[Import]:
    """Yield an importer into a copy of the world."""
    database = Database(own_world.url)
    yield Import(database, tmp_path / "catalogue.jsonl")
    await database.close()


def world_with(subject: str, /, **fields: Any) -> list[Line]:
    """Return the lines of the world, with other values in the line of that id or slug."""
    lines = catalogue_lines()
    line = next(line for line in lines if subject in {line.get("id"), line.get("slug")})
    line |= fields
    return lines


def counts(result: ImportResult) -> dict[str, dict[str, int]]:
    return {name: dict(+counter) for name, counter in vars(result).items() if isinstance(counter, Counter)}


async def members(import_into_empty: Import, slug: str) -> list[str]:
    return await import_into_empty.rows(
        select(sql.asset.c.external_id)
        .join(sql.membership, sql.membership.c.asset_pk == sql.asset.c.pk)
        .join(sql.collection, sql.collection.c.pk == sql.membership.c.collection_pk)
        .where(sql.collection.c.slug == slug)
        .order_by(sql.membership.c.rank)
    )


async def test_a_first_import_creates_all_objects_and_counts_them_by_kind(import_into_empty: Import) -> None:
    result = await import_into_empty(catalogue_lines())
    assert counts(result) == {"created": WORLD, "updated": {}, "unchanged": {}}
    assert result.memberships == MEMBERSHIPS
    assert await members(import_into_empty, "open") == ["lens", "hidden", "align", "blast", "count", "junk", "kept"]


async def test_a_second_import_changes_no_row_of_any_table(import_into_empty: Import, database: Database) -> None:
    await import_into_empty(catalogue_lines())
    before = await db_snapshot(database)
    result = await import_into_empty(catalogue_lines())
    assert counts(result) == {"created": {}, "updated": {}, "unchanged": WORLD}
    assert (result.memberships, result.has_changes) == (0, False)
    assert await db_snapshot(database) == before


async def test_lines_may_come_in_any_order(import_into_empty: Import) -> None:
    result = await import_into_empty(catalogue_lines()[::-1])
    assert counts(result) == {"created": WORLD, "updated": {}, "unchanged": {}}
    assert counts(await import_into_empty(catalogue_lines()))["unchanged"] == WORLD


CHANGES: list[tuple[str, str, Line, str]] = [
    ("a name", "align", {"name": "Aligner"}, "CAPSULE"),
    ("a description", "align", {"description": "It aligns."}, "CAPSULE"),
    ("a status", "align", {"withdrawn": True}, "CAPSULE"),
    ("a type", "align", {"type": "PIPELINE"}, "PIPELINE"),
    ("a size", "genomes", {"sizeBytes": 2**63 - 1}, "DATA_ASSET"),
    ("a removed field", "align", {"url": None}, "CAPSULE"),
    ("tags", "align", {"tags": ["all", "new"]}, "CAPSULE"),
    ("the order of tags", "align", {"tags": ["all", "a"]}, "CAPSULE"),
    ("removed tags", "align", {"tags": []}, "CAPSULE"),
    ("an added grant", "hidden", {"grants": [{"to": "everyone", "role": "VIEWER"}]}, "DATA_ASSET"),
    ("a higher access", "blast", {"grants": [{"to": "everyone", "role": "EDITOR"}]}, "CAPSULE"),
    ("removed grants", "blast", {"grants": []}, "CAPSULE"),
    ("an owner", "blast", {"owner": "sam"}, "CAPSULE"),
    ("an added use", "align", {"uses": ["blast"]}, "CAPSULE"),
    ("the order of uses", "lens", {"uses": ["align", "images"]}, "MODEL"),
    ("removed uses", "lens", {"uses": []}, "MODEL"),
    ("an e-mail address", "mei", {"email": "mei@example.net"}, "user"),
    ("an administrator", "mei", {"isAdmin": True}, "user"),
    ("members of a group", "lab", {"members": ["mei", "sam"]}, "group"),
    ("a group without members", "lab", {"members": []}, "group"),
    ("a topic's name", "imaging", {"name": "Images"}, "topic"),
    ("the case of a topic's name", "imaging", {"name": "IMAGING"}, "topic"),
    ("a topic's description", "imaging", {"description": "Pictures."}, "topic"),
    ("a collection's name", "bare", {"name": "Empty"}, "collection"),
    ("a collection's visibility", "bare", {"visibility": "INTERNAL"}, "collection"),
    ("a collection's topic", "bare", {"topic": "empty"}, "collection"),
    ("a collection's parent", "bare", {"parent": "members"}, "collection"),
    ("a collection to the top", "deep", {"parent": None}, "collection"),
    ("an award", "blast", {"goldStandard": {"awardedAt": "2026-01-01", "note": "Good."}}, "CAPSULE"),
    ("properties", "blast", {"properties": {"team": "core", "by": ["Ada", "Olu"]}}, "CAPSULE"),
]  # fmt: skip


# Expected actions in the log, for the cases that log others than a single UPDATED.
ACTIONS = {
    ("hidden", "grants"): ["SHARED"],
    ("blast", "goldStandard"): ["AWARDED"],
    ("blast", "grants"): ["SHARED"],
    ("blast", "owner"): ["SHARED", "UNSHARED", "UPDATED"],
}


@pytest.mark.parametrize(("name", "fields", "kind"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
async def test_only_objects_that_differ_are_updated(import_again: Import, name: str, fields: Line, kind: str) -> None:
    result = await import_again(world_with(name, **fields))
    assert (result.updated, result.created.total(), result.memberships) == ({kind: 1}, 0, 0)
    assert result.unchanged.total() == WORLD.total() - 1
    [revision] = await import_again.rows(select(sql.deployment.c.revision))
    logged = select(sql.change.c.action).where(sql.change.c.revision == revision)
    expected = ["UNSHARED"] if fields == {"grants": []} else ACTIONS.get((name, next(iter(fields))), ["UPDATED"])
    assert sorted(await import_again.rows(logged)) == expected
    assert not (await import_again(world_with(name, **fields))).has_changes


async def test_fields_tags_grants_and_uses_become_those_of_the_line(import_again: Import) -> None:
    grants = [{"to": "lab", "role": "VIEWER"}, {"to": "lab", "role": "EDITOR"}, {"to": "lab", "role": "DISCOVERABLE"}]
    await import_again(world_with("lens", name="Glass", tags=["y", "x", "y"], uses=["hidden", "align"], grants=grants))
    lens = sql.asset.alias("lens")
    of_lens = lens.c.external_id == "lens"
    tags = select(sql.asset_tag.c.tag).join(lens, lens.c.pk == sql.asset_tag.c.asset_pk).where(of_lens)
    grants_of_lens = (
        select(sql.principal.c.external_id, sql.grant.c.access)
        .join(sql.principal, sql.principal.c.pk == sql.grant.c.principal_pk)
        .join(lens, lens.c.pk == sql.grant.c.asset_pk)
    )
    used = (
        select(sql.asset.c.external_id)
        .join(sql.asset_use, sql.asset_use.c.uses_pk == sql.asset.c.pk)
        .join(lens, lens.c.pk == sql.asset_use.c.asset_pk)
    )
    assert await import_again.rows(select(lens.c.name, lens.c.name_key, lens.c.tags).where(of_lens)) == [
        ("Glass", "glass", ["y", "x"])
    ]
    assert sorted(await import_again.rows(tags)) == ["x", "y"]
    assert sorted(await import_again.rows(grants_of_lens.where(of_lens))) == [("lab", 3), ("sam", 4)]
    assert await import_again.rows(used.where(of_lens).order_by(sql.asset_use.c.rank)) == ["hidden", "align"]


RESTRICTED: list[tuple[str, str, Line, list[tuple[str, int, list[Line]]]]] = [
    (
        "grants",
        "blast",
        {"grants": [{"to": "public", "role": "VIEWER"}]},
        [
            ("SHARED", 4, [{"field": "public", "before": None, "after": "VIEWER"}]),
            ("UNSHARED", 4, [{"field": "everyone", "before": "VIEWER", "after": None}]),
        ],
    ),
    (
        "uses",
        "lens",
        {"uses": ["align", "blast"]},
        [("UPDATED", 2, [{"field": "uses", "before": "images, align", "after": "align, blast"}])],
    ),
    (
        "content",
        "lens",
        {"url": None, "source": "s3://bucket/new"},
        [
            (
                "UPDATED",
                2,
                [
                    {"field": "url", "before": "https://example.org/lens", "after": None},
                    {"field": "source", "before": "s3://bucket/lens", "after": "s3://bucket/new"},
                ],
            )
        ],
    ),
]


@pytest.mark.parametrize(
    ("name", "fields", "expected"), [case[1:] for case in RESTRICTED], ids=[case[0] for case in RESTRICTED]
)
async def test_changes_of_restricted_fields_require_their_access_and_leave_the_timestamp(
    import_again: Import, name: str, fields: Line, expected: list[tuple[str, int, list[Line]]]
) -> None:
    of_asset = select(sql.asset.c.updated_at).where(sql.asset.c.external_id == name)
    before = await import_again.rows(of_asset)
    lines = world_with(name, **fields)
    del next(line for line in lines if line.get("id") == name)["updatedAt"]
    await import_again(lines)
    assert await import_again.rows(of_asset) == before
    logged = select(sql.change.c.action, sql.change.c.least_access, sql.change.c.fields)
    assert sorted(await import_again.rows(logged.where(sql.change.c.revision == 2)), key=repr) == expected


async def test_changes_of_public_fields_set_the_timestamp_and_log_before_and_after(import_again: Import) -> None:
    of_asset = select(sql.asset.c.updated_at).where(sql.asset.c.external_id == "blast")
    before = await import_again.rows(of_asset)
    lines = world_with("blast", owner="sam", tags=["x"], url=None)
    del next(line for line in lines if line.get("id") == "blast")["updatedAt"]
    await import_again(lines)
    assert await import_again.rows(of_asset) > before
    users = select(sql.principal.c.external_id, sql.principal.c.id).where(sql.principal.c.kind == "USER")
    id_ = dict(await import_again.rows(users))
    logged = select(sql.change.c.action, sql.change.c.least_access, sql.change.c.fields)
    assert sorted(await import_again.rows(logged.where(sql.change.c.revision == 2)), key=repr) == [
        ("SHARED", 4, [{"field": f"user:{id_['sam']}", "before": None, "after": "OWNER"}]),
        ("UNSHARED", 4, [{"field": f"user:{id_['olu']}", "before": "OWNER", "after": None}]),
        (
            "UPDATED",
            0,
            [
                {"field": "tags", "before": "b, all", "after": "x"},
                {"field": "url", "before": "https://example.org/blast", "after": None},
                {"field": "owner", "before": id_["olu"], "after": id_["sam"]},
            ],
        ),
    ]


async def test_a_group_with_new_name_and_members_is_updated_once(import_again: Import) -> None:
    result = await import_again(world_with("lab", name="Laboratory", members=["sam"]))
    assert (result.updated["group"], result.unchanged["group"]) == (1, 1)


async def test_new_entries_of_a_line_come_after_the_members_and_those_that_left_it_are_removed(
    import_again: Import,
) -> None:
    result = await import_again(world_with("inner", assets=["blast", "images", "lens", "blast"]))
    assert (result.memberships, result.removed_memberships, result.updated.total()) == (2, 2, 0)
    assert await members(import_again, "inner") == ["images", "blast", "lens"]
    asset_names = (
        select(sql.asset.c.external_id)
        .join(sql.change_asset, sql.change_asset.c.asset_pk == sql.asset.c.pk)
        .join(sql.change, sql.change.c.pk == sql.change_asset.c.change_pk)
        .where(sql.change.c.revision == 2, sql.change.c.action == "ASSETS_ADDED")
    )
    assert sorted(await import_again.rows(asset_names)) == ["blast", "lens"]


async def test_topics_have_the_order_of_the_file_at_first_and_keep_that_of_administrators(import_again: Import) -> None:
    order = select(sql.topic.c.slug).order_by(sql.topic.c.rank)
    assert await import_again.rows(order) == ["imaging", "genomics", "empty"]
    async with import_again.database.write() as connection:
        await connection.execute(update(sql.topic).where(sql.topic.c.slug == "empty").values(rank=-1))
    await import_again([{"kind": "topic", "slug": "first", "name": "First"}, *catalogue_lines()])
    assert await import_again.rows(order) == ["empty", "imaging", "genomics", "first"]


async def test_collections_are_ranked_in_the_order_of_their_tree(import_again: Import) -> None:
    new = {"kind": "collection", "topic": "imaging", "visibility": "PUBLIC", "assets": []}
    lines = [
        new | {"slug": slug, "name": slug, "parent": parent}
        for slug, parent in (("a", None), ("b", None), ("a-b", "a"), ("a-a", "a"), ("b-a", "b"), ("a-b-a", "a-b"))
    ]
    in_order = select(sql.collection.c.slug).order_by(sql.collection.c.rank, sql.collection.c.pk)
    in_order = in_order.join(sql.topic, sql.topic.c.pk == sql.collection.c.topic_pk).where(
        sql.topic.c.slug == "imaging"
    )
    before = await import_again.rows(in_order)
    await import_again([*catalogue_lines(), *lines])
    assert await import_again.rows(in_order) == [*before, "a", "a-b", "a-b-a", "a-a", "b", "b-a"]
    lines[-2]["parent"] = "a-b"
    await import_again([*catalogue_lines(), *lines])
    assert await import_again.rows(in_order) == [*before, "a", "a-b", "a-b-a", "b-a", "a-a", "b"]


async def test_an_import_logs_a_change_for_each_created_object_in_one_revision(import_into_empty: Import) -> None:
    await import_into_empty(catalogue_lines())
    rows = await import_into_empty.rows(select(sql.change.c.revision, sql.change.c.action, sql.change.c.request_id))
    assert Counter(rows) == {
        (1, "CREATED", "req_test"): WORLD.total(),
        (1, "ASSETS_ADDED", "req_test"): 4,
    }


async def test_names_may_be_exchanged_between_objects(import_again: Import) -> None:
    lines = catalogue_lines()
    names = {"imaging": "genomics", "genomics": "imaging", "members": "bare", "bare": "members"}
    for line in lines:
        line["name"] = names.get(line.get("slug", ""), line["name"])
    lines.append(lines[-1] | {"slug": "new", "name": "open", "topic": "imaging", "parent": None})
    lines = [line | ({"name": "opened"} if line.get("slug") == "open" else {}) for line in lines]
    result = await import_again(lines)
    assert (result.created, result.updated) == ({"collection": 1}, {"topic": 2, "collection": 3})
    names_by_slug = await import_again.rows(select(sql.collection.c.slug, sql.collection.c.name_key))
    assert sorted(names_by_slug) == [
        ("bare", "members"), ("deep", "deep"), ("inner", "inner"), ("members", "bare"), ("new", "open"),
        ("open", "opened"),
    ]  # fmt: skip


async def test_a_tree_may_be_inverted(import_again: Import) -> None:
    parents = {"deep": None, "inner": "deep", "open": "inner"}
    lines = [
        line | ({"parent": parents[line["slug"]]} if line.get("slug") in parents else {}) for line in catalogue_lines()
    ]
    assert (await import_again(lines)).updated == {"collection": 3}
    below, above = sql.collection, sql.collection.alias("above")
    placed = select(below.c.slug, above.c.slug).join(above, above.c.pk == below.c.parent_pk)
    assert sorted(await import_again.rows(placed)) == [("inner", "deep"), ("open", "inner")]


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"\n \n" + text.replace(b"\n", b"\n\n"),
        lambda text: text.rstrip(b"\n"),
    ],
    ids=["Windows line ends", "a byte order mark", "blank lines", "no final line end"],
)
async def test_files_of_any_editor_are_imported(import_into_empty: Import, form: Any) -> None:
    text = form(write_lines(import_into_empty.path, catalogue_lines()).read_bytes())
    import_into_empty.path.write_bytes(text)
    result = await import_catalogue(import_into_empty.database, import_into_empty.path, "req_test", lambda _bytes: None)
    assert result.created == WORLD


async def test_progress_adds_up_to_two_readings_of_the_file(import_into_empty: Import) -> None:
    write_lines(import_into_empty.path, catalogue_lines())
    steps: list[int] = []
    await import_catalogue(import_into_empty.database, import_into_empty.path, "req_test", steps.append)
    assert sum(steps) == 2 * import_into_empty.path.stat().st_size


async def test_text_is_trimmed_and_in_nfc(import_into_empty: Import) -> None:
    await import_into_empty([{"kind": "topic", "slug": " cafe ", "name": "  Cafe\u0301\n"}])
    assert await import_into_empty.rows(select(sql.topic.c.slug, sql.topic.c.name, sql.topic.c.name_key)) == [
        ("cafe", "Café", "café")
    ]


async def test_timestamps_keep_milliseconds_and_apply_the_offset(import_into_empty: Import) -> None:
    await import_into_empty(
        world_with("align", createdAt="2024-01-01T02:00:00.123+02:00", updatedAt="2024-01-01T00:00:00.999")
    )
    timestamps = select(sql.asset.c.created_at, sql.asset.c.updated_at).where(sql.asset.c.external_id == "align")
    assert await import_into_empty.rows(timestamps) == [(1_704_067_200_123, 1_704_067_200_999)]


@needs_real_catalogue
async def test_the_real_catalogue_is_imported_whole_and_again_without_changes(database: Database) -> None:
    kinds = Counter(json.loads(line)["kind"] for line in REAL_CATALOGUE.read_text(encoding="utf-8").splitlines())
    assert (kinds["asset"], kinds["collection"]) == (1_467, 527)
    result = await import_catalogue(database, REAL_CATALOGUE, "req_test", lambda _bytes: None)
    assets = sum(result.created[kind] for kind in ("CAPSULE", "PIPELINE", "NO_CODE_APP", "DATA_ASSET", "MODEL"))
    assert (assets, result.created["collection"], result.memberships) == (1_467, 527, 2_192)
    before = await db_snapshot(database)
    assert not (await import_catalogue(database, REAL_CATALOGUE, "req_test", lambda _bytes: None)).has_changes
    assert await db_snapshot(database) == before


async def test_a_user_is_deactivated_and_reactivated_by_a_line(import_again: Import) -> None:
    line = {"kind": "user", "id": "eve", "name": "eve", "email": "eve@example.org"}
    is_active = select(sql.principal.c.is_active).where(sql.principal.c.external_id == "eve")
    for flag, expected in ((False, False), (None, False), (True, True), (None, True)):
        await import_again([line if flag is None else line | {"isActive": flag}])
        assert await import_again.rows(is_active) == [expected]


async def test_changes_of_people_are_logged_with_each_field(import_again: Import) -> None:
    await import_again(
        [
            {"kind": "user", "id": "eve", "name": "Eve", "email": "eve@example.org", "isAdmin": True},
            {"kind": "group", "id": "lab", "name": "lab", "members": ["mei", "eve"]},
        ]
    )
    logged = select(sql.change.c.fields).where(sql.change.c.request_id == "req_test").order_by(sql.change.c.pk)
    [eve, lab] = await import_again.rows(logged)
    assert [tuple(field.values()) for field in eve] == [("name", "eve", "Eve"), ("isAdmin", "false", "true")]
    assert [(field["before"], field["after"]) for field in lab] == [(None, "Eve")]


async def test_users_and_groups_of_another_source_are_left_and_the_rest_is_imported(import_again: Import) -> None:
    for name, source in (("eve", "SCIM"), ("lab", "SCIM"), ("mei", "OIDC"), ("ada", "MANUAL")):
        async with import_again.database.write() as connection:
            one = update(sql.principal).where(sql.principal.c.external_id == name)
            await connection.execute(one.values(source=source))
    same: Line = {"kind": "user", "id": "eve", "name": "eve", "email": "eve@example.org"}
    unchanged = await import_again([same])
    assert (unchanged.has_changes, unchanged.foreign, unchanged.unchanged) == (False, [], {"user": 1})
    lines: list[Line] = [
        same | {"name": "Eve", "isAdmin": True},
        {"kind": "user", "id": "ada", "name": "ada", "email": "ada@example.org", "isAdmin": False, "isActive": False},
        {"kind": "user", "id": "mei", "name": "mei", "email": "m@example.org"},
        {"kind": "group", "id": "lab", "name": "Lab", "members": []},
        {"kind": "group", "id": "new", "name": "new", "members": ["mei", "eve"]},
        {"kind": "user", "id": "olu", "name": "Olu", "email": "olu@example.org"},
    ]
    principal, member = sql.principal.c, sql.group_member.c
    of_lab = select(member.user_pk).join(sql.principal, principal.pk == member.group_pk)
    of_lab = of_lab.where(principal.external_id == "lab").order_by(member.user_pk)
    people = select(principal.external_id, principal.name, principal.email, principal.is_admin, principal.is_active)
    people = people.where(principal.external_id.in_(["ada", "eve", "lab", "mei"])).order_by(principal.pk)
    before = [await import_again.rows(rows) for rows in (people, of_lab)]
    assert all(before)
    result = await import_again(lines)
    assert [await import_again.rows(rows) for rows in (people, of_lab)] == before
    assert (result.created, result.updated, result.unchanged.total()) == ({"group": 1}, {"user": 1}, 0)
    assert result.foreign == [
        ("user", "eve", "SCIM"),
        ("user", "ada", "MANUAL"),
        ("user", "mei", "OIDC"),
        ("group", "lab", "SCIM"),
    ]
    assert [*format_import(result, is_dry_run=False)] == [
        "created: 1 group; updated: 1 user; memberships added: 0",
        "left, because another source owns them: 1 user (SCIM), 1 user (MANUAL), 1 user (OIDC), 1 group (SCIM)",
        "  user eve",
        "  user ada",
        "  user mei",
        "  group lab",
    ]


async def test_the_last_administrator_is_not_demoted_because_a_line_of_another_source_is_left(
    import_again: Import,
) -> None:
    """A line that would make another source's user an administrator has no effect, so it is no way out either."""
    async with import_again.database.write() as connection:
        one = update(sql.principal).where(sql.principal.c.external_id == "eve")
        await connection.execute(one.values(source="SCIM"))
    lines: list[Line] = [
        {"kind": "user", "id": "ada", "name": "ada", "email": "ada@example.org"},
        {"kind": "user", "id": "eve", "name": "eve", "email": "eve@example.org", "isAdmin": True},
    ]
    with pytest.raises(InvalidCatalogueError) as error:
        await import_again(lines)
    assert [str(problem) for problem in error.value.problems] == [
        'Line 1: "ada" is the last active administrator. Make another user an administrator first.'
    ]


async def test_empty_texts_are_absent_and_dois_have_one_form(import_again: Import) -> None:
    line = {"kind": "asset", "id": "doi", "type": "MODEL", "name": "x" * 1_000, "owner": "olu", "grants": []}
    await import_again([line | {"doi": "https://doi.org/10.5281/Zenodo.77", "url": " ", "license": "", "version": ""}])
    asset = sql.asset.c
    stored = select(asset.doi, asset.url, asset.license, asset.version).where(asset.external_id == "doi")
    assert await import_again.rows(stored) == [("10.5281/zenodo.77", None, None, None)]


async def test_names_that_look_alike_are_the_same(import_again: Import) -> None:
    new: Line = {"kind": "collection", "slug": "new", "topic": "imaging", "visibility": "PUBLIC", "assets": []}
    for name in ("\uff2f\uff30\uff25\uff2e", "Open "):
        with pytest.raises(InvalidCatalogueError):
            await import_again([new | {"name": name}])
