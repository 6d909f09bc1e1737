"""Reproducible cases (a world and a sequence of steps), and a shrinker for failing ones."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofs.interference.hidden_changes import WorldChange
from proofs.interference.operations import Operation
from tests.oracle import Line

REFERENCES = ("uses", "assets", "members")  # fields of catalogue lines that list names of other lines
ATTEMPTS = 300
"""Maximum number of runs while a failing case is shrunk."""


@dataclass(frozen=True)
class Step:
    """Change or operation, with the number from which its ids and times are derived."""

    number: int
    action: WorldChange | Operation
    concurrent: Sequence[WorldChange] = ()  # operations of other viewers at the same time, in the changed world only

    def __str__(self) -> str:
        """Format the step for reproduction."""
        if isinstance(self.action, Operation):
            beside = "".join(f"\nbeside it, {change}" for change in self.concurrent)
            return f"-- operation in both worlds:\n{_format_operation(self.action)}{beside}"
        who = f", by {self.action.who}" if self.action.who else ""
        operation = self.action.operation
        text = _format_operation(operation) if operation else ";\n".join(self.action.statements)
        where = " in both worlds" if self.action.in_both else ""
        return f"-- {self.action.name}{who}{where}:\n{text}"


@dataclass(frozen=True)
class Case:
    """Initial world, viewer, steps before the world is copied (`past`), and steps on the two worlds (`steps`)."""

    lines: Sequence[Line]
    statements: Sequence[str]
    who: str
    past: Sequence[Step] = ()
    steps: Sequence[Step] = ()

    def smaller_steps(self) -> Iterator["Case"]:
        """Yield cases with one step made smaller: without its concurrent operations or a part of its own."""
        for index, step in enumerate(self.steps):
            smaller_steps = [replace(step, concurrent=())] if step.concurrent else []
            if isinstance(step.action, Operation):
                smaller_steps += [replace(step, action=operation) for operation in step.action.shrink()]
            for smaller in smaller_steps:
                yield replace(self, steps=[*self.steps[:index], smaller, *self.steps[index + 1 :]])

    def format(self) -> str:
        """Format the case as catalogue lines, statements and operations."""
        lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in self.lines)
        statements = ";\n".join(self.statements)
        past, steps = ("\n".join(map(str, steps)) for steps in (self.past, self.steps))
        return f"== world:\n{lines}\n{statements}\n== past:\n{past}\n== viewer {self.who}:\n{steps}"


@dataclass
class Shrinker:
    """Smallest failing case so far and its failure. `run` returns a case's failure, or None if it passes."""

    case: Case
    failure: str
    run: Callable[[Case], Awaitable[str | None]]
    attempts_left: int = ATTEMPTS

    async def shrink(self) -> None:
        """Remove everything that the failure does not need."""
        for name in ("steps", "past", "lines", "statements", "steps"):
            await self._remove_parts(name)
        candidates = self.case.smaller_steps()
        while smaller := next(candidates, None):
            if await self._try(smaller):
                candidates = self.case.smaller_steps()

    async def _remove_parts(self, name: str) -> None:
        """Remove elements from one of the case's sequences: all of them, then halves, quarters, down to single ones."""
        size = len(getattr(self.case, name))
        while size:
            start = 0
            while start < len(whole := getattr(self.case, name)):
                rest = [*whole[:start], *whole[start + size :]]
                changes: dict[str, Any] = {name: _drop_dangling(rest) if name == "lines" else rest}
                if not await self._try(replace(self.case, **changes)):
                    start += size
            size //= 2

    async def _try(self, smaller: Case) -> bool:
        """Run the smaller case; keep it and return True if it fails too."""
        if not self.attempts_left:
            return False
        self.attempts_left -= 1
        failure = await _failure_of(smaller, self.run)
        if failure is not None:
            self.case, self.failure = smaller, failure
        return failure is not None


def _drop_dangling(lines: Sequence[Line]) -> list[Line]:
    """Return the lines without references to removed lines."""
    names = {line.get("id", line.get("slug")) for line in lines}
    return [
        {**line, **{field: [name for name in line[field] if name in names] for field in REFERENCES if field in line}}
        for line in lines
    ]


async def _failure_of(case: Case, run: Callable[[Case], Awaitable[str | None]]) -> str | None:
    try:
        return await run(case)
    except Exception:  # noqa: BLE001 - a case that cannot run has lost a part that the failure needs
        return None


def _format_operation(operation: Operation) -> str:
    document, variables = operation.render()
    return f"{document}\n{json.dumps(variables, ensure_ascii=False)}"
