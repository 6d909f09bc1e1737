"""Mutations as tests send them, and a check that nothing was changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.conftest import GraphQLClient
from tests.db_snapshot import db_snapshot


@dataclass(frozen=True)
class Mutation:
    """A mutation with one input, and the fields to select from its payload besides `userErrors`."""

    name: str
    selection: str

    @property
    def query(self) -> str:
        """The GraphQL document."""
        kind = f"{self.name[0].upper()}{self.name[1:]}Input"
        return (
            f"mutation($input: {kind}!) {{ {self.name}(input: $input) {{"
            f" {self.selection} userErrors {{ code message path }} }} }}"
        )

    async def __call__(self, ask: GraphQLClient, who: str, **given: Any) -> dict[str, Any]:
        """Run the mutation and return its payload; fail on any error outside the payload."""
        return dict((await ask(who, self.query, input=given))[self.name])


def error_paths(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the code and the path of each user error."""
    assert all(error["message"].endswith((".", "?")) for error in payload["userErrors"])
    assert all(error["path"][0] == "input" for error in payload["userErrors"])
    return [(error["code"], error["path"][1:]) for error in payload["userErrors"]]


async def refusal_code(ask: GraphQLClient, who: str, mutation: Mutation, **given: Any) -> str:
    """Run a mutation that must be refused as a whole, and return the code of the error."""
    ((code, _),) = await ask.errors(who, mutation.query, input=given)
    return code


@asynccontextmanager
async def assert_unchanged(ask: GraphQLClient) -> AsyncIterator[None]:
    """Fail if the block changes any row of any table."""
    before = await db_snapshot(ask.database)
    yield
    assert await db_snapshot(ask.database) == before
