"""An API whose contents and viewers are known, at a moment that does not pass, asked either way."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from streaming_service.application.introspection import Introspector
from streaming_service.application.playback import Playback, PlaybackPolicy
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import AvailabilityWindow, Drm, GeoRestrictions
from streaming_service.domain.history import change
from streaming_service.domain.placement import stream_name
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.clients import Clients
from streaming_service.entrypoints.http.tracing import TracedDoor
from streaming_service.errors import UpstreamUnavailable
from tests.integration.http.harness import (
    CAUSE,
    CDN,
    CONTENT,
    SIGNING_SECRET,
    UNKNOWN,
    FallibleStore,
    Viewers,
    make_api,
    viewer,
    waiting,
)
from tests.placements import placed as put
from tests.wire import FakeClient

DRM, NORTH, OVER, EARLY, UNREADY, GONE = (str(UUID(int=number)) for number in range(1, 7))
PATH = f"/v1/streams/{CONTENT}/manifest"


def showing(content_id: str = CONTENT, **changes: Any) -> Channel:
    """On an origin of its own, because each of them wants the first seat."""
    now = datetime.now(UTC)
    placed = put(waiting(content_id, **changes), now, origin=content_id, stream=stream_name("ss-", content_id, 1))
    return placed.started(now).playable(now, drain_after=timedelta())


class Stage:
    """An API whose contents and viewers are known, at a moment that does not pass; `clients` count who guesses."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.runner = asyncio.Runner()
        self.app = self.runner.run(self._build())

    async def _build(self) -> TracedDoor:
        store, viewers = FallibleStore(), Viewers()
        self.metrics: Any = None
        viewers.known |= {
            "entitled": viewer(entitlements=(CONTENT, 'a"\u00e9\\')),
            "elsewhere": viewer(entitlements=("other",), country="DE"),
            "german": viewer(country="DE"),
            "scopeless": viewer(scopes=frozenset()),
            "inactive": None,
            "down": UpstreamUnavailable("auth", "down"),
        }
        early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
        contents = (
            showing(),
            showing(DRM, drm=Drm('k"1', "https://drm.test/"), availability=AvailabilityWindow(early, late)),
            showing(NORTH, geo=GeoRestrictions(allow=("AT",))),
            showing(OVER, availability=AvailabilityWindow(None, early)),
            showing(EARLY, availability=AvailabilityWindow(late, None)),
            waiting(UNREADY),
            showing(GONE).retired(datetime.now(UTC)),
        )
        for channel in contents:
            await store.commit(change(channel, "test", CAUSE), None)
        now = time.time()
        api = make_api(store, viewers, [])
        self.metrics = api.metrics
        playback = Playback(
            store=store,
            viewers=Introspector(viewers, time=lambda: now, meter=api.metrics),
            signer=CloudCdnSigner(Keyring(SigningKey("primary", SIGNING_SECRET))),
            policy=PlaybackPolicy(base_url=CDN, ttl=300, playlist="master"),
            time=lambda: now,
            running=lambda: now,
        )
        app = build_app(make_api(store, viewers, [], playback=playback, metrics=api.metrics, clients=self._clients))
        for content in (CONTENT, DRM, NORTH, OVER, EARLY, UNREADY, GONE, UNKNOWN):
            for token in (*viewers.known, "unknown"):
                await playback.manifest(content, token, "auto", None, "warm")
        return app

    def ask(self, *pieces: bytes, quick: bool) -> bytes:
        """Everything that is answered to these pieces on one connection."""

        async def talk() -> bytes:
            client = FakeClient(self.app, quick=quick)
            await client.send(*pieces)
            client.connection.connection_lost(None)
            return client.written

        return self.runner.run(talk())
