"""A change tells what was done, by whom, why, and what the channel was then."""

from datetime import UTC, datetime

from streaming_service.domain.channel import accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.history import HistoryEntry, change
from streaming_service.domain.notification import Cause, Endpoint, Notifier
from streaming_service.domain.spec import ChannelSpec
from tests.placements import placed as put

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CAUSE = Cause("operator", "correlation-1")
SPEC = ChannelSpec(
    content_id="0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11",
    classification=Classification.REEL,
    source_uri="gs://uploads/a.mp4",
    media_path="a.mp4",
    checksum="sum",
    application="reels",
    protocol=Protocol.LL_HLS,
    rungs=(),
)
PLACED = put(accepted(SPEC, NOW, NOW), NOW)


def test_a_change_describes_the_move_that_was_made() -> None:
    assert change(PLACED, "placed", CAUSE).history == HistoryEntry(
        content_id=SPEC.content_id,
        at=NOW,
        actor="operator",
        action="placed",
        reason="incarnation 1 on origin-1",
        status="provisioning",
        phase="placed",
        generation=1,
        incarnation=1,
        correlation_id="correlation-1",
    )


def test_a_reason_may_be_given() -> None:
    assert change(PLACED, "purge", CAUSE, reason="asked for").history.reason == "asked for"


def test_a_change_carries_the_channel_and_what_it_owes() -> None:
    owed = Notifier(frozenset({Endpoint.BIGQUERY})).purge(PLACED, ("/a",), CAUSE, "1")
    made = change(PLACED, "purge", CAUSE, owed)

    assert made.channel is PLACED
    assert made.notifications == owed
