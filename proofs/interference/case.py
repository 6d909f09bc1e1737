"""This file is what a trial did, so that it can be done again: and with less, until nothing can be left out."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from proofs.interference.hidden import Act
from proofs.interference.questions import Question
from tests.oracle import Line

ATTEMPTS = 300
"""How often a failure is tried again, at most, while it is made smaller."""

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """Something done or asked, with a number that chance and time within it come from."""

    number: int
    what: Act | Question
    beside: Sequence[Act] = ()  # what others ask at the same time, where hidden things happen

    def __str__(self) -> str:
        """Return the step as it is pasted."""
        if isinstance(self.what, Question):
            return f"-- asked of both:\n{_written(self.what)}"
        who = f", by {self.what.who}" if self.what.who else ""
        done = _written(self.what.question) if self.what.question else ";\n".join(self.what.statements)
        return f"-- {self.what.name}{who}:\n{done}"


@dataclass(frozen=True)
class Case:
    """A world, its past, who asks, and what happens and is asked from there."""

    lines: Sequence[Line]
    statements: Sequence[str]
    who: str
    past: Sequence[Step] = ()
    steps: Sequence[Step] = ()

    def smaller(self) -> Iterator["Case"]:
        """Yield cases that lack a part of this one, large parts first."""
        for part in _parts(self.steps):
            yield replace(self, steps=part)
        for part in _parts(self.past):
            yield replace(self, past=part)
        for lines in _parts(self.lines):
            yield replace(self, lines=lines)
        for index, step in enumerate(self.steps):
            if step.beside:
                yield replace(self, steps=[*self.steps[:index], replace(step, beside=()), *self.steps[index + 1 :]])
            if isinstance(step.what, Question):
                for question in step.what.smaller():
                    less = replace(step, what=question)
                    yield replace(self, steps=[*self.steps[:index], less, *self.steps[index + 1 :]])

    def pasted(self) -> str:
        """Return the case as catalogue lines, statements and operations."""
        lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in self.lines)
        statements = ";\n".join(self.statements)
        past, steps = ("\n".join(map(str, steps)) for steps in (self.past, self.steps))
        return f"== the world:\n{lines}\n{statements}\n== its past:\n{past}\n== as {self.who}:\n{steps}"


async def shrunk(case: Case, told: str, run: Callable[[Case], Awaitable[str | None]]) -> tuple[Case, str]:
    """Return the smallest failing case that was found, and how it fails; `run` tells how a case does, if it does."""
    left = ATTEMPTS
    candidates = case.smaller()
    while left and (smaller := next(candidates, None)):
        left -= 1
        fails = await _fails(smaller, run)
        if fails is not None:
            case, told, candidates = smaller, fails, smaller.smaller()
    return case, told


async def _fails(case: Case, run: Callable[[Case], Awaitable[str | None]]) -> str | None:
    try:
        return await run(case)
    except Exception:  # noqa: BLE001 - any failure of a case that lacks a part means that the part was needed
        return None


def _parts(whole: Sequence[T]) -> Iterator[list[T]]:
    """Yield the sequence without each of its halves, then quarters, and so on to single elements."""
    size = len(whole) // 2 + len(whole) % 2
    while size:
        for start in range(0, len(whole), size):
            yield [*whole[:start], *whole[start + size :]]
        size = size // 2 if size > 1 else 0


def _written(question: Question) -> str:
    document, variables = question.written()
    return f"{document}\n{json.dumps(variables, ensure_ascii=False)}"
