"""Clients of other projects against a server: Relay, Apollo Client, urql, GraphQL Code Generator, gql, ariadne-codegen.

Each runs the code of docs/clients, in a folder of its own beside its npm packages.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_process import Server, environment, run_server
from tests.conftest import World
from tests.node import node_for

ROOT = Path(__file__).parents[1]
CLIENTS = Path(__file__).parent / "clients"
DOCS = ROOT / "docs" / "clients"
SECONDS = 120


@pytest.fixture
def server(own_world: World, tmp_path: Path) -> Iterator[Server]:
    """Serve a copy of the world, which the test may change."""
    with run_server(tmp_path, environment(DATABASE_URL=own_world.url)) as running:
        yield running


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the compiled clients in JavaScript."""
    node = node_for(CLIENTS)
    folder = tmp_path_factory.mktemp("clients")
    shutil.copytree(CLIENTS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules*"))
    shutil.copytree(DOCS, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "schema.graphql", folder)
    (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    (folder / "relay" / "__generated__").mkdir()
    run(folder / "relay", node, "../node_modules/relay-compiler/cli.js", "relay.config.json")
    run(folder, node, "node_modules/.bin/graphql-codegen", "--config", "codegen.ts")
    run(folder, node, "generate.mjs")
    run(folder, node, "node_modules/typescript/bin/tsc", "--project", ".")
    return folder


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run the command in the folder and return its output; fail with the output unless it succeeds."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("client", sorted(path.name.split(".")[0] for path in CLIENTS.glob("*.test.mjs")))
def test_a_client_in_javascript_shows_the_lists_of_the_server(
    client: str, project: Path, server: Server, own_world: World
) -> None:
    world = json.dumps({"url": server.url, "tokens": own_world.tokens})
    run(project, node_for(CLIENTS), f"{client}.test.mjs", ATOLL_TEST_WORLD=world)
