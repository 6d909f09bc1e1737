"""Pages of pulls: a new pull's first page, and the next pages of a stored one."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Integer, String, and_, bindparam

from permissions import ErrorCode, OperationError, Viewer, visible
from resolvers.listing import cursor
from resolvers.listing.statement_cache import cached
from resolvers.loaders import Loader
from resolvers.pull.part import GraphPart, select_keys
from store import sql
from store.ids import new_id, now_ms
from store.pulls import CHUNK_ROWS, NewPull, Row, renew_pull, rows_of_chunk, save_pull
from store.sql import Selection

PARTS = tuple(GraphPart)

EXPIRED = (
    "The pages of this pull are not served any more: its first page was requested more than an hour ago, or many others"
    " since. Start again without `after`."
)


class PageRequest(NamedTuple):
    """Request for a page of at most `first` rows: of a new pull of the parts, or of a stored one after the cursor."""

    parts: tuple[GraphPart, ...]
    first: int
    after: str | None


class PullPage(NamedTuple):
    """Page of a pull: the keys of its rows by part, and its place among all rows."""

    scope: str
    pull_id: str
    size: int  # of the pull
    start: int
    end: int
    keys: Mapping[GraphPart, Sequence[Sequence[Any]]]

    def cursor(self, viewer: Viewer, position: int) -> str:
        """Return the cursor of the row before the position."""
        return cursor.seal(viewer, self.scope, orjson.dumps([self.pull_id, position]))


class PullPageByRequest(Loader[PageRequest, PullPage | OperationError | None]):
    """Page of a pull. A first page takes a statement for each part and one more, any other page one statement."""

    missing = None  # no request is without a value

    async def fetch(self, keys: list[PageRequest]) -> Mapping[PageRequest, PullPage | OperationError | None]:
        """Return the pages by request; an error for a pull that is not served any more, and for a foreign cursor."""
        pages: dict[PageRequest, PullPage | OperationError | None] = {}
        for request in keys:
            try:
                pages[request] = await (self._first_page if request.after is None else self._next_page)(request)
            except OperationError as error:
                pages[request] = error
        return pages

    async def _first_page(self, request: PageRequest) -> PullPage:
        context = self.context
        rows = [row for part in request.parts for row in await self._rows_of_part(part)]
        pull = NewPull.of_rows(new_id("pul"), context.viewer.user_pk, rows)
        statement = cached(("pull", context.viewer.kind), lambda: _select_pull(context.viewer))
        parameters = {"digest": pull.digest, "now": now_ms(), **context.viewer.parameters}
        stored = await context.snapshot.rows(statement, parameters)
        # The same rows are the same pull, so that visitors cannot push each other's pulls out of the database.
        write = partial(renew_pull, pk=stored[0].pk) if stored else partial(save_pull, pull=pull)
        context.deferred_writes.append(write)
        id_ = stored[0].id if stored else pull.id
        return _build_page(request, id_, pull.size, 0, rows[: request.first])

    async def _rows_of_part(self, part: GraphPart) -> list[Row]:
        viewer = self.context.viewer
        statement = cached(("pull keys", viewer.kind, part), lambda: select_keys(part, viewer))
        [row] = await self.context.snapshot.rows(statement, viewer.parameters)
        index = PARTS.index(part)
        return [[index, *key] for key in row.rows]

    async def _next_page(self, request: PageRequest) -> PullPage:
        viewer, after = self.context.viewer, request.after
        assert after is not None  # noqa: S101 - `fetch` tells first pages from others
        id_, start = orjson.loads(cursor.unseal(viewer, _scope(request), after))
        statement = cached(("pull page", viewer.kind), lambda: _select_chunks(viewer))
        parameters = {"id": id_, "now": now_ms(), "start": start - CHUNK_ROWS, "end": start + request.first}
        chunks = await self.context.snapshot.rows(statement, {**parameters, **viewer.parameters})
        if not chunks:
            raise OperationError(ErrorCode.BAD_CURSOR, EXPIRED)
        size = chunks[0].size
        rows = [
            row
            for chunk in chunks
            if chunk.start is not None
            for row in rows_of_chunk(chunk.rows)[max(0, start - chunk.start) : start + request.first - chunk.start]
        ]
        return _build_page(request, id_, size, start, rows)


def _scope(request: PageRequest) -> str:
    return f"collectionGraph|{','.join(request.parts)}"


def _build_page(request: PageRequest, id_: str, size: int, start: int, rows: Sequence[Row]) -> PullPage:
    keys: dict[GraphPart, list[Sequence[Any]]] = {part: [] for part in PARTS}
    for index, *key in rows:
        keys[PARTS[index]].append(key)
    return PullPage(_scope(request), id_, size, start, start + len(rows), keys)


def _select_pull(viewer: Viewer) -> Selection:
    """Return the SELECT of the viewer's stored pull with the digest in the parameter."""
    pull = sql.pull
    is_same = (pull.c.digest == bindparam("digest", type_=String()), pull.c.expires_at > _NOW)
    return visible(pull, viewer).where(*is_same).order_by(pull.c.pk).limit(1)


def _select_chunks(viewer: Viewer) -> Selection:
    """Return the SELECT of the chunks of the pull in the parameter that have rows of the page; one row without any."""
    pull, chunk = sql.pull, sql.pull_chunk
    starts = bindparam("start", type_=Integer), bindparam("end", type_=Integer)
    has_rows = (chunk.c.start > starts[0], chunk.c.start < starts[1])
    return (
        visible(pull, viewer)
        .where(pull.c.id == bindparam("id", type_=String()), pull.c.served_until > _NOW)
        .outerjoin(chunk, and_(chunk.c.pull_pk == pull.c.pk, *has_rows))
        .with_only_columns(pull.c.size, chunk.c.start, chunk.c.rows, maintain_column_froms=True)
        .order_by(chunk.c.start)
    )


_NOW = bindparam("now", type_=BigInteger)
