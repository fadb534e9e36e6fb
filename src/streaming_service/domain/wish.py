"""What a request means for a channel: new, changed, the same, or overtaken.

Requests arrive late, twice and out of order; the outcome depends on what was said when, never on the order of
arrival.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from streaming_service.domain.channel import Channel, ChannelSpec, Status, accepted
from streaming_service.domain.content import Classification
from streaming_service.domain.ladder import Ladder
from streaming_service.domain.source import MediaMounts
from streaming_service.domain.upload import ProvisionRequest

_T = TypeVar("_T")


class Outcome(StrEnum):
    """What became of a request."""

    CREATED = "created"
    REVISED = "revised"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"


class SpecPolicy(Struct, frozen=True):
    """How this installation turns requests into specs."""

    ladders: Mapping[Classification, Ladder]
    applications: Mapping[Classification, str]
    mounts: MediaMounts
    allowed_hosts: frozenset[str] = frozenset()


class Wish(Struct, frozen=True):
    """The outcome, and the channel to write (or the one that stays as it is)."""

    outcome: Outcome
    channel: Channel


def decide(current: Channel | None, request: ProvisionRequest, policy: SpecPolicy, now: datetime) -> Wish:
    """Raises InvalidInput when the policy does not allow the request."""
    if current is None:
        return Wish(Outcome.CREATED, accepted(_spec(request, None, policy), now, request.said_at))
    if _overtaken(current, request):
        return Wish(Outcome.SUPERSEDED, current)
    spec = _spec(request, current, policy)
    if spec.hash == current.spec_hash and current.status is not Status.RETIRED:
        return Wish(Outcome.UNCHANGED, current)
    return Wish(Outcome.REVISED, current.revised(spec, now, max(request.said_at, current.said_at)))


def _overtaken(current: Channel, request: ProvisionRequest) -> bool:
    if current.retired_at and request.said_at <= current.retired_at:
        return True
    if request.checksum == current.spec.checksum:
        return False
    # Two media of one content said at the same instant: the choice is arbitrary but must not depend on arrival.
    return (request.said_at, request.checksum) < (current.said_at, current.spec.checksum)


def _spec(request: ProvisionRequest, current: Channel | None, policy: SpecPolicy) -> ChannelSpec:
    """The request, with what it does not say taken from what was said before."""
    old = current.spec if current else None
    same_media = old is not None and old.checksum == request.checksum
    # An older message about the media we already have may fill gaps, but must not overwrite newer answers.
    late = current is not None and same_media and request.said_at < current.said_at
    media = old if same_media else None

    def pick(said: _T | None, known: _T | None) -> _T | None:
        first, second = (known, said) if late else (said, known)
        return second if first is None else first

    classification = old.classification if old and late else request.classification
    source, path = str(request.source), policy.mounts.media_path(request.source, "storageUrl")
    if media and late:
        source, path = media.source_uri, media.media_path
    return ChannelSpec(
        content_id=request.content_id,
        classification=classification,
        source_uri=source,
        media_path=path,
        checksum=request.checksum,
        application=_application(request, old, policy, classification),
        protocol=old.protocol if old and (late or not request.said_protocol) else request.protocol,
        rungs=policy.ladders[classification].rungs,
        tenant_id=pick(request.tenant_id, old and old.tenant_id),
        base_url=pick(_allowed_base(request.base_url, policy), old and old.base_url),
        ingest_region=pick(request.ingest_region, old and old.ingest_region),
        drm=pick(request.drm, old and old.drm),
        availability=pick(request.availability, old and old.availability),
        geo=pick(request.geo, old and old.geo),
        renditions=pick(request.renditions, media and media.renditions),
        bucket=pick(request.bucket, media and media.bucket),
        storage_prefix=pick(request.storage_prefix, media and media.storage_prefix),
        source_ready_at=pick(request.source_ready_at, media and media.source_ready_at),
    )


def _application(
    request: ProvisionRequest, old: ChannelSpec | None, policy: SpecPolicy, classification: Classification
) -> str:
    if request.application_hint:
        hinted = Classification.REEL if request.application_hint == "reels" else Classification.SERIES
        return policy.applications[hinted]
    if old and old.classification is classification and old.application in policy.applications.values():
        return old.application
    return policy.applications[classification]


def _allowed_base(url: str | None, policy: SpecPolicy) -> str | None:
    """An event must not be able to make us sign for a foreign host: anything else than an allowed one is not said."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        allowed = parts.scheme in {"http", "https"} and parts.netloc in policy.allowed_hosts
    except ValueError:
        return None
    if not allowed or parts.query or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
