"""Client of an application whose index is not refreshed before requests: a request itself has to catch up."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
from sqlalchemy import event, select

from app.application import create_application
from app.settings import Executor, Settings
from fragments import Memory
from store import sql
from store.database import Database
from tests.conftest import ANONYMOUS, World
from tests.engine_log import ENGINE_ERRORS
from tests.in_process import InProcessTransport


class MemoryClient:
    """Client of an application in this process, for any user or an anonymous visitor."""

    def __init__(self, world: World, *, index: bool = True, engine: Executor = Executor.ON) -> None:
        """Serve the world's database, with these settings."""
        self.database, self._tokens = Database(world.url), world.tokens
        self.statements: list[str] = []
        for each in self.database.engines:
            event.listen(each.sync_engine, "before_cursor_execute", self._observe)
        self.database.observe_reads(lambda statement, _values: self.statements.append(statement))
        app = create_application(
            Settings(database_url=world.url, index=index, engine=engine, rate_points=0), database=self.database
        )
        self.memory: Memory | None = app.state.memory
        self.is_from_memory = False
        if self.memory is not None:
            self._observe_answers(self.memory)
        self._transport = InProcessTransport(app)
        self._client = httpx.AsyncClient(transport=self._transport, base_url="http://atoll")

    async def refresh(self) -> None:
        """Bring the index to the latest version."""
        await self._transport.refresh()

    async def send(self, who: str, query: str, **variables: Any) -> bytes:
        """Send the query and return the body; `statements` and `is_from_memory` then say how it was answered.

        Fail if the engine or the index failed, although graphql-core then responds.
        """
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self._tokens[who]}"}
        self.statements.clear()
        self.is_from_memory = False
        response = await self._client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        failure = ENGINE_ERRORS.take()
        assert not failure, f"{who}: {query}\n{failure}"
        return response.content

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self.database.close()

    def _observe(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(statement)

    def _observe_answers(self, memory: Memory) -> None:
        answer = memory.answer

        async def observed(*arguments: Any) -> bytes | None:
            body = await answer(*arguments)
            self.is_from_memory = body is not None
            return body

        setattr(memory, "answer", observed)  # noqa: B010 - the observed method


async def read_ids(database: Database) -> dict[str, str]:
    """Return the public id of each user, group, asset, collection and topic by its external id or slug."""
    ids: dict[str, str] = {}
    async with database.snapshot() as snapshot:
        for table, name in (
            (sql.principal, "external_id"),
            (sql.asset, "external_id"),
            (sql.collection, "slug"),
            (sql.topic, "slug"),
        ):
            rows = await snapshot.rows(select(table.c.id, table.c[name].label("name")))
            ids |= {row.name: row.id for row in rows if row.name}
    return ids


def fill(query: str, ids: Mapping[str, str]) -> str:
    """Return the query with ids for names in angle brackets."""
    return re.sub(r"<(\w+)>", lambda match: ids[match[1]], query)
