"""This file is Node for the tests that need it: a folder's locked packages, installed on first use."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Never

import pytest

INSTALL_SECONDS: Final = 120


def node_for(folder: Path) -> str:
    """Return the path of Node with the folder's packages installed; skip, or fail in CI, where that cannot be had."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    node, npm = shutil.which("node", path=places), shutil.which("npm", path=places)
    if node is None or npm is None:
        _cannot(folder, "there is no Node here")
    lock = folder / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    # Several processes may run tests at once, and only one may install.
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(folder, npm, places)
            stamp.write_text(wanted)
    return node


def _install(folder: Path, npm: str, places: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    environment = os.environ | {"PATH": places}
    try:
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        _cannot(folder, f"npm could not install its packages ({error}) {output}")


def _cannot(folder: Path, why: str) -> Never:
    message = f"What {folder.name} is for was not tested: {why}."
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
