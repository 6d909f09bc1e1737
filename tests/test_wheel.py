"""The wheel: complete, and at work in a fresh environment outside the checkout, on both databases and in a browser.

pip installs it offline. The environment holds the packages of requirements.lock and no others, as links to those
installed here: a dependency that is imported but not declared is missing there. No test downloads them.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock
from packaging.requirements import Requirement

from app.graphiql import build
from store.migrate import head_revision
from tests.chromium import Chromium
from tests.cli_process import Server, run_server
from tests.conftest import catalogue_lines, write_lines
from tests.missing import skip_or_fail
from tests.test_graphiql_page import assert_no_problems, ready, titles

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "engine", "fragments", "schema", "resolvers", "permissions", "store")
EXAMPLES = ROOT / "docs" / "examples"
VERSION = distribution("atoll").version
BUILD = "import hatchling.build, sys; hatchling.build.build_wheel(sys.argv[1])"  # as `pip wheel` does
SECONDS = 120


@dataclass(frozen=True)
class Installation:
    """The wheel, and an environment that it is installed into."""

    wheel: Path
    environment: Path

    @property
    def scripts(self) -> Path:
        """The folder of `python` and `atoll`."""
        return _path_in(self.environment, "scripts")

    def run(self, folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the environment in the folder, under these ATOLL_ settings; fail unless it succeeds."""
        name, *arguments = command
        return _run(self.scripts / name, *arguments, cwd=folder, env=clean_environment(**settings))

    def serve(self, folder: Path, *arguments: str, **settings: str) -> AbstractContextManager[Server]:
        """Run `atoll serve` in the folder, under these ATOLL_ settings, until the end of the block."""
        return run_server(folder, clean_environment(**settings), *arguments, python=self.scripts / "python")


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build and install the wheel, once for all processes of the run."""
    if not build.is_current():
        skip_or_fail("the wheel: GraphiQL is not built (make graphiql)")
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "wheel"
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _run(sys.executable, "-c", BUILD, str(folder), cwd=ROOT)
            _install(_wheel_in(folder), folder / "environment")
            (folder / "complete").touch()
    return Installation(_wheel_in(folder), folder / "environment")


def clean_environment(**settings: str) -> dict[str, str]:
    """Return the current environment variables with these ATOLL_ settings, without those that lead to the checkout."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ATOLL_", "PIP_", "PYTHON", "VIRTUAL"))
    }
    return inherited | {"PIP_CONFIG_FILE": os.devnull} | {f"ATOLL_{name}": value for name, value in settings.items()}


def _install(wheel: Path, environment: Path) -> None:
    try:
        _run(sys.executable, "-m", "venv", str(environment))
    except AssertionError as error:
        skip_or_fail(f"the wheel: this Python cannot make an environment with pip (Debian: python3-venv). {error}")
    _link_locked_packages(_path_in(environment, "purelib"))
    python = _path_in(environment, "scripts") / "python"
    # Without --no-deps, so that pip fails if a declared dependency is not in the lock.
    _run(python, "-m", "pip", "install", "--quiet", "--no-index", str(wheel), env=clean_environment())


def _path_in(environment: Path, name: str) -> Path:
    return Path(sysconfig.get_path(name, "venv", {"base": str(environment), "platbase": str(environment)}))


def _link_locked_packages(site_packages: Path) -> None:
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if not line.startswith((" ", "#")):
            _link_package(Requirement(line.rstrip("\\ ")).name, site_packages)


def _link_package(name: str, site_packages: Path) -> None:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return  # locked for another platform
    for entry in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
        (site_packages / entry).symlink_to(Path(str(package.locate_file(entry))).resolve())


def _run(program: str | Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [program, *arguments], check=False, capture_output=True, text=True, timeout=SECONDS, **options
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def _wheel_in(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if "node_modules" not in path.parts)


def test_the_wheel_is_complete(installation: Installation) -> None:
    with zipfile.ZipFile(installation.wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"atoll-{VERSION}.dist-info/METADATA").decode()
    assert {name.split("/")[0] for name in names} == {*PACKAGES, f"atoll-{VERSION}.dist-info"}
    python = {path.relative_to(ROOT).as_posix() for path in _sources()} - {"app/graphiql/build.py"}
    assert {name for name in names if name.endswith(".py")} == python
    examples = {f"app/graphiql/examples/{path.relative_to(EXAMPLES).as_posix()}" for path in EXAMPLES.glob("*/*")}
    assert {name for name in names if "/examples/" in name} == examples
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert {"app/demo.jsonl", "store/migrations/script.py.mako", "app/graphiql/dist/LICENSES.md"} <= names
    assert f"atoll-{VERSION}.dist-info/licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in metadata.splitlines()


def test_an_installed_wheel_migrates_imports_and_serves(
    installation: Installation, empty_url: str, tmp_path: Path
) -> None:
    def atoll(*arguments: str) -> str:
        return installation.run(tmp_path, "atoll", *arguments, DATABASE_URL=empty_url).stdout

    place = installation.run(tmp_path, "python", "-c", "import store; print(store.__file__)").stdout
    assert Path(place).is_relative_to(installation.environment)
    assert atoll("--version") == f"atoll {VERSION}\n"
    assert head_revision() in atoll("migrate")
    assert head_revision() in atoll("check")
    catalogue = write_lines(tmp_path / "catalogue.jsonl", catalogue_lines())
    assert "6 user" in atoll("import", str(catalogue))
    token = atoll("token", "mei").strip()
    with installation.serve(tmp_path, DATABASE_URL=empty_url) as server:
        body = {"query": "{ viewer { user { name } } topics { nodes { slug } } }"}
        response = httpx.post(f"{server.url}/graphql", json=body, headers={"authorization": f"Bearer {token}"})
    topics = [{"slug": slug} for slug in ("imaging", "genomics", "empty")]
    assert response.json()["data"] == {"viewer": {"user": {"name": "mei"}}, "topics": {"nodes": topics}}


def test_the_demo_of_an_installed_wheel_opens_in_a_browser(installation: Installation, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'demo.db'}"
    with Chromium() as browser, installation.serve(tmp_path, "--demo", DATABASE_URL=url) as server:
        tab = ready(browser.open(f"{server.url}/graphql"), "CollectionsPage")
        assert titles(tab) == ["CollectionsPage"]
        assert_no_problems(tab, server.url)
