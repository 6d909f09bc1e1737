"""Pages of pulls: a new pull's first page, and the next pages of a stored one."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import orjson
from sqlalchemy import BigInteger, ColumnElement, Integer, String, and_, bindparam

from permissions import ErrorCode, OperationError, Viewer, visible
from resolvers.context import Context
from resolvers.listing import cursor
from resolvers.listing.statement_cache import cached
from resolvers.loaders import Loader
from resolvers.pull.part import GraphPart
from resolvers.pull.row_set import MEMBERS, PARTS, Difference, compare, key_of, mark_torn, read_rows, removed_rows
from store import sql
from store.ids import new_id, now_ms
from store.pulls import (
    CHUNK_ROWS,
    Contents,
    NewPull,
    Row,
    add_torn_rows,
    fetch_ids,
    keep_pull,
    renew_pull,
    rows_of_chunk,
    save_pull,
)
from store.sql import Selection

SYNC_TOKENS = "collectionGraph.syncToken"
"""Scope of sync tokens, which are sealed like cursors."""

PAGES_EXPIRED = (
    "The pages of this pull are not served any more: its first page was requested more than an hour ago, or many others"
    " since. Start again without `after`."
)
SINCE_EXPIRED = (
    "This sync token is older than 30 days, or many others were created since. Pull everything again, without `since`:"
    " the last page has a new token."
)
SINCE_INVALID = (
    "This is not a sync token of this viewer. Use the `syncToken` of the last page of a pull by the same user, or pull"
    " everything, without `since`."
)


class PageRequest(NamedTuple):
    """Request for a page of at most `first` rows: of a new pull, or of a stored one after the cursor.

    `parts` are those of the sync token if None, or all.
    """

    first: int
    after: str | None
    since: str | None
    parts: tuple[GraphPart, ...] | None

    @property
    def scope(self) -> str:
        """Scope of the cursors: each page of a pull has the same `since` and `include`."""
        return f"collectionGraph|{self.since or ''}|{'*' if self.parts is None else ','.join(self.parts)}"


class PullPage(NamedTuple):
    """Page of a pull: its rows, and their place among all of the pull."""

    scope: str
    pull_id: str
    state_id: str  # of the pull with the rows that the viewer then has
    size: int  # of the pull
    start: int
    rows: Sequence[Row]
    is_first: bool

    @property
    def end(self) -> int:
        """Position after the last row."""
        return self.start + len(self.rows)

    def of(self, kind: int) -> list[Row]:
        """Return the rows of a kind."""
        return [row for row in self.rows if row[0] == kind]

    def note_versions(self, context: Context, rows: Sequence[Row], versions: Iterable[Row | None]) -> None:
        """Note for the next sync which rows are now hidden or have another version than that of the first page.

        Without that, a row that is as it was when the next sync reads it would count as unchanged.
        """
        torn = [key_of(row) for row, version in zip(rows, versions, strict=True) if row != version]
        if torn:
            context.deferred_writes.append(partial(add_torn_rows, id_=self.state_id, keys=torn))

    @property
    def is_last(self) -> bool:
        """Whether no page follows."""
        return self.end >= self.size

    def cursor(self, viewer: Viewer, position: int) -> str:
        """Return the cursor of the row before the position."""
        return cursor.seal(viewer, self.scope, orjson.dumps([self.pull_id, position]))

    def sync_token(self, context: Context) -> str:
        """Return the sync token of the pull, which is stored for as long as the token is valid."""
        context.deferred_writes.append(partial(keep_pull, id_=self.state_id))
        return cursor.seal(context.viewer, SYNC_TOKENS, self.state_id.encode())


class PullPageByRequest(Loader[PageRequest, PullPage | OperationError | None]):
    """Page of a pull. A first page takes a statement for each part and up to five more, any other one statement."""

    missing = None  # no request is without a value

    def __init__(self, context: Context) -> None:
        """Create the loader of one operation."""
        super().__init__(context)
        self._rows_of_part: dict[GraphPart, Sequence[Row]] = {}

    async def fetch(self, keys: list[PageRequest]) -> Mapping[PageRequest, PullPage | OperationError | None]:
        """Return the pages by request, or errors: of foreign cursors and tokens, and of expired ones."""
        pages: dict[PageRequest, PullPage | OperationError | None] = {}
        for request in keys:
            try:
                pages[request] = await (self._first_page if request.after is None else self._next_page)(request)
            except OperationError as error:
                pages[request] = error
        return pages

    async def _first_page(self, request: PageRequest) -> PullPage:
        known_parts, before = PARTS, list[Row]()
        if request.since is not None:
            known_parts, before = await self._rows_of_token(request.since)
        parts = known_parts if request.parts is None else request.parts
        after = [row for part in parts for row in await self._rows(part)]
        sent = [row for row in after if row[0] != MEMBERS]
        pull = await self._store(parts, sent, [row for row in after if row[0] == MEMBERS])
        state_id = pull.id
        if request.since is not None:
            difference = compare(before, after)
            sent = [*await self._removed(difference), *difference.rows]
            pull = await self._store(parts, sent, state_id=state_id)
        return PullPage(request.scope, pull.id, state_id, len(sent), 0, sent[: request.first], is_first=True)

    async def _rows(self, part: GraphPart) -> Sequence[Row]:
        """Return all rows of the part, read once for all pulls of the operation."""
        if part not in self._rows_of_part:
            self._rows_of_part[part] = await read_rows(self.context.snapshot, self.context.viewer, part)
        return self._rows_of_part[part]

    async def _rows_of_token(self, token: str) -> tuple[tuple[GraphPart, ...], list[Row]]:
        """Return the parts and the rows of the pull that the token stands for."""
        viewer = self.context.viewer
        try:
            id_ = cursor.unseal(viewer, SYNC_TOKENS, token).decode()
        except OperationError:
            raise OperationError(ErrorCode.SYNC_TOKEN_INVALID, SINCE_INVALID) from None
        statement = cached(("pull of token", viewer.kind), lambda: _select_all_chunks(viewer))
        chunks = await self.context.snapshot.rows(statement, {"id": id_, "now": now_ms(), **viewer.parameters})
        if not chunks:
            raise OperationError(ErrorCode.SYNC_TOKEN_EXPIRED, SINCE_EXPIRED)
        parts = tuple(part for part in PARTS if part in chunks[0].parts.split())
        stored = (rows_of_chunk(chunk.rows) for chunk in chunks if chunk.rows is not None)
        return parts, mark_torn(chain.from_iterable(stored), chunks[0].torn)

    async def _removed(self, difference: Difference) -> list[Row]:
        pks = {*difference.assets, *(pk for _, pk in difference.memberships), *chain(*difference.uses)}
        snapshot = self.context.snapshot
        ids = await fetch_ids(snapshot, sql.asset, pks)
        return list(removed_rows(difference, ids, await fetch_ids(snapshot, sql.principal, difference.users)))

    async def _store(
        self, parts: Sequence[GraphPart], sent: Sequence[Row], unsent: Sequence[Row] = (), state_id: str | None = None
    ) -> NewPull:
        """Return the pull of these rows: a stored one with the same, or a new one that will be stored."""
        viewer = self.context.viewer
        pull = NewPull.of_rows(new_id("pul"), viewer.user_pk, Contents(" ".join(parts), state_id, sent, unsent))
        statement = cached(("pull by digest", viewer.kind), lambda: _select_pull(viewer))
        parameters = {"digest": pull.digest, "now": now_ms(), **viewer.parameters}
        # The same rows are the same pull, so that visitors cannot push each other's pulls out of the database.
        for stored in await self.context.snapshot.rows(statement, parameters):
            self.context.deferred_writes.append(partial(renew_pull, id_=stored.id))
            return pull._replace(id=stored.id)
        self.context.deferred_writes.append(partial(save_pull, pull=pull))
        return pull

    async def _next_page(self, request: PageRequest) -> PullPage:
        viewer, after = self.context.viewer, request.after
        assert after is not None  # noqa: S101 - `fetch` tells first pages from others
        id_, start = orjson.loads(cursor.unseal(viewer, request.scope, after))
        statement = cached(("pull page", viewer.kind), lambda: _select_chunks(viewer))
        parameters = {"id": id_, "now": now_ms(), "start": start - CHUNK_ROWS, "end": start + request.first}
        chunks = await self.context.snapshot.rows(statement, {**parameters, **viewer.parameters})
        if not chunks:
            raise OperationError(ErrorCode.BAD_CURSOR, PAGES_EXPIRED)
        size = chunks[0].size
        end = min(start + request.first, size)  # other rows follow, which are in no page
        rows = [
            row
            for chunk in chunks
            if chunk.rows is not None and chunk.start < end
            for row in rows_of_chunk(chunk.rows)[max(0, start - chunk.start) : end - chunk.start]
        ]
        return PullPage(request.scope, id_, chunks[0].state_id or id_, size, start, rows, is_first=False)


def _select_pull(viewer: Viewer) -> Selection:
    """Return the SELECT of the viewer's stored pull with the digest in the parameter."""
    pull = sql.pull
    is_same = (pull.c.digest == bindparam("digest", type_=String()), pull.c.expires_at > _NOW)
    return visible(pull, viewer).where(*is_same).order_by(pull.c.pk).limit(1)


def _select_chunks(viewer: Viewer) -> Selection:
    """Return the SELECT of the chunks of the pull in the parameter that have rows of the page; one row without any."""
    chunk = sql.pull_chunk
    starts = bindparam("start", type_=Integer), bindparam("end", type_=Integer)
    rows = _select_pull_with_chunks(viewer, chunk.c.start > starts[0], chunk.c.start < starts[1])
    return rows.where(sql.pull.c.served_until > _NOW)


def _select_all_chunks(viewer: Viewer) -> Selection:
    """Return the SELECT of all chunks of the pull in the parameter; one row without any."""
    return _select_pull_with_chunks(viewer).where(sql.pull.c.expires_at > _NOW)


def _select_pull_with_chunks(viewer: Viewer, *conditions: ColumnElement[bool]) -> Selection:
    pull, chunk = sql.pull, sql.pull_chunk
    columns = (pull.c.state_id, pull.c.parts, pull.c.torn, pull.c.size, chunk.c.start, chunk.c.rows)
    return (
        visible(pull, viewer)
        .where(pull.c.id == bindparam("id", type_=String()))
        .outerjoin(chunk, and_(chunk.c.pull_pk == pull.c.pk, *conditions))
        .with_only_columns(*columns, maintain_column_froms=True)
        .order_by(chunk.c.start)
    )


_NOW = bindparam("now", type_=BigInteger)
