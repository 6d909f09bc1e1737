"""Node.js for tests: a folder's locked npm packages, installed on first use."""

import os
import shutil
import sys
from pathlib import Path

from tests.locked_packages import install_once, run_installer
from tests.missing import skip_or_fail


def node_for(folder: Path) -> str:
    """Return the path of Node.js with the folder's packages installed; skip or fail the test if that is impossible."""
    search_path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    node, npm = shutil.which("node", path=search_path), shutil.which("npm", path=search_path)
    if node is None or npm is None:
        skip_or_fail(f"{folder.name}: there is no Node.js here")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    environment = os.environ | {"PATH": search_path}
    install_once(
        folder / "node_modules",
        folder / "package-lock.json",
        lambda: run_installer(f"{folder.name}: npm", command, folder, environment),
    )
    return node
