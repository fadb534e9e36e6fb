"""What is owed to whom, under which id, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.ingest import rotated
from streaming_service.domain.ladder import Rung
from streaming_service.domain.notification import (
    RETRY_SCHEDULE,
    Cause,
    Endpoint,
    Notification,
    Notifier,
    Severity,
    next_attempt,
)
from streaming_service.domain.rendering import SignedManifest, render_body
from streaming_service.domain.spec import ChannelSpec
from streaming_service.domain.state import Failure

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CAUSE = Cause("worker", "c-1")
EVERYBODY = Notifier(frozenset(Endpoint), audit_topic="audit")


@pytest.fixture
def channel() -> Channel:
    spec = ChannelSpec(
        content_id="0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11",
        classification=Classification.REEL,
        source_uri="gs://uploads/a.mp4",
        media_path="uploads/a.mp4",
        checksum="sum",
        application="reels",
        protocol=Protocol.LL_HLS,
        rungs=(Rung("360p", 640, 360, 900),),
        base_url="https://cdn.example",
    )
    return replace(accepted(spec, NOW, NOW), announcements=1, incarnation=1)


def ready(channel: Channel, notifier: Notifier = EVERYBODY) -> tuple[Notification, ...]:
    return notifier.ready(channel, "/reels/s-1/master.m3u8", "cache-key", CAUSE)


def owed(notifications: tuple[Notification, ...]) -> list[tuple[Endpoint, str]]:
    return [(item.endpoint, item.topic) for item in notifications]


def test_a_channel_that_plays_is_told_to_everybody(channel: Channel) -> None:
    assert owed(ready(channel)) == [
        (Endpoint.CONTENT_CALLBACK, "stream.provisioned"),
        (Endpoint.GATEWAY_WARMUP, "stream.provisioned"),
        (Endpoint.CDN_WARMUP, "cdn.warmup"),
        (Endpoint.OBSERVABILITY, "stream.provisioned"),
        (Endpoint.BIGQUERY, "stream.provisioned"),
    ]


def test_endpoints_that_are_not_configured_are_owed_nothing(channel: Channel) -> None:
    assert owed(ready(channel, Notifier(frozenset({Endpoint.GATEWAY_WARMUP})))) == [
        (Endpoint.GATEWAY_WARMUP, "stream.provisioned")
    ]
    assert ready(channel, Notifier(frozenset())) == ()


def test_the_same_debt_has_the_same_id_whoever_is_configured(channel: Channel) -> None:
    ids = {(item.endpoint, item.topic): item.id for item in ready(channel)}

    assert len(set(ids.values())) == len(ids)
    for item in ready(channel, Notifier(frozenset({Endpoint.BIGQUERY}))):
        assert item.id == ids[item.endpoint, item.topic]


def test_another_announcement_is_another_debt(channel: Channel) -> None:
    again = replace(channel, announcements=2)

    assert {item.id for item in ready(channel)}.isdisjoint(item.id for item in ready(again))


def test_a_failure_is_an_alert(channel: Channel) -> None:
    failed = replace(channel, retries=5, failure=Failure("no_media", "the file holds no media", NOW))
    alert, entry, row = EVERYBODY.failed(failed, "/reels/s-1/master.m3u8", CAUSE)

    assert owed((alert, entry, row)) == [
        (Endpoint.OBSERVABILITY, "stream.provisioning.failed"),
        (Endpoint.AUDIT, "stream.provisioning.failed"),
        (Endpoint.BIGQUERY, "stream.provisioning.failed"),
    ]
    assert alert.facts["severity"] == Severity.CRITICAL
    assert "the file holds no media" in alert.facts["description"]
    assert alert.facts["auditTopic"] == "audit"
    assert entry.facts == {**alert.facts, "actor": CAUSE.actor}


def test_a_retirement_purges_every_path(channel: Channel) -> None:
    paths = ("/reels/s-1/", "/reels/s-2/")
    notifications = EVERYBODY.retired(channel, paths, CAUSE)

    purged = [item.facts["path"] for item in notifications if item.endpoint is Endpoint.CDN_CONTROL]
    assert purged == list(paths)
    assert len({item.id for item in notifications}) == len(notifications) == 6


def test_each_purge_request_is_a_debt_of_its_own(channel: Channel) -> None:
    first = EVERYBODY.purge(channel, ("/a/",), CAUSE, "1")
    second = EVERYBODY.purge(channel, ("/a/",), CAUSE, "2")

    assert {item.id for item in first}.isdisjoint(item.id for item in second)


def test_a_rotation_is_among_the_failovers_of_the_analytics_and_moves_no_traffic(channel: Channel) -> None:
    notifications = EVERYBODY.ingest_rotated(rotated(channel, "digest", NOW, timedelta(0)), ("/a/*",), CAUSE, None)

    (failover,) = [item for item in notifications if item.topic == "cdn.failover"]
    assert failover.endpoint is Endpoint.BIGQUERY
    payload = render_body(failover, lambda path, base: SignedManifest(f"{base}{path}", "soon"))["payload"]
    assert (payload["trigger"], payload["promoted"]) == ("ingest-rotation", False)
    assert "digest" not in str(notifications)
    assert len({item.id for item in notifications}) == len(notifications) == 5


def test_every_debt_can_be_rendered_and_says_when_it_happened_and_for_whom(channel: Channel) -> None:
    paths = ("/reels/s-1/",)
    debts = (
        *ready(channel),
        *EVERYBODY.failed(channel, "/m", CAUSE),
        *EVERYBODY.retired(channel, paths, CAUSE),
        *EVERYBODY.purge(channel, paths, CAUSE, "1"),
        *EVERYBODY.ingest_rotated(rotated(channel, "digest", NOW, timedelta(0)), paths, CAUSE, NOW),
    )
    for debt in debts:
        assert render_body(debt, lambda path, base: SignedManifest(f"{base}{path}", "soon"))
        assert (debt.correlation_id, debt.occurred_at, debt.content_id) == ("c-1", NOW, channel.content_id)
        assert debt.facts["occurredAt"] == "2026-01-02T03:04:05.000Z"


@pytest.mark.parametrize("attempts", range(1, len(RETRY_SCHEDULE)))
def test_pauses_follow_the_schedule_within_a_tenth(attempts: int) -> None:
    pause = RETRY_SCHEDULE[attempts]

    assert next_attempt(attempts, NOW, 0.0, None) == NOW + 0.9 * pause
    assert next_attempt(attempts, NOW, 0.5, None) == NOW + pause


def test_after_the_schedule_there_is_no_next_attempt() -> None:
    assert next_attempt(len(RETRY_SCHEDULE), NOW, 0.5, 1.0) is None
    assert next_attempt(len(RETRY_SCHEDULE) - 1, NOW, 0.5, None) is not None


@given(
    attempts=st.integers(0, len(RETRY_SCHEDULE) - 1),
    jitter=st.floats(0, 1, exclude_max=True),
    wish=st.none() | st.floats(0, 86_400),
)
def test_a_receivers_wish_is_never_undercut(attempts: int, jitter: float, wish: float | None) -> None:
    moment = next_attempt(attempts, NOW, jitter, wish)

    assert moment is not None
    assert moment >= NOW + timedelta(seconds=wish or 0) - timedelta(microseconds=1)
    assert moment <= NOW + max(1.1 * RETRY_SCHEDULE[attempts], timedelta(seconds=wish or 0)) + timedelta(microseconds=1)
