"""Live ingest: what OME does with publishers, from the admission of one to its end, as recorded.

There is no RTMP port: an encoder is an object of this process (`Publisher`) that hands over what it would have said.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.channels import Channels
from streaming_service.devkit.ome.feeds import STREAM, Feed, Feeds
from streaming_service.devkit.ome.ingest_stream import IngestStream, Source
from streaming_service.devkit.ome.inventory import Application
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.webhooks import Admission, Admitted, Webhook, admit, local_outputs, transcode
from streaming_service.domain.ladder import Ladder

_SRT = "SRT"
# Protocol as OME writes it → its scheme and port, the type of its streams, and how OME names the peer.
PROTOCOLS = {
    "RTMP": ("rtmp", 1935, "Rtmp", "TCP://{}:{}/tcp"),
    _SRT: ("srt", 9999, "Srt", "SRT://{}:{}"),
}


class Offer(Struct, frozen=True, kw_only=True):
    """What an encoder wants: to publish `file`, looped, as `key` of an application. `query` is without its `?`."""

    application: str
    key: str
    query: str
    protocol: str
    peer: tuple[str, int]
    file: str

    def url(self, host: str, vhost: str) -> str:
        """As OME tells it. Of SRT that is the encoder's `streamid`, which begins with the virtual host."""
        scheme, port, *_ = PROTOCOLS[self.protocol]
        query = f"?{self.query}" if self.query else ""
        place = vhost if self.protocol == _SRT else f"{host}:{port}"
        return f"{scheme}://{place}/{self.application}/{self.key.partition('/')[0]}{query}"


class Session:
    """One publisher as the server has it: `url` is what it was let in as."""

    def __init__(self, admission: Admission, url: str, lifetime: float | None) -> None:
        self.admission = admission
        self.url = url
        self.lifetime = lifetime
        self.kicked = False
        self.over = asyncio.Event()
        self.gone = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def kick(self) -> None:
        """`DELETE` of its stream."""
        self.kicked = True
        self.over.set()

    async def leave(self) -> None:
        """The encoder goes; returns when everybody knows."""
        self.over.set()
        if self.task:
            await asyncio.wait([self.task])


class Ingest:
    """`applications` are those of `vhost`; `host` is in the URLs that encoders publish to."""

    def __init__(
        self,
        applications: Mapping[str, Application],
        feeds: Feeds,
        *,
        vhost: str,
        host: str,
        timing: Timing,
        rng: Random,
        now: Callable[[], float],
        admission: Webhook | None = None,
        transcoding: Webhook | None = None,
    ) -> None:
        self._applications = applications
        self._feeds = feeds
        self._vhost = vhost
        self._host = host
        self._timing = timing
        self._rng = rng
        self._now = now
        self._admission = admission
        self._transcoding = transcoding
        self._sessions: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """The server goes down: every publisher is cut off, and nobody is told."""
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def connect(self, offer: Offer) -> Session:
        """Returns when the stream is there. Raises ConnectionRefusedError for a publisher that is not admitted, and
        ConnectionResetError for one that is, and is cut off for what it publishes, or for what as."""
        admission = Admission(offer.peer, "incoming", offer.protocol, offer.url(self._host, self._vhost))
        allowed = await admit(self._admission, admission, self._now()) if self._admission else Admitted()
        if allowed is None:
            if offer.protocol != _SRT:
                await self._tell_closing(Session(admission, admission.url, None))
            raise ConnectionRefusedError(f"OME does not admit {admission.url}: Input/output error")
        session = Session(admission, allowed.new_url or admission.url, allowed.lifetime)
        try:
            await self._publish(session, offer)
        except ConnectionResetError:
            await self._tell_closing(session)
            raise
        return session

    async def _publish(self, session: Session, offer: Offer) -> None:
        app, name = _place(session.url)
        channels = self._applications[app].channels if app in self._applications else None
        if channels is None:
            raise ConnectionResetError(f"OME cuts off {session.url}: there is no such application")
        await asyncio.sleep(self._timing.publish)
        facts = await channels.examine(offer.file)
        if facts is None:
            raise ConnectionResetError(f"OME cuts off {session.url}: no media in {offer.file} below the media root")
        if channels.stream(name):
            raise ConnectionResetError(f"OME cuts off {session.url}: a stream of that name is on air")
        *_, kind, peer = PROTOCOLS[offer.protocol]
        stream = channels.add_ingest(name, offer.file, Source(kind, peer.format(*offer.peer), facts, session.kick))
        feed = f"{STREAM}{self._vhost}/{app}/{name}"
        shows = stream.appears + self._rng.uniform(*self._timing.go_live)
        self._feeds.begin(feed, Feed(offer.file, stream.appears, shows))
        for application in self._applications.values():
            if application.channels:
                application.channels.prepare(feed, offer.file)
        decide = partial(self._decide, session, stream, channels.ladder, (self._vhost, app, name), facts)
        session.task = asyncio.get_running_loop().create_task(self._hold(session, channels, name, feed, decide))
        self._sessions.add(session.task)
        session.task.add_done_callback(self._sessions.discard)

    async def _decide(
        self, session: Session, stream: IngestStream, ladder: Ladder, place: tuple[str, str, str], facts: MediaFacts
    ) -> None:
        """Unlike a channel, a publisher that is refused its outputs is cut off."""
        outputs = local_outputs(ladder)
        if self._transcoding:
            source = (stream.source_type, stream.source_url)
            outputs = await transcode(
                self._transcoding, ladder, place, stream.appears, facts, audio=True, source=source
            )
        stream.outputs = outputs
        if not outputs.playlists:
            session.over.set()

    async def _hold(
        self,
        session: Session,
        channels: Channels,
        name: str,
        feed: str,
        decide: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """From the stream's beginning to its end, whoever makes it."""
        deciding = asyncio.get_running_loop().create_task(decide())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(session.lifetime):
                    await session.over.wait()
            if session.kicked:
                await asyncio.sleep(self._timing.kick)
        finally:
            deciding.cancel()
            del channels.ingest[name]
            self._feeds.end(feed, self._now() + self._timing.lose_live)
            session.gone.set()
        for _ in range(2 if session.kicked and session.admission.protocol != _SRT else 1):
            await self._tell_closing(session)

    async def _tell_closing(self, session: Session) -> None:
        if self._admission:
            await self._admission.ask(session.admission.body("closing", self._now(), session.url))


def _place(url: str) -> tuple[str, str]:
    """Application and stream in the path of a URL; what else is in it is lost."""
    app, _, rest = urlsplit(url).path.strip("/").partition("/")
    return app, rest.partition("/")[0]
