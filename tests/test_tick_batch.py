"""Batches of loads in one tick of the event loop."""

import asyncio
import gc
from typing import Any

import pytest

from resolvers.context import TickBatch


async def test_a_load_that_nobody_awaits_fails_silently() -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, failure: failures.append(failure))

    async def fetch(keys: list[int]) -> list[int]:
        raise RuntimeError(keys)

    batch = TickBatch(fetch)
    unawaited, awaited = batch.load(1), batch.load(2)
    with pytest.raises(RuntimeError):
        await awaited
    del unawaited, awaited, batch
    gc.collect()
    assert failures == []
