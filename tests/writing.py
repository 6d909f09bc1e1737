"""This file is mutations as tests send them, and a world that must not have changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.conftest import Ask
from tests.whole import whole


@dataclass(frozen=True)
class Mutate:
    """A mutation of one input, with what is asked of its payload beside the errors."""

    name: str
    selection: str

    @property
    def query(self) -> str:
        """Return the document."""
        kind = f"{self.name[0].upper()}{self.name[1:]}Input"
        return (
            f"mutation($input: {kind}!) {{ {self.name}(input: $input) {{"
            f" {self.selection} userErrors {{ code message path }} }} }}"
        )

    async def __call__(self, ask: Ask, who: str, **given: Any) -> dict[str, Any]:
        """Return the payload; fail on any error of the operation."""
        return dict((await ask(who, self.query, input=given))[self.name])


def fails(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the code of each user error and its path within the input."""
    assert all(error["message"].endswith((".", "?")) for error in payload["userErrors"])
    assert all(error["path"][0] == "input" for error in payload["userErrors"])
    return [(error["code"], error["path"][1:]) for error in payload["userErrors"]]


async def refused(ask: Ask, who: str, mutation: Mutate, **given: Any) -> str:
    """Return the code that the whole operation is refused with."""
    ((code, _),) = await ask.errors(who, mutation.query, input=given)
    return code


@asynccontextmanager
async def unchanged(ask: Ask) -> AsyncIterator[None]:
    """Fail unless every row of every table is at the end of the block as it was at its start."""
    before = await whole(ask.database)
    yield
    assert await whole(ask.database) == before
