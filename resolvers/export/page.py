"""Pages of all rows of a SELECT, so that an export holds few of them in memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, literal, tuple_

from store.database import Snapshot
from store.sql import Expressions, Selection

PAGE_SIZE = 1_000


async def read_pages(
    snapshot: Snapshot, rows: Selection, keys: Expressions, size: int = PAGE_SIZE, skip: int = 0
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield the rows in the order of the keys, which are never null and unique together. One statement a page.

    The first `skip` rows are left out.
    """
    ordered = rows.add_columns(*(key.label(f"key_{index}") for index, key in enumerate(keys)))
    ordered = ordered.order_by(*keys).limit(size)
    following = ordered.offset(skip)
    while page := await snapshot.rows(following):
        yield page
        if len(page) < size:
            return
        last = page[-1][-len(keys) :]
        after = tuple_(*(literal(value, key.type) for key, value in zip(keys, last, strict=True)))
        following = ordered.where(tuple_(*keys) > after)
