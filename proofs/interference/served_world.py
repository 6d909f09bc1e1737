"""This file is a world being asked: a database behind the application, in process."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import httpx
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from app.application import create_application
from app.settings import Settings
from app.tokens import create_token
from proofs.interference.operations import Question
from proofs.proof import BrokenPromiseError
from resolvers.write.job import run_next_job
from store.database import Database
from tests.oracle import ANONYMOUS

# Statements come from the operation whose context they run in, beside whatever else is asked at the time.
_sent: ContextVar[list[str] | None] = ContextVar("sent", default=None)


@dataclass(frozen=True)
class Answer:
    """All that whoever asks can see, and the statements by which time could tell."""

    response: httpx.Response
    statements: Sequence[str]
    is_query: bool

    def told(self) -> tuple[int, list[tuple[str, str]], bytes, list[str]]:
        """Return status, headers, body and, of a query, the statements in an order of their own.

        How much a mutation has to write depends on what is there, seen or not. And with an error, what its siblings
        still read is a matter of chance: they are no longer waited for.
        """
        response = self.response
        is_whole = self.is_query and "errors" not in response.json()
        statements = sorted(self.statements) if is_whole else []
        return response.status_code, response.headers.multi_items(), response.content, statements


class World:
    """A database behind the application."""

    def __init__(self, url: str, tokens: dict[str, str] | None = None) -> None:
        """Serve the database; `tokens` are those of its users."""
        self.url, self.database, self.tokens = url, Database(url), tokens or {}
        for engine in self.database.engines:
            event.listen(engine.sync_engine, "before_cursor_execute", _note)
        transport = httpx.ASGITransport(create_application(Settings(database_url=url), database=self.database))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://atoll", headers={"x-request-id": "r"})

    async def ask(self, who: str, question: Question) -> Answer:
        """Return the answer, whatever it is."""
        document, variables = question.written()
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self.tokens[who]}"}
        sent: list[str] = []
        before = _sent.set(sent)
        try:
            asked = {"query": document, "variables": variables}
            response = await self._client.post("/graphql", json=asked, headers=headers)
        except asyncio.CancelledError as cancelled:  # by the application itself: nobody cancels a trial
            raise BrokenPromiseError(
                f"No answer: what was asked cancelled itself.\n{document}\n{variables}"
            ) from cancelled
        else:
            answer = Answer(response, tuple(sent), question.kind == "query")
        finally:
            _sent.reset(before)
        await self._work()
        return answer

    async def _work(self) -> None:
        """Do the jobs that were queued."""
        while self.database.job_queued.is_set():
            self.database.job_queued.clear()
            await run_next_job(self.database)

    async def execute(self, statements: Sequence[str]) -> None:
        """Execute the statements as one transaction; none of them where one is impossible in this world."""
        try:
            async with self.database.write() as connection:
                for statement in statements:
                    await connection.exec_driver_sql(statement)
        except IntegrityError:
            return

    async def sign_in(self, users: Sequence[str]) -> None:
        """Make a token for each of the users."""
        self.tokens |= {user: await create_token(self.database, user, 86_400) for user in users}

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
        await self.database.close()


def _note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
    sent = _sent.get()
    if sent is not None:
        sent.append(statement)
