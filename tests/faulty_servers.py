"""This file is servers that are wrong on purpose: for a moment they keep what belongs to one operation alone."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from app import authentication, cli
from app.endpoint import Endpoint
from permissions.viewer import Viewer, viewer_by_token
from store.database import Snapshot

SECONDS = 0.03
"""How long it is kept, in time of the server's own processor: some operations, however busy the machine is."""


def serve(kept: str) -> None:
    """Run the command line with something kept that must not be: "viewers", "rows" or "answers"."""
    {"viewers": _keep_viewers, "rows": _keep_rows, "answers": _keep_answers}[kept]()
    cli.main()


class Kept:
    """What was read not long ago, by any key."""

    def __init__(self) -> None:
        self._values: dict[Any, tuple[float, Any]] = {}

    async def get(self, key: Any, read: Callable[[], Awaitable[Any]]) -> Any:
        """Return what is kept under the key, or else what is read now."""
        read_at, value = self._values.get(key, (0.0, None))
        if time.process_time() - read_at > SECONDS:
            value = await read()
            self._values[key] = (time.process_time(), value)
        return value


def _keep_viewers() -> None:
    """Keep who the holder of a token is, with their groups and their rank."""
    kept = Kept()

    async def stale(snapshot: Snapshot, token: str) -> Viewer | None:
        viewer: Viewer | None = await kept.get(token, lambda: viewer_by_token(snapshot, token))
        return viewer

    setattr(authentication, "viewer_by_token", stale)  # noqa: B010 - the module does not export it


def _keep_rows() -> None:
    """Keep the rows that a statement gave."""
    kept, rows = Kept(), Snapshot.rows

    async def stale(self: Snapshot, statement: Any, parameters: Any = None) -> Any:
        compiled = statement.compile(dialect=self._connection.dialect)
        key = (str(compiled), str(compiled.params), str(parameters))
        return await kept.get(key, lambda: rows(self, statement, parameters))

    Snapshot.rows = stale  # type: ignore[method-assign]  # which is the fault


def _keep_answers() -> None:
    """Keep the answer to a query of a viewer."""
    kept, response = Kept(), getattr(Endpoint, "_response")  # noqa: B009 - private to the class

    async def stale(self: Endpoint, request: Request, request_id: str) -> Any:
        body = await request.body()
        if b"mutation" in body:
            return await response(self, request, request_id)
        key = (request.headers.get("authorization"), body)
        return await kept.get(key, lambda: response(self, request, request_id))

    setattr(Endpoint, "_response", stale)  # noqa: B010 - as above
