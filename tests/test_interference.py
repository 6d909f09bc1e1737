"""This file is non-interference at work: two worlds that differ in hidden things alone cannot be told apart."""

import secrets
from random import Random

import pytest
from graphql import GraphQLObjectType, parse, validate

from proofs.databases import Databases
from proofs.interference.hidden_changes import ACTS, Hiding
from proofs.interference.operations import SCHEMA, Asking, Question, Selected, Words
from proofs.interference.trial import trial
from proofs.interference.world import EVERYBODY, id_of, lines_of
from proofs.leaks import LEAKS, checks_until_found, silence
from proofs.proof import BrokenPromiseError
from tests.oracle import Line, Model

NEW = secrets.randbelow(1_000_000)
IDS = {"ast": ["ast_x"], "col": ["col_x"], "top": ["top_x"], "usr": ["usr_x"], "grp": ["grp_x"], "chg": [], "job": []}
WORDS = Words(IDS, ["asset0"], ["held-0"])


# A field that is refused lets go of its siblings before they have begun: the executor awaits them no more. Python tells
# of it, or that it could not tell, where one is swept up while a named tuple is made, in which nothing can be imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. .coroutine object:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.mark.parametrize("seed", [1, 2, NEW], ids=["first", "second", "new"])
async def test_hidden_differences_change_no_byte_of_any_answer(databases: Databases, seed: int) -> None:
    assert await trial(databases, seed) > 0, f"seed {seed}"


@pytest.mark.parametrize("number", [3, 5, 12], ids=lambda number: LEAKS[number].channel)
async def test_a_planted_leak_is_found(databases: Databases, number: int) -> None:
    if databases.backend == "sqlite":  # the campaign finds each on both
        assert await checks_until_found(databases, LEAKS[number]) is not None, LEAKS[number]


async def test_what_failed_is_made_smaller_and_can_be_done_again(databases: Databases) -> None:
    if databases.backend != "sqlite":
        return
    with LEAKS[3].plant(), silence():
        for seed in range(100):
            try:
                await trial(databases, seed)
            except BrokenPromiseError as broken:
                told = str(broken)
                break
    assert told.startswith(f"seed {seed} on sqlite\n== the world:\n")
    assert told.count("-- asked of both:") == 1
    assert "totalCount" in told
    assert len(told.split("== its past:", maxsplit=1)[0].splitlines()) < 40


def made(seed: int) -> Question:
    """Return the question of that seed."""
    asking = Asking(Random(seed), WORDS)
    return asking.mutation() if seed % 3 == 0 else asking.query()


def asked(kind: str, selected: Selected) -> set[str]:
    """Return every field and argument of the selection, each with its type."""
    found = {f"{selected.on or kind}.{selected.name}"}
    found |= {f"{selected.on or kind}.{selected.name}({argument})" for argument in selected.arguments}
    return found.union(*(asked(selected.type, below) for below in selected.below))


def test_every_question_is_a_valid_document() -> None:
    for seed in range(300):
        document, _ = made(seed).written()
        assert validate(SCHEMA, parse(document)) == [], document


def test_whatever_the_schema_has_some_question_asks_for_it() -> None:
    found: set[str] = set()
    for seed in range(8_000):
        question = made(seed)
        for selected in question.selected:
            found |= asked(question.kind.capitalize(), selected)
    for name, kind in SCHEMA.type_map.items():
        if name.startswith("__") or not isinstance(kind, GraphQLObjectType):
            continue
        shared = [name, *(each.name for each in kind.interfaces)]
        for field, each in kind.fields.items():
            assert any(f"{of}.{field}" in found for of in shared), f"{name}.{field}"
            for argument in each.args:
                assert any(f"{of}.{field}({argument})" in found for of in shared), f"{name}.{field}({argument})"


def model(lines: list[Line], *, has_public_sharing: bool) -> Model:
    """Return the oracle of lines that no database holds."""
    names = [line.get("slug") or line["id"] for line in lines]
    return Model(
        lines, {name: id_of("ast", name) for name in names}, has_public_sharing=has_public_sharing, order=names
    )


def test_each_act_happens_to_something_that_somebody_may_not_see() -> None:
    happened = set()
    for seed in range(300):
        chance = Random(seed)
        world = model(lines_of(chance), has_public_sharing=seed % 4 > 0)
        for who in EVERYBODY:
            hiding = Hiding(chance, world, who, WORDS, seed)
            happened |= {name for name, act in ACTS.items() if name not in happened and act(hiding)}
    assert happened == set(ACTS)
