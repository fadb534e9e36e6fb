"""Many events, shuffled, doubled and some of them broken, against the same events in order."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from bench.figures import Figure, note
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import Ack, ChannelQuery, Message, Store
from streaming_service.bootstrap import open_store, wire
from streaming_service.configuration import load
from streaming_service.entrypoints.worker import handle_upload_event
from streaming_service.settings import Settings

_DUPLICATED = 0.2
_MALFORMED = 0.05
_IN_FLIGHT = 64
_PAGE = 200
_BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


def measure(events: int) -> list[Figure]:
    """1 when every channel wants the same in the end, and every broken event is a dead letter, byte for byte."""
    rng = random.Random(7)
    broken = [_break(rng, number) for number in range(round(events * _MALFORMED))]
    good = [_event(rng, number, contents=max(1, events // 10)) for number in range(events - len(broken))]
    shuffled = good + broken + rng.sample(good + broken, round(events * _DUPLICATED))
    rng.shuffle(shuffled)
    began = time.perf_counter()
    in_order, _ = uvloop.run(_take(good))
    found, letters = uvloop.run(_take(shuffled))
    note(f"{len(good)} and {len(shuffled)} events taken in {time.perf_counter() - began:.1f} s")
    note(f"{len(in_order)} channels, {len(letters)} dead letters")
    return [
        Figure("events_shuffled_same_state", float(bool(found) and found == in_order), 1.0, at_least=True),
        Figure("events_malformed_kept_ratio", _kept(letters, broken), 1.0, at_least=True),
    ]


def _kept(letters: list[bytes], broken: list[bytes]) -> float:
    """The share of broken events that are kept exactly once; 0 when anything else is."""
    if set(letters) - set(broken):
        return 0.0
    return sum(letters.count(data) == 1 for data in broken) / len(broken)


async def _take(events: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    with TemporaryDirectory() as folder:
        settings = _settings(Path(folder))
        async with AiohttpTransport() as transport, open_store(settings) as store:
            service = wire(settings, store, transport, NullMediaLibrary())
            room = asyncio.Semaphore(_IN_FLIGHT)

            async def take(data: bytes) -> None:
                async with room:
                    if await handle_upload_event(Message(data), service) is not Ack.ACK:
                        raise RuntimeError("an event was not taken")

            await asyncio.gather(*map(take, events))
            return await _state(store), await _letters(store)


async def _state(store: Store) -> dict[str, Any]:
    """What each channel wants, and when that was said last."""
    found: dict[str, Any] = {}
    cursor: str | None = None
    while True:
        page = await store.list(ChannelQuery(limit=_PAGE, cursor=cursor))
        found |= {channel.content_id: (channel.spec, channel.said_at, channel.said) for channel in page.items}
        cursor = page.next
        if cursor is None:
            return found


async def _letters(store: Store) -> list[bytes]:
    found: list[bytes] = []
    cursor: str | None = None
    while True:
        letters, cursor = await store.list_dead_letters(_PAGE, cursor)
        found += [letter.data for letter in letters if letter.data is not None]
        if cursor is None:
            return found


def _event(rng: random.Random, number: int, contents: int) -> bytes:
    """One of several wishes for a content, each said at a moment of its own."""
    content = rng.randrange(contents)
    event = {
        "uploadId": f"u{number}",
        "objectKey": f"{content}/{number}.mp4",
        "storageUrl": f"gs://uploads/{content}/{number}.mp4",
        "assetType": "video",
        "adminId": "bench",
        "contentId": str(UUID(int=0x3F2A_0000_0000_4000_8000_0000_0000_0000 + content)),
        "contentClassification": rng.choice(["REEL", "EPISODE"]),
        "validation": {"checksum": f"sum-{rng.randrange(4)}", "durationSeconds": rng.choice([8, 30])},
        "emittedAt": (_BEGAN + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
    }
    return msgspec.json.encode(event)


def _break(rng: random.Random, number: int) -> bytes:
    """No two alike: cut short, of another kind, or bytes that are no text at all."""
    kinds = (b'{"contentId": "%d', b'{"contentId": %d}', b"\xff\x00 %d", b"[%d]")
    return rng.choice(kinds) % number


def _settings(folder: Path) -> Settings:
    return load(
        {
            "APP_ENV": "test",
            "SQLITE_PATH": str(folder / "bench.sqlite"),
            "EVENT_SOURCE": "push",
            "DRY_RUN_PROVISIONING": "true",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "MEDIA_INSPECTION": "false",
            "CDN_BASE_URL": "https://cdn.example",
            "PROBES_PER_SECOND": "0",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        },
        env_file=None,
    )
