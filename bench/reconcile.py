"""Passes of the reconciler with nothing to do over a large fleet: what OME is asked, and what memory grows."""

import gc
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from uuid import UUID

import uvloop
from msgspec.structs import replace
from sqlalchemy import Connection

from bench.figures import Figure, note
from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.store import channels
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.store.sqlite import SqliteDatabase
from streaming_service.application.findings import Findings
from streaming_service.application.placing import next_placement
from streaming_service.application.ports import Candidate
from streaming_service.application.reconciliation import Reconciliation
from streaming_service.application.seating import Seat
from streaming_service.domain.content import Classification
from streaming_service.domain.history import Change, change
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.domain.source import parse_mounts
from streaming_service.domain.upload import parse_registration
from streaming_service.domain.wish import SpecPolicy, decide
from streaming_service.errors import NotFound

_ORIGINS = 20
_PASSES = 5
_APPLICATIONS = ("reels", "series")
_BATCH = 1000
_CAUSE = Cause("bench", "bench")
_PREFIX = "ss-"
_BOOTED = datetime(2026, 1, 1, tzinfo=UTC)
_LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
_SPECS = SpecPolicy(
    ladders=dict.fromkeys(Classification, _LADDER),
    applications={Classification.REEL: "reels", Classification.SERIES: "series"},
    mounts=parse_mounts("gs://uploads="),
)


class ListingOrigin:
    """An OME that answers from memory, and counts what it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: dict[str, set[str]] = {application: set() for application in _APPLICATIONS}
        self.listings = self.looks = 0

    async def streams(self, application: str) -> frozenset[str]:
        self.listings += 1
        return frozenset(self.held[application])

    async def booted_at(self) -> datetime | None:
        self.looks += 1
        return _BOOTED

    async def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("with nothing to do, nothing else is asked")

    start = holds = recording = conclude = kick = stop = _refuse
    playability = appearance = figures = position = starved_of_audio = _refuse


class ListedFleet:
    """Origins that are all well and full."""

    def __init__(self) -> None:
        self.origins = {name: ListingOrigin(name) for name in (f"ome-{number}" for number in range(_ORIGINS))}

    def candidates(self, classification: Classification, application: str, key: str) -> tuple[Candidate, ...]:
        del classification, application, key
        return ()

    def given_up(self) -> frozenset[str]:
        return frozenset()

    def leaving(self) -> frozenset[str]:
        return frozenset()

    def origin(self, name: str) -> ListingOrigin:
        if name not in self.origins:
            raise NotFound(name)
        return self.origins[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self.origins)


def measure(count: int) -> list[Figure]:
    """Calls for each origin and application, and what resident memory grows from the first pass to the last."""
    with TemporaryDirectory() as folder:
        return uvloop.run(_measure(str(Path(folder, "bench.sqlite")), count))


async def _measure(path: str, count: int) -> list[Figure]:
    upgrade(path)
    fleet = ListedFleet()
    began = time.perf_counter()
    await _fill(path, fleet, count)
    filled = time.perf_counter() - began
    store = await SqlStore.open(path)
    clock = WallClock()
    reconciliation = Reconciliation(
        store=store,
        fleet=fleet,
        applications=lambda _: _APPLICATIONS,
        specs=_SPECS,
        notifier=Notifier(frozenset()),
        stream_prefix=_PREFIX,
        clock=clock,
    )
    seconds: list[float] = []
    origins = fleet.origins.values()
    before = 0.0
    for number in range(1 + _PASSES):
        began = time.perf_counter()
        if (findings := await reconciliation.run(_CAUSE)) != Findings():
            raise RuntimeError(f"there was something to do: {findings}")
        seconds.append(time.perf_counter() - began)
        if number == 0:
            before = _resident_mb()
            for origin in origins:
                origin.listings = origin.looks = 0
    growth = _resident_mb() - before
    await store.close()
    calls = sum(origin.listings for origin in origins) / (_ORIGINS * len(_APPLICATIONS) * _PASSES)
    looks = sum(origin.looks for origin in origins) / (_ORIGINS * _PASSES)
    note(f"{count:,} channels on {_ORIGINS} origins, written in {filled:.1f} s; {before:.0f} MB after the first pass")
    note(f"a first pass takes {seconds[0]:.2f} s, the others {', '.join(f'{value:.2f}' for value in seconds[1:])}")
    note(f"and one look at the time an origin came up: {looks:g} a pass and origin")
    return [
        Figure("reconcile_calls_per_origin_application", calls, 1.0, at_least=False),
        Figure("reconcile_memory_growth_mb", growth, 5.0, at_least=False),
    ]


async def _fill(path: str, fleet: ListedFleet, count: int) -> None:
    """In a few large transactions."""
    database = SqliteDatabase(parse_dsn(path))
    for first in range(0, count, _BATCH):
        changes = list(_plays(fleet, range(first, min(first + _BATCH, count))))
        await database.transact(_write, changes)
    await database.close()


def _write(connection: Connection, changes: list[Change]) -> None:
    for made in changes:
        channels.commit(connection, made, None)


def _plays(fleet: ListedFleet, numbers: range) -> Iterator[Change]:
    """Channels that play for ever, spread over the origins, which hold them."""
    now = datetime.now(UTC)
    for number in numbers:
        content_id = str(UUID(int=0x3F2A_0000_0000_4000_8000_0000_0000_0000 + number))
        body = {
            "contentId": content_id,
            "contentType": "series" if number % 3 == 0 else "reel",
            "sourceGcsUri": f"gs://uploads/{number}.mp4",
            "checksum": f"sha256:{number}",
            "tenantId": "bench",
        }
        channel = decide(None, parse_registration(body, now), _SPECS, now).channel
        seat = Seat(f"ome-{number % _ORIGINS}", number // _ORIGINS)
        placement = next_placement(channel, seat, None, now, prefix=_PREFIX, publish=False)
        channel = channel.placed(placement, now).started(now)
        channel = channel.playable(now, drain_after=timedelta(), seen=replace(placement, started_at=now, appeared=now))
        fleet.origin(seat.origin).held[placement.application].add(placement.stream)
        yield change(channel, "playable", _CAUSE)


def _resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
