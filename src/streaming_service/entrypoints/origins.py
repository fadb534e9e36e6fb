"""Commands about origins. What they want of one is written into the store, and a running worker does it."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from streaming_service.application.origins import OriginOperations, OriginStatus
from streaming_service.bootstrap import open_origins
from streaming_service.configuration import load
from streaming_service.entrypoints.terminal import cause, document, say
from streaming_service.errors import StreamingServiceError

_POLL_SECONDS = 1.0


async def list_origins(env_file: Path, *, as_json: bool) -> None:
    """Probe every origin once, and show a table in a terminal or one JSON document."""
    async with open_origins(load(env_file=env_file, roles=["store"])) as origins:
        found = await origins.list()
    if as_json:
        return say(document([_row(item) for item in found]))
    if not found:
        return say("no origins: set OME_API_BASE_URL, OME_*_INGEST_POOL or OME_POOLS_FILE")
    return _print_table(found)


async def drain_origin(env_file: Path, name: str, wait: float, *, as_json: bool) -> None:
    """Have it emptied; with `wait` > 0 seconds follow that, and fail when something is left after that time."""
    async with open_origins(load(env_file=env_file, roles=["store"])) as origins:
        status = await origins.drain(name, cause())
        if wait:
            status = await _follow(origins, status, wait, silent=as_json)
    if as_json:
        say(document(_row(status)))
    elif not wait:
        say(f"{name} is being emptied: {_left(status)}")
    if wait and status.channels:
        raise StreamingServiceError(
            f"{name} still holds {_left(status)} after {wait:g} s: replaced streams stay until URLs for them have "
            "expired; if nothing moves, see whether a worker runs and the other origins have room"
        )


async def undrain_origin(env_file: Path, name: str, *, as_json: bool) -> None:
    """Use it again."""
    async with open_origins(load(env_file=env_file, roles=["store"])) as origins:
        status = await origins.undrain(name, cause())
    say(document(_row(status)) if as_json else f"{name} is used again: {_left(status)} on it")


async def _follow(origins: OriginOperations, status: OriginStatus, wait: float, *, silent: bool) -> OriginStatus:
    """Until it is empty, telling each change."""
    deadline = time.monotonic() + wait
    shown = -1
    while True:
        if status.channels != shown and not silent:
            shown = status.channels
            say(f"{status.name}: {_left(status)} left")
        if not status.channels or time.monotonic() >= deadline:
            return status
        await asyncio.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
        status = await origins.get(status.name)


def _print_table(found: Sequence[OriginStatus]) -> None:
    table = Table(
        Column("name", no_wrap=True),
        "pools",
        "state",
        Column("channels", justify="right"),
        "drained",
        "reason",
        box=None,
    )
    for item in found:
        state = f"{item.state}, overloaded" if item.overloaded else item.state
        drained = "yes" if item.drained else ""
        channels = f"{item.channels}/{item.capacity}"
        table.add_row(item.name, ", ".join(item.pools), state, channels, drained, item.reason)
    Console().print(table)


def _row(status: OriginStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "pools": status.pools,
        "state": status.state,
        "channels": status.channels,
        "capacity": status.capacity,
        "allowed": status.allowed,
        "drained": status.drained,
        "overloaded": status.overloaded,
        "reason": status.reason,
    }


def _left(status: OriginStatus) -> str:
    return "1 channel" if status.channels == 1 else f"{status.channels} channels"
