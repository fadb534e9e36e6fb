"""Channels and notifications to put into stores; only what a test talks about is spelled out in it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from streaming_service.application.ports import Attempt, DeadLetter
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import (
    AvailabilityWindow,
    Classification,
    Drm,
    GeoRestrictions,
    Protocol,
    Rendition,
)
from streaming_service.domain.history import Change, change
from streaming_service.domain.ingest_key import IngestKey
from streaming_service.domain.ladder import Rung
from streaming_service.domain.notification import Cause, Endpoint, Notification
from streaming_service.domain.placement import Copy, Draining, Placement
from streaming_service.domain.spec import ChannelSpec
from streaming_service.domain.state import Failure, Phase, Status

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
CAUSE = Cause(actor="worker", correlation_id="correlation-1")
RUNGS = (Rung("720p", 1280, 720, 2500), Rung("480p", 854, 480, 1500))


def content_id(number: int) -> str:
    """Ids in the order of their numbers."""
    return str(UUID(int=number, version=4))


def channel(number: int = 1, **changes: object) -> Channel:
    """A new channel of series number `number`; `changes` are its own fields, or those of its spec."""
    in_spec = {name: value for name, value in changes.items() if name in ChannelSpec.__struct_fields__}
    of_its_own = {name: value for name, value in changes.items() if name not in in_spec}
    spec = ChannelSpec(
        content_id=content_id(number),
        classification=Classification.REEL,
        source_uri=f"gs://uploads/{number}.mp4",
        media_path=f"/media/{number}.mp4",
        checksum=f"sha256:{number}",
        application="reels",
        protocol=Protocol.LL_HLS,
        rungs=RUNGS,
    )
    spec = replace(spec, **in_spec)
    new = Channel(
        spec=spec,
        generation=1,
        spec_hash=spec.hash,
        said_at=NOW,
        status=Status.PROVISIONING,
        phase=Phase.ACCEPTED,
        phase_at=NOW,
        phase_reason="accepted",
        created_at=NOW,
        updated_at=NOW,
        last_provisioned_at=NOW,
    )
    return replace(new, **of_its_own)


def placement(incarnation: int = 1) -> Placement:
    return Placement(
        incarnation=incarnation,
        origin="origin-1",
        application="reels",
        stream=f"stream-{incarnation}",
        media_path="/media/1.mp4",
        media_hash="hash",
        checksum="sha256:1",
        rungs=RUNGS,
        audio=True,
        placed_at=NOW,
        started_at=NOW + SECOND,
        seat=incarnation,
    )


def published(number: int) -> Placement:
    """One that plays from the bucket and holds nothing on OME."""
    return replace(placement(number), publish=True, copy=Copy(NOW, 12.0, 40, 1_000_000))


def full_channel() -> Channel:
    """A channel with every field set."""
    return channel(
        tenant_id="tenant-é",
        base_url="https://cdn.example",
        ingest_region="eu-west1",
        drm=Drm("key", "https://licence.example"),
        availability=AvailabilityWindow(NOW, NOW + MINUTE),
        geo=GeoRestrictions(("DE",), ("FR",)),
        renditions=(Rendition("720p", "h264", 2500.5, "1280x720", 29.97),),
        bucket="uploads",
        storage_prefix="prefix",
        source_ready_at=NOW,
        duration=12.5,
        incarnation=3,
        retries=2,
        retry_at=NOW + MINUTE,
        serving=placement(1),
        building=placement(2),
        draining=(Draining(placement(3), NOW + MINUTE), Draining(placement(4), NOW + MINUTE, copy=True)),
        waiting_since=NOW,
        renew_below=2,
        ingest=(IngestKey("digest", NOW, NOW + MINUTE), IngestKey("newer", NOW)),
        announce=True,
        announcements=4,
        failure=Failure("ome_unavailable", "no answer: „später“ \N{LINE SEPARATOR} 😀", NOW),
        ready_at=NOW,
        retired_at=NOW,
    )


def accept(value: Channel, *notifications: Notification, action: str = "accepted") -> Change:
    return change(value, action, CAUSE, notifications)


def notification(
    number: int, endpoint: Endpoint = Endpoint.OBSERVABILITY, of: int = 1, at: datetime = NOW
) -> Notification:
    return Notification(
        id=f"notification-{number:06}",
        endpoint=endpoint,
        topic="stream.provisioned",
        content_id=content_id(of),
        occurred_at=at,
        facts={"number": number, "paths": ["/a", "/ü"], "nested": {"none": None, "yes": True}},
        correlation_id="correlation-1",
    )


def attempt(number: int = 0, status: int | None = 503) -> Attempt:
    return Attempt(at=NOW + number * SECOND, status=status, detail=f"attempt {number}\nof many \x85", duration_ms=1.5)


def letter(number: int, data: bytes = b"{", at: datetime = NOW) -> DeadLetter:
    return DeadLetter(
        id=f"letter-{number:03}",
        received_at=at,
        source="pubsub",
        message_id=f"message-{number}",
        reason="is not JSON",
        field="body",
        data=data,
        attributes={"ce-type": "media.uploaded"},
    )
