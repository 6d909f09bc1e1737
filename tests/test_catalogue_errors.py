"""Invalid catalogues: each problem is reported with its line and reason, and nothing is written."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from store.catalogue.file import MAX_LINE_BYTES, UnreadableFileError
from store.catalogue.importer import import_catalogue
from store.catalogue.parsed import MAX_PROBLEMS, InvalidCatalogueError, LineProblem
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
MISSING = "in the file or the database"
TIMESTAMP = "createdAt must be a timestamp such as 2026-11-23T06:29:00Z"
BEFORE_YEAR_1 = "0001-01-01T00:00:00+23:00"


def without(line: Line, *names: str) -> Line:
    return {name: value for name, value in line.items() if name not in names}


# The content of line 2, after a valid line 1, and the problem of line 2.
INVALID_LINES: list[tuple[Line | list[Any] | str | bytes, str]] = [
    (b'{"kind": "user", "id": "\xff"}', "byte 25 of the line is not UTF-8; save the file as UTF-8"),
    (b"\x00", "not valid JSON: unexpected character, expected a JSON value at character 1"),
    ("{'kind': 'user'}", "not valid JSON: unexpected character, expected a string key at character 2"),
    ('{"kind": "user", "id": "\\ud800", "name": "New"}', "not valid JSON: no low surrogate in string at character 25"),
    ("[" * 100_000, "not valid JSON: depth limit exceeded at character 1026"),
    ([], f"the line must be an object with a kind: {KINDS}"),
    ("7", f"the line must be an object with a kind: {KINDS}"),
    ({}, f"kind is missing; it must be {KINDS}"),
    (USER | {"kind": "person"}, f"kind must be {KINDS}, not 'person'"),
    (USER | {"kind": []}, f"kind must be {KINDS}, not []"),
    (USER | {"colour": "red"}, "'colour' is not a field of a user; remove it or correct its name"),
    (ASSET | {"colour": "red"}, "'colour' is not a field of an asset; remove it or correct its name"),
    (ASSET | {"grants": [{"to": "eve", "role": "VIEWER", "access": 2}]},
     "'access' is not a field of grants[0]; remove it or correct its name"),
    ({"kind": "user"}, "id is missing; name is missing"),
    ({"kind": "asset"}, "id is missing; type is missing; name is missing; owner is missing; grants is missing"),
    (without(COLLECTION, "visibility", "assets"), "visibility is missing; assets is missing"),
    (USER | {"name": 7}, "name must be text, not 7"),
    (USER | {"name": None}, "name must be text, not null"),
    (USER | {"name": " "}, "name must not be empty"),
    (USER | {"name": LONG}, "name is 201 characters long; at most 200 are allowed"),
    (USER | {"name": "\u0301" * 2_000_000}, "name is 2,000,000 characters long; at most 200 are allowed"),
    (USER | {"name": "N\x07w"}, "name contains the control character U+0007"),
    (USER | {"name": "N\nw"}, "name contains the control character U+000A"),
    (USER | {"name": "N\x00w"}, "name contains the control character U+0000"),
    (USER | {"isAdmin": "yes"}, "isAdmin must be true or false, not 'yes'"),
    (USER | {"isAdmin": 1}, "isAdmin must be true or false, not 1"),
    (USER | {"id": "everyone"}, "id 'everyone' is reserved for grants; choose another id"),
    (GROUP | {"id": "public"}, "id 'public' is reserved for grants; choose another id"),
    (USER | {"id": "lab"}, "id 'lab' belongs to a group in the database; choose another id"),
    (GROUP | {"id": "eve"}, "id 'eve' belongs to a user in the database; choose another id"),
    (GROUP | {"members": "eve"}, "members must be a list, not 'eve'"),
    (GROUP | {"members": ["eve", 7]}, "members[1] must be text, not 7"),
    (GROUP | {"members": ["eve", "nobody"]}, f"members: there is no user 'nobody' {MISSING}"),
    (GROUP | {"members": ["lab"]}, "members: 'lab' is not a user; name a user"),
    (GROUP | {"members": ["new"]}, "members: 'new' is not a user; name a user"),
    (ASSET | {"dataKind": "TABLE"}, "dataKind must be 'DATASET', 'RESULT' or 'COMBINED', not 'TABLE'"),
    (ASSET | {"owner": "nobody"}, f"owner: there is no user 'nobody' {MISSING}"),
    (ASSET | {"owner": "everyone"}, "owner: 'everyone' is not a user; name a user"),
    (ASSET | {"owner": "lab"}, "owner: 'lab' is not a user; name a user"),
    (ASSET | {"grants": [{"to": "nobody", "role": "VIEWER"}]}, f"grants: there is no user or group 'nobody' {MISSING}"),
    (ASSET | {"grants": [{"to": "eve", "role": "BOSS"}]},
     "grants[0].role must be 'DISCOVERABLE', 'VIEWER', 'EDITOR' or 'OWNER', not 'BOSS'"),
    (ASSET | {"grants": [{"to": "eve"}]}, "grants[0].role is missing"),
    (ASSET | {"grants": ["eve"]}, "grants[0] must be an object, not 'eve'"),
    (ASSET | {"uses": ["align", "nothing"]}, f"uses: there is no asset 'nothing' {MISSING}"),
    (ASSET | {"sizeBytes": 2**63}, "sizeBytes must be less than 9,223,372,036,854,775,808, not 9223372036854775808"),
    (ASSET | {"sizeBytes": 10**400}, "not valid JSON: number is infinity when parsed as double at character 107"),
    (ASSET | {"sizeBytes": 10**30}, "sizeBytes must be a whole number, not 1e+30"),
    (ASSET | {"sizeBytes": 1.5}, "sizeBytes must be a whole number, not 1.5"),
    (ASSET | {"sizeBytes": True}, "sizeBytes must be a whole number, not true"),
    (ASSET | {"fileCount": -1}, "fileCount must be at least 0, not -1"),
    (ASSET | {"stepCount": 2**31}, "stepCount must be less than 2,147,483,648, not 2147483648"),
    (ASSET | {"url": "javascript:alert(1)"},
     "url must begin with https://, http://, s3://, gs://, az:// or ftp://, not 'javascript:alert(1)'"),
    (ASSET | {"url": "https:// spaces"},
     "url must not contain white space; write %20 for a space, not 'https:// spaces'"),
    (ASSET | {"doi": "not a doi"}, "doi must be a DOI such as 10.5281/zenodo.77, not 'not a doi'"),
    (USER | {"name": "\u200b"}, "name contains the invisible character U+200B; remove it"),
    (TOPIC | {"name": "\u3164"}, "name contains the invisible character U+3164; remove it"),
    (COLLECTION | {"name": "RNA\u200b"}, "name contains the invisible character U+200B; remove it"),
    (ASSET | {"name": "R\u202eNA"}, "name contains the invisible character U+202E; remove it"),
    (ASSET | {"url": 5}, "url must be text, not 5"),
    (ASSET | {"createdAt": "yesterday"}, f"{TIMESTAMP}, not 'yesterday'"),
    (ASSET | {"createdAt": 20240101}, f"{TIMESTAMP}, not 20240101"),
    (ASSET | {"createdAt": BEFORE_YEAR_1}, f"{TIMESTAMP}, not {BEFORE_YEAR_1!r}"),
    (TOPIC | {"slug": "New Topic"},
     "slug must consist of a-z, 0-9 and hyphens and not begin with a hyphen, but is 'New Topic'"),
    (TOPIC | {"name": "IMAGING"},
     "name 'IMAGING' is already used by the topic 'imaging' in the database (case is ignored)"),
    (COLLECTION | {"visibility": "public"}, "visibility must be 'INTERNAL' or 'PUBLIC', not 'public'"),
    (COLLECTION | {"topic": "nowhere"}, f"topic: there is no topic 'nowhere' {MISSING}"),
    (COLLECTION | {"parent": "nothing"}, f"parent: there is no collection 'nothing' {MISSING}"),
    (COLLECTION | {"parent": "members"},
     "parent 'members' is in topic 'genomics', not 'imaging'; name a parent in the same topic"),
    (COLLECTION | {"parent": "new"}, "parent 'new' is below the collection itself"),
    (COLLECTION | {"assets": ["align", "nothing"]}, f"assets: there is no asset 'nothing' {MISSING}"),
    (COLLECTION | {"name": "Open"},
     "name 'Open' is already used by the sibling collection 'open' in the database (case is ignored)"),
    (COLLECTION | {"slug": "open", "parent": "deep"}, "parent 'deep' is below the collection itself"),
]  # fmt: skip

# Lines that are valid alone, and the problems that they have together.
CONFLICTING_LINES: list[tuple[str, list[Line], list[tuple[int, str]]]] = [
    ("an id twice", [USER, USER], [(2, "id 'new' is already used by the user on line 1")]),
    ("an id thrice", [ASSET, ASSET, ASSET],
     [(line, "id 'new' is already used by the asset on line 1") for line in (2, 3)]),
    ("a user and a group", [USER, GROUP], [(2, "id 'new' is already used by the user on line 1")]),
    ("a group and a user", [GROUP, USER], [(2, "id 'new' is already used by the group on line 1")]),
    ("a slug twice", [TOPIC, TOPIC], [(2, "slug 'new' is already used by the topic on line 1")]),
    ("topics of one name", [TOPIC, TOPIC | {"slug": "other", "name": "NEW"}],
     [(2, "name 'NEW' is already used by the topic on line 1 (case is ignored)")]),
    ("topics of one name, composed", [TOPIC | {"name": "Caf\u00e9"}, TOPIC | {"slug": "other", "name": "CAFE\u0301"}],
     [(2, "name 'CAF\u00c9' is already used by the topic on line 1 (case is ignored)")]),
    ("siblings of one name", [COLLECTION, COLLECTION | {"slug": "other", "name": " nEW "}],
     [(2, "name 'nEW' is already used by the sibling collection on line 1 (case is ignored)")]),
    ("a reference to an invalid line", [USER | {"name": ""}, ASSET | {"owner": "new"}],
     [(1, "name must not be empty")]),
    ("a cycle", [COLLECTION | {"slug": a, "name": a, "parent": b} for a, b in ("ab", "bc", "ca", "da")],
     [(line, f"parent {parent!r} is below the collection itself") for line, parent in ((1, "b"), (2, "c"), (3, "a"))]),
    ("six deep", [COLLECTION | {"slug": f"s{n}", "parent": f"s{n - 1}" if n else None} for n in range(7)],
     [(line, f"parent 's{line - 2}' is too deep; collections nest at most 5 levels deep") for line in (6, 7)]),
    ("six deep below existing collections",
     [COLLECTION | {"slug": f"s{n}", "parent": f"s{n - 1}" if n else "deep"} for n in range(3)],
     [(3, "parent 's1' is too deep; collections nest at most 5 levels deep")]),
    ("existing collections moved too deep",
     [*(COLLECTION | {"slug": f"s{n}", "parent": f"s{n - 1}" if n else None} for n in range(3)),
      COLLECTION | {"slug": "open", "parent": "s2"}],
     [(4, "parent 's2' would put 'deep' of the database too deep; collections nest at most 5 levels deep")]),
]  # fmt: skip


@pytest.fixture(scope="module")
def copied_world_url(
    world: World, backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Return the URL of one copy of the world for all tests of this module: none of them may change it."""
    if backend == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.create_database("unchanged", template="world")
    path = tmp_path_factory.mktemp("unchanged") / "world.db"
    shutil.copy(str(Database(world.url).url.database), path)
    return f"sqlite+aiosqlite:///{path}"


class InvalidImport:
    """Imports invalid files and asserts that nothing is written."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database, self.path = database, path

    async def __call__(self, content: bytes) -> list[tuple[int, str]]:
        """Import the content and return the line and reason of each problem."""
        self.path.write_bytes(content)
        before: DbSnapshot = await db_snapshot(self.database)
        with pytest.raises(InvalidCatalogueError) as error:
            await self.run()
        assert await db_snapshot(self.database) == before
        return [(problem.line, problem.reason) for problem in error.value.problems]

    async def run(self) -> None:
        await import_catalogue(self.database, self.path, "req_test", lambda _bytes: None)


@pytest.fixture
async def problems_of(copied_world_url: str, tmp_path: Path) -> AsyncIterator[InvalidImport]:
    """Yield an importer into the copy of the world."""
    database = Database(copied_world_url)
    yield InvalidImport(database, tmp_path / "catalogue.jsonl")
    await database.close()


def to_bytes(*lines: Line | list[Any] | str | bytes) -> bytes:
    """Return lines as a file contains them: text as it is, anything else as JSON."""
    return b"".join(_line(line) + b"\n" for line in lines)


def _line(line: Line | list[Any] | str | bytes) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)).encode()


@pytest.mark.parametrize(("line", "reason"), INVALID_LINES, ids=[reason for _, reason in INVALID_LINES])
async def test_an_invalid_line_is_reported_with_number_and_reason(
    problems_of: InvalidImport, line: Line | list[Any] | str | bytes, reason: str
) -> None:
    assert await problems_of(to_bytes(GOOD, line)) == [(2, reason)]


@pytest.mark.parametrize(
    ("lines", "problems"), [case[1:] for case in CONFLICTING_LINES], ids=[case[0] for case in CONFLICTING_LINES]
)
async def test_conflicting_lines_are_reported_with_numbers_and_reasons(
    problems_of: InvalidImport, lines: list[Line], problems: list[tuple[int, str]]
) -> None:
    assert await problems_of(to_bytes(*lines)) == problems


async def test_all_problems_are_reported_together_in_the_order_of_the_file(problems_of: InvalidImport) -> None:
    asset = ASSET | {"owner": "nobody", "uses": ["nothing"]}
    assert await problems_of(to_bytes(GOOD, "{", b"", asset, USER | {"name": ""}, GOOD)) == [
        (2, "not valid JSON: unexpected end of data at character 2"),
        (4, f"owner: there is no user 'nobody' {MISSING}"),
        (4, f"uses: there is no asset 'nothing' {MISSING}"),
        (5, "name must not be empty"),
        (6, "id 'good' is already used by the user on line 1"),
    ]


async def test_at_most_1000_problems_are_reported(problems_of: InvalidImport) -> None:
    problems = await problems_of(b"{\n" * (MAX_PROBLEMS + 5))
    assert [line for line, _ in problems] == list(range(1, MAX_PROBLEMS + 1))


async def test_at_most_five_errors_of_one_line_are_reported(problems_of: InvalidImport) -> None:
    [(_, reason)] = await problems_of(to_bytes(GROUP | {"members": list(range(100))}))
    first_five = [f"members[{number}] must be text, not {number}" for number in range(5)]
    assert reason == "; ".join([*first_five, "and 95 more"])


async def test_a_line_that_is_too_long_is_reported_and_the_next_one_is_read(problems_of: InvalidImport) -> None:
    reason = f"the line is longer than the maximum of {MAX_LINE_BYTES:,} bytes"
    long_line = to_bytes(USER | {"name": "x" * MAX_LINE_BYTES * 3})
    assert await problems_of(long_line + to_bytes({})) == [(1, reason), (2, f"kind is missing; it must be {KINDS}")]


@pytest.mark.parametrize(
    "content", [b"", b"\n \r\n", b"\xef\xbb\xbf"], ids=["empty", "blank", "a byte order mark alone"]
)
async def test_a_file_without_lines_is_invalid(problems_of: InvalidImport, content: bytes) -> None:
    assert await problems_of(content) == [(1, "the file is empty")]


def test_a_problem_is_printed_as_a_sentence() -> None:
    assert str(LineProblem(3, "name is missing")) == "Line 3: name is missing."


async def test_a_file_that_cannot_be_read_is_reported_in_a_sentence(problems_of: InvalidImport, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"catalogue\.jsonl does not exist\.$"):
        await problems_of.run()
    problems_of.path.mkdir()
    with pytest.raises(UnreadableFileError, match=r"catalogue\.jsonl is a folder, not a file\.$"):
        await problems_of.run()
    problems_of.path = tmp_path / "pipe"
    os.mkfifo(problems_of.path)
    with pytest.raises(UnreadableFileError, match=r"pipe is not a regular file\. .*: save it to a file first\.$"):
        await problems_of.run()


async def test_a_file_that_changes_during_the_import_is_not_written(problems_of: InvalidImport) -> None:
    problems_of.path.write_bytes(to_bytes(GOOD, ASSET))
    before = await db_snapshot(problems_of.database)
    total = 0

    def change_the_file_after_validation(read: int) -> None:
        nonlocal total
        total += read
        if total == problems_of.path.stat().st_size:
            problems_of.path.write_bytes(to_bytes(ASSET | {"owner": "nobody"}))

    with pytest.raises(
        UnreadableFileError, match=r"changed during the import\. Nothing was written; import it again\.$"
    ):
        await import_catalogue(problems_of.database, problems_of.path, "req_test", change_the_file_after_validation)
    assert await db_snapshot(problems_of.database) == before
