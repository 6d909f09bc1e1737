"""Random mutations by random viewers: Atoll and the model respond alike and end in the same state."""

import ast
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from graphql import build_schema
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from proofs.determinism import lift_cost_limits
from schema.graph import print_schema
from store.database import Database
from tests.conftest import VIEWERS, World
from tests.model_write import MUTATIONS
from tests.random_actions import ACTIONS, IDLE, Action, actions
from tests.random_mutations import Both

# Hypothesis draws only the first ten examples of a run independently; later ones are variants that repeat most steps.
# Therefore there are several short runs. The first example of each is all zeros, which are not steps.
RUNS, MACHINES, STEPS = (1, 2), 13, 50
LEAST = 500  # minimum steps of a run: 2,000 in two runs on two databases
LOOKING = 10  # steps between two comparisons of the views
NOT_MODELLED = {
    "assetsRegister": "the model has the assets of the platform from the start; see test_register.py",
    "tokenCreate": "tokens are not in the model; see test_token.py",
    "tokenRevoke": "tokens are not in the model; see test_token.py",
    "tokensRevokeAll": "tokens are not in the model; see test_token.py",
    "exportCreate": "an export changes nothing; see test_export_job.py",
    "jobCancel": "the model runs bulk mutations at once; see test_job.py",
}
PRODUCT = {"app", "engine", "schema", "resolvers", "permissions", "store", "sqlalchemy", "sqlmodel"}


class Writing(RuleBasedStateMachine):
    """State machine of one world, changed by random mutations."""

    steps = 0  # taken by all machines together

    def __init__(self, both: Both, forget: Callable[[], None]) -> None:
        """Take a world, and the function that removes it."""
        super().__init__()
        self.both, self.forget = both, forget
        self.taken = 0

    def teardown(self) -> None:
        """Close and remove the world."""
        self.both.close()
        self.forget()
        Writing.steps += self.taken

    @rule(act=st.runner().flatmap(lambda machine: actions(machine.both.model)))
    def act(self, act: Action) -> None:
        """Send a mutation to Atoll and the model; every few steps, compare the world as some viewers see it."""
        who, mutation, asked = act
        if act == IDLE:
            return
        if mutation == "status":
            self.both.set_status(**asked)
        else:
            self.both.mutate(who, mutation, asked)
        self.taken += 1
        if self.taken % LOOKING == 0:
            turn = self.taken // LOOKING
            self.both.compare_views({"ada", VIEWERS[turn % 7], VIEWERS[(turn + 3) % 7]})


@pytest.mark.parametrize("chance", RUNS)
def test_random_mutations_have_the_effects_that_the_model_predicts(
    world: World, backend: str, request: pytest.FixtureRequest, tmp_path: Path, chance: int
) -> None:
    numbers = count()
    server = request.getfixturevalue("postgres") if backend == "postgresql" else None

    @seed(chance)
    def begin() -> Writing:
        name = f"writing{chance}x{next(numbers)}"
        if server:
            url = server.create_database(name, template="world")
            return Writing(Both(World(url, world.tokens)), lambda: server.drop_database(name))
        path = tmp_path / f"{name}.db"
        shutil.copy(str(Database(world.url).url.database), path)
        return Writing(Both(World(f"sqlite+aiosqlite:///{path}", world.tokens)), path.unlink)

    Writing.steps = 0
    with lift_cost_limits():
        run_state_machine_as_test(
            begin,  # type: ignore[arg-type]  # documented to accept any factory of a machine
            settings=settings(
                max_examples=MACHINES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert Writing.steps >= LEAST


def test_each_mutation_is_drawn_and_modelled() -> None:
    mutations = build_schema(print_schema()).mutation_type
    assert mutations
    assert MUTATIONS.keys() == {name for _, name, *_ in ACTIONS} - {"status"}
    assert MUTATIONS.keys() == mutations.fields.keys() - NOT_MODELLED.keys()


def test_the_model_knows_nothing_of_the_product() -> None:
    for path in Path(__file__).parent.glob("model*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [str(node.module)]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & PRODUCT, path
