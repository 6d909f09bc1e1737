"""A part of the proof that every mutation is made as a whole or not at all, and faults that the proof must find."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from proofs.databases import Databases
from proofs.failing_calls.trial import list_cases, run_trial
from proofs.proof import BrokenPromiseError
from resolvers.write.transaction import MutationTransaction
from store.changes import ChangeLog
from store.database import Database
from store.failure import StorageError

PARTS, STEP = 10, 4
"""The test fails a tenth of the calls, chosen at random, of each fourth mutation."""


# A connection that fails while it is opened may be left to the garbage collector, of which asyncpg warns.
@pytest.mark.filterwarnings("ignore:.*Connection.__del__:pytest.PytestUnraisableExceptionWarning")
async def test_a_mutation_with_a_failed_call_is_made_as_a_whole_or_not_at_all(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), PARTS, step=STEP) > len(list_cases()) // STEP


def commit_before_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    insert = ChangeLog._insert  # noqa: SLF001 - the planted fault

    async def commit_and_insert(log: ChangeLog, rows: list[dict[str, Any]]) -> None:
        connection = log._connection  # noqa: SLF001 - the planted fault needs the connection of the log
        await connection.exec_driver_sql("COMMIT")
        await connection.exec_driver_sql("BEGIN")
        await insert(log, rows)

    monkeypatch.setattr(ChangeLog, "_insert", commit_and_insert)


def deny_lost_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    never = property(lambda _: False, lambda *_: None)
    monkeypatch.setattr(StorageError, "may_be_committed", never, raising=False)


def swallow_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    insert = MutationTransaction.insert

    async def try_to_insert(tx: MutationTransaction, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        with suppress(Exception):
            await insert(tx, table, rows)

    monkeypatch.setattr(MutationTransaction, "insert", try_to_insert)


LEAKED: list[Any] = []
"""Connections that are kept to the end, because the pool would take back those that nobody refers to."""


def keep_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Database.write

    @asynccontextmanager
    async def write_and_keep(database: Database, *seconds: float) -> AsyncIterator[Any]:
        try:
            async with write(database, *seconds) as connection:
                yield connection
        except StorageError:
            LEAKED.append(await database.engines[1].connect())
            raise

    monkeypatch.setattr(Database, "write", write_and_keep)


FAULTS = {
    "a mutation commits in two transactions": (commit_before_logging, "in part"),
    "a lost commit is denied": (deny_lost_commits, "denies it|differs"),
    "an error of an insertion is ignored": (swallow_errors, "in part|not that of failing storage|differs"),
    "a failed mutation keeps its connection": (keep_connections, "not returned"),
}


@pytest.mark.parametrize(("plant", "message"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_found(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, plant: Any, message: str
) -> None:
    plant(monkeypatch)
    with pytest.raises(BrokenPromiseError, match=message):
        await run_trial(databases, random.randrange(1 << 32), mutation="collectionAssetsAdd")
