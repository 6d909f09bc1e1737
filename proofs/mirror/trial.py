"""Copies kept by sync tokens, one for each of several viewers, while people and the platform write.

Each step is a write or the sync of one viewer. After a sync, the copy must equal a fresh pull and the oracle, and the
sync must have had no row that did not change and no key that the viewer did not know. Between the pages of some syncs,
others write: then the copy is compared after the next sync.
"""

from random import Random
from typing import Any

from proofs.catalogue_client import open_catalogue
from proofs.databases import Databases
from proofs.determinism import fix_ids_and_time
from proofs.mirror.actions import WriteOfAnyone, draw_platform_write
from proofs.mirror.mirror import LISTS, Mirror, Page, read_page, sync
from proofs.model_reader import read_model
from proofs.proof import BrokenPromiseError, Proof
from proofs.walks.world import draw_lines
from tests.conftest import MEMBERS, GraphQLClient
from tests.graph_client import expected_rows, name_rows
from tests.oracle import ANONYMOUS, Model

STEPS_PER_TRIAL = 300
WRITES = 0.6  # share of the steps
PLATFORM_WRITES, UNDOS = 0.4, 0.1  # shares of the writes
TORN_SYNCS = 0.2  # share of the syncs between whose pages others write
VIEWERS = ("ada", "olu", "mei", "lou", "eve", ANONYMOUS)
UNDOABLE = "{ auditLog(first: 20) { nodes { id canUndo } } }"


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of steps of one world: writes and syncs."""
    return await run_trial(databases, seed, STEPS_PER_TRIAL)


async def run_trial(databases: Databases, seed: int, steps: int) -> int:
    """Take so many steps in one world, and return their number."""
    random = Random(seed)
    with fix_ids_and_time(seed % 1_000_000):
        async with open_catalogue(databases, draw_lines(random), MEMBERS, is_shared=True) as client:
            mirrors = _Mirrors(client, random, await read_model(client.database))
            try:
                for number in range(steps):
                    await mirrors.step(number)
            except BrokenPromiseError as error:
                last = "\n".join(mirrors.writes[-12:])
                place = f"On {databases.backend}, seed {seed}"
                raise BrokenPromiseError(f"{place}: {error}\nLast writes:\n{last}") from error
    return steps


class _Mirrors:
    """Copies of all viewers, and the writes in between."""

    def __init__(self, client: GraphQLClient, random: Random, model: Model) -> None:
        self._client, self._random, self._model = client, random, model
        self._mirrors = [Mirror(who) for who in VIEWERS]
        self._number = 0
        self.writes: list[str] = []

    async def step(self, number: int) -> None:
        """Write, or sync the copy of a viewer."""
        self._number = number
        if self._random.random() < WRITES:
            await self._write()
        else:
            mirror = self._random.choice(self._mirrors)
            is_torn = self._random.random() < TORN_SYNCS
            await (self._tear(mirror) if is_torn else self._sync(mirror))

    async def _write(self) -> None:
        kind = self._random.random()
        if kind < PLATFORM_WRITES:
            statements = draw_platform_write(self._random, self._model, self._number)
            self.writes.append("; ".join(str(each.compile()) for each in statements))  # type: ignore[attr-defined]  # SQL has it
            async with self._client.database.write() as connection:
                for statement in statements:
                    await connection.execute(statement)
        elif kind < PLATFORM_WRITES + UNDOS:
            changes = (await self._client("ada", UNDOABLE))["auditLog"]["nodes"]
            undoable = [change["id"] for change in changes if change["canUndo"]]
            if undoable:
                await self._mutate("ada", "changeUndo", {"changeId": self._random.choice(undoable)})
        else:
            await self._mutate(*WriteOfAnyone(self._random, self._model, self._number).draw()[:3])
        self._model = await read_model(self._client.database)

    async def _mutate(self, who: str, name: str, input_: dict[str, Any]) -> None:
        self.writes.append(f"{who}: {name}({input_})")
        input_type = f"{name[0].upper()}{name[1:]}Input"
        document = f"mutation($input: {input_type}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}"
        await self._client(who, document, input=input_)

    async def _sync(self, mirror: Mirror) -> None:
        changes = await sync(self._client, mirror.who, mirror.token, self._random.choice((7, 1_000)))
        mirror.apply(changes)
        fresh = Mirror(mirror.who)
        rows = await sync(self._client, mirror.who, None)
        fresh.apply(rows)
        self._compare(mirror.who, mirror.contents(), fresh.contents())
        self._compare(mirror.who, name_rows(rows, self._model), expected_rows(self._model, mirror.who))

    def _compare(self, who: str, found: dict[str, Any], expected: dict[str, Any]) -> None:
        for name, rows in found.items():
            if rows != expected[name]:
                raise BrokenPromiseError(f"{name} of {who}: {_difference(rows, expected[name])}")

    async def _tear(self, mirror: Mirror) -> None:
        """Sync a copy while others write."""
        rows: Page = {name: [] for name in LISTS}
        after = None
        while "syncToken" not in rows:
            page = await read_page(self._client, mirror.who, 5, after, mirror.token)
            for name in LISTS:
                rows[name] += page[name]
            if page["syncToken"] is None:
                await self._write()
                after = page["pageInfo"]["endCursor"]
            else:
                rows["syncToken"] = page["syncToken"]
        mirror.apply(rows, is_torn=True)


def _difference(rows: Any, expected: Any) -> str:
    if isinstance(rows, dict):
        keys = sorted(key for key in {*rows, *expected} if rows.get(key) != expected.get(key))
        return "\n".join(f"{key} is {rows.get(key)}, not {expected.get(key)}" for key in keys)
    return f"{rows}\nnot\n{expected}"


MIRROR = Proof(
    "mirror",
    "A copy kept by sync tokens equals a fresh pull, and a sync has no row that did not change and no key that its"
    " viewer did not know.",
    unit="steps",
    goal=6_000,
    trial=trial,
)
