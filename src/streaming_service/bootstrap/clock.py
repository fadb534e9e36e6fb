"""The clock that all processes of an installation share."""

import asyncio
from typing import Any

from streaming_service.adapters.clock import SharedClock
from streaming_service.application.ports import Store


async def open_clock(store: Store) -> SharedClock:
    """Compared with the store's. Raises StoreUnavailable."""
    clock = SharedClock(store.time)
    await clock.compare()
    return clock


async def stop_task(task: asyncio.Task[Any]) -> None:
    """Cancel it and wait until it is over."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
