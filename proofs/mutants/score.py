"""Mutation score of `permissions/`: which of its mutants the tests kill.

If a fault in a rule fails no test, the rule is not tested. Every small fault that mutator.py makes is put into
`permissions/`, one at a time, and the tests of that layer run. Equivalent mutants, which no test could kill, are listed
in equivalent.toml with the reason. Nothing is written to the checkout.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import tomllib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from proofs.mutants.fork_server import EXIT_TIMEOUT
from proofs.mutants.mutator import Mutant, find_enums, make_mutants
from proofs.proof import BrokenPromiseError

ROOT = Path(__file__).parent.parent.parent
# tests/test_visibility_index.py compares the index with the rules in the other files, which take part.
INDEX_FILES = {"index_rows.py", "visibility_index.py"}
FILES = tuple(
    f"permissions/{path.name}" for path in sorted(ROOT.glob("permissions/[!_]*.py")) if path.name not in INDEX_FILES
)
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
COPIED_PATHS = (
    "app",
    "engine",
    "fragments",
    "schema",
    "resolvers",
    "permissions",
    "store",
    "proofs",
    "tests",
    "pyproject.toml",
    "schema.graphql",
)
# Tests of some functions, by a pattern of their names. They run before the tests of the whole layer.
TESTS_BY_FUNCTION = {
    r"_api_tokens|viewer_by_\w+|_\w+_viewer|_fetch_\w+": ("tests/test_token.py", "tests/test_people.py"),
    r"_group_members|is_group_member|_principals|_grants": ("tests/test_user.py",),
    r"_is_about_\w+|_changes|change_exists|_subject_access|_touches_visible_assets|_former_places": (
        "tests/test_history.py",
    ),
    r"operator_viewer|audience_viewer|access|has_access|_principals|_grants|_imported_lines": ("tests/test_export.py",),
}
PROCESSES = 2
EXIT_PASSED = 0
EXITS_KILLED = (1, 2, 4, EXIT_TIMEOUT)
"""Exit codes for a killed mutant: a test failed, a test or conftest.py could not be imported, or the time was up."""

ReportProgress = Callable[[int, int], None]
"""Called with the number of tested mutants and their total."""
ExitCodes = dict[Mutant, int]
"""pytest's exit code for each mutant."""
Waiting = deque[tuple[Mutant, tuple[str, ...]]]
"""Mutants to be tested, each with the tests of its function."""


@dataclass(frozen=True)
class Score:
    """Mutants by outcome."""

    killed: Sequence[Mutant]
    equivalent: Sequence[Mutant]
    survived: Sequence[Mutant]


def list_mutants() -> list[Mutant]:
    """Return all mutants of `permissions/`, in the order of its files."""
    enums = find_enums([(ROOT / file).read_text() for file in (*FILES, "store/tables.py")])
    return [mutant for file in FILES for mutant in make_mutants(file, (ROOT / file).read_text(), enums)]


def load_equivalents(all_mutants: Sequence[Mutant]) -> set[str]:
    """Load equivalent.toml's mutants, as strings. Raises BrokenPromiseError if one is not among all mutants."""
    groups = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    lines = {line for group in groups for line in group["mutants"]}
    if stale := lines - {str(mutant) for mutant in all_mutants}:
        raise BrokenPromiseError(
            _format_list("Listed in equivalent.toml, but there are no such mutants:", sorted(stale))
        )
    return lines


def select_tests(mutant: Mutant) -> tuple[str, ...]:
    """Return the tests of the mutant's function."""
    patterns = (pattern for pattern in TESTS_BY_FUNCTION if re.fullmatch(pattern, mutant.where))
    return tuple(dict.fromkeys(test for pattern in patterns for test in TESTS_BY_FUNCTION[pattern]))


async def score_mutants(report: ReportProgress, only: Sequence[int] | None = None) -> Score:
    """Test all mutants, or those with the given numbers.

    Raises BrokenPromiseError if the tests fail without a mutant, give no verdict, or kill an equivalent mutant.
    """
    all_mutants = list_mutants()
    equivalent_lines = load_equivalents(all_mutants)
    codes = await _run_all(all_mutants if only is None else [all_mutants[number] for number in only], report)
    equivalent = [mutant for mutant in codes if str(mutant) in equivalent_lines]
    if killed := [mutant for mutant in equivalent if codes[mutant] != EXIT_PASSED]:
        raise BrokenPromiseError(_format_list("Listed as equivalent in equivalent.toml, but killed by a test:", killed))
    return Score(
        killed=[mutant for mutant, code in codes.items() if code != EXIT_PASSED],
        equivalent=equivalent,
        survived=[mutant for mutant, code in codes.items() if code == EXIT_PASSED and mutant not in equivalent],
    )


async def _run_all(chosen: Sequence[Mutant], report: ReportProgress) -> ExitCodes:
    unchanged = Mutant(FILES[0], "", "", "", source=(ROOT / FILES[0]).read_text())
    tests_by_mutant = {mutant: select_tests(mutant) for mutant in chosen}
    all_tests = tuple(dict.fromkeys(test for tests in tests_by_mutant.values() for test in tests))
    waiting, codes = deque({unchanged: all_tests, **tests_by_mutant}.items()), ExitCodes()

    def report_progress() -> None:
        report(len(codes.keys() - {unchanged}), len(chosen))

    with tempfile.TemporaryDirectory(prefix="atoll-mutants-") as folder:
        tree = _copy_checkout(Path(folder))
        await asyncio.gather(*(_run_queue(tree, waiting, codes, report_progress) for _ in range(PROCESSES)))
    if codes.pop(unchanged) != EXIT_PASSED:
        raise BrokenPromiseError("The tests fail without a mutant. Fix them first.")
    if undecided := [mutant for mutant, code in codes.items() if code not in {EXIT_PASSED, *EXITS_KILLED}]:
        raise BrokenPromiseError(_format_list("The tests gave no verdict on these mutants:", undecided))
    return codes


def _copy_checkout(folder: Path) -> Path:
    """Copy the checkout as it is now, so that edits during the run affect no verdict."""
    unneeded = shutil.ignore_patterns("node_modules", "__pycache__")
    for name in COPIED_PATHS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=unneeded)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


async def _run_queue(tree: Path, waiting: Waiting, codes: ExitCodes, report_progress: Callable[[], None]) -> None:
    async with _start_fork_server(tree) as (questions, answers):
        while waiting:
            mutant, tests = waiting.popleft()
            module = mutant.file.removesuffix(".py").replace("/", ".")
            questions.write(json.dumps([module, mutant.source, tests]).encode() + b"\n")
            codes[mutant] = int(await answers.readline())
            report_progress()


@asynccontextmanager
async def _start_fork_server(tree: Path) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    command = (sys.executable, "-m", "proofs.mutants.fork_server")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=tree, stdin=pipe, stdout=pipe, start_new_session=True)
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdin, process.stdout
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with all forked processes
        await process.wait()


def _format_list(title: str, items: Sequence[object]) -> str:
    return "\n  ".join((title, *map(str, items)))
