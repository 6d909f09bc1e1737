"""Pages of all rows of a SELECT, so that an export holds few of them in memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, tuple_

from store.database import Snapshot
from store.sql import Expressions, Selection

PAGE_SIZE = 4_000


async def read_pages(
    snapshot: Snapshot, rows: Selection, keys: Expressions, size: int = PAGE_SIZE, skip: int = 0
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield the rows in the order of the keys, which are never null and unique together. One statement a page.

    The first `skip` rows are left out.
    """
    names = [f"after_{index}" for index in range(len(keys))]
    ordered = rows.add_columns(*(key.label(f"key_{index}") for index, key in enumerate(keys)))
    ordered = ordered.order_by(*keys).limit(size)
    after = tuple_(*(bindparam(name, type_=key.type) for name, key in zip(names, keys, strict=True)))
    following = ordered.where(tuple_(*keys) > after)
    page = await snapshot.rows(ordered.offset(skip))
    while page:
        yield page
        if len(page) < size:
            return
        page = await snapshot.rows(following, dict(zip(names, page[-1][-len(keys) :], strict=True)))
