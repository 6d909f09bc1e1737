"""G: every membership that the viewer sees, pulled by pages of 100 over one connection, beside bare statements."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.comparison import Comparison
from benchmarks.race.server import Server
from benchmarks.race.world import World

PAGE = 100
DOCUMENT = f"""query G($collection: ID!, $after: String) {{ collection(by: {{id: $collection}}) {{
  assets(first: {PAGE}, after: $after) {{
    nodes {{ __typename ... on AssetFields {{ id name }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""
PAGE_BY_HAND = f"""select json_group_array(json_object('id', id, 'name', name)), max(rank) from (
  select a.id, a.name, m.rank from membership m indexed by membership_in_order join asset a on a.pk = m.asset_pk
  where m.collection_pk = :collection and m.rank > :after
    and exists (select 1 from access_grant g where g.asset_pk = a.pk
      and g.principal_pk in (select value from json_each(:principals))
      and (g.access = 4 or a.status not in ('ARCHIVED', 'WITHDRAWN')))
  order by m.rank limit {PAGE})"""


def pull(server: Server, world: World, peers: Path) -> Comparison:
    """Pull the whole graph both ways; exit if the rows differ."""
    started = time.perf_counter()
    rows = [row for collection in world.collections() for row in _pages(server, collection.id)]
    atoll = time.perf_counter() - started
    principals = json.dumps([1, 2, world.viewer_pk, *world.viewer_group_pks])
    with closing(sqlite3.connect(peers)) as database:
        started = time.perf_counter()
        by_hand = [
            row for collection in world.collections() for row in _pages_by_hand(database, collection.pk, principals)
        ]
        seconds = time.perf_counter() - started
    if rows != by_hand:
        raise SystemExit("G: the pulled memberships differ from those of the statements by hand.")
    return Comparison(f"{server.name}: pull of {len(rows):,} memberships", atoll, seconds)


def _pages(server: Server, collection_id: str) -> Iterator[tuple[str, str]]:
    after: str | None = None
    while True:
        variables = {"collection": collection_id, "after": after}
        page = server.execute(DOCUMENT, variables)["collection"]["assets"]
        yield from ((node["id"], node["name"]) for node in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _pages_by_hand(database: sqlite3.Connection, collection_pk: int, principals: str) -> Iterator[tuple[str, str]]:
    after = -1
    while True:
        values = {"collection": collection_pk, "after": after, "principals": principals}
        text, last = database.execute(PAGE_BY_HAND, values).fetchone()
        page = json.loads(text)
        yield from ((row["id"], row["name"]) for row in page)
        if len(page) < PAGE:
            return
        after = last
