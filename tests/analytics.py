"""A day of analytics, made by the code that makes it in production: every event is in it, and every runbook's trouble.

`python -m tests.analytics` writes what is generated into `infra/bigquery`: schemas, and the day as an example load.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.cluster_watch import ClusterWatch
from streaming_service.application.ome_alerts import AlertPolicy, OmeAlerts
from streaming_service.application.ports import ClusterReport, DeliveryQuery
from streaming_service.domain.analytics import PAYLOADS, schema_of
from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.failover import WHOLE, Mode, new_standing
from streaming_service.domain.failover_notices import EVERYTHING, FailoverNotices
from streaming_service.domain.history import change
from streaming_service.domain.ingest import rotated
from streaming_service.domain.ladder import Rung
from streaming_service.domain.latency_window import LatencyPolicy, Window
from streaming_service.domain.latency_window import alert as slowness
from streaming_service.domain.notification import Cause, Endpoint, Notification, Notifier
from streaming_service.domain.ome_webhook import AlertMessage, OmeAlert
from streaming_service.domain.placement import ingest_name
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.domain.probe_ledger import Turn
from streaming_service.domain.probe_report import SCHEDULE, failure, results
from streaming_service.domain.rendering import SignedManifest, render_body
from streaming_service.domain.spec import ChannelSpec
from streaming_service.domain.state import Failure
from streaming_service.domain.statistics import ChannelReading, OriginReading
from streaming_service.domain.statistics import envelopes as statistics_envelopes
from streaming_service.domain.warming import Missed, WarmedRegion
from streaming_service.domain.warming import envelope as warmed
from tests.fakes import FakeClock
from tests.placements import placed

FOLDER = Path(__file__).parents[1] / "infra" / "bigquery"
DAY = datetime(2026, 11, 22, tzinfo=UTC)
BIGQUERY = frozenset({Endpoint.BIGQUERY})
NOTIFIER = Notifier(BIGQUERY, "projects/p/topics/audit")
CAUSE = Cause("worker", "c-1")
ADMIN = Cause("admin-api", "c-2")
GOOD, LATE, MISSING, LIVE, GONE = (f"{number}b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11" for number in range(1, 6))


def at(hour: int, minute: int = 0, second: float = 0) -> datetime:
    return DAY + timedelta(hours=hour, minutes=minute, seconds=second)


def day() -> list[dict[str, Any]]:
    """Every envelope of the day, in the order in which they were made."""
    owed = [*provisioning(), *rotation(), *caches(), *outage(), *statistics(), *latency(), *alerts()]
    made = sorted(owed, key=lambda item: (item.occurred_at, item.id))
    return [body(item) for item in made]


def body(notification: Notification) -> dict[str, Any]:
    """As the receiver gets it; nothing that analytics is told is signed."""
    rendered = render_body(notification, _never)
    return json.loads(json.dumps(rendered))


def channel(content_id: str, began: datetime, *, live: bool = False) -> Channel:
    spec = ChannelSpec(
        content_id=content_id,
        classification=Classification.REEL,
        source_uri=f"gs://uploads/{content_id}.mp4",
        media_path=f"uploads/{content_id}.mp4",
        checksum=f"sha256:{content_id[:8]}",
        application="reels",
        protocol=Protocol.LL_HLS,
        rungs=(Rung("720p", 1280, 720, 2500),),
        ingest_region="europe-west1",
        live=live,
    )
    return accepted(spec, began, began)


def playing(content_id: str, began: datetime, *, seconds: float = 3, live: bool = False) -> Channel:
    """On OME `seconds` after it was wanted."""
    stream = f"ss-{UUID(content_id).hex}-1"
    building = placed(channel(content_id, began, live=live), began, stream=stream).started(began)
    return building.playable(began + timedelta(seconds=seconds), drain_after=timedelta(0))


def path_of(playing_channel: Channel) -> str:
    assert playing_channel.serving
    return f"{playing_channel.serving.path}master.m3u8"


def ready(playing_channel: Channel) -> Sequence[Notification]:
    return NOTIFIER.ready(playing_channel, path_of(playing_channel), f"key-{playing_channel.content_id[:8]}", CAUSE)


def provisioning() -> Iterable[Notification]:
    """Two contents become playable, one of them slowly; one never does; one is retired."""
    yield from ready(playing(GOOD, at(12)))
    slow = playing(LATE, at(12, 1), seconds=95)
    yield from ready(replace(slow, retries=3))
    yield from ready(playing(LIVE, at(9), live=True))
    wanted = placed(channel(MISSING, at(12, 2)), at(12, 2))
    reason = Failure("source_missing", f"gs://uploads/{MISSING}.mp4 is not there", at(12, 10))
    failed = replace(wanted, retries=5).attempt_failed(reason, at(12, 10), retry_at=at(13, 10), final=True)
    yield from NOTIFIER.failed(failed, f"/reels/ss-{UUID(MISSING).hex}-2/master.m3u8", CAUSE)
    over = playing(GONE, at(8))
    yield from ready(over)
    yield from NOTIFIER.retired(over.retired(at(18)), (f"/reels/ss-{UUID(GONE).hex}-1/*",), ADMIN)


def rotation() -> Iterable[Notification]:
    """A live content gets another key."""
    first = rotated(playing(LIVE, at(9), live=True), "a" * 64, at(9, 1), timedelta(seconds=300))
    second = rotated(first, "b" * 64, at(14), timedelta(seconds=300))
    paths = (f"/reels/ss-{UUID(LIVE).hex}-1/*",)
    yield from NOTIFIER.ingest_rotated(second, paths, ADMIN, at(14, 5))


def caches() -> Iterable[Notification]:
    """An operator empties a cache, which is filled again, but for one region; then probes look."""
    touched = replace(playing(GOOD, at(12)), updated_at=at(14, 30))
    yield from NOTIFIER.purge(touched, (f"/reels/ss-{UUID(GOOD).hex}-1/*",), ADMIN, "c-2")
    (owed,) = Notifier(frozenset({Endpoint.CDN_WARMUP})).ready(touched, path_of(touched), "key", ADMIN)
    folder = f"/reels/ss-{UUID(GOOD).hex}-1"
    found = (
        WarmedRegion("iad", "edge", (f"{folder}/master.m3u8", f"{folder}/720p.m3u8")),
        WarmedRegion("ams", "cdn-control", (), (Missed(f"{folder}/master.m3u8", "it answers 503", 503),)),
    )
    yield from warmed(owed, path_of(touched), Target.PRIMARY, found, at(14, 30, 20), BIGQUERY)
    seen = [observed(GOOD, region, ProbeVerdict.OK, at(14, 31)) for region in ("iad", "sfo", "ams")]
    yield from results(seen, GOOD, at(14, 31), ADMIN, BIGQUERY)


def outage() -> Iterable[Notification]:
    """The primary fails in two of three regions, viewers go to the failover, and come back."""
    for minute in range(8):
        fails = 2 <= minute < 5
        found = [
            observed(content, region, ProbeVerdict.HTTP_ERROR if fails and region != "ams" else ProbeVerdict.OK, when)
            for content in (GOOD, LATE)
            for when in (at(15, minute, 30),)
            for region in ("iad", "sfo", "ams")
        ]
        yield from results(found, SCHEDULE, at(15, minute, 59), Cause("prober", "c-3"), BIGQUERY)
    failing = {"iad": ProbeVerdict.HTTP_ERROR, "sfo": ProbeVerdict.HTTP_ERROR}
    broken = [observed(GOOD, region, verdict, at(15, 2, 30)) for region, verdict in failing.items()]
    for turn, moment in (
        (Turn(GOOD, Target.PRIMARY, failing, {}, 3), at(15, 2, 31)),
        (Turn(GOOD, Target.PRIMARY, {}, failing, 3), at(15, 5, 31)),
    ):
        yield from failure(turn, broken, moment, Cause("prober", "c-3"), BIGQUERY, NOTIFIER.audit_topic)
    notices = FailoverNotices(BIGQUERY, NOTIFIER.audit_topic)
    primary = new_standing(WHOLE, at(0))
    reason = "2 of 3 regions fail on the primary"
    promoted = replace(primary, version=1, mode=Mode.PROMOTED, reason=reason, promotions=1, changed_at=at(15, 3))
    returning = replace(promoted, version=2, mode=Mode.RETURNING, reason="clear for 300 s", changed_at=at(15, 11))
    cause = Cause("failover", "c-4")
    yield from notices.of(primary, promoted, EVERYTHING, None, cause)
    yield from notices.of(promoted, returning, EVERYTHING, None, cause)
    alone = new_standing(LATE, at(0))
    manual = replace(alone, mode=Mode.PROMOTED, reason="a test", manual=True, actor="cli", changed_at=at(16))
    yield from notices.of(alone, manual, f"/reels/ss-{UUID(LATE).hex}-1/*", "europe-west1", cause)
    yield from asyncio.run(_clusters())


def statistics() -> Iterable[Notification]:
    """Two origins are asked every minute; one stops answering, the other one all at once tells nothing more."""
    for minute in range(10):
        now = at(16, minute, 20)
        answering = minute < 4
        one = OriginReading(
            origin="ome-1",
            up=answering,
            asked_since=at(0),
            read_at=now if answering else at(16, 3, 20),
            channels=(ChannelReading(GOOD, f"ss-{UUID(GOOD).hex}-1", 3 + minute, 2480.0, 91822301 * (minute + 1)),),
        )
        yield from statistics_envelopes(one, now, 60.0)
        if minute < 6:
            two = OriginReading(origin="ome-2", up=True, asked_since=at(0), read_at=now)
            yield from statistics_envelopes(two, now, 60.0)


def latency() -> Iterable[Notification]:
    """One process becomes slow and is well again; another one is still slow when it is killed."""
    policy = LatencyPolicy(slo=25.0, share=0.05, window=300.0)
    ill, well = Window(1000, 0.4, 213.5, 0.061), Window(1200, 0.4, 2.1, 0.0)
    for instance, slow, moment in (("api-1", True, 2), ("api-2", True, 4), ("api-1", False, 9)):
        yield from slowness(
            ill if slow else well,
            policy,
            slow=slow,
            instance=instance,
            reason="",
            now=at(17, moment),
            endpoints=BIGQUERY,
            audit_topic=NOTIFIER.audit_topic,
        )


def alerts() -> Iterable[Notification]:
    """OME complains about what is pushed, and about something that is none of ours."""
    return asyncio.run(_alerts())


async def _alerts() -> list[Notification]:
    clock, store = FakeClock(at(19)), MemoryStore()
    written = playing(LIVE, at(9), live=True)
    await store.commit(change(written, "test", CAUSE), None)
    book = OmeAlerts(store, AlertPolicy("ss-", BIGQUERY, NOTIFIER.audit_topic), clock=clock, changed=_ignore)
    pushed = f"#default#reels/{ingest_name('ss-', LIVE)}"
    low = AlertMessage("INGRESS_BITRATE_LOW", "The ingress bitrate is 120 kbit/s")
    await book.write_down(OmeAlert(pushed, "INGRESS", (low,), server="ome-1"), CAUSE)
    lost = AlertMessage("INTERNAL_QUEUE_CONGESTION", "A queue is full")
    await book.write_down(OmeAlert("#default#other/stream", "INTERNAL_QUEUE", (lost,), server="ome-2"), CAUSE)
    return await _owed(store)


async def _clusters() -> list[Notification]:
    clock, store = FakeClock(at(15, 2, 40)), MemoryStore()
    control = _Control(clock)
    watch = ClusterWatch(control=control, shown=control, store=store, endpoints=BIGQUERY, clock=clock)
    for healthy, moment in ((False, at(15, 2, 45)), (True, at(15, 5, 45))):
        clock.moment, control.healthy = moment, healthy
        watch.scraped()
        while watch._asking:
            await asyncio.sleep(0)
    return await _owed(store)


class _Control:
    """Says what Traffic Director would, and shows it to nobody."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.healthy = True

    async def validate(self) -> ClusterReport:
        return ClusterReport("europe", self.healthy, self._clock.now())

    def multi_cluster(self, cluster: str, *, healthy: bool) -> None: ...


async def _owed(store: MemoryStore) -> list[Notification]:
    page = await store.list_deliveries(DeliveryQuery(limit=100))
    return [item.notification for item in page.items]


def observed(content_id: str, region: str, verdict: ProbeVerdict, when: datetime) -> Observation:
    well = verdict is ProbeVerdict.OK
    status, detail = (200, "") if well else (503, "manifest answered 503")
    return Observation(content_id, region, Target.PRIMARY, verdict, when, 41.5 if well else 3000.0, status, detail)


def _never(path: str, base_url: str | None) -> SignedManifest:
    raise AssertionError(f"nothing is signed for analytics: {path} {base_url}")


def _ignore(content_id: str) -> None:
    del content_id


def generated() -> Mapping[Path, str]:
    """Every file that is made from the code."""
    files = {
        FOLDER / "schemas" / f"{event}.json": json.dumps(schema_of(event), indent=2, ensure_ascii=False) + "\n"
        for event in PAYLOADS
    }
    lines = "".join(json.dumps(envelope, ensure_ascii=False) + "\n" for envelope in day())
    return files | {FOLDER / "example.ndjson": lines}


def main() -> None:
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
