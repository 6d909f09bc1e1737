"""This file is a warm process: it has imported all but the product, and forks for each mutant that is to be tested.

It is asked by lines, `[module, source]` in JSON, and answers each with the exit code of pytest. A mutant stands nowhere
but in the memory of its fork, which imports the product as any process does, only that one module comes from the source
given. So what is made while importing is mutated as well: enums, tables, the schema.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

# What the product and its tests import of others: most of the time that they take to start.
OTHERS = (
    *("aiodataloader", "aiosqlite", "alembic.command", "cryptography.x509", "httpx", "jwt", "orjson", "pytest"),
    *("rich.progress", "sqlalchemy.ext.asyncio", "sqlmodel", "starlette.applications", "strawberry", "typer"),
)

# Those that tell most in the least time come first, for the first that fails is the last that is run. The rules are the
# same on both databases, so one is enough.
TESTS = (
    *("tests/test_permission.py", "tests/test_schema.py::test_the_committed_schema_is_current_and_valid"),
    *("tests/test_viewer.py", "tests/test_visible.py", "tests/test_rules.py"),
    *("-x", "-k", "not postgresql", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--assert=plain"),
)

SECONDS = 300  # on a busy machine they take a tenth of it when they all pass
LATE = 98
"""The exit code of tests that do not end."""
UNUSED = 99
"""The exit code of tests that pass and never imported the mutant."""


class Mutated(SourceFileLoader):
    """Imports one module from a source of its own."""

    def __init__(self, module: str, source: str) -> None:
        """Take the module's name and its source."""
        super().__init__(module, str(Path(*module.split(".")).with_suffix(".py").resolve()))
        self.source = source

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of that module, and None for every other."""
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        """Return what the source compiles to; nothing of it is kept on disk."""
        return compile(self.source, self.get_filename(fullname), "exec")


def main() -> None:
    """Answer until nobody asks."""
    for name in OTHERS:
        import_module(name)
    for line in sys.stdin:
        sys.stdout.write(f"{_tested(*json.loads(line))}\n")
        sys.stdout.flush()


def _tested(module: str, source: str) -> int:
    child = os.fork()
    if not child:
        os._exit(_run(Mutated(module, source)))
    try:
        return _ended(child)
    finally:
        shutil.rmtree(_own(child), ignore_errors=True)


def _ended(child: int) -> int:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return LATE


def _run(mutated: Mutated) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.meta_path.insert(0, mutated)
    code = int(import_module("pytest").main([*TESTS, f"--basetemp={_own(os.getpid())}"]))
    is_used = getattr(sys.modules.get(mutated.name), "__loader__", None) is mutated
    return code if code or is_used else UNUSED


def _own(process: int) -> Path:
    return Path(f"own-{process}")


if __name__ == "__main__":
    main()
