"""This file is what a trial did, so that it can be done again: and with less, until nothing can be left out."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofs.interference.hidden_changes import Act
from proofs.interference.operations import Question
from tests.oracle import Line

ATTEMPTS = 300
"""How often a failure is tried again, at most, while it is made smaller."""


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

    def asking_less(self) -> Iterator["Case"]:
        """Yield the cases in which one step lacks what others ask at the time, or one part of its question."""
        for index, step in enumerate(self.steps):
            less = [replace(step, beside=())] if step.beside else []
            if isinstance(step.what, Question):
                less += [replace(step, what=question) for question in step.what.smaller()]
            for each in less:
                yield replace(self, steps=[*self.steps[:index], each, *self.steps[index + 1 :]])

    def pasted(self) -> str:
        """Return the case as catalogue lines, statements and operations."""
        lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in self.lines)
        statements = ";\n".join(self.statements)
        past, steps = ("\n".join(map(str, steps)) for steps in (self.past, self.steps))
        return f"== the world:\n{lines}\n{statements}\n== its past:\n{past}\n== as {self.who}:\n{steps}"


@dataclass
class Shrinking:
    """The smallest failing case yet, and how it fails; `run` tells how a case does, if it does."""

    case: Case
    told: str
    run: Callable[[Case], Awaitable[str | None]]
    left: int = ATTEMPTS

    async def shrink(self) -> None:
        """Leave out what the failure does not need."""
        for name in ("steps", "past", "lines", "statements", "steps"):
            await self._leave_out(name)
        candidates = self.case.asking_less()
        while smaller := next(candidates, None):
            if await self._takes(smaller):
                candidates = self.case.asking_less()

    async def _leave_out(self, name: str) -> None:
        """Leave out of one of the case's sequences all, or else halves, quarters, and so on to single elements."""
        size = len(getattr(self.case, name))
        while size:
            start = 0
            while start < len(whole := getattr(self.case, name)):
                less = [*whole[:start], *whole[start + size :]]
                changed: dict[str, Any] = {name: _held_together(less) if name == "lines" else less}
                if not await self._takes(replace(self.case, **changed)):
                    start += size
            size //= 2

    async def _takes(self, smaller: Case) -> bool:
        """Return whether the smaller case fails too, and is now the smallest."""
        if not self.left:
            return False
        self.left -= 1
        fails = await _fails(smaller, self.run)
        if fails is not None:
            self.case, self.told = smaller, fails
        return fails is not None


def _held_together(lines: Sequence[Line]) -> list[Line]:
    """Return the lines without what they list of those that are left out."""
    there = {line.get("id", line.get("slug")) for line in lines}
    listed = [{name: line[name] for name in ("uses", "assets", "members") if name in line} for line in lines]
    kept = [{name: [each for each in ids if each in there] for name, ids in each.items()} for each in listed]
    return [{**line, **lists} for line, lists in zip(lines, kept, strict=True)]


async def _fails(case: Case, run: Callable[[Case], Awaitable[str | None]]) -> str | None:
    try:
        return await run(case)
    except Exception:  # noqa: BLE001 - any failure of a case that lacks a part means that the part was needed
        return None


def _written(question: Question) -> str:
    document, variables = question.written()
    return f"{document}\n{json.dumps(variables, ensure_ascii=False)}"
