"""Undo of random mutations, the last first, compared with the world before each of them.

A trial makes a random world, in which assets are hidden from some viewers. It mutates the world some times; some of
these mutations are undos themselves, also of undos. Then it undoes all of them, the last first, each by the user who
made it. After each undo, the tables, the exports and the sights of other viewers are those of before the mutation.

After each mutation and each undo, `canUndo` of some changes is compared with dry runs of their undos.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import select

from permissions.visible import MEMBER_ACTIONS
from proofs.catalogue_client import open_catalogue
from proofs.databases import Databases
from proofs.determinism import fix_ids_and_time
from proofs.model_reader import read_model
from proofs.proof import BrokenPromiseError, Proof
from proofs.undo.actions import MutationDrawing
from proofs.undo.world_dump import WorldDump, dump_world
from proofs.walks.world import ADMINISTRATOR, OWNER, draw_lines
from store import sql
from store.undo_records import HALVED_ACTIONS
from tests.conftest import MEMBERS, GraphQLClient

MUTATIONS_PER_TRIAL = 24
UNDOS = 0.2  # share of the mutations
CHECKS = 4  # changes for each step
LAST_CHANGES = 60
WRITERS = (ADMINISTRATOR, ADMINISTRATOR, OWNER, "sam", "mei")
CAN_UNDO = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Change { id canUndo } } }"
DRY_RUN = "mutation($id: ID!) { changeUndo(input: {changeId: $id, dryRun: true}) { userErrors { code message } } }"


class Step(NamedTuple):
    """A mutation that changed the world: its user, the changes that undo it, and the world before."""

    who: str
    mutation: str
    undoable: Sequence[str]
    before: WorldDump


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of mutations of one world that were undone."""
    return await run_trial(databases, seed, MUTATIONS_PER_TRIAL)


async def run_trial(databases: Databases, seed: int, mutations: int) -> int:
    """Make so many mutations of one world, undo them, and return their number."""
    random = Random(seed)
    with fix_ids_and_time(seed % 1_000_000):
        async with open_catalogue(databases, draw_lines(random), MEMBERS, is_shared=True) as client:
            history = _History(client, random)
            try:
                await history.skip_changes()
                while len(history.steps) < mutations:
                    await history.mutate()
                await history.undo_all()
            except BrokenPromiseError as error:
                last = "\n".join(history.sent[-30:])
                raise BrokenPromiseError(f"On {databases.backend}, seed {seed}: {error}\nMutations:\n{last}") from error
    return mutations


@dataclass
class _History:
    """Mutations of one world that are not undone yet."""

    client: GraphQLClient
    random: Random
    steps: list[Step] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    _checks: Random = field(default_factory=lambda: Random(0))
    _ids: list[str] = field(default_factory=list)
    _last_pk: int = 0

    async def skip_changes(self) -> None:
        """Leave the changes of the import as they are."""
        await self._new_changes()

    async def mutate(self) -> None:
        """Make a random mutation, or undo the last one without taking it from the history."""
        before = await dump_world(self.client)
        if self.steps and self.random.random() < UNDOS:
            last = self.steps[-1]
            who, name = last.who, "changeUndo"
            for id_ in last.undoable:
                await self._undo(who, id_)
        else:
            drawing = MutationDrawing(self.random, await read_model(self.client.database), len(self.sent))
            who, name, input_, _ = drawing.draw()
            await self._send(who, name, input_)
        if changes := leading_changes(await self._new_changes()):
            self.steps.append(Step(who, name, changes, before))
        await self.check_can_undo()

    async def undo_all(self) -> None:
        """Undo all mutations, the last first. Raises BrokenPromiseError if that does not restore the world."""
        for step in reversed(self.steps):
            for id_ in step.undoable:
                await self._undo(step.who, id_)
            after = await dump_world(self.client)
            for part, rows in step.before.items():
                if rows != after[part]:
                    missing = [row for row in rows if row not in after[part]]
                    surplus = [row for row in after[part] if row not in rows]
                    message = f"After the undo of {step.mutation}, {part} differ: without {missing}, with {surplus}"
                    raise BrokenPromiseError(f"{message}\nbefore {rows}\nafter {after[part]}")
            await self._new_changes()
            await self.check_can_undo()

    async def check_can_undo(self) -> None:
        """Compare `canUndo` of some changes with dry runs. Raises BrokenPromiseError if they differ."""
        who = self._checks.choice(WRITERS)
        last = self._ids[-LAST_CHANGES:]
        ids = self._checks.sample(last, min(CHECKS, len(last)))
        nodes = (await self.client(who, CAN_UNDO, ids=ids))["nodes"]
        for id_, node in zip(ids, nodes, strict=True):
            answer = (await self.client.response(who, DRY_RUN, id=id_)).json()
            refusals = answer.get("errors") or answer["data"]["changeUndo"]["userErrors"]
            if (node is not None and node["canUndo"]) is not (not refusals):
                raise BrokenPromiseError(f"canUndo of {id_} is {node} for {who}; the dry run says {refusals or 'yes'}")

    async def _undo(self, who: str, id_: str) -> None:
        payload = await self._send(who, "changeUndo", {"changeId": id_})
        if payload["userErrors"] or any(each["status"] != "CHANGED" for each in payload["results"]):
            raise BrokenPromiseError(f"The undo of {id_} by {who} failed: {payload}")

    async def _send(self, who: str, name: str, input_: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(f"{who}: {name} {input_}")
        payload = "results { status error { message } }" if name == "changeUndo" else ""
        document = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {payload}"
        answer = await self.client.response(who, f"{document} userErrors {{ code message }} }} }}", input=input_)
        if "errors" in answer.json():
            raise BrokenPromiseError(f"{name}: {answer.json()['errors']}")
        return dict(answer.json()["data"][name])

    async def _new_changes(self) -> Sequence[Any]:
        async with self.client.database.snapshot() as snapshot:
            changes = await snapshot.rows(
                select(sql.change).where(sql.change.c.pk > self._last_pk).order_by(sql.change.c.pk.desc())
            )
        self._last_pk = max((change.pk for change in changes), default=self._last_pk)
        self._ids += [change.id for change in reversed(changes)]
        return changes


def leading_changes(changes: Sequence[Any]) -> list[str]:
    """Return the ids of the changes of a mutation, the last first, whose undo undoes all of the mutation.

    A merge is undone as one, a deletion with the moves that it caused, and a move by one of its halves.
    """
    if group := [change.id for change in changes if change.effect and "of" in change.effect]:
        return group
    topics = [change for change in changes if change.subject_id.startswith("top_") and change.effect is not None]
    if topics:
        return [change.id for change in topics]
    halves = {change.revision: change.id for change in changes if change.action in HALVED_ACTIONS}
    if halves:
        return list(halves.values())
    return [change.id for change in changes if change.effect is not None or change.action in MEMBER_ACTIONS]


UNDO = Proof(
    "undo",
    "Undoing mutations, the last first, restores the world of before each, for every viewer.",
    unit="mutations",
    goal=24_000,
    trial=trial,
)
