"""Clients of other projects against a server: in JavaScript (with subscriptions) and Python.

Each runs the code of docs/clients. Those in JavaScript have their own tests, `tests/clients/*.test.mjs`.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.cli_process import Server, environment, run_server
from tests.client_process import CLIENTS, install_python_clients, run, run_python
from tests.conftest import World
from tests.node import node_for

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "clients"
PAGE = ROOT / "docs" / "clients.md"
JAVASCRIPT = {path.name.removesuffix(".test.mjs"): path for path in sorted(CLIENTS.glob("*.test.mjs"))}


@pytest.fixture
def server(own_world: World, tmp_path: Path) -> Iterator[Server]:
    """Serve a copy of the world, which the test may change."""
    with run_server(tmp_path, environment(DATABASE_URL=own_world.url, EXPORT_FOLDER=str(tmp_path))) as running:
        yield running


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the clients compiled to JavaScript, and their tests."""
    folder = copy_javascript(tmp_path_factory.mktemp("javascript"))
    compile_clients(folder)
    return folder


def copy_javascript(folder: Path) -> Path:
    """Copy the clients in JavaScript and their tests into the folder, and return it."""
    shutil.copytree(CLIENTS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules*"))
    (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    return copy_docs(folder)


def compile_clients(folder: Path) -> None:
    """Generate the code of Relay, of GraphQL Code Generator and for caches, then compile TypeScript to JavaScript."""
    node = node_for(CLIENTS)
    (folder / "relay" / "__generated__").mkdir(exist_ok=True)
    run(folder / "relay", node, "../node_modules/relay-compiler/cli.js", "relay.config.json")
    run(folder, node, "node_modules/.bin/graphql-codegen", "--config", "codegen.ts")
    run(folder, node, "generate.mjs")
    run(folder, node, "node_modules/typescript/bin/tsc", "--project", ".")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Return a folder with the clients in Python."""
    install_python_clients()
    return copy_docs(tmp_path / "python")


def copy_docs(folder: Path) -> Path:
    """Copy the code of the docs and the schema into the folder, and return it."""
    shutil.copytree(DOCS, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "schema.graphql", folder)
    return folder


@pytest.mark.parametrize("client", JAVASCRIPT)
def test_a_client_in_javascript_passes_its_tests(
    client: str, javascript: Path, server: Server, own_world: World
) -> None:
    run_javascript(client, javascript, server, own_world)


def run_javascript(client: str, folder: Path, server: Server, world: World) -> None:
    """Run the tests of the client, and fail unless each of them passes."""
    given = json.dumps({"url": server.url, "tokens": world.tokens})
    output = run(folder, node_for(CLIENTS), JAVASCRIPT[client].name, ATOLL_TEST_WORLD=given)
    names = re.findall(r"^test\('(.*)',", JAVASCRIPT[client].read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert re.findall(r"^ok \d+ - (.*)$", output, re.MULTILINE) == names


def test_relay_and_generated_documents_are_requested_by_their_ids(own_world: World, tmp_path: Path) -> None:
    folder = copy_javascript(tmp_path / "javascript")
    replace_in(
        folder / "relay" / "relay.config.json", '"src": ".",', f'"src": ".", {setting_in_docs("persistConfig")},'
    )
    replace_in(folder / "codegen.ts", "presetConfig: {", f"presetConfig: {{ {setting_in_docs('persistedDocuments')},")
    manifests = [folder / "relay" / "persisted.json", folder / "gql" / "persisted-documents.json"]
    manifests[0].write_text("{}", encoding="ascii")
    compile_clients(folder)
    # A document without its text is answered only if the server knows its id.
    replace_in(folder / "relay" / "environment.js", "query: text ??", "query:")
    replace_in(folder / "typed.js", "print(document)", "undefined")
    documents = ",".join(map(str, manifests))
    settings = {"DATABASE_URL": own_world.url, "DOCUMENTS": documents, "EXPORT_FOLDER": str(tmp_path)}
    with run_server(tmp_path, environment(**settings)) as server:
        run_javascript("relay", folder, server, own_world)
        run_javascript("codegen", folder, server, own_world)
        run_javascript("live", folder, server, own_world)


def setting_in_docs(name: str) -> str:
    """Return a setting of trusted documents, as the docs have it."""
    [setting] = set(re.findall(rf"(\"?{name}\"?: \{{[^}}]*\}})", PAGE.read_text(encoding="utf-8")))
    return str(setting)


def replace_in(path: Path, old: str, new: str) -> None:
    """Replace the text in the file; fail if it is not there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_gql_reads_pages_scalars_and_codes_of_errors(python: Path, server: Server, own_world: World) -> None:
    def run_as(who: str) -> dict[str, Any]:
        script = ["gql_client.py", f"{server.url}/graphql", own_world.tokens[who], "schema.graphql"]
        return dict(json.loads(run_python(python, *script)))

    visible = ["align", "blast", "count", "draft", "explore", "lens"]
    read = {"created": [2024], "is_equal_async": True}
    # Of count, she sees no content.
    assert run_as("eve") == read | {"names": visible, "urls": 5, "codes": ["FORBIDDEN"]}
    names = sorted([*visible, "genomes", "hidden", "images", "junk", "kept"])
    assert run_as("ada") == read | {"names": names, "urls": 7, "codes": [], "user_errors": ["REQUIRED"]}


def test_ariadne_codegen_reads_pages_scalars_and_codes_of_errors(
    python: Path, server: Server, own_world: World
) -> None:
    def run_as(who: str, script: str) -> Any:
        return json.loads(run_python(python, script, f"{server.url}/graphql", own_world.tokens[who]))

    settings = python / "ariadne-codegen.toml"
    generate = ["-m", "ariadne_codegen", "--config", settings.name]
    run_python(python, *generate)
    assert run_as("mei", "ariadne_client.py") == {"names": ["genomes", "images"], "codes": ["FORBIDDEN"]}
    assert run_as("ada", "ariadne_client.py") == {
        "names": ["genomes", "hidden", "images", "junk"],
        "codes": [],
        "registered": {"name": "large", "size": 2**53, "zone": "UTC"},
        "user_errors": ["REQUIRED"],
    }
    replace_in(settings, '_client"', '_client"\nasync_client = false')
    run_python(python, *generate)
    assert run_as("olu", "ariadne_client_sync.py") == ["blast", "genomes"]


@pytest.mark.parametrize(("page", "languages"), [(PAGE, r"\w+"), (ROOT / "docs" / "live.md", "ts")])
def test_code_in_the_docs_is_that_of_the_tests(page: Path, languages: str) -> None:
    files = [path.read_text(encoding="utf-8") for path in (*DOCS.rglob("*"), *CLIENTS.iterdir()) if path.is_file()]
    blocks = re.findall(rf"^```{languages}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    assert [block for block in blocks if not any(contains(file, block) for file in files)] == []


def test_versions_in_the_docs_are_those_of_the_tests() -> None:
    tested = json.loads((CLIENTS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    requirements = (CLIENTS / "requirements.in").read_text(encoding="utf-8")
    tested |= re.findall(r"^([\w-]+)(?:\[.*\])?==(.+)$", requirements, re.MULTILINE)
    rows = re.findall(r"^\| ([^|]+) \| ([\d., ]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = {
        name: version
        for names, versions in rows
        for name, version in zip(names.split(", "), versions.split(", "), strict=True)
    }
    assert len(named) == 11
    assert named == {name: tested.get(name) for name in named}


def test_each_file_with_code_is_named_in_the_docs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = [path.relative_to(DOCS.parent).as_posix() for path in DOCS.rglob("*") if path.is_file()]
    assert [file for file in files if f"({file})" not in page] == []


def contains(file: str, block: str) -> bool:
    """Return whether the lines of the block are lines of the file, indented alike."""
    lines, expected = file.splitlines(), block.splitlines()
    starts = range(len(lines) - len(expected) + 1)
    return any(dedent("\n".join(lines[start : start + len(expected)])).splitlines() == expected for start in starts)
