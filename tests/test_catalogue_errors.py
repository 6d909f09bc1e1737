"""This file is catalogues that cannot be taken: every bad line with its reason, and nothing written."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from store.catalogue.file import MAX_LINE_BYTES, UnreadableFileError
from store.catalogue.importer import import_catalogue
from store.catalogue.parsed import MAX_PROBLEMS, InvalidCatalogueError
from store.database import Database
from tests.conftest import World
from tests.db_snapshot import DbSnapshot, db_snapshot

if TYPE_CHECKING:
    from tests.postgres import Postgres

Line = dict[str, Any]

GOOD = {"kind": "user", "id": "good", "name": "Good"}
USER = {"kind": "user", "id": "new", "name": "New"}
GROUP: Line = {"kind": "group", "id": "new", "name": "New", "members": []}
ASSET: Line = {"kind": "asset", "id": "new", "type": "MODEL", "name": "New", "owner": "olu", "grants": []}
TOPIC = {"kind": "topic", "slug": "new", "name": "New"}
COLLECTION: Line = {"kind": "collection", "slug": "new", "name": "New", "topic": "imaging"}
COLLECTION |= {"visibility": "PUBLIC", "assets": []}
LONG = "x" * 201
KINDS = "user, group, asset, topic or collection"
ABSENT = "in the file or the database"
NO_INSTANT = "createdAt is no timestamp such as 2026-11-23T06:29:00Z"
BEFORE_THE_FIRST = "0001-01-01T00:00:00+23:00"


def without(line: Line, *names: str) -> Line:
    return {name: value for name, value in line.items() if name not in names}


# What line 2 says, after a good line 1, and what is said of it.
ONE: list[tuple[Line | list[Any] | str | bytes, str]] = [
    (b'{"kind": "user", "id": "\xff"}', "byte 25 is not UTF-8"),
    (b"\x00", "it is no JSON: unexpected character, expected a JSON value at character 1"),
    ("{'kind': 'user'}", "it is no JSON: unexpected character, expected a string key at character 2"),
    ('{"kind": "user", "id": "\\ud800", "name": "New"}', "it is no JSON: no low surrogate in string at character 25"),
    ("[" * 100_000, "it is no JSON: depth limit exceeded at character 1026"),
    ([], f"it is no object with a kind: {KINDS}"),
    ("7", f"it is no object with a kind: {KINDS}"),
    ({}, f"kind must be {KINDS}"),
    (USER | {"kind": "person"}, f"kind must be {KINDS}"),
    (USER | {"kind": []}, f"kind must be {KINDS}"),
    (USER | {"colour": "red"}, "'colour' is no field of a user"),
    (ASSET | {"colour": "red"}, "'colour' is no field of an asset"),
    ({"kind": "user"}, "id is missing; name is missing"),
    ({"kind": "asset"}, "id is missing; type is missing; name is missing; owner is missing; grants is missing"),
    (without(COLLECTION, "visibility", "assets"), "visibility is missing; assets is missing"),
    (USER | {"name": 7}, "name must be text"),
    (USER | {"name": None}, "name must be text"),
    (USER | {"name": " "}, "name must not be empty"),
    (USER | {"name": LONG}, "name is 201 characters long; at most 200 are allowed"),
    (USER | {"name": "\u0301" * 2_000_000}, "name is 2,000,000 characters long; at most 200 are allowed"),
    (USER | {"name": "N\x07w"}, "name holds the control character U+0007"),
    (USER | {"name": "N\nw"}, "name holds the control character U+000A"),
    (USER | {"name": "N\x00w"}, "name holds the control character U+0000"),
    (USER | {"isAdmin": "yes"}, "isAdmin must be true or false"),
    (USER | {"isAdmin": 1}, "isAdmin must be true or false"),
    (USER | {"id": "everyone"}, "id 'everyone' is a word of grants: choose another"),
    (GROUP | {"id": "public"}, "id 'public' is a word of grants: choose another"),
    (USER | {"id": "lab"}, "id 'lab' is a group in the database, and stays one"),
    (GROUP | {"id": "eve"}, "id 'eve' is a user in the database, and stays one"),
    (GROUP | {"members": "eve"}, "members must be a list"),
    (GROUP | {"members": ["eve", 7]}, "members[1] must be text"),
    (GROUP | {"members": ["eve", "nobody"]}, f"members: there is no user 'nobody' {ABSENT}"),
    (GROUP | {"members": ["lab"]}, "members: 'lab' is no user; only a user can stand here"),
    (GROUP | {"members": ["new"]}, "members: 'new' is no user; only a user can stand here"),
    (ASSET | {"type": "TABLE"},
     "type must be 'CAPSULE', 'PIPELINE', 'NO_CODE_APP', 'DATA_ASSET' or 'MODEL', not 'TABLE'"),
    (ASSET | {"owner": "nobody"}, f"owner: there is no user 'nobody' {ABSENT}"),
    (ASSET | {"owner": "everyone"}, "owner: 'everyone' is no user; only a user can stand here"),
    (ASSET | {"owner": "lab"}, "owner: 'lab' is no user; only a user can stand here"),
    (ASSET | {"grants": [{"to": "nobody", "role": "VIEWER"}]}, f"grants: there is no user or group 'nobody' {ABSENT}"),
    (ASSET | {"grants": [{"to": "eve", "role": "BOSS"}]},
     "grants[0].role must be 'DISCOVERABLE', 'VIEWER', 'EDITOR' or 'OWNER', not 'BOSS'"),
    (ASSET | {"grants": [{"to": "eve"}]}, "grants[0].role is missing"),
    (ASSET | {"grants": ["eve"]}, "grants[0] must be an object"),
    (ASSET | {"uses": ["align", "nothing"]}, f"uses: there is no asset 'nothing' {ABSENT}"),
    (ASSET | {"sizeBytes": 2**63}, "sizeBytes must be less than 9,223,372,036,854,775,808"),
    (ASSET | {"sizeBytes": 10**400}, "it is no JSON: number is infinity when parsed as double at character 107"),
    (ASSET | {"sizeBytes": 10**30}, "sizeBytes must be a whole number"),
    (ASSET | {"sizeBytes": 1.5}, "sizeBytes must be a whole number"),
    (ASSET | {"sizeBytes": True}, "sizeBytes must be a whole number"),
    (ASSET | {"fileCount": -1}, "fileCount must be at least 0"),
    (ASSET | {"stepCount": 2**31}, "stepCount must be less than 2,147,483,648"),
    (ASSET | {"url": "javascript:alert(1)"}, "url begins with none of https://, http://, s3://, gs://"),
    (ASSET | {"url": 5}, "url must be text"),
    (ASSET | {"createdAt": "yesterday"}, f"{NO_INSTANT}: 'yesterday'"),
    (ASSET | {"createdAt": 20240101}, f"{NO_INSTANT}: 20240101"),
    (ASSET | {"createdAt": BEFORE_THE_FIRST}, f"{NO_INSTANT}: {BEFORE_THE_FIRST!r}"),
    (TOPIC | {"slug": "New Topic"}, "slug must be small letters a-z, digits and hyphens, with no hyphen in front"),
    (TOPIC | {"name": "IMAGING"}, "name 'IMAGING' is that of the topic 'imaging' in the database"),
    (COLLECTION | {"visibility": "public"}, "visibility must be 'INTERNAL' or 'PUBLIC', not 'public'"),
    (COLLECTION | {"topic": "nowhere"}, f"topic: there is no topic 'nowhere' {ABSENT}"),
    (COLLECTION | {"parent": "nothing"}, f"parent: there is no collection 'nothing' {ABSENT}"),
    (COLLECTION | {"parent": "members"}, "parent: 'members' is in the topic 'genomics', not in 'imaging'"),
    (COLLECTION | {"parent": "new"}, "parent: a collection cannot be below itself"),
    (COLLECTION | {"assets": ["align", "nothing"]}, f"assets: there is no asset 'nothing' {ABSENT}"),
    (COLLECTION | {"name": "Open"}, "name 'Open' is that of the collection 'open' in the database, beside it"),
    (COLLECTION | {"slug": "open", "parent": "deep"}, "parent: a collection cannot be below itself"),
    (COLLECTION | {"slug": "open", "topic": "genomics"},
     "topic: below it the database has 'inner', in the topic 'imaging': add a line that moves it along"),
]  # fmt: skip

# Lines that are good alone, and what is said of which of them.
TOGETHER: list[tuple[str, list[Line], list[tuple[int, str]]]] = [
    ("an id twice", [USER, USER], [(2, "id 'new' is that of the user on line 1")]),
    ("an id thrice", [ASSET, ASSET, ASSET], [(line, "id 'new' is that of the asset on line 1") for line in (2, 3)]),
    ("a user and a group", [USER, GROUP], [(2, "id 'new' is that of the user on line 1")]),
    ("a group and a user", [GROUP, USER], [(2, "id 'new' is that of the group on line 1")]),
    ("a slug twice", [TOPIC, TOPIC], [(2, "slug 'new' is that of the topic on line 1")]),
    ("topics of one name", [TOPIC, TOPIC | {"slug": "other", "name": "NEW"}],
     [(2, "name 'NEW' is that of the topic on line 1 whatever the case of letters")]),
    ("topics of one name, composed", [TOPIC | {"name": "Caf\u00e9"}, TOPIC | {"slug": "other", "name": "CAFE\u0301"}],
     [(2, "name 'CAF\u00c9' is that of the topic on line 1 whatever the case of letters")]),
    ("siblings of one name", [COLLECTION, COLLECTION | {"slug": "other", "name": " nEW "}],
     [(2, "name 'nEW' is that of the collection on line 1, beside it, whatever the case of letters")]),
    ("a reference to a bad line", [USER | {"name": ""}, ASSET | {"owner": "new"}], [(1, "name must not be empty")]),
    ("a circle", [COLLECTION | {"slug": a, "name": a, "parent": b} for a, b in ("ab", "bc", "ca", "da")],
     [(line, "parent: a collection cannot be below itself") for line in (1, 2, 3)]),
    ("six deep", [COLLECTION | {"slug": f"s{n}", "parent": f"s{n - 1}" if n else None} for n in range(7)],
     [(line, "parent: collections nest at most 5 deep") for line in (6, 7)]),
    ("six deep below the database's",
     [COLLECTION | {"slug": f"s{n}", "parent": f"s{n - 1}" if n else "deep"} for n in range(3)],
     [(3, "parent: collections nest at most 5 deep")]),
    ("a tree of the database brought too deep",
     [*(COLLECTION | {"slug": f"s{n}", "parent": f"s{n - 1}" if n else None} for n in range(3)),
      COLLECTION | {"slug": "open", "parent": "s2"}],
     [(4, "parent: it brings 'deep' along from the database, and collections nest at most 5 deep")]),
]  # fmt: skip


@pytest.fixture(scope="module")
def shelf(world: World, backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of a copy of the world that nothing should change."""
    if backend == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.create_database("shelf", template="world")
    path = tmp_path_factory.mktemp("shelf") / "shelf.db"
    shutil.copy(str(Database(world.url).url.database), path)
    return f"sqlite+aiosqlite:///{path}"


class Refusing:
    """Imports what must be refused, and sees to it that nothing is written."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database, self.path = database, path

    async def __call__(self, content: bytes) -> list[tuple[int, str]]:
        """Return the lines and reasons."""
        self.path.write_bytes(content)
        before: DbSnapshot = await db_snapshot(self.database)
        with pytest.raises(InvalidCatalogueError) as refused:
            await self.write()
        assert await db_snapshot(self.database) == before
        return [(problem.line, problem.reason) for problem in refused.value.problems]

    async def write(self) -> None:
        await import_catalogue(self.database, self.path, "req_test", lambda _bytes: None)


@pytest.fixture
async def refuse(shelf: str, tmp_path: Path) -> AsyncIterator[Refusing]:
    """Import over a copy of the world."""
    database = Database(shelf)
    yield Refusing(database, tmp_path / "catalogue.jsonl")
    await database.close()


def text(*lines: Line | list[Any] | str | bytes) -> bytes:
    """Return lines as a file has them: text as it is, anything else as JSON."""
    return b"".join(_line(line) + b"\n" for line in lines)


def _line(line: Line | list[Any] | str | bytes) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)).encode()


@pytest.mark.parametrize(("line", "reason"), ONE, ids=[reason for _, reason in ONE])
async def test_a_bad_line_is_told_with_its_number_and_nothing_is_written(
    refuse: Refusing, line: Line | list[Any] | str | bytes, reason: str
) -> None:
    assert await refuse(text(GOOD, line)) == [(2, reason)]


@pytest.mark.parametrize(("lines", "problems"), [case[1:] for case in TOGETHER], ids=[case[0] for case in TOGETHER])
async def test_lines_that_do_not_go_together_are_told_with_their_numbers(
    refuse: Refusing, lines: list[Line], problems: list[tuple[int, str]]
) -> None:
    assert await refuse(text(*lines)) == problems


async def test_every_bad_line_is_told_at_once_in_the_order_of_the_file(refuse: Refusing) -> None:
    lines = text(GOOD, "{", b"", ASSET | {"owner": "nobody", "uses": ["nothing"]}, USER | {"name": ""}, GOOD)
    assert await refuse(lines) == [
        (2, "it is no JSON: unexpected end of data at character 2"),
        (4, f"owner: there is no user 'nobody' {ABSENT}"),
        (4, f"uses: there is no asset 'nothing' {ABSENT}"),
        (5, "name must not be empty"),
        (6, "id 'good' is that of the user on line 1"),
    ]


async def test_of_very_many_bad_lines_the_first_are_told(refuse: Refusing) -> None:
    problems = await refuse(b"{\n" * (MAX_PROBLEMS + 5))
    assert [line for line, _ in problems] == list(range(1, MAX_PROBLEMS + 1))


async def test_of_very_many_faults_in_a_line_the_first_are_told(refuse: Refusing) -> None:
    [(_, reason)] = await refuse(text(GROUP | {"members": list(range(100))}))
    assert reason == "; ".join([*(f"members[{number}] must be text" for number in range(5)), "and 95 more"])


async def test_a_line_of_any_length_is_told_and_the_next_one_read(refuse: Refusing) -> None:
    reason = f"the line is longer than {MAX_LINE_BYTES:,} bytes"
    long_line = text(USER | {"name": "x" * MAX_LINE_BYTES * 3})
    assert await refuse(long_line + text("{}")) == [(1, reason), (2, f"kind must be {KINDS}")]


@pytest.mark.parametrize(
    "content", [b"", b"\n \r\n", b"\xef\xbb\xbf"], ids=["empty", "blank", "a byte order mark alone"]
)
async def test_a_file_without_lines_is_a_mistake(refuse: Refusing, content: bytes) -> None:
    assert await refuse(content) == [(1, "the file holds no line")]


async def test_a_file_that_cannot_be_read_is_told_in_a_sentence(refuse: Refusing, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"^There is no file .*catalogue\.jsonl\.$"):
        await refuse.write()
    refuse.path.mkdir()
    with pytest.raises(UnreadableFileError, match=r"catalogue\.jsonl is a folder, not a file\.$"):
        await refuse.write()
    refuse.path = tmp_path / "pipe"
    os.mkfifo(refuse.path)
    with pytest.raises(
        UnreadableFileError, match=r"pipe is no file on a disk: a catalogue is read twice, so save it in one"
    ):
        await refuse.write()


async def test_a_file_that_changes_while_it_is_read_is_not_written(refuse: Refusing) -> None:
    refuse.path.write_bytes(text(GOOD, ASSET))
    before = await db_snapshot(refuse.database)
    seen = 0

    def change_it_after_the_check(read: int) -> None:
        nonlocal seen
        seen += read
        if seen == refuse.path.stat().st_size:
            refuse.path.write_bytes(text(ASSET | {"owner": "nobody"}))

    with pytest.raises(UnreadableFileError, match="changed while it was read: nothing was written"):
        await import_catalogue(refuse.database, refuse.path, "req_test", change_it_after_the_check)
    assert await db_snapshot(refuse.database) == before
