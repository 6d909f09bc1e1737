"""This file is the mutants of `permissions/`, each of which a test must tell.

A rule whose fault fails no test is not yet tested. So every small fault that mutator.py can make is put into the
room that knows grants, one at a time, and the tests of that room are run. Mutants that nobody could tell from the room
as it is are listed in equivalent.toml, with the reason. Nothing of all this is written into the checkout.
"""

import asyncio
import json
import os
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

from proofs.mutants.fork_server import LATE
from proofs.mutants.mutator import Mutant, enums_of, mutants
from proofs.proof import BrokenPromiseError

ROOT = Path(__file__).parent.parent.parent
FILES = tuple(f"permissions/{name}.py" for name in ("visible", "viewer", "require", "directive", "refused"))
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
COPIED = ("app", "schema", "resolvers", "permissions", "store", "proofs", "tests", "pyproject.toml", "schema.graphql")
PROCESSES = 2
PASSED = 0
TOLD = (1, 2, 4, LATE)
"""A test failed, was not collected, or not even tests/conftest.py was imported; or a test did not end."""

Report = Callable[[int, int], None]
"""Is told how many mutants are done, and of how many."""
Codes = dict[Mutant, int]
"""What the tests of each mutant ended with."""


@dataclass(frozen=True)
class Score:
    """What became of the mutants."""

    killed: Sequence[Mutant]
    equivalent: Sequence[Mutant]
    survived: Sequence[Mutant]


def every_mutant() -> list[Mutant]:
    """Return the mutants of the room, in the order of its files."""
    enums = enums_of([(ROOT / file).read_text() for file in (*FILES, "store/tables.py")])
    return [mutant for file in FILES for mutant in mutants(file, (ROOT / file).read_text(), enums)]


def equivalent_lines(every: Sequence[Mutant]) -> set[str]:
    """Return the lines of those mutants that no test could tell. Raises BrokenPromiseError for a line of none."""
    groups = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    lines = {line for group in groups for line in group["mutants"]}
    if stale := lines - {str(mutant) for mutant in every}:
        raise BrokenPromiseError(
            _listed("These are listed as equivalent, and there are no such mutants:", sorted(stale))
        )
    return lines


async def score(report: Report, only: Sequence[int] | None = None) -> Score:
    """Return what became of every mutant, or of those with the numbers given.

    Raises BrokenPromiseError if the tests fail without any mutant or come to no verdict, and for a false list of
    equivalents.
    """
    every = every_mutant()
    listed = equivalent_lines(every)
    codes = await _tested(every if only is None else [every[number] for number in only], report)
    alike = [mutant for mutant in codes if str(mutant) in listed]
    if told := [mutant for mutant in alike if codes[mutant] != PASSED]:
        raise BrokenPromiseError(_listed("These are listed as equivalent, and yet a test tells them:", told))
    return Score(
        killed=[mutant for mutant, code in codes.items() if code != PASSED],
        equivalent=alike,
        survived=[mutant for mutant, code in codes.items() if code == PASSED and mutant not in alike],
    )


async def _tested(chosen: Sequence[Mutant], report: Report) -> Codes:
    unchanged = Mutant(FILES[0], "", "", "", source=(ROOT / FILES[0]).read_text())
    waiting, codes = deque([unchanged, *chosen]), Codes()

    def done() -> None:
        report(len(codes.keys() - {unchanged}), len(chosen))

    with tempfile.TemporaryDirectory(prefix="atoll-mutants-") as folder:
        tree = _copied(Path(folder))
        await asyncio.gather(*(_work(tree, waiting, codes, done) for _ in range(PROCESSES)))
    if codes.pop(unchanged) != PASSED:
        raise BrokenPromiseError("The tests fail without any mutant.")
    if untold := [mutant for mutant, code in codes.items() if code not in {PASSED, *TOLD}]:
        raise BrokenPromiseError(_listed("The tests came to no verdict on these:", untold))
    return codes


def _copied(folder: Path) -> Path:
    """Return a copy of the checkout, as it is now: whoever changes a file meanwhile changes no verdict."""
    unneeded = shutil.ignore_patterns("node_modules", "__pycache__")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=unneeded)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


async def _work(tree: Path, waiting: deque[Mutant], codes: Codes, done: Callable[[], None]) -> None:
    async with _warm(tree) as (questions, answers):
        while waiting:
            mutant = waiting.popleft()
            module = mutant.file.removesuffix(".py").replace("/", ".")
            questions.write(json.dumps([module, mutant.source]).encode() + b"\n")
            codes[mutant] = int(await answers.readline())
            done()


@asynccontextmanager
async def _warm(tree: Path) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    command = (sys.executable, "-m", "proofs.mutants.fork_server")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=tree, stdin=pipe, stdout=pipe, start_new_session=True)
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdin, process.stdout
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # and with it what it forked
        await process.wait()


def _listed(told: str, each: Sequence[object]) -> str:
    return "\n  ".join((told, *map(str, each)))
