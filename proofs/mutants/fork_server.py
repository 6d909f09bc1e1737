"""Fork server: imports all third-party packages once, and forks a process for each mutant.

It reads lines of `[module, source, tests]` in JSON, runs those tests and then those of the whole layer, and answers
with pytest's exit code. The mutant exists only in the memory of the forked process, which imports the product with that
one module from the given source. Therefore everything built at import time is mutated as well: enums, tables, the
schema.
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

# Third-party imports of the product and its tests. They take most of the start-up time.
PRELOADED = (
    *("aiodataloader", "aiosqlite", "alembic.command", "cryptography.x509", "httpx", "jwt", "orjson", "pytest"),
    *("rich.progress", "sqlalchemy.ext.asyncio", "sqlmodel", "starlette.applications", "strawberry", "typer"),
)

# Tests of the whole layer, ordered by kills per second, because the first failure ends the run. The rules are the same
# on both databases, so SQLite is enough.
TESTS = (
    *("tests/test_permission.py", "tests/test_schema.py::test_the_committed_schema_is_current_and_valid"),
    *("tests/test_may.py", "tests/test_viewer.py", "tests/test_visible.py", "tests/test_rules.py"),
    "tests/test_visibility_index.py",
    *(
        "-x",
        "-k",
        "not postgresql and not new",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        "--assert=plain",
    ),
)

TIMEOUT_SECONDS = 300  # ten times the duration of the tests on a busy machine
EXIT_TIMEOUT = 98
"""Exit code of tests that exceed the timeout."""
EXIT_UNUSED = 99
"""Exit code of tests that pass without importing the mutant."""


class MutantLoader(SourceFileLoader):
    """Importer of one module from a given source."""

    def __init__(self, module: str, source: str) -> None:
        """Use the module's name and its source."""
        super().__init__(module, str(Path(*module.split(".")).with_suffix(".py").resolve()))
        self.source = source

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of the mutated module, None for any other."""
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source. Nothing is cached on disk."""
        return compile(self.source, self.get_filename(fullname), "exec")


def main() -> None:
    """Answer requests until the input ends."""
    for name in PRELOADED:
        import_module(name)
    for line in sys.stdin:
        sys.stdout.write(f"{_run_tests(*json.loads(line))}\n")
        sys.stdout.flush()


def _run_tests(module: str, source: str, tests: Sequence[str]) -> int:
    child = os.fork()
    if not child:
        os._exit(_run_pytest(MutantLoader(module, source), tests))
    try:
        return _wait_for(child)
    finally:
        shutil.rmtree(_temporary_folder(child), ignore_errors=True)


def _wait_for(child: int) -> int:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return EXIT_TIMEOUT


def _run_pytest(mutated: MutantLoader, tests: Sequence[str]) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.meta_path.insert(0, mutated)
    code = int(import_module("pytest").main([*tests, *TESTS, f"--basetemp={_temporary_folder(os.getpid())}"]))
    is_used = getattr(sys.modules.get(mutated.name), "__loader__", None) is mutated
    return code if code or is_used else EXIT_UNUSED


def _temporary_folder(process: int) -> Path:
    return Path(f"own-{process}")


if __name__ == "__main__":
    main()
