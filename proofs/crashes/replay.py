"""Comparison of a database with the operations that were sent: the log, replayed in the model, and the state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row, func, select

from proofs.crashes.load import Operation
from proofs.crashes.server import CHUNK, INLINE_ITEMS
from proofs.proof import BrokenPromiseError
from store import sql
from store.database import Database, Snapshot
from store.jobs import ACTIVE
from store.tables import JobStatus
from tests.model import World
from tests.model_write import run_mutation

Changes = Mapping[tuple[str, str], set[str]]
"""Assets of each change, by action and subject, with labels for ids."""


@dataclass(frozen=True)
class LoggedChange:
    """A change of the log."""

    pk: int
    id: str
    revision: int
    action: str
    subject_id: str
    request_id: str
    asset_ids: set[str]


class Replay:
    """The model of a database, which follows its log."""

    def __init__(self, database: Database, model: World, ids: dict[str, str]) -> None:
        """Take the model of the current state, and the public id of each label."""
        self._database, self.model, self.ids = database, model, ids
        self._labels = {id_: label for label, id_ in ids.items()}
        self._last_pk = self._last_revision = 0
        self._logged: dict[str, LoggedChange] = {}
        self._deleted: set[str] = set()
        self._requests: dict[str, str] = {}  # that are in the log: the first request by each one that repeats it

    async def skip(self) -> None:
        """Skip the log so far."""
        async with self._database.snapshot() as snapshot:
            changes = await self._new_changes(snapshot)
            await self._check_revisions(snapshot, changes)

    async def check(self, operations: Mapping[str, Operation]) -> None:
        """Replay the log since the last call. Raises BrokenPromiseError if log, state and responses disagree."""
        async with self._database.snapshot() as snapshot:
            changes = await self._new_changes(snapshot)
            await self._check_revisions(snapshot, changes)
            for _, group in groupby(changes, key=lambda change: change.revision):
                self._replay(list(group), operations)
            self.model.log.clear()  # nothing is undone, and each operation copies the model
            self.model.kept.clear()
            made = [str(operations[change.request_id]) for change in changes if change.request_id in operations]
            name = "\n".join(("state after these changes", *dict.fromkeys(made)))
            compare(name, await self._read_state(snapshot), self._describe_model())
            await self._check_jobs(snapshot, operations)
        for operation in operations.values():
            self._check_response(operation)

    async def has_active_jobs(self) -> bool:
        """Return whether a job is queued or runs."""
        async with self._database.snapshot() as snapshot:
            active = select(func.count().label("jobs")).select_from(sql.job).where(sql.job.c.status.in_(ACTIVE))
            return bool((await snapshot.rows(active))[0].jobs)

    def _replay(self, group: list[LoggedChange], operations: Mapping[str, Operation]) -> None:
        """Let the model make the operation of one revision, and compare the changes."""
        request_ids = {change.request_id for change in group}
        operation = operations.get(min(request_ids))
        if len(request_ids) > 1 or operation is None:
            raise BrokenPromiseError(f"A revision of nobody, or of several: {group}")
        if operation.is_denied:
            raise BrokenPromiseError(f"The response denies a change that was made: {operation}\n{group}")
        if self._requests.setdefault(operation.first.request_id, operation.request_id) != operation.request_id:
            raise BrokenPromiseError(f"Made twice under one idempotency key: {operation}")
        given = self._with_labels(operation.input)
        if _is_job(operation):
            self._take_chunk(operation, given, {self._labels[id_] for change in group for id_ in change.asset_ids})
        made, logged = self.model.made, len(self.model.log)
        payload = run_mutation(self.model, operation.who, operation.mutation, given)
        if self.model.made > made:
            self._name_new(operation, group)
        expected = {(change.action, change.subject): set(change.touched) for change in self.model.log[logged:]}
        compare(f"{operation} with the expected payload {payload}", self._with_their_labels(group), expected)

    def _take_chunk(self, operation: Operation, given: dict[str, Any], touched: set[str]) -> None:
        """Reduce the input to the chunk of the job that touched these assets, which must be a new one."""
        given.pop("idempotencyKey", None)  # the model would answer the second chunk by the first one's result
        if given["mode"] == "ATOMIC":
            chunks = [given["assetIds"]]
        else:
            distinct = list(dict.fromkeys(given["assetIds"]))
            chunks = [distinct[first : first + CHUNK] for first in range(0, len(distinct), CHUNK)]
        number = next((number for number, chunk in enumerate(chunks) if touched <= set(chunk)), None)
        if number is None or (operation.chunks and number <= max(operation.chunks)):
            raise BrokenPromiseError(f"A chunk of a job was made in part or twice: {operation}, {touched}")
        operation.chunks.add(number)
        given["assetIds"] = chunks[number]

    def _name_new(self, operation: Operation, group: list[LoggedChange]) -> None:
        kind = "t" if operation.mutation == "topicCreate" else "c"
        label, (id_,) = f"{kind}{self.model.made}", {each.subject_id for each in group if each.action == "CREATED"}
        self.ids[label], self._labels[id_] = id_, label

    def _with_their_labels(self, group: list[LoggedChange]) -> Changes:
        return {
            (each.action, self._labels.get(each.subject_id, each.subject_id)): {
                self._labels[id_] for id_ in each.asset_ids
            }
            for each in group
        }

    def _with_labels(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._with_labels(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._with_labels(each) for each in value]
        return self._labels.get(value, value) if isinstance(value, str) else value

    def _check_response(self, operation: Operation) -> None:
        """Compare the changes in the response with the log."""
        lost = (
            {id_ for id_ in operation.change_ids() if id_ not in self._logged} if operation.is_acknowledged else set()
        )
        lost |= operation.deleted_ids() - self._deleted
        if operation.shows_change() and operation.first.request_id not in self._requests:
            lost.add(operation.request_id)
        if lost and not operation.input.get("dryRun"):
            raise BrokenPromiseError(f"Acknowledged and lost: {sorted(lost)} of {operation}")

    async def _new_changes(self, snapshot: Snapshot) -> list[LoggedChange]:
        """Return the changes since the last call, in the order of the log."""
        change, touched = sql.change, sql.change_asset
        assets = touched.outerjoin(sql.asset, sql.asset.c.pk == touched.c.asset_pk)
        rows = await snapshot.rows(
            select(
                *change.c["pk", "id", "revision", "action", "subject_id", "request_id"], sql.asset.c.id.label("asset")
            )
            .select_from(change.outerjoin(assets, touched.c.change_pk == change.c.pk))
            .where(change.c.pk > self._last_pk)
            .order_by(change.c.pk)
        )
        changes = [
            LoggedChange(
                first.pk,
                first.id,
                first.revision,
                first.action,
                first.subject_id,
                first.request_id,
                {row.asset for row in (first, *others) if row.asset},
            )
            for first, *others in (list(group) for _, group in groupby(rows, key=lambda row: row.pk))
        ]
        self._logged |= {each.id: each for each in changes}
        self._deleted |= {each.subject_id for each in changes if each.action == "DELETED"}
        self._last_pk = max((each.pk for each in changes), default=self._last_pk)
        return changes

    async def _check_revisions(self, snapshot: Snapshot, changes: list[LoggedChange]) -> None:
        """Fail unless revisions increase with the log, up to that of the deployment."""
        (current,) = [row.revision for row in await snapshot.rows(select(sql.deployment.c.revision))]
        revisions = [self._last_revision + bool(changes), *(each.revision for each in changes), current]
        if revisions != sorted(revisions):
            raise BrokenPromiseError(f"Revisions do not increase: {revisions}")
        self._last_revision = current

    async def _check_jobs(self, snapshot: Snapshot, operations: Mapping[str, Operation]) -> None:
        """Fail unless each acknowledged job exists, once, and ended jobs have a result for each item."""
        job, item = sql.job, sql.job_item
        count = select(func.count()).where(item.c.job_pk == job.c.pk).scalar_subquery().label("items")
        jobs = await snapshot.rows(select(*job.c["id", "request_id", "status", "done", "total"], count))
        ids = {row.id for row in jobs}
        first = [operations[row.request_id].first.request_id for row in jobs]
        if len(first) > len(set(first)):
            raise BrokenPromiseError(f"Jobs were queued twice: {sorted(first)}")
        for operation in operations.values():
            queued = (operation.payload or {}).get("job")
            if queued and queued["id"] not in ids:
                raise BrokenPromiseError(f"An acknowledged job was lost: {operation}")
        for row in jobs:
            _check_job(row)

    async def _read_state(self, snapshot: Snapshot) -> dict[str, Any]:
        topics = await snapshot.rows(select(sql.topic).order_by(sql.topic.c.rank, sql.topic.c.pk))
        collections = await snapshot.rows(select(sql.collection).order_by(sql.collection.c.rank, sql.collection.c.pk))
        asset = sql.asset.c.id.label("asset")
        joined = sql.membership.join(sql.asset, sql.asset.c.pk == sql.membership.c.asset_pk)
        members = await snapshot.rows(
            select(sql.membership.c.collection_pk, asset)
            .select_from(joined)
            .order_by(sql.membership.c.rank, sql.membership.c.asset_pk)
        )
        label = {row.pk: self._labels[row.id] for row in collections}
        topic = {row.pk: self._labels[row.id] for row in topics}
        in_collection: dict[int, list[str]] = {pk: [] for pk in label}
        for row in members:
            in_collection[row.collection_pk].append(self._labels[row.asset])
        return {
            "topics": [(topic[row.pk], row.name, row.slug, row.version) for row in topics],
            "collections in order": {
                name: [label[row.pk] for row in collections if row.topic_pk == pk] for pk, name in topic.items()
            },
            "collections": {
                label[row.pk]: (row.name, row.slug, row.visibility, row.version, in_collection[row.pk])
                for row in collections
            },
            "tree": {
                place: [
                    label[row.pk] for row in collections if (topic[row.topic_pk], label.get(row.parent_pk)) == place
                ]
                for place in {(topic[row.topic_pk], label.get(row.parent_pk)) for row in collections}
            },
        }

    def _describe_model(self) -> dict[str, Any]:
        return {
            "topics": [(name, topic.name, topic.slug, topic.version) for name, topic in self.model.topics.items()],
            "collections in order": {name: self.model.in_topic(name) for name in self.model.topics},
            "collections": {
                label: (each.name, each.slug, each.visibility, each.version, list(each.members))
                for label, each in self.model.collections.items()
            },
            "tree": {place: children for place, children in self.model.children.items() if children},
        }


def _is_job(operation: Operation) -> bool:
    return len(set(operation.input.get("assetIds", ()))) > INLINE_ITEMS


def _check_job(row: Row[Any]) -> None:
    """Fail unless a job has as many items as it says. An ATOMIC one that failed has all of them, and none is done."""
    is_whole = row.status in {JobStatus.SUCCEEDED, JobStatus.PARTIALLY_FAILED}
    is_rolled_back = row.status == JobStatus.FAILED and (row.done, row.items) == (0, row.total)
    if (row.items != row.done and not is_rolled_back) or (is_whole and row.done != row.total):
        raise BrokenPromiseError(f"A job has not the items that it says: {row}")


def compare(name: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    """Raise BrokenPromiseError with the entries that differ, if any."""
    if found != expected:
        lines = [f"  {key}: {found.get(key)} in place of {expected.get(key)}" for key in _differing(found, expected)]
        raise BrokenPromiseError("\n".join((f"The database differs from the model, {name}:", *lines)))


def _differing(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> Iterator[Any]:
    for key in {**found, **expected}:
        if found.get(key) != expected.get(key):
            yield key
