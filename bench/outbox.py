"""Deliveries a second to a receiver that answers at once: in an empty outbox, beside a receiver that never answers, and
beside a million deliveries that are settled or have to wait."""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import uvloop
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from bench.figures import Figure, first_line, note, spawn, stop
from bench.received import check
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.bootstrap import open_store, store_dsn, wire
from streaming_service.bootstrap.plans import spec_policy
from streaming_service.configuration import load
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.notification import Cause, Endpoint, Notification, Notifier
from streaming_service.domain.upload import parse_registration
from streaming_service.domain.wish import decide
from streaming_service.settings import Settings

_CAUSE = Cause("bench", "bench")
_PATIENCE = 60.0
_SILENT = Endpoint.CONTENT_CALLBACK
_SILENT_PATH = "/callback"
# Of all deliveries: one in a hundred was given up, one in a hundred waits for its next attempt.
_FILL = text(
    "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :rows)"
    " INSERT INTO deliveries (id, content_id, endpoint, state, due_at, tries, created_at, document, attempts)"
    " SELECT 'old-' || i, 'old-' || (i % :channels), endpoint,"
    " CASE i % 100 WHEN 0 THEN 'dead' WHEN 1 THEN 'pending' ELSE 'delivered' END,"
    " CASE i % 100 WHEN 1 THEN :later ELSE NULL END, 1, created_at, document, attempts"
    " FROM numbers, (SELECT * FROM deliveries LIMIT 1) AS example"
)


def measure(channels: int, announcements: int, rows: int) -> list[Figure]:
    """Each channel has been ready `announcements` times: six debts each time, to five receivers."""
    with TemporaryDirectory() as folder:
        figures = _of("sqlite", {"SQLITE_PATH": str(Path(folder, "bench.sqlite"))}, channels, announcements, rows)
    with EmbeddedPostgres() as postgres:
        store = {"CHANNEL_REPOSITORY_BACKEND": "postgres", "POSTGRES_DSN": postgres.dsn}
        return figures + _of("postgres", store, channels, announcements, rows)


def _of(name: str, store: dict[str, str], channels: int, announcements: int, rows: int) -> list[Figure]:
    """Each turn with contents of its own, so that what one leaves behind is in nobody's way."""
    turns = iter(range(0, 10 * channels, channels))
    alone = _rate(store, next(turns), channels, announcements)
    _fill(store, rows)
    filled = _rate(store, next(turns), channels, announcements)
    beside_silent = _rate(store, next(turns), channels, announcements, _SILENT_PATH)
    return [
        Figure(f"outbox_deliveries_per_second_{name}", alone, 1000, at_least=True),
        Figure(f"outbox_among_{rows}_rows_ratio_{name}", filled / alone, 0.6, at_least=True),
        Figure(f"outbox_beside_a_silent_receiver_ratio_{name}", beside_silent / filled, 0.6, at_least=True),
    ]


def _rate(store: dict[str, str], first: int, channels: int, announcements: int, *silent: str) -> float:
    """Deliveries a second to those that answer."""
    receiver = spawn("bench.receiver", *silent)
    try:
        port = first_line(receiver)
        settings = _settings(port, store)
        owed = [debt for number in range(first, first + channels) for debt in _debts(settings, number, announcements)]
        wanted = [debt for debt in owed if not silent or debt.endpoint is not _SILENT]
        seconds = uvloop.run(_deliver(settings, owed, {debt.endpoint for debt in wanted}))
        check(port, wanted)
    finally:
        stop(receiver)
    rate = len(wanted) / seconds
    note(f"{len(wanted)} deliveries in {seconds:.2f} s: {rate:,.0f}/s, each once, in order")
    return rate


async def _deliver(settings: Settings, owed: Sequence[Notification], to: set[Endpoint]) -> float:
    """From the first claim until everything that goes to these receivers is written down, seconds."""
    async with AiohttpTransport(connections=0, per_host=0) as transport, open_store(settings) as store:
        before = (await store.backlog()).pending
        for start in range(0, len(owed), 500):
            await store.owe(owed[start : start + 500])
        service = wire(settings, store, transport, NullMediaLibrary())
        async with _running(service.delivery.run()):
            began = time.perf_counter()
            while True:
                waiting = (await store.backlog()).pending
                if not any(waiting.get(item, 0) > before.get(item, 0) for item in to):
                    return time.perf_counter() - began
                if time.perf_counter() - began > _PATIENCE:
                    raise RuntimeError(f"not all were delivered within {_PATIENCE:g} s")
                await asyncio.sleep(0.05)


@asynccontextmanager
async def _running(job: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _fill(store: dict[str, str], rows: int) -> None:
    """Copies of the first delivery, of as many channels as would owe so many."""
    engine = create_engine(parse_dsn(store_dsn(_settings("1", store))))
    began = time.perf_counter()
    with engine.begin() as connection:
        later = int((time.time() + 86400) * 1e6)
        connection.execute(_FILL, {"rows": rows, "channels": max(1, rows // 20), "later": later})
    engine.dispose()
    note(f"{rows} rows put in in {time.perf_counter() - began:.0f} s")


def _debts(settings: Settings, number: int, announcements: int) -> Iterator[Notification]:
    """What a content owes that has been announced so many times."""
    now = datetime.now(UTC)
    body = {
        "contentId": str(UUID(int=0x3F2A_0000_0000_4000_8000_0000_0000_0000 + number)),
        "contentType": "reel",
        "sourceGcsUri": f"gs://uploads/{number}.mp4",
        "checksum": "sha256:bench",
        "tenantId": "bench",
    }
    channel = decide(None, parse_registration(body, now), spec_policy(settings), now).channel
    notifier = Notifier(frozenset(Endpoint) - {Endpoint.AUDIT})
    for time_ in range(announcements):
        path = f"/reels/ss-{channel.content_id}-{time_}/master.m3u8"
        yield from notifier.ready(replace(channel, announcements=time_), path, "cache-key", _CAUSE)


def _settings(port: str, store: dict[str, str]) -> Settings:
    base = f"http://127.0.0.1:{port}"
    return load(
        {
            "APP_ENV": "test",
            "EVENT_SOURCE": "push",
            "DRY_RUN_PROVISIONING": "true",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "CDN_BASE_URL": "https://cdn.example",
            "PROBES_PER_SECOND": "0",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
            "CONTENT_SERVICE_CALLBACK_URL": f"{base}{_SILENT_PATH}",
            "API_GATEWAY_CACHE_WARMUP_URL": f"{base}/warmup",
            "CDN_CONTROL_BASE_URL": f"{base}/cdn",
            "OBSERVABILITY_EXPORT_URL": f"{base}/observability",
            "BIGQUERY_EXPORT_URL": f"{base}/bigquery",
            "WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            **store,
        },
        env_file=None,
    )
