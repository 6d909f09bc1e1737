"""Node.js for tests: a folder's locked npm packages, installed on first use."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from tests.missing import skip_or_fail

INSTALL_SECONDS: Final = 300


def node_for(folder: Path) -> str:
    """Return the path of Node.js with the folder's packages installed; skip or fail the test if that is impossible."""
    search_path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    node, npm = shutil.which("node", path=search_path), shutil.which("npm", path=search_path)
    if node is None or npm is None:
        skip_or_fail(f"{folder.name}: there is no Node.js here")
    lock_hash = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    stamp = modules / ".installed"
    # Several processes may run tests at once, and only one may install.
    with FileLock(f"{modules}.lock"):
        if not stamp.exists() or stamp.read_text(encoding="ascii") != lock_hash:
            _install(folder, npm, search_path)
            stamp.write_text(lock_hash, encoding="ascii")
    return node


def _install(folder: Path, npm: str, search_path: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    environment = os.environ | {"PATH": search_path}
    try:
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        skip_or_fail(f"{folder.name}: npm could not install its packages ({error}) {output}")
