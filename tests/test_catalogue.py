"""This file is a catalogue coming in: what is created, updated and left alone, on both databases."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from store import sql
from store.catalogue.importer import ImportResult, import_catalogue
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
    """Give an empty database, up to date."""
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
def imports(database: Database, tmp_path: Path) -> Import:
    """Import into the empty database."""
    return Import(database, tmp_path / "catalogue.jsonl")


@pytest.fixture
async def again(own_world: World, tmp_path: Path) -> AsyncIterator[Import]:
    """Import into a copy of the world."""
    database = Database(own_world.url)
    yield Import(database, tmp_path / "catalogue.jsonl")
    await database.close()


def changed(subject: str, /, **fields: Any) -> list[Line]:
    """Return the world with other values in the line of that id or slug."""
    lines = catalogue_lines()
    line = next(line for line in lines if subject in {line.get("id"), line.get("slug")})
    line |= fields
    return lines


def told(outcome: ImportResult) -> dict[str, dict[str, int]]:
    return {word: dict(+counts) for word, counts in vars(outcome).items() if isinstance(counts, Counter)}


async def members(imports: Import, slug: str) -> list[str]:
    return await imports.rows(
        select(sql.asset.c.external_id)
        .join(sql.membership, sql.membership.c.asset_pk == sql.asset.c.pk)
        .join(sql.collection, sql.collection.c.pk == sql.membership.c.collection_pk)
        .where(sql.collection.c.slug == slug)
        .order_by(sql.membership.c.rank)
    )


async def test_a_first_import_creates_all_and_counts_it_by_kind(imports: Import) -> None:
    outcome = await imports(catalogue_lines())
    assert told(outcome) == {"created": WORLD, "updated": {}, "unchanged": {}}
    assert outcome.memberships == MEMBERSHIPS
    assert await members(imports, "open") == ["lens", "hidden", "align", "blast", "count", "junk", "kept"]


async def test_a_second_import_changes_no_row_of_any_table(imports: Import, database: Database) -> None:
    await imports(catalogue_lines())
    before = await db_snapshot(database)
    outcome = await imports(catalogue_lines())
    assert told(outcome) == {"created": {}, "updated": {}, "unchanged": WORLD}
    assert (outcome.memberships, outcome.has_changes) == (0, False)
    assert await db_snapshot(database) == before


async def test_lines_may_stand_in_any_order(imports: Import) -> None:
    outcome = await imports(catalogue_lines()[::-1])
    assert told(outcome) == {"created": WORLD, "updated": {}, "unchanged": {}}
    assert told(await imports(catalogue_lines()))["unchanged"] == WORLD


CHANGES: list[tuple[str, str, Line, str]] = [
    ("a name", "align", {"name": "Aligner"}, "CAPSULE"),
    ("a description", "align", {"description": "It aligns."}, "CAPSULE"),
    ("a status", "align", {"withdrawn": True}, "CAPSULE"),
    ("a type", "align", {"type": "PIPELINE"}, "PIPELINE"),
    ("a size", "genomes", {"sizeBytes": 2**63 - 1}, "DATA_ASSET"),
    ("a field taken away", "align", {"url": None}, "CAPSULE"),
    ("tags", "align", {"tags": ["all", "new"]}, "CAPSULE"),
    ("the order of tags", "align", {"tags": ["all", "a"]}, "CAPSULE"),
    ("no tags any more", "align", {"tags": []}, "CAPSULE"),
    ("a grant more", "hidden", {"grants": [{"to": "everyone", "role": "VIEWER"}]}, "DATA_ASSET"),
    ("a greater grant", "blast", {"grants": [{"to": "everyone", "role": "EDITOR"}]}, "CAPSULE"),
    ("no grants any more", "blast", {"grants": []}, "CAPSULE"),
    ("an owner", "blast", {"owner": "sam"}, "CAPSULE"),
    ("a use more", "align", {"uses": ["blast"]}, "CAPSULE"),
    ("the order of uses", "lens", {"uses": ["align", "images"]}, "MODEL"),
    ("no uses any more", "lens", {"uses": []}, "MODEL"),
    ("an e-mail address", "mei", {"email": "mei@example.net"}, "user"),
    ("an administrator", "mei", {"isAdmin": True}, "user"),
    ("members of a group", "lab", {"members": ["mei", "sam"]}, "group"),
    ("a group without members", "lab", {"members": []}, "group"),
    ("a topic's name", "imaging", {"name": "Images"}, "topic"),
    ("a topic's letters", "imaging", {"name": "IMAGING"}, "topic"),
    ("a topic's description", "imaging", {"description": "Pictures."}, "topic"),
    ("a collection's name", "bare", {"name": "Empty"}, "collection"),
    ("a collection's visibility", "bare", {"visibility": "INTERNAL"}, "collection"),
    ("a collection's topic", "bare", {"topic": "empty"}, "collection"),
    ("a collection's parent", "bare", {"parent": "members"}, "collection"),
    ("a collection to the top", "deep", {"parent": None}, "collection"),
]  # fmt: skip


# What the log tells where it is not UPDATED alone.
LOGGED = {
    ("hidden", "grants"): ["SHARED"],
    ("blast", "grants"): ["SHARED"],
    ("blast", "owner"): ["SHARED", "UNSHARED", "UPDATED"],
}


@pytest.mark.parametrize(("name", "fields", "kind"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
async def test_what_differs_is_updated_and_nothing_else(again: Import, name: str, fields: Line, kind: str) -> None:
    outcome = await again(changed(name, **fields))
    assert (outcome.updated, outcome.created.total(), outcome.memberships) == ({kind: 1}, 0, 0)
    assert outcome.unchanged.total() == WORLD.total() - 1
    [revision] = await again.rows(select(sql.deployment.c.revision))
    logged = select(sql.change.c.action).where(sql.change.c.revision == revision)
    expected = ["UNSHARED"] if fields == {"grants": []} else LOGGED.get((name, next(iter(fields))), ["UPDATED"])
    assert sorted(await again.rows(logged)) == expected
    assert not (await again(changed(name, **fields))).has_changes


async def test_fields_tags_grants_and_uses_become_what_the_line_says(again: Import) -> None:
    grants = [{"to": "lab", "role": "VIEWER"}, {"to": "lab", "role": "EDITOR"}, {"to": "lab", "role": "DISCOVERABLE"}]
    await again(changed("lens", name="Glass", tags=["y", "x", "y"], uses=["hidden", "align"], grants=grants))
    lens = sql.asset.alias("lens")
    of_lens = lens.c.external_id == "lens"
    tags = select(sql.asset_tag.c.tag).join(lens, lens.c.pk == sql.asset_tag.c.asset_pk).where(of_lens)
    held = (
        select(sql.principal.c.external_id, sql.grant.c.access)
        .join(sql.principal, sql.principal.c.pk == sql.grant.c.principal_pk)
        .join(lens, lens.c.pk == sql.grant.c.asset_pk)
    )
    used = (
        select(sql.asset.c.external_id)
        .join(sql.asset_use, sql.asset_use.c.uses_pk == sql.asset.c.pk)
        .join(lens, lens.c.pk == sql.asset_use.c.asset_pk)
    )
    assert await again.rows(select(lens.c.name, lens.c.name_key, lens.c.tags).where(of_lens)) == [
        ("Glass", "glass", ["y", "x"])
    ]
    assert sorted(await again.rows(tags)) == ["x", "y"]
    assert sorted(await again.rows(held.where(of_lens))) == [("lab", 3), ("sam", 4)]
    assert await again.rows(used.where(of_lens).order_by(sql.asset_use.c.rank)) == ["hidden", "align"]


ONLY_SOME_SEE: list[tuple[str, str, Line, list[tuple[str, int, list[Line]]]]] = [
    (
        "who it is shared with",
        "blast",
        {"grants": [{"to": "public", "role": "VIEWER"}]},
        [
            ("SHARED", 4, [{"field": "public", "before": None, "after": "VIEWER"}]),
            ("UNSHARED", 4, [{"field": "everyone", "before": "VIEWER", "after": None}]),
        ],
    ),
    (
        "what it uses",
        "lens",
        {"uses": ["align", "blast"]},
        [("UPDATED", 2, [{"field": "uses", "before": "images, align", "after": "align, blast"}])],
    ),
    (
        "where it lies",
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
    ("name", "fields", "expected"), [case[1:] for case in ONLY_SOME_SEE], ids=[case[0] for case in ONLY_SOME_SEE]
)
async def test_what_only_some_see_of_an_asset_leaves_its_timestamp_and_is_logged_for_them(
    again: Import, name: str, fields: Line, expected: list[tuple[str, int, list[Line]]]
) -> None:
    of_asset = select(sql.asset.c.updated_at).where(sql.asset.c.external_id == name)
    before = await again.rows(of_asset)
    lines = changed(name, **fields)
    del next(line for line in lines if line.get("id") == name)["updatedAt"]
    await again(lines)
    assert await again.rows(of_asset) == before
    logged = select(sql.change.c.action, sql.change.c.least_access, sql.change.c.fields)
    assert sorted(await again.rows(logged.where(sql.change.c.revision == 2)), key=repr) == expected


async def test_what_all_see_of_an_asset_stamps_it_and_is_told_from_what_to_what(again: Import) -> None:
    of_asset = select(sql.asset.c.updated_at).where(sql.asset.c.external_id == "blast")
    before = await again.rows(of_asset)
    lines = changed("blast", owner="sam", tags=["x"], url=None)
    del next(line for line in lines if line.get("id") == "blast")["updatedAt"]
    await again(lines)
    assert await again.rows(of_asset) > before
    users = select(sql.principal.c.external_id, sql.principal.c.id).where(sql.principal.c.kind == "USER")
    id_ = dict(await again.rows(users))
    told = select(sql.change.c.action, sql.change.c.least_access, sql.change.c.fields)
    assert sorted(await again.rows(told.where(sql.change.c.revision == 2)), key=repr) == [
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


async def test_the_name_and_the_members_of_a_group_make_one_update_of_that_group_alone(again: Import) -> None:
    outcome = await again(changed("lab", name="Laboratory", members=["sam"]))
    assert (outcome.updated["group"], outcome.unchanged["group"]) == (1, 1)


async def test_a_collection_gets_what_it_lacks_behind_what_it_has_and_loses_nothing(again: Import) -> None:
    outcome = await again(changed("inner", assets=["blast", "images", "lens", "blast"]))
    assert (outcome.memberships, outcome.updated.total()) == (2, 0)
    assert await members(again, "inner") == ["align", "explore", "images", "blast", "lens"]
    asset_names = (
        select(sql.asset.c.external_id)
        .join(sql.change_asset, sql.change_asset.c.asset_pk == sql.asset.c.pk)
        .join(sql.change, sql.change.c.pk == sql.change_asset.c.change_pk)
        .where(sql.change.c.revision == 2, sql.change.c.action == "ASSETS_ADDED")
    )
    assert sorted(await again.rows(asset_names)) == ["blast", "lens"]


async def test_topics_keep_the_order_of_the_file_and_later_the_administrators(again: Import) -> None:
    order = select(sql.topic.c.slug).order_by(sql.topic.c.rank)
    assert await again.rows(order) == ["imaging", "genomics", "empty"]
    async with again.database.write() as connection:
        await connection.execute(update(sql.topic).where(sql.topic.c.slug == "empty").values(rank=-1))
    await again([{"kind": "topic", "slug": "first", "name": "First"}, *catalogue_lines()])
    assert await again.rows(order) == ["empty", "imaging", "genomics", "first"]


async def test_every_created_object_is_a_change_of_the_one_new_revision(imports: Import) -> None:
    await imports(catalogue_lines())
    rows = await imports.rows(select(sql.change.c.revision, sql.change.c.action, sql.change.c.request_id))
    assert Counter(rows) == {
        (1, "CREATED", "req_test"): WORLD.total(),
        (1, "ASSETS_ADDED", "req_test"): 4,
    }


async def test_names_may_be_handed_from_one_to_another(again: Import) -> None:
    lines = catalogue_lines()
    names = {"imaging": "genomics", "genomics": "imaging", "members": "bare", "bare": "members"}
    for line in lines:
        line["name"] = names.get(line.get("slug", ""), line["name"])
    lines.append(lines[-1] | {"slug": "new", "name": "open", "topic": "imaging", "parent": None})
    lines = [line | ({"name": "opened"} if line.get("slug") == "open" else {}) for line in lines]
    outcome = await again(lines)
    assert (outcome.created, outcome.updated) == ({"collection": 1}, {"topic": 2, "collection": 3})
    kept = await again.rows(select(sql.collection.c.slug, sql.collection.c.name_key))
    assert sorted(kept) == [
        ("bare", "members"), ("deep", "deep"), ("inner", "inner"), ("members", "bare"), ("new", "open"),
        ("open", "opened"),
    ]  # fmt: skip


async def test_a_tree_may_be_turned_over(again: Import) -> None:
    parents = {"deep": None, "inner": "deep", "open": "inner"}
    lines = [
        line | ({"parent": parents[line["slug"]]} if line.get("slug") in parents else {}) for line in catalogue_lines()
    ]
    assert (await again(lines)).updated == {"collection": 3}
    below, above = sql.collection, sql.collection.alias("above")
    placed = select(below.c.slug, above.c.slug).join(above, above.c.pk == below.c.parent_pk)
    assert sorted(await again.rows(placed)) == [("inner", "deep"), ("open", "inner")]


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"\n \n" + text.replace(b"\n", b"\n\n"),
        lambda text: text.rstrip(b"\n"),
    ],
    ids=["line ends of Windows", "a byte order mark", "blank lines", "no line end at the end"],
)
async def test_files_of_any_editor_come_in(imports: Import, form: Any) -> None:
    text = form(write_lines(imports.path, catalogue_lines()).read_bytes())
    imports.path.write_bytes(text)
    outcome = await import_catalogue(imports.database, imports.path, "req_test", lambda _bytes: None)
    assert outcome.created == WORLD


async def test_progress_ends_at_the_file_read_twice(imports: Import) -> None:
    write_lines(imports.path, catalogue_lines())
    steps: list[int] = []
    await import_catalogue(imports.database, imports.path, "req_test", steps.append)
    assert sum(steps) == 2 * imports.path.stat().st_size


async def test_text_is_trimmed_and_composed(imports: Import) -> None:
    await imports([{"kind": "topic", "slug": " cafe ", "name": "  Cafe\u0301\n"}])
    assert await imports.rows(select(sql.topic.c.slug, sql.topic.c.name, sql.topic.c.name_key)) == [
        ("cafe", "Café", "café")
    ]


async def test_instants_keep_their_millisecond_and_their_zone(imports: Import) -> None:
    await imports(changed("align", createdAt="2024-01-01T02:00:00.123+02:00", updatedAt="2024-01-01T00:00:00.999"))
    instants = select(sql.asset.c.created_at, sql.asset.c.updated_at).where(sql.asset.c.external_id == "align")
    assert await imports.rows(instants) == [(1_704_067_200_123, 1_704_067_200_999)]


@needs_real_catalogue
async def test_the_real_catalogue_comes_in_whole_and_twice_changes_nothing(database: Database) -> None:
    kinds = Counter(json.loads(line)["kind"] for line in REAL_CATALOGUE.read_text(encoding="utf-8").splitlines())
    assert (kinds["asset"], kinds["collection"]) == (1_467, 527)
    outcome = await import_catalogue(database, REAL_CATALOGUE, "req_test", lambda _bytes: None)
    assets = sum(outcome.created[kind] for kind in ("CAPSULE", "PIPELINE", "NO_CODE_APP", "DATA_ASSET", "MODEL"))
    assert (assets, outcome.created["collection"], outcome.memberships) == (1_467, 527, 2_192)
    before = await db_snapshot(database)
    assert not (await import_catalogue(database, REAL_CATALOGUE, "req_test", lambda _bytes: None)).has_changes
    assert await db_snapshot(database) == before
