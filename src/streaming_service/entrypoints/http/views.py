"""A channel on the wire, exactly as other services read it."""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from streaming_service.application.ingest import Rotated
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.content import (
    AvailabilityWindow,
    Classification,
    Drm,
    GeoRestrictions,
    Protocol,
    Rendition,
)
from streaming_service.domain.state import Failure, Phase, Status
from streaming_service.entrypoints.http.ingest_views import IngestView, IngestViews
from streaming_service.entrypoints.http.moments import Moment, moment


class DrmView(Struct, rename="camel"):
    """Where a player gets its key."""

    key_id: str
    license_server: str


class WindowView(Struct, rename="camel", omit_defaults=True):
    """When the content may be watched; an open end is left out."""

    starts_at: Moment | None = None
    ends_at: Moment | None = None


class GeoView(Struct, omit_defaults=True):
    """ISO 3166-1 alpha-2 countries; an empty list is left out."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class RenditionView(Struct, rename="camel", omit_defaults=True):
    """A rendition of the source asset as its pipeline reported it."""

    name: str
    codec: str
    bitrate_kbps: float
    resolution: str
    frame_rate: float | None = None


class FailureView(Struct, rename="camel"):
    """Why the last attempt failed."""

    code: str
    detail: str
    at: Moment


class ChannelView(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One content on OME. What is not known yet is left out."""

    content_id: str
    channel_id: Annotated[str, Meta(description="Derived from the content id: known from the first answer on.")]
    classification: Classification
    tenant_id: str | None = None
    manifest_path: str
    playback_url: Annotated[
        str, Meta(description="The manifest where the egress pool answers or, of a VOD copy, at the CDN; unsigned.")
    ]
    origin_endpoint: Annotated[str, Meta(description="Where the egress pool answers playback.")]
    cache_key: str
    checksum: str
    status: Status
    phase: Phase
    phase_at: Moment
    phase_reason: str
    retries: int
    source_asset_uri: str
    ome_application: str
    protocol: Protocol
    ready_at: Moment | None = None
    publishing: Annotated[bool, Meta(description="A VOD copy is being made while it plays.")] = False
    gcs_bucket: Annotated[str | None, Meta(description="Where its VOD copy lies, or what the upload named.")] = None
    storage_prefix: str | None = None
    waiting_since: Annotated[Moment | None, Meta(description="It waits for a place on an origin since then.")] = None
    renditions: tuple[RenditionView, ...] | None = None
    last_provisioned_at: Moment
    drm: DrmView | None = None
    ingest_region: str | None = None
    availability_window: WindowView | None = None
    geo_restrictions: GeoView | None = None
    live: Annotated[bool, Meta(description="It is pushed, not uploaded; its source is the slate.")] = False
    ingest: IngestView | None = None
    generation: int
    spec_hash: str
    incarnation: int
    created_at: Moment
    updated_at: Moment
    retired_at: Moment | None = None
    failure: FailureView | None = None


class ChannelViews:
    """Renders channels. `manifest_path` and `cache_key` are the same rules that notifications use.

    `playback_base` tells where the egress pool of a classification answers. VOD copies lie in `bucket`, and are
    reached below `cdn_base_url`.
    """

    def __init__(
        self,
        playback_base: Callable[[Classification], str],
        manifest_path: Callable[[Channel], str],
        cache_key: Callable[[str, str], str],
        *,
        ingest: IngestViews,
        cdn_base_url: str = "",
        bucket: str | None = None,
    ) -> None:
        self._ingest = ingest
        self._playback_base = playback_base
        self._manifest_path = manifest_path
        self._cache_key = cache_key
        self._cdn_base_url = cdn_base_url
        self._bucket = bucket

    def channel(self, channel: Channel, first: Rotated | None = None) -> ChannelView:
        """The whole channel; `first` is the key of a live one when that was made just now."""
        spec = channel.spec
        path = self._manifest_path(channel)
        origin = self._playback_base(spec.classification).rstrip("/")
        copied = channel.serving is not None and channel.serving.copy is not None
        return ChannelView(
            content_id=channel.content_id,
            channel_id=channel.channel_id,
            classification=spec.classification,
            tenant_id=spec.tenant_id,
            manifest_path=path,
            playback_url=f"{(spec.base_url or self._cdn_base_url) if copied else origin}{path}",
            origin_endpoint=origin,
            cache_key=self._cache_key(channel.content_id, spec.checksum),
            checksum=spec.checksum,
            status=channel.status,
            phase=channel.phase,
            phase_at=to_wire(channel.phase_at),
            phase_reason=channel.phase_reason,
            retries=channel.retries,
            source_asset_uri=spec.source_uri,
            ome_application=spec.application,
            # What is live never comes to an end: there is no copy to wait for.
            protocol=Protocol.LL_HLS if spec.live else spec.protocol,
            ready_at=moment(channel.ready_at),
            publishing=channel.recording is not None,
            gcs_bucket=self._bucket if copied else spec.bucket,
            storage_prefix=channel.serving.copy_prefix if copied and channel.serving else spec.storage_prefix,
            waiting_since=moment(channel.waiting_since),
            renditions=None if spec.renditions is None else tuple(_rendition(item) for item in spec.renditions),
            last_provisioned_at=to_wire(channel.last_provisioned_at),
            drm=_drm(spec.drm),
            ingest_region=spec.ingest_region,
            availability_window=_window(spec.availability),
            geo_restrictions=_geo(spec.geo),
            live=spec.live,
            ingest=self._ingest.ingest(channel, first) if spec.live else None,
            generation=channel.generation,
            spec_hash=channel.spec_hash,
            incarnation=channel.incarnation,
            created_at=to_wire(channel.created_at),
            updated_at=to_wire(channel.updated_at),
            retired_at=moment(channel.retired_at),
            failure=failure_view(channel.failure),
        )


def failure_view(failure: Failure | None) -> FailureView | None:
    """Why the last attempt failed, or nothing."""
    return failure and FailureView(failure.code, failure.detail, to_wire(failure.at))


def _rendition(item: Rendition) -> RenditionView:
    return RenditionView(item.name, item.codec, item.bitrate_kbps, item.resolution, item.frame_rate)


def _drm(drm: Drm | None) -> DrmView | None:
    return drm and DrmView(drm.key_id, drm.license_server)


def _window(window: AvailabilityWindow | None) -> WindowView | None:
    return window and WindowView(moment(window.starts_at), moment(window.ends_at))


def _geo(geo: GeoRestrictions | None) -> GeoView | None:
    return geo and GeoView(geo.allow, geo.deny)
