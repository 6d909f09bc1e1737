"""Writer: a client of Atoll that adds memberships to a collection of the measured topic and removes them again."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Self

from benchmarks.race.operations import MEASURED_TOPIC
from benchmarks.race.server import Server
from benchmarks.race.world import World

WRITES_PER_SECOND = 30
ASSETS = 5
WRITE = """mutation($input: CollectionAssets{0}Input!) {{ collectionAssets{0}(input: $input) {{
  summary {{ changed }} userErrors {{ code }} }} }}"""


class Membership:
    """Input of the writes: assets of the viewer that are not in the collection."""

    def __init__(self, world: World) -> None:
        """Choose the collection and the assets."""
        collection = next(each for each in world.collections() if each.topic_pk == MEASURED_TOPIC)
        members = {row.asset_pk for row in world.memberships() if row.collection_pk == collection.pk}
        owned = [row.id for row in world.assets() if row.owner_pk == world.viewer_pk and row.pk not in members]
        self.input = {"collectionId": collection.id, "assetIds": owned[:ASSETS]}

    def change(self, server: Server, number: int) -> None:
        """Add the assets by a write with an even number, or remove them; exit if that fails."""
        action = "Remove" if number % 2 else "Add"
        payload = server.execute(WRITE.format(action), {"input": self.input})[f"collectionAssets{action}"]
        if payload["userErrors"] or payload["summary"]["changed"] != len(self.input["assetIds"]):
            raise SystemExit(f"{server.name} did not write: {payload}")


class Writer:
    """Thread that writes while the block runs; at the end the collection has its former members.

    The members are added at the end of the collection, so the answers stay the same.
    """

    def __init__(self, server: Server, membership: Membership) -> None:
        """Take the server and the input of each write."""
        self._server, self._membership = server, membership
        self._stop, self._thread = Event(), ThreadPoolExecutor(1)
        self._written: Future[None]
        self._writes, self._seconds = 0, 0.0

    def __enter__(self) -> Self:
        """Start to write."""
        self._written = self._thread.submit(self._write)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop after a removal; exit if a write failed."""
        self._stop.set()
        self._written.result()
        self._thread.shutdown()

    @property
    def rate(self) -> float:
        """Writes per second, after the block."""
        return self._writes / self._seconds

    def _write(self) -> None:
        started = time.monotonic()
        while not self._stop.is_set() or self._writes % 2:
            self._membership.change(self._server, self._writes)
            self._writes += 1
            self._stop.wait(max(0.0, started + self._writes / WRITES_PER_SECOND - time.monotonic()))
        self._seconds = time.monotonic() - started
