"""Trusted documents: manifests, requests by id, and deployments that answer nothing else."""

import json
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

import httpx
import pytest

from app import limits
from app.application import create_application, load_documents
from app.check import Level, check_documents
from app.operation import OperationRecord
from app.operation_log import fields_of
from app.settings import SettingError, Settings
from app.trusted_documents import InvalidDocumentsError, TrustedDocuments, read_documents
from resolvers.limits import LIMITS
from schema.graph import build_schema
from store.database import Database
from tests.cli_process import CommandRunner
from tests.conftest import World as AtollWorld
from tests.http_server import RESPONSE, World, build_test_schema, run_server, without_cost

HELLO = "query Hello { hello }"
ECHO = "query Echo($text: String!) { echo(text: $text) }\nquery Other { hello }\n"
NOTE = "mutation Note($text: String!) { note(text: $text) }"


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def old_hash(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def write(path: Path, manifest: object) -> str:
    path.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest), encoding="utf-8")
    return str(path)


def read(*paths: str) -> dict[str, str]:
    """Return the documents of the manifests, for the small schema."""
    return read_documents(paths, build_test_schema([]), limits.document_rules())


# Manifests


def test_manifests_of_all_tools_are_read(tmp_path: Path) -> None:
    operation = {"id": sha(NOTE), "name": "Note", "type": "mutation", "body": NOTE}
    apollo = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}
    paths = [
        write(tmp_path / "relay.json", {old_hash(HELLO): HELLO}),
        write(tmp_path / "codegen.json", {sha(HELLO): HELLO}),
        write(tmp_path / "prefixed.json", {f"sha256:{sha(ECHO)}": ECHO}),
        write(tmp_path / "apollo.json", apollo),
        write(tmp_path / "same.json", {sha(HELLO): HELLO}),
    ]
    assert read(*paths) == {old_hash(HELLO): HELLO, sha(HELLO): HELLO, sha(ECHO): ECHO, sha(NOTE): NOTE}


APOLLO: dict[str, Any] = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": []}
NO_MANIFEST = "not a manifest. Use an object of documents by id, or one of the format"


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ('{"a":\n "b"', "line 2, column 5: not JSON."),
        ([HELLO], NO_MANIFEST),
        ({"a": 1}, NO_MANIFEST),
        (APOLLO | {"version": 2}, NO_MANIFEST),
        (APOLLO | {"operations": [{"id": "a"}]}, NO_MANIFEST),
        (APOLLO | {"operations": None}, NO_MANIFEST),
        ({sha(HELLO): ECHO}, f"document {sha(HELLO)}: the SHA-256 of the document is {sha(ECHO)}."),
        ({"sha256:1f": HELLO}, f"document sha256:1f: the SHA-256 of the document is {sha(HELLO)}."),
        ({"a": "query {\n  hello("}, "document a, line 2, column 9: Syntax Error: Expected Name, found <EOF>."),
        ({"a": "{\n  gone }"}, "document a, line 2, column 3: Cannot query field 'gone' on type 'Query'."),
        ({"a": ""}, "document a, line 1, column 1: Syntax Error: Unexpected <EOF>."),
        ({"a": "fragment F on Query { hello }"}, "document a, line 1, column 1: Fragment 'F' is never used."),
        ({"a": "{" + " hello" * 2_001 + " }"}, "document a, line 1, column 1: The query selects 2,001 fields;"),
        (
            {"a": "{ hello }" + " " * LIMITS.query_characters},
            f"document a: {LIMITS.query_characters + 9:,} characters; at most {LIMITS.query_characters:,} are allowed.",
        ),
    ],
)
def test_a_bad_manifest_is_reported_with_the_position(tmp_path: Path, manifest: object, problem: str) -> None:
    path = write(tmp_path / "bad.json", manifest)
    with pytest.raises(InvalidDocumentsError) as refused:
        read(path)
    first, *_, way_out = str(refused.value).splitlines()
    assert first.startswith((f"{path}: {problem}", f"{path}: {problem.removeprefix('document a')}"))
    assert "generate the manifests again" in way_out


def test_a_missing_manifest_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocumentsError, match=r"absent\.json: cannot be read: no such file or directory\."):
        read(str(tmp_path / "absent.json"))


def test_the_problems_of_all_documents_are_reported_together(tmp_path: Path) -> None:
    first = write(tmp_path / "first.json", {"a": "{ gone }", "b": HELLO, "c": "{"})
    second = write(tmp_path / "second.json", {"b": ECHO, sha(HELLO): HELLO})
    with pytest.raises(InvalidDocumentsError) as refused:
        read(first, second)
    places = [f"{first}: document a,", f"{first}: document c,", f"{second}: document b: another document"]
    assert [problem[: len(place)] for problem, place in zip(refused.value.problems, places, strict=True)] == places


TREE = (
    "{ topics(first: $first) { nodes { collections(first: $first) { nodes {"
    " assets(first: $first) { nodes { __typename } } } } } } }"
)


@pytest.mark.parametrize(
    ("document", "is_refused"),
    [
        ("{ collections(first: 100) { nodes { assets(first: 100) { nodes { __typename } } } } }", False),
        (TREE.replace("$first", "100"), True),
        (f"query ($first: Int = 100) {TREE}", False),
    ],
)
def test_a_cost_that_no_variables_can_lower_is_checked(tmp_path: Path, document: str, *, is_refused: bool) -> None:
    path = write(tmp_path / "a.json", {"a": document})
    schema = build_schema(limits.extensions())
    if is_refused:
        with pytest.raises(InvalidDocumentsError, match=r"document a: The query may return [0-9,]+ objects; the limit"):
            read_documents([path], schema, limits.document_rules())
    else:
        assert read_documents([path], schema, limits.document_rules()) == {"a": document}


# Requests

DOCUMENTS = {sha(HELLO): HELLO, sha(ECHO): ECHO, old_hash(HELLO): HELLO, sha(NOTE): NOTE, "x-app:7": HELLO}
REQUIRED = "DOCUMENT_REQUIRED"
UNKNOWN = "DOCUMENT_NOT_FOUND"
UNSUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"


@pytest.fixture(scope="module")
def records() -> list[OperationRecord]:
    """Return the list of the servers' operations."""
    return []


class Server(NamedTuple):
    """Client of a server with trusted documents, and whether it answers no others."""

    client: httpx.Client
    is_only: bool


@pytest.fixture(scope="module", params=[False, True], ids=["and all others", "and no others"])
def server(request: pytest.FixtureRequest, records: list[OperationRecord]) -> Iterator[Server]:
    """Yield each kind of server."""
    documents = TrustedDocuments(DOCUMENTS, is_only=request.param)
    world = World(documents=documents, observe=[records.append], has_ide=True)
    with (
        run_server(world.app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"accept": RESPONSE}) as client,
    ):
        yield Server(client, request.param)


def apq(document_hash: object) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": document_hash}}


def code(response: httpx.Response) -> str:
    [error] = response.json()["errors"]
    return str(error["extensions"]["code"])


@pytest.mark.parametrize("document_id", [sha(HELLO), f"sha256:{sha(HELLO)}", old_hash(HELLO), "x-app:7"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_document_is_requested_by_its_id(
    server: Server, records: list[OperationRecord], method: str, document_id: str
) -> None:
    if method == "GET":
        response = server.client.get("/graphql", params={"documentId": document_id})
    else:
        response = server.client.post("/graphql", json={"documentId": document_id})
    assert (response.status_code, without_cost(response)) == (200, {"data": {"hello": "world"}})
    fields = fields_of(records[-1])
    assert (fields["document"], fields["documentId"]) == (sha(HELLO)[:16], document_id.removeprefix("sha256:"))


def test_a_document_has_variables_and_an_operation_name(server: Server) -> None:
    request = {"documentId": sha(ECHO), "operationName": "Echo"}
    posted = server.client.post("/graphql", json=request | {"variables": {"text": "reef"}})
    got = server.client.get("/graphql", params=request | {"variables": '{"text": "reef"}'})
    assert without_cost(posted) == without_cost(got) == {"data": {"echo": "reef"}}
    assert code(server.client.post("/graphql", json={"documentId": sha(ECHO)})) == "OPERATION_RESOLUTION_FAILURE"


def test_a_mutation_by_id_is_sent_by_post(server: Server) -> None:
    posted = server.client.post("/graphql", json={"documentId": sha(NOTE), "variables": {"text": "reef"}})
    assert without_cost(posted) == {"data": {"note": "reef"}}
    response = server.client.get("/graphql", params={"documentId": sha(NOTE), "variables": '{"text": "reef"}'})
    assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "document_id", ["unknown", sha("{ other }"), f"sha256:{sha(HELLO).upper()}", f"sha512:{sha(HELLO)}", "\0"]
)
def test_an_unknown_document_is_not_found(server: Server, records: list[OperationRecord], document_id: str) -> None:
    response = server.client.get("/graphql", params={"documentId": document_id})
    assert (response.status_code, code(response)) == (400, UNKNOWN)
    assert "ATOLL_DOCUMENTS" in response.json()["errors"][0]["message"]
    assert "documentId" not in fields_of(records[-1]), "an id that a client made up is not logged"


def test_a_request_has_one_document(server: Server) -> None:
    both = server.client.post("/graphql", json={"documentId": sha(HELLO), "query": HELLO})
    assert (both.status_code, both.json()["errors"][0]["message"]) == (400, "Send query or documentId, not both.")
    repeated = server.client.get("/graphql", params=[("documentId", sha(HELLO)), ("documentId", sha(ECHO))])
    assert (repeated.status_code, code(repeated)) == (400, "BAD_REQUEST")
    for value in (1, True, [sha(HELLO)]):
        wrong = server.client.post("/graphql", json={"documentId": value})
        assert (wrong.status_code, wrong.json()["errors"][0]["message"]) == (400, "documentId must be a string.")


def test_other_documents_are_answered_unless_trusted_ones_are_required(server: Server) -> None:
    for request in ({"query": HELLO}, {"query": HELLO, "documentId": ""}, {"query": "{ __schema { __typename } }"}):
        response = server.client.post("/graphql", json=request)
        if server.is_only:
            assert (response.status_code, code(response)) == (400, REQUIRED)
            assert "GraphiQL cannot be used here." in response.json()["errors"][0]["message"]
        else:
            assert (response.status_code, "data" in response.json()) == (200, True)


@pytest.mark.parametrize("request_", [{}, {"documentId": ""}, {"documentId": None, "query": None}])
def test_a_request_without_a_document_says_which_it_needs(server: Server, request_: dict[str, Any]) -> None:
    response = server.client.post("/graphql", json=request_)
    assert (response.status_code, code(response)) == (400, REQUIRED if server.is_only else "BAD_REQUEST")


def test_clients_of_apollo_request_documents_by_their_own_member(server: Server) -> None:
    request = {"extensions": apq(sha(HELLO))}
    assert without_cost(server.client.post("/graphql", json=request)) == {"data": {"hello": "world"}}
    response = server.client.get("/graphql", params={"extensions": json.dumps(request["extensions"])})
    assert without_cost(response) == {"data": {"hello": "world"}}


@pytest.mark.parametrize("persisted_query", [apq("a" * 64), apq(None), apq({}), {"persistedQuery": 1}])
def test_the_probe_of_apollo_is_refused_as_ever(server: Server, persisted_query: dict[str, Any]) -> None:
    response = server.client.post("/graphql", json={"extensions": persisted_query})
    refusal = {"message": "PersistedQueryNotSupported", "extensions": {"code": UNSUPPORTED}}
    assert (response.status_code, response.json()) == (400, {"errors": [refusal]})
    retried = server.client.post("/graphql", json={"query": HELLO, "extensions": persisted_query})
    if server.is_only:
        assert code(retried) == REQUIRED
    else:
        assert without_cost(retried) == {"data": {"hello": "world"}}


def test_an_id_wins_over_the_hash_of_apollo(server: Server) -> None:
    request = {"documentId": sha(HELLO), "extensions": apq(sha(NOTE))}
    assert without_cost(server.client.post("/graphql", json=request)) == {"data": {"hello": "world"}}
    assert code(server.client.post("/graphql", json=request | {"documentId": "unknown"})) == UNKNOWN


def test_browsers_still_get_the_page(server: Server) -> None:
    assert server.client.get("/graphql", headers={"accept": "text/html"}).text == "a page"


# Settings and commands


def test_the_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_environment({"ATOLL_DOCUMENTS": "a.json, b.json", "ATOLL_DOCUMENTS_ONLY": "1"})
    assert (settings.documents, settings.documents_only) == (("a.json", "b.json"), True)
    with pytest.raises(SettingError, match="ATOLL_DOCUMENTS_ONLY is on, but ATOLL_DOCUMENTS is not set"):
        Settings.from_environment({"ATOLL_DOCUMENTS_ONLY": "1"})


def test_the_check_counts_documents(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"a": "{ __typename }", "b": "{ topics { totalCount } }"})
    some = check_documents(load_documents(Settings(documents=(path,))))
    only = check_documents(load_documents(Settings(documents=(path,), documents_only=True)))
    none = check_documents(load_documents(Settings()))
    assert [finding.text for finding in (some, only, none)] == ["2, and all others", "2, and no others", "none"]
    assert {finding.level for finding in (some, only, none)} == {Level.OK}


async def test_the_application_answers_the_documents_of_its_settings(world: AtollWorld, tmp_path: Path) -> None:
    query = "query Topics { topics { totalCount } }"
    path = write(tmp_path / "a.json", {sha(query): query})
    database = Database(world.url)
    application = create_application(Settings(documents=(path,), documents_only=True), database=database)
    transport = httpx.ASGITransport(application)
    headers = {"authorization": f"Bearer {world.tokens['eve']}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://atoll", headers=headers) as client:
        response = await client.get("/graphql", params={"documentId": f"sha256:{sha(query)}"})
        assert response.json()["data"] == {"topics": {"totalCount": 3}}
        assert (await client.post("/graphql", json={"query": query})).status_code == 400
    await database.close()


@pytest.fixture
def atoll_nowhere(forker: Popen[str], tmp_path: Path) -> CommandRunner:
    """Return a runner of commands that must not use a database."""
    return CommandRunner(forker, tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'untouched.db'}")


def test_serve_does_not_start_with_a_bad_document(atoll_nowhere: CommandRunner, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"a": "{ gone }"})
    for arguments in (("serve",), ("serve", "--workers", "2"), ("serve", "--demo")):
        refused = atoll_nowhere(*arguments, DOCUMENTS=path)
        problem, way_out = refused.err.splitlines()
        assert refused.code == 1
        assert problem.startswith(f"{path}: document a, line 1, column 3: Cannot query field 'gone' on type 'Query'.")
        assert "generate the manifests again" in way_out
    assert not (atoll_nowhere.folder / "untouched.db").exists()


def test_check_reports_a_bad_document(atoll_nowhere: CommandRunner, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"a": "{ gone }"})
    checked = atoll_nowhere("check", DOCUMENTS=path)
    line = f"error   trusted documents  {path}: document a, line 1, column 3: Cannot query field 'gone'"
    assert checked.code == 1
    assert [each for each in checked.out.splitlines() if each.startswith(line)]
