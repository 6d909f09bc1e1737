"""Imports of a changing file, with edits of people in between, compared with a model.

Each step edits the file, has a person edit the database, or imports the file. Before each import the model predicts the
topics, collections and members after it; an import that the model calls a conflict must be refused and change nothing.
"""

from copy import deepcopy
from random import Random
from typing import Any

from sqlalchemy import select

from proofs.catalogue_client import open_catalogue
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError, Proof
from proofs.reimports.edits import CatalogueFile, draw_edit
from proofs.reimports.model import ConflictError, FileLine, Imported, predict, settle
from proofs.reimports.world import World, describe, read_world
from store import sql
from store.catalogue.importer import import_catalogue
from store.catalogue.parsed import InvalidCatalogueError
from tests.conftest import GraphQLClient, write_lines

STEPS_PER_TRIAL = 150
FIRST_EDITS = 8


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of steps of one database."""
    return await run_trial(databases, seed, STEPS_PER_TRIAL)


async def run_trial(databases: Databases, seed: int, steps: int) -> int:
    """Take so many steps in one database, and return their number."""
    random = Random(seed)
    file = CatalogueFile(random)
    async with open_catalogue(databases, file.render(), ("ada", "olu")) as client:
        history = _History(databases, client, file)
        try:
            await history.start()
            for _ in range(steps):
                await history.step()
        except BrokenPromiseError as error:
            last = "\n".join(history.steps[-30:])
            raise BrokenPromiseError(f"On {databases.backend}, seed {seed}: {error}\nLast steps:\n{last}") from error
    return steps


class _History:
    """Steps on one database, and the state of the model."""

    def __init__(self, databases: Databases, client: GraphQLClient, file: CatalogueFile) -> None:
        self._path = databases.folder / "reimports.jsonl"
        self._client, self._file, self._random = client, file, file.random
        self._imported: dict[str, Imported] = {}
        self._accepted: tuple[dict[str, FileLine], dict[str, FileLine]] = ({}, {})  # file of the last import
        self._assets: dict[str, str] = {}  # ids by external id
        self.steps: list[str] = []

    async def start(self) -> None:
        """Import a first file."""
        async with self._client.database.snapshot() as snapshot:
            rows = await snapshot.rows(select(sql.asset.c.external_id, sql.asset.c.id))
        self._assets = {row.external_id: row.id for row in rows}
        for _ in range(FIRST_EDITS):
            self._file.edit()
        await self._import()

    async def step(self) -> None:
        """Edit the file, edit the database, or import the file."""
        kind = self._random.choices(("file", "people", "import"), (3, 4, 3))[0]
        if kind == "file":
            self._file.edit()
            self.steps.append("the file changes")
        elif kind == "people":
            await self._edit()
        else:
            await self._import()

    async def _edit(self) -> None:
        world = await read_world(self._client.database)
        taken = {(thing.place is None, thing.fields["slug"]) for thing in world.values()}
        deleted = [
            line
            for key, line in self._file.lines.items()
            if key in self._imported
            and self._imported[key].id not in world
            and (line.topic is None, line.fields["slug"]) not in taken
        ]
        edit = draw_edit(self._random, world, self._assets, len(self.steps), deleted)
        if edit is None:
            return
        input_type = f"{edit.mutation[0].upper()}{edit.mutation[1:]}Input"
        query = f"mutation($input: {input_type}!) {{ {edit.mutation}(input: $input) {{ userErrors {{ code }} }} }}"
        payload = (await self._client(edit.who, query, input=edit.input))[edit.mutation]
        errors = [error["code"] for error in payload["userErrors"]]
        self.steps.append(f"{edit.who}: {edit.mutation} {edit.input} {errors}")

    async def _import(self) -> None:
        before = await read_world(self._client.database)
        lines = self._file.render()
        self.steps.append(
            "import\n  " + "\n  ".join(str(line) for line in lines if line["kind"] in {"topic", "collection"})
        )
        try:
            expected, imported = predict(before, self._imported, self._file.lines)
        except ConflictError:
            await self._import_conflict(before, lines)
            return
        try:
            await self._load(lines)
        except InvalidCatalogueError as error:
            raise BrokenPromiseError(f"the import was refused: {'; '.join(map(str, error.problems))}") from error
        after = await read_world(self._client.database)
        if describe(after) != describe(expected):
            raise BrokenPromiseError(_difference(before, expected, after))
        self._imported = settle(after, imported)
        self._accepted = (dict(self._file.lines), dict(self._file.dropped))

    async def _import_conflict(self, before: World, lines: list[dict[str, Any]]) -> None:
        """Assert that the import is refused, and go back to the file of the last import."""
        try:
            await self._load(lines)
        except InvalidCatalogueError:
            pass
        else:
            raise BrokenPromiseError("an import that contradicts people's edits was not refused")
        if await read_world(self._client.database) != before:
            raise BrokenPromiseError("a refused import changed the database")
        self._file.lines, self._file.dropped = deepcopy(self._accepted)

    async def _load(self, lines: list[dict[str, Any]]) -> None:
        await import_catalogue(self._client.database, write_lines(self._path, lines), "proof", lambda _bytes: None)


def _difference(before: World, expected: World, after: World) -> str:
    """Return the objects that differ: before the import, as expected, and after it."""
    states = [describe(world) for world in (before, expected, after)]
    names = {name for state in states for name in state}
    differing = [name for name in sorted(names) if states[1].get(name) != states[2].get(name)]
    titles = ("before", "expected", "after")
    return "\n".join(
        f"{name}\n" + "\n".join(f"  {title}: {state.get(name)}" for title, state in zip(titles, states, strict=True))
        for name in differing
    )


REIMPORTS = Proof(
    "reimports",
    "Importing a changing file again applies what changed in it, and never undoes an edit of people in between.",
    unit="steps",
    goal=6_000,
    trial=trial,
)
