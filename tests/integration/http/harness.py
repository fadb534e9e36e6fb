"""The whole API over real HTTP: real use cases, a store in memory, and hand-written stand-ins for the world outside."""

import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from msgspec.structs import replace as altered

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.content_service import NullCatalog
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.administration import Administration
from streaming_service.application.failover import Failover
from streaming_service.application.failover_book import FailoverBook
from streaming_service.application.failover_operations import FailoverOperations
from streaming_service.application.ingest import Ingest, IngestPolicy
from streaming_service.application.intake import Intake
from streaming_service.application.introspection import Introspector
from streaming_service.application.origins import OriginOperations
from streaming_service.application.patience import ConvergencePolicy
from streaming_service.application.playback import Playback, PlaybackPolicy
from streaming_service.application.ports import Ack, Message
from streaming_service.application.probing import ProbePlan, Probing
from streaming_service.application.provisioning import Provisioning
from streaming_service.application.seating import Seating
from streaming_service.domain.access import Viewer
from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.failover_notices import FailoverNotices
from streaming_service.domain.failover_policy import FAILOVER_POLICY
from streaming_service.domain.history import change
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.notification import Cause, Endpoint, Notifier
from streaming_service.domain.placement import stream_name
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import parse_regions
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey, cache_key
from streaming_service.domain.signing.scheme import Signer
from streaming_service.domain.source import parse_mounts
from streaming_service.domain.spec import ChannelSpec
from streaming_service.domain.state import Failure
from streaming_service.domain.wish import SpecPolicy
from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.context import ApiContext
from streaming_service.entrypoints.http.ingest_views import IngestViews
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.entrypoints.http.views import ChannelViews
from streaming_service.errors import StoreUnavailable
from streaming_service.telemetry import Metrics
from tests.fake_ome import FakeFleet
from tests.fakes import FakeProber
from tests.placements import placed as put
from tests.views import FakeViews

SERVICE_TOKEN = "planted-service-token-4711"
OTHER_SERVICE_TOKEN = "planted-service-token-old-0815"
METRICS_TOKEN = "planted-metrics-token-1234"
VIEWER_TOKEN = "planted-viewer-token-5678"
SIGNING_SECRET = b"planted-key-0123"
CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
CDN = "https://cdn.test"
STANDBY = "https://standby.test"
INGEST = "rtmp://ome.test:1935,srt://ome.test:9999,https://ome.test:3334"
CAUSE = Cause("test", "test-correlation")
LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
PROBES = ProbePlan(
    regions=parse_regions("iad,sfo,ams=agent:http://agent.test"),
    bases={Target.PRIMARY: CDN, Target.FAILOVER: "https://failover.test"},
    playlist="master",
    ttl=300,
    timeout=3.0,
    endpoints=frozenset({Endpoint.BIGQUERY}),
)
SPECS = SpecPolicy(
    ladders=dict.fromkeys(Classification, LADDER),
    applications={Classification.REEL: "reels", Classification.SERIES: "series"},
    mounts=parse_mounts("gs://uploads=uploads"),
)


class Viewers:
    """The token service: whoever is written down here is known."""

    def __init__(self) -> None:
        self.known: dict[str, Viewer | Exception | None] = {VIEWER_TOKEN: viewer()}
        self.asked: list[tuple[str, str]] = []

    async def introspect(self, token: str, correlation_id: str) -> Viewer | None:
        self.asked.append((token, correlation_id))
        answer = self.known.get(token)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FallibleStore(MemoryStore):
    """Answers until it is told not to."""

    down = False

    async def get(self, content_id: str) -> Channel | None:
        self._must_be_up()
        return await super().get(content_id)

    async def list(self, query: Any) -> Any:
        self._must_be_up()
        return await super().list(query)

    async def check(self) -> None:
        self._must_be_up()

    def _must_be_up(self) -> None:
        if self.down:
            raise StoreUnavailable("postgresql://planted-user:planted-password@db does not answer")


@dataclass
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any = None


@dataclass
class Harness:
    """A running API and what stands behind it."""

    api: ApiContext
    store: FallibleStore
    viewers: Viewers
    published: list[Message]
    server: HttpServer
    session: aiohttp.ClientSession
    service_headers: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {SERVICE_TOKEN}"})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request."""
        async with self.session.request(method, f"{self.url}{path}", allow_redirects=False, **options) as response:
            body = await response.read()
            is_json = "json" in response.headers.get("content-type", "") and body
            return Answer(
                response.status, response.headers, body, await response.json(content_type=None) if is_json else None
            )

    async def admin(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """One request of another service."""
        return await self.ask(method, path, headers={**self.service_headers, **(headers or {})}, **options)

    async def watch(self, content_id: str = CONTENT, query: str = "", token: str | None = VIEWER_TOKEN) -> Answer:
        """One request of a viewer."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.ask("GET", f"/v1/streams/{content_id}/manifest{query}", headers=headers)

    async def add(self, channel: Channel) -> Channel:
        """Write a channel down as if a worker had."""
        return await self.store.commit(change(channel, "test", CAUSE), None)


def viewer(**changes: Any) -> Viewer:
    return altered(Viewer("user-1", frozenset({"streams.read"})), **changes)


def spec(content_id: str = CONTENT, **changes: Any) -> ChannelSpec:
    made = ChannelSpec(
        content_id=content_id,
        classification=Classification.REEL,
        source_uri="gs://uploads/clip.mp4",
        media_path="uploads/clip.mp4",
        checksum="sha256:1",
        application="reels",
        protocol=Protocol.LL_HLS,
        rungs=LADDER.rungs,
    )
    return altered(made, **changes)


def waiting(content_id: str = CONTENT, **changes: Any) -> Channel:
    now = datetime.now(UTC)
    return accepted(spec(content_id, **changes), now, now)


def playable(content_id: str = CONTENT, **changes: Any) -> Channel:
    now = datetime.now(UTC)
    placed = put(waiting(content_id, **changes), now, origin="default", stream=stream_name("ss-", content_id, 1))
    return placed.started(now).playable(now, drain_after=timedelta(seconds=300))


def failed(content_id: str = CONTENT) -> Channel:
    now = datetime.now(UTC)
    why = Failure("not_playable", "no rung plays", now)
    return waiting(content_id).attempt_failed(why, now, retry_at=now, final=True)


def manifest_path(channel: Channel) -> str:
    return (
        f"/{channel.spec.application}/{stream_name('ss-', channel.content_id, max(1, channel.incarnation))}/master.m3u8"
    )


def _nobody_probes(content_id: str, seconds: float) -> None:
    del content_id, seconds


def make_api(
    store: FallibleStore, viewers: Viewers, published: list[Message], signer: Signer | None = None, **changes: Any
) -> ApiContext:
    """Real use cases over this store."""
    metrics, clock = Metrics(), WallClock()
    notifier = Notifier(frozenset({Endpoint.CDN_CONTROL, Endpoint.BIGQUERY}))

    def nothing(*_: object) -> None: ...

    def key(content_id: str, checksum: str) -> str:
        return cache_key(SIGNING_SECRET, content_id, checksum)

    fleet = FakeFleet()
    provisioning = Provisioning(
        store=store,
        fleet=fleet,
        seating=Seating(store, fleet, lambda item: item.value, pick=lambda _: 0),
        media=NullMediaLibrary(),
        notifier=notifier,
        specs=SPECS,
        policy=ConvergencePolicy("ss-", "master", 5, 3600, 300, 60),
        cache_key=key,
        clock=clock,
        jitter=lambda: 0.5,
        meter=metrics,
        wake_delivery=nothing,
    )
    intake = Intake(
        store=store,
        wishes=provisioning,
        catalog=NullCatalog(),
        catalog_patience=timedelta(minutes=10),
        clock=clock,
        meter=metrics,
        wake_worker=nothing,
    )
    book = FailoverBook(store=store, notices=FailoverNotices(notifier.endpoints), clock=clock, wake_delivery=nothing)
    playback = Playback(
        store=store,
        viewers=Introspector(viewers, time=time.time, meter=metrics),
        signer=signer or CloudCdnSigner(Keyring(SigningKey("primary", SIGNING_SECRET))),
        policy=PlaybackPolicy(base_url=CDN, ttl=300, playlist="master", failover_base_url=STANDBY),
        time=time.time,
        running=time.monotonic,
        leads_away=book.leads_away,
    )

    ingest = Ingest(
        intake=intake,
        store=store,
        notifier=notifier,
        clock=clock,
        entropy=secrets.token_bytes,
        policy=IngestPolicy(
            stream_prefix="ss-", vhost="default", grace=timedelta(seconds=300), base=lambda _: INGEST, slate=None
        ),
        changed=playback.titles.forget,
    )

    async def publish(message: Message) -> Ack:
        published.append(message)
        return await intake.handle(message, "push", CAUSE)

    return replace(
        ApiContext(
            playback=playback,
            administration=Administration(
                store=store,
                intake=intake,
                notifier=notifier,
                specs=SPECS,
                clock=clock,
                changed=playback.titles.forget,
                wake_delivery=nothing,
            ),
            probing=Probing(
                store=store,
                prober=FakeProber(),
                failovers=Failover(
                    book=book, policy=FAILOVER_POLICY, clock=clock, enabled=True, probe_soon=_nobody_probes
                ),
                signer=CloudCdnSigner(Keyring(SigningKey("primary", SIGNING_SECRET))),
                plan=PROBES,
                meter=metrics,
                clock=clock,
                time=time.time,
            ),
            origins=OriginOperations(store=store, fleet=FakeViews(), notifier=notifier, clock=clock),
            failover=FailoverOperations(
                book=book, store=store, notifier=notifier, policy=FAILOVER_POLICY, clock=clock, enabled=True
            ),
            intake=intake,
            ingest=ingest,
            publish=publish,
            metrics=metrics,
            views=ChannelViews(
                lambda _: "https://origin.test", manifest_path, key, ingest=IngestViews(ingest.server), cdn_base_url=CDN
            ),
            service_tokens=(SERVICE_TOKEN, OTHER_SERVICE_TOKEN),
            metrics_token=METRICS_TOKEN,
            body_limit=4096,
            openapi=True,
            check_ready=store.check,
            version="1.2.3",
        ),
        **changes,
    )


@asynccontextmanager
async def serving(signer: Signer | None = None, **changes: Any) -> AsyncGenerator[Harness]:
    """A running API that signs with Cloud CDN's prefixes unless told otherwise; `changes` replace fields of its
    context."""
    store, viewers, published = FallibleStore(), Viewers(), list[Message]()
    api = make_api(store, viewers, published, signer, **changes)
    server = HttpServer(build_app(api), "127.0.0.1", 0, grace_seconds=5)
    await server.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            yield Harness(api, store, viewers, published, server, session)
    finally:
        await server.stop()
