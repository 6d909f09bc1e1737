"""Subscription to a job: its state now, and again whenever it changes, until it has finished."""

from dataclasses import dataclass

from resolvers.context import Context
from resolvers.loaders import JobById
from resolvers.subscription.watch import KnownMembers, States
from store.jobs import ACTIVE
from store.recent_writes import RecentWrites
from store.rows import JobRow


@dataclass(frozen=True)
class JobEvent:
    """State of a job; without a row, the viewer has no such job."""

    row: JobRow | None
    state: tuple[object, ...]

    @property
    def is_last(self) -> bool:
        """Whether the job has finished, or is not the viewer's."""
        return self.row is None or self.row.status not in ACTIVE


class JobWatch:
    """Watch of one job."""

    needs_every_look = True  # the progress of a job is no change
    collection_pk = None

    def __init__(self, _states: States, *, id: str) -> None:
        """Take the job's id."""
        self._id = id
        self._state: tuple[object, ...] | None = None

    def is_concerned(self, _writes: RecentWrites, _since: int) -> bool:
        """Return True: progress has no row version."""
        return True

    async def look(self, context: Context, _members: KnownMembers | None = None) -> JobEvent | None:
        """Return the event if the job is not as it was; see `Watch`. One statement."""
        row = (await context.loader(JobById).fetch([self._id])).get(self._id)
        state = () if row is None else (row.status, row.done, row.is_cancelled, row.finished_at, len(row.change_ids))
        return None if state == self._state else JobEvent(row, state)

    def accept(self, event: JobEvent) -> None:
        """Take the event as delivered."""
        self._state = event.state


def job_updated(event: JobEvent | None, _context: Context, **_arguments: object) -> JobRow | None:
    """Return the job of the event that the operation is executed for."""
    return None if event is None else event.row
