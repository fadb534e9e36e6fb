"""A world with ingest: keys, the gate that asks for them, and an encoder that knocks."""

from datetime import timedelta
from itertools import count
from typing import Any

from streaming_service.application.admission import Verdict
from streaming_service.application.ingest import Ingest, IngestPolicy, Rotated
from streaming_service.application.key_gate import KeyGate
from streaming_service.application.publisher_log import PublisherLog
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.domain.channel import Channel
from streaming_service.domain.ome_webhook import Admission, Direction
from streaming_service.domain.placement import ingest_name
from tests.unit.application.world import CAUSE, World, content_id

GRACE = 300.0
SLATE = "gs://uploads/slate.mp4"
BASE = "rtmp://ome:1935,srt://ome:9999,https://ome:3334"


class Studio:
    """Everything in one process; `another` makes what another process has over the same store."""

    def __init__(self, slate: str | None = None) -> None:
        self.world = World()
        self.store, self.clock = self.world.store, self.world.clock
        self.changed: list[str] = []
        self._numbers = count(1)
        self.ingest = Ingest(
            intake=self.world.intake,
            store=self.store,
            notifier=self.world.notifier,
            clock=self.clock,
            entropy=lambda size: next(self._numbers).to_bytes(size),
            policy=IngestPolicy("ss-", "default", timedelta(seconds=GRACE), lambda _: BASE, slate),
            changed=self.changed.append,
        )
        self.seconds = 0.0
        self.directory = StreamDirectory(self.store, "ss-", patience=0.05, monotonic=lambda: self.seconds)
        self.publishers = PublisherLog(self.store, clock=self.clock, cause=lambda: CAUSE, changed=self.changed.append)
        self.gate = KeyGate(self.directory.ingest, self.publishers, prefix="ss-", clock=self.clock)

    async def registered(self, number: int = 1, **changes: Any) -> Rotated:
        """A live content that plays its slate, and its first key."""
        made = await self.ingest.register(live(number, **changes), None, CAUSE)
        assert made.first
        await self.world.settle(within=60)
        await self.directory.refresh()
        return made.first

    async def rotate(self, number: int = 1) -> Rotated:
        return await self.ingest.rotate(content_id(number), CAUSE)

    async def after(self, seconds: float) -> None:
        """A worker at work so much later."""
        self.clock.advance(seconds)
        await self.world.settle(within=0)

    async def channel(self, number: int = 1) -> Channel:
        return await self.world.channel(number)

    async def knocks(self, key: str, *, port: int = 1, url: str = "rtmp://ome:1935/reels/{}") -> Verdict:
        verdict = await self.gate.admit(self.asks(url.format(key), port=port))
        assert key not in repr(verdict)
        return verdict

    def asks(self, url: str, *, port: int = 1, closing: bool = False, new_url: str | None = None) -> Admission:
        return Admission(
            Direction.INCOMING,
            closing=closing,
            protocol="rtmp",
            url=url,
            at=self.clock.now(),
            address="192.0.2.7",
            port=port,
            new_url=new_url,
        )

    def leaves(self, key: str, *, port: int = 1, new_url: str | None = None) -> None:
        self.gate.closed(self.asks(f"rtmp://ome:1935/reels/{key}", port=port, closing=True, new_url=new_url))

    async def actions(self, number: int = 1) -> list[str]:
        """What the history tells about publishers, the oldest first."""
        await self.publishers.settled(1)
        entries = await self.store.history(content_id(number), 99)
        return [entry.action.removeprefix("publisher-") for entry in reversed(entries) if "publisher" in entry.action]


def live(number: int = 1, **changes: Any) -> dict[str, Any]:
    body = {"contentId": content_id(number), "tenantId": "t", "contentType": "reel", "live": True, "slateGcsUri": SLATE}
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def stream(number: int = 1) -> str:
    """The ingest stream of a content."""
    return ingest_name("ss-", content_id(number))
