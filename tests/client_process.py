"""Processes of clients, in other languages or with other packages than Atoll's."""

import os
import subprocess
import sys
from pathlib import Path

from tests.locked_packages import install_python_packages

CLIENTS = Path(__file__).parent / "clients"
# The clients in Python need another graphql-core than Atoll.
PYTHON_PACKAGES = Path(__file__).parents[1] / "build" / "clients"
SECONDS = 120


def install_python_clients() -> None:
    """Install the packages of the clients in Python, on first use."""
    PYTHON_PACKAGES.parent.mkdir(exist_ok=True)
    install_python_packages(CLIENTS / "requirements.lock", PYTHON_PACKAGES)


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run the command in the folder and return its output; fail with the output unless it succeeds."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_python(folder: Path, *arguments: str, **variables: str) -> str:
    """Run Python with the packages of the clients and no others."""
    return run(folder, sys.executable, "-S", *arguments, PYTHONPATH=str(PYTHON_PACKAGES), **variables)
