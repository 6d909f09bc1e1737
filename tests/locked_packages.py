"""Packages of tests in folders of their own, installed from a lock file on first use."""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock

from app.graphiql.build import installer
from tests.missing import skip_or_fail

INSTALL_SECONDS: Final = 300


def install_once(target: Path, lock_file: Path, install: Callable[[], None]) -> None:
    """Install into the target folder, unless that was done from the same lock file."""
    lock_hash = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    stamp = target / ".installed"
    # Several processes may run tests at once, and only one may install.
    with FileLock(f"{target}.lock"):
        if not stamp.exists() or stamp.read_text(encoding="ascii") != lock_hash:
            install()
            stamp.write_text(lock_hash, encoding="ascii")


def run_installer(
    name: str, command: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Run the command that installs packages, in the folder; skip or fail the test if it cannot."""
    try:
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        skip_or_fail(f"{name} could not install its packages ({error}) {output}")


def install_python_packages(lock_file: Path, target: Path) -> None:
    """Install the packages of the lock file into the folder, for a program with the folder as PYTHONPATH."""
    command = [
        *installer(),
        "--target",
        str(target),
        "--upgrade",
        "--no-deps",
        "--require-hashes",
        "-r",
        str(lock_file),
    ]
    install_once(target, lock_file, lambda: run_installer(f"{lock_file.parent.name}: {command[0]}", command))
