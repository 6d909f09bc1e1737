"""Batches of loads in one tick of the event loop."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest

from resolvers.context import TickBatch


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_load_that_nobody_awaits_fails_silently(*, is_cancelled: bool) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, failure: failures.append(failure))

    async def fetch(keys: list[int]) -> list[int]:
        await asyncio.sleep(0.01)
        raise RuntimeError(keys)

    batch = TickBatch(fetch)
    unawaited, awaited = batch.load(1), batch.load(2)
    await asyncio.sleep(0)
    if is_cancelled:
        unawaited.cancel()
    with suppress(RuntimeError):
        await awaited
    del unawaited, awaited, batch
    await asyncio.sleep(0)  # the task of the batch ends
    gc.collect()
    assert failures == []
