"""Fills a store with a large catalogue: channels that play from their VOD copies, as nearly all of one do."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from msgspec.structs import replace

from bench.manifest_server import content_id
from streaming_service.adapters.store.codec import encode
from streaming_service.application.placing import next_placement
from streaming_service.application.seating import Seat
from streaming_service.domain.placement import Copy
from streaming_service.domain.upload import parse_registration
from streaming_service.domain.wish import SpecPolicy, decide

_COLUMNS = "content_id, version, status, classification, search, on_ome, updated_at, document"


def fill(address: str, specs: SpecPolicy, count: int) -> None:
    """`count` rows into tables that are migrated and empty."""
    if "://" not in address:
        connection = sqlite3.connect(address)
        connection.executemany(f"INSERT INTO channels ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)", _rows(specs, count))  # noqa: S608
        connection.commit()
        connection.close()
        return
    with psycopg.connect(address) as connection:
        with connection.cursor() as cursor, cursor.copy(f"COPY channels ({_COLUMNS}) FROM STDIN".encode()) as copy:
            for row in _rows(specs, count):
                copy.write_row(row)
        connection.execute("ANALYZE channels")


def _rows(specs: SpecPolicy, count: int) -> Iterator[tuple[object, ...]]:
    """One document, in which the content's names are exchanged: to make a million takes minutes otherwise."""
    first = content_id(0)
    document = _published(specs, first)
    for number in range(count):
        identity = content_id(number)
        its = document.replace(first, identity).replace(first.replace("-", ""), identity.replace("-", ""))
        yield identity, 1, "ready", "reel", f"gs://uploads/{identity}.mp4", 0, 0, its


def _published(specs: SpecPolicy, identity: str) -> str:
    now = datetime.now(UTC)
    body = {
        "contentId": identity,
        "contentType": "reel",
        "sourceGcsUri": f"gs://uploads/{identity}.mp4",
        "checksum": "sha256:bench",
        "tenantId": "bench",
    }
    channel = decide(None, parse_registration(body, now), specs, now).channel
    placement = next_placement(channel, Seat("ome-1", 0), None, now, prefix="ss-", publish=False)
    channel = channel.placed(placement, now).started(now)
    channel = channel.playable(now, drain_after=timedelta(), seen=replace(placement, started_at=now, appeared=now))
    copy = Copy(published_at=now, duration=60.0, files=120, bytes=30_000_000)
    return encode(replace(channel, version=1, serving=replace(placement, copy=copy), building=None))
