"""World served by the application in process."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from zlib import crc32

import httpx
import orjson
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from app.application import create_application
from app.export import identify
from app.tokens import create_token
from proofs.interference.operations import Operation
from proofs.interference.subscriber import Subscriber
from proofs.proof import BrokenPromiseError
from resolvers.export.access import FileAccess, load_access
from resolvers.export.catalogue import catalogue_lines
from resolvers.write.job import run_next_job
from store.database import Database, Snapshot
from store.users import UserNotFoundError
from tests.conftest import PATIENT_SECONDS, settings_of
from tests.in_process import InProcessTransport
from tests.oracle import ANONYMOUS

# A context variable, because each of several concurrent operations must record only its own statements.
_statements: ContextVar[list[str] | None] = ContextVar("sent", default=None)


@dataclass(frozen=True)
class ObservedResponse:
    """Everything the client can observe, and the SQL statements, which stand for the response time."""

    response: httpx.Response
    statements: Sequence[str]
    compares_statements: bool

    def observable(self) -> tuple[int, list[tuple[str, str]], bytes, list[str]]:
        """Return status, headers, body and, for a query, its sorted SQL statements.

        The statements of mutations are left out, because their number may depend on hidden rows, and those of a
        response with errors, because it is not deterministic which sibling fields are still resolved after an error.
        """
        response = self.response
        is_whole = self.compares_statements and "errors" not in response.json()
        statements = sorted(self.statements) if is_whole else []
        return response.status_code, response.headers.multi_items(), response.content, statements


TOKEN_SECONDS = 10 * 365 * 86_400  # trials move the clock by many days


class ServedWorld:
    """Database served by the application."""

    def __init__(self, url: str, tokens: dict[str, str] | None = None) -> None:
        """Serve the database. `tokens` maps its users to their tokens."""
        self.url, self.tokens = url, tokens or {}
        self._file_access: dict[str, FileAccess] = {}
        self.database = Database(url, operation_seconds=PATIENT_SECONDS)
        for engine in self.database.engines:
            event.listen(engine.sync_engine, "before_cursor_execute", _record_statement)
        self.database.observe_reads(lambda statement, _values: _record_statement(None, None, statement))
        application = create_application(settings_of(url), database=self.database)
        self._services = application.state.services
        self._transport = InProcessTransport(application)
        self._client = httpx.AsyncClient(
            transport=self._transport, base_url="http://atoll", headers={"x-request-id": "r"}
        )

    async def send(self, who: str, question: Operation) -> ObservedResponse:
        """Send an operation and return the response, even if it is an error."""
        document, variables = question.render()
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self.tokens[who]}"}
        await self._transport.refresh()  # the first operation after a write reads all changes, also hidden ones
        # Whether the JSON of a row is kept depends on all writes to the row. Therefore the statements are compared for
        # operations that find none; half of the operations do.
        is_cold = crc32(document.encode()) % 2 == 0
        if is_cold:
            self._transport.forget_fragments()
        statements: list[str] = []
        token = _statements.set(statements)
        try:
            body = {"query": document, "variables": variables}
            response = await self._client.post("/graphql", json=body, headers=headers)
        except asyncio.CancelledError as cancelled:  # raised by the application: a trial is never cancelled
            raise BrokenPromiseError(
                f"No response: the operation cancelled itself.\n{document}\n{variables}"
            ) from cancelled
        else:
            answer = ObservedResponse(response, tuple(statements), is_cold and question.kind == "query")
        finally:
            _statements.reset(token)
        await self._run_jobs()
        return answer

    def subscribe(self, who: str, operation: Operation) -> Subscriber:
        """Return a new subscriber, who has not looked yet."""
        return Subscriber(self._services, None if who == ANONYMOUS else self.tokens[who], operation)

    async def export(self, who: str) -> list[bytes]:
        """Return the lines that the viewer exports, and whether the file before would be gone.

        None for a deactivated user.
        """
        identify_viewer = identify(None if who == ANONYMOUS else who, is_anonymous=who == ANONYMOUS)

        async def read(snapshot: Snapshot) -> tuple[list[bytes], FileAccess]:
            viewer = await identify_viewer(snapshot)
            lines = [orjson.dumps(line) async for line in catalogue_lines(snapshot, viewer)]
            return lines, await load_access(snapshot, viewer)

        try:
            lines, access = await self.database.read_long(read)
        except UserNotFoundError:
            return []
        is_gone = not self._file_access.get(who, access).is_within(access)
        self._file_access[who] = access
        return [*lines, b"the file before is gone" if is_gone else b"the file before is available"]

    async def _run_jobs(self) -> None:
        """Run the queued jobs."""
        while self.database.job_queued.is_set():
            self.database.job_queued.clear()
            await run_next_job(self.database)

    async def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction; a constraint violation skips all of them."""
        try:
            async with self.database.write() as connection:
                for statement in statements:
                    await connection.exec_driver_sql(statement)
        except IntegrityError:
            return

    async def sign_in(self, users: Sequence[str]) -> None:
        """Create a token for each of the users."""
        self.tokens |= {user: await create_token(self.database, user, TOKEN_SECONDS) for user in users}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self.database.close()


def _record_statement(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
    statements = _statements.get()
    if statements is not None:
        statements.append(statement)
