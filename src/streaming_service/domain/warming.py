"""Warm-up: what a CDN's caches should hold before the first viewer asks. Pure: no clock, no network."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Meta, Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.hls import MediaPlaylist
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.placement import Placement
from streaming_service.domain.probe import Target
from streaming_service.domain.signing.scheme import Grant, PrefixGrant
from streaming_service.domain.state import Status

TOPIC = "cdn.warmup"
# Viewers have warmed by themselves what we could not for so long.
WORTH_REPEATING = timedelta(minutes=10)
_MOST_SEGMENTS = 20
_MOST_NAMED = 64
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:warm-up")
_Url = Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+/[^#\s]*$", max_length=8192)]


class Errand(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Fetch the multivariant playlist at `url`, which is signed, the playlist of each variant, and the first `segments`
    of each with what they need to be decoded.

    grant    what the query of each address has to hold beside the manifest's; empty where addresses need nothing
    cookie   the Cookie header of each request; empty for none
    timeout  seconds for each address
    seconds  for all of it; what is not done by then is left
    """

    url: _Url
    grant: str
    target: Target
    segments: Annotated[int, Meta(ge=0, le=_MOST_SEGMENTS)]
    timeout: Annotated[float, Meta(gt=0, le=60)]
    seconds: Annotated[float, Meta(gt=0, le=300)]
    cookie: str = ""


class Missed(Struct, frozen=True):
    """A path that could not be warmed, and why. `status`: of the HTTP answer, None when there was none."""

    path: str
    reason: str
    status: int | None = None


class Warmed(Struct, frozen=True):
    """What came of an errand: paths, without the grant."""

    warmed: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()


class WarmedRegion(Struct, frozen=True):
    """What came of it in one region. `way`: `edge` or `agent` that fetched, or `cdn-control` that was told; `region`
    is None when CDN control was told for all of them. `retry_after`: seconds that CDN control asked for."""

    region: str | None
    way: str
    warmed: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()
    retry_after: float | None = None


def signed_errand(
    grant: Grant, playlist: str, target: Target, *, segments: int, timeout: float, seconds: float
) -> Errand:
    """An errand that begins at what is called `playlist` below the grant's prefix, under any scheme."""
    return Errand(
        url=grant.url(playlist),
        # A grant that is not for the whole prefix is for the manifest alone.
        grant=grant.query if isinstance(grant, PrefixGrant) else "",
        target=target,
        segments=segments,
        timeout=timeout,
        seconds=seconds,
        cookie="; ".join(f"{cookie.name}={cookie.value}" for cookie in grant.cookies),
    )


def beginning(playlist: MediaPlaylist, segments: int) -> tuple[str, ...]:
    """URLs of what a player that joins now fetches first, and of what it needs to decode that, each once."""
    if not segments:
        return ()
    start = playlist.segments.index(playlist.first_played)
    chosen = playlist.segments[start : start + segments]
    return tuple(dict.fromkeys(url for item in chosen if not item.gap for url in (item.init, item.url) if url))


def to_be_warmed(channel: Channel | None, manifest_path: str | None, playlist: str) -> Placement | str:
    """What viewers are sent to now; otherwise why there is nothing to warm. `manifest_path`: of what it was to be, None
    for whatever is served."""
    if channel is None or channel.status is Status.RETIRED:
        return "it is retired"
    if channel.serving is None:
        return "nothing is served"
    if manifest_path is not None and f"{channel.serving.path}{playlist}.m3u8" != manifest_path:
        return "it was replaced meanwhile"
    return channel.serving


def segments_of(channel: Channel, segments: int) -> int:
    """How many first segments are worth it: of what is live none are, they are gone before anybody comes."""
    return 0 if channel.spec.live else segments


def worth_repeating(results: Iterable[WarmedRegion], owed_at: datetime, now: datetime) -> bool:
    """Nothing was warmed anywhere, or some region got nothing and it is not too late for it."""
    empty = [not item.warmed for item in results]
    return bool(empty) and (all(empty) or (any(empty) and now - owed_at < WORTH_REPEATING))


def summary(results: Sequence[WarmedRegion]) -> str:
    """For the delivery log: who got how much, and the first thing that went wrong."""
    said: list[str] = []
    for item in results:
        name = f"{item.way} {item.region}" if item.region else item.way
        trouble = f", {len(item.missed)} missed: {item.missed[0].reason}" if item.missed else ""
        said.append(f"{name}: {len(item.warmed)} warmed{trouble}")
    return "; ".join(said)


def envelope(
    owed: Notification,
    manifest_path: str,
    target: Target,
    results: Sequence[WarmedRegion],
    now: datetime,
    endpoints: Collection[Endpoint],
) -> tuple[Notification, ...]:
    """What was warmed and what was not, for the analytics. Paths bear no grant."""
    if Endpoint.BIGQUERY not in endpoints:
        return ()
    return (
        Notification(
            id=str(uuid5(_NAMESPACE, f"{owed.id}/{to_wire(now)}")),
            endpoint=Endpoint.BIGQUERY,
            topic=TOPIC,
            content_id=owed.content_id,
            occurred_at=now,
            facts={
                "manifestPath": manifest_path,
                "target": target,
                "warmed": sum(len(item.warmed) for item in results),
                "failed": sum(len(item.missed) for item in results),
                "regions": [_row(item) for item in results],
                "occurredAt": to_wire(now),
            },
            correlation_id=owed.correlation_id,
        ),
    )


def call_id(owed: Notification, region: str | None, path: str) -> str:
    """What CDN control knows a call by: the same whenever it is made again."""
    return str(uuid5(_NAMESPACE, f"{owed.id}/{region or ''}/{path}"))


def _row(item: WarmedRegion) -> dict[str, Any]:
    return {
        "region": item.region,
        "way": item.way,
        "warmed": list(item.warmed[:_MOST_NAMED]),
        "failed": [
            {"path": missed.path, "reason": missed.reason, "statusCode": missed.status}
            for missed in item.missed[:_MOST_NAMED]
        ],
    }
