"""What analytics is sent: one envelope, and the payload of each event. These shapes are promises.

Fields may be added, none is ever removed, renamed or given another type: somebody's query would break. Optional ones
may be missing (they are about something that is not always there) or null (nothing is known).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from streaming_service.errors import InvalidInput

Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Moment = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$", description="UTC, milliseconds."
    ),
]
Path = Annotated[str, Meta(pattern=r"^(/|$)", description="Path at the CDN; with a trailing `*` all that begins so.")]
Severity = Literal["info", "warning", "critical"]
Target = Literal["primary", "failover"]
Verdict = Literal[
    "ok", "unreachable", "http_error", "signature_rejected", "malformed", "incomplete", "stale", "gap", "slow"
]
Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]
About = Uuid | UnsetType


class _Payload(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What happened, and when."""

    occurred_at: Moment


class Provisioned(_Payload, frozen=True, kw_only=True):
    """A content plays: for the first time, anew under another name, or from its copy."""

    content_id: Uuid
    channel_id: Uuid
    manifest_path: Path
    base_url: Annotated[str | None, Meta(description="The CDN that the event named; null: the configured one.")]
    cache_key: str
    checksum: str
    retries: Annotated[int, Meta(ge=0, description="Failed starts before this one.")]
    generation: Annotated[int, Meta(ge=1, description="Which wish: counts its changes.")]
    incarnation: Annotated[int, Meta(ge=1, description="Which start on OME.")]


class ProvisioningFailed(_Payload, frozen=True, kw_only=True):
    """The attempts are used up."""

    content_id: Uuid
    manifest_path: Path
    retries: Count
    code: Annotated[str, Meta(description="Stable, for machines.")]
    detail: Annotated[str, Meta(description="For people.")]


class Retired(_Payload, frozen=True, kw_only=True):
    """Nobody may watch it any more."""

    content_id: Uuid
    paths: Sequence[Path]
    retries: Count


class IngestRotated(_Payload, frozen=True, kw_only=True):
    """Another key lets push to it."""

    content_id: Uuid
    channel_id: Uuid
    application: str
    paths: Sequence[Path]
    retries: Count
    live: bool
    previous_key_valid_until: Moment | None


class OmeComplaint(_Payload, frozen=True, kw_only=True):
    """OME's alert, as an origin sent it; without `contentId` when it is about no content of ours."""

    content_id: About = UNSET
    source_uri: str
    type: str
    server: str | None
    codes: Sequence[str]
    severity: Severity
    description: str
    audit_topic: str | None


class ManifestLatency(_Payload, frozen=True, kw_only=True):
    """Manifests of one process became slow, or are so no more (`resolved`): what its sliding window held then."""

    instance: Annotated[str, Meta(description="The process: another one after each start.")]
    window_seconds: Amount
    count: Annotated[int, Meta(ge=0, description="Requests in the window.")]
    p50_ms: Amount
    p99_ms: Amount
    share_over_slo: Annotated[float, Meta(ge=0, le=1, description="Part of them that took longer than `sloMs`.")]
    slo_ms: Amount
    threshold_share: Annotated[float, Meta(ge=0, le=1, description="Above it, it is told.")]
    resolved: bool
    severity: Severity
    description: str
    audit_topic: str | None


class ProbeResult(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What was found in one region at one target."""

    content_id: Uuid
    region: str
    target: Target
    verdict: Verdict
    success: bool
    status_code: int | None
    latency_ms: Amount
    detail: str
    at: Moment


class ProbeResults(_Payload, frozen=True, kw_only=True):
    """What was looked at on demand, of one content, or by the schedule in the last minute."""

    content_id: About = UNSET
    trigger: Literal["schedule", "on-demand"]
    part: Annotated[int, Meta(ge=1)]
    parts: Annotated[int, Meta(ge=1)]
    results: Sequence[ProbeResult]


class Failing(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A region in which it does not play."""

    region: str
    verdict: Verdict
    status_code: int | None
    detail: str


class FailedBefore(Struct, frozen=True, forbid_unknown_fields=True):
    """A region in which it did not play when this was told the last time."""

    region: str
    verdict: Verdict


class ProbeFailure(_Payload, frozen=True, kw_only=True):
    """What fails of a content changed; `resolved`: nothing any more."""

    content_id: Uuid
    target: Target
    failing: Sequence[Failing]
    before: Sequence[FailedBefore]
    known_regions: Count
    resolved: bool
    severity: Severity
    description: str
    audit_topic: str | None


class Purge(_Payload, frozen=True, kw_only=True):
    """The CDN was to forget a path."""

    content_id: Uuid
    path: Path


class ColdPath(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What could not be warmed, and why; without `statusCode` there was no answer."""

    path: Path
    reason: str
    status_code: int | None


class WarmedRegion(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What came of it in one region; null is all of them. At most fifty paths are named of either kind."""

    region: str | None
    way: Annotated[Literal["edge", "agent", "cdn-control"], Meta(description="Who fetched, or was told to.")]
    warmed: Sequence[Path]
    failed: Sequence[ColdPath]


class Warmup(_Payload, frozen=True, kw_only=True):
    """The CDN's caches were filled with a content's playlists and first segments."""

    content_id: Uuid
    manifest_path: Path
    target: Target
    warmed: Annotated[int, Meta(ge=0, description="Addresses, of all regions together.")]
    failed: Count
    regions: Sequence[WarmedRegion]


class Failover(_Payload, frozen=True, kw_only=True):
    """Viewers were sent elsewhere (`promoted`), or back. A rotated ingest key is here, too, and moved nobody: it has
    no `target`. Without `contentId` it is about all viewers."""

    content_id: About = UNSET
    trigger: Literal["probes", "operator", "ingest-rotation"]
    promoted: bool
    paths: Sequence[Path]
    ingest_region: str | None
    target: Target | UnsetType = UNSET
    scope: Literal["cdn", "content"] | UnsetType = UNSET
    path: Path | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    promotions: Count | UnsetType = UNSET


class MultiCluster(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Traffic Director found a cluster in order, or no longer."""

    cluster: str
    healthy: bool
    validated_at: Moment


class ChannelFigures(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What OME counts of a channel."""

    content_id: Uuid
    stream: str
    viewers: Count
    bitrate_kbps: Amount
    bytes_out: Count


class Totals(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Of the whole origin, in every part."""

    channels: Count
    viewers: Count
    bitrate_kbps: Amount
    bytes_out: Count


class OmeStats(_Payload, frozen=True, kw_only=True):
    """An origin's minute. `up` false: these are the last figures, `ageSeconds` old."""

    origin: str
    up: bool
    age_seconds: Amount
    part: Annotated[int, Meta(ge=1)]
    parts: Annotated[int, Meta(ge=1)]
    totals: Totals
    channels: Sequence[ChannelFigures]


PAYLOADS: Mapping[str, type[Struct]] = {
    "stream.provisioned": Provisioned,
    "stream.provisioning.failed": ProvisioningFailed,
    "stream.retired": Retired,
    "stream.ingest.rotated": IngestRotated,
    "stream.ingest.failure": OmeComplaint,
    "stream.manifest.latency": ManifestLatency,
    "stream.probe.results": ProbeResults,
    "stream.probe.failure": ProbeFailure,
    "cdn.purge": Purge,
    "cdn.warmup": Warmup,
    "cdn.failover": Failover,
    "cdn.multi_cluster": MultiCluster,
    "ome.realtime.stats": OmeStats,
    "ome.alert": OmeComplaint,
}


class Envelope(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`id` is the same however often it is sent: what comes twice happened once."""

    id: Uuid
    event: str
    payload: Mapping[str, Any]
    emitted_at: Moment


def check_envelope(body: Any) -> Envelope:
    """What was sent to analytics, if it keeps its promise. Raises InvalidInput naming what does not."""
    try:
        envelope = msgspec.convert(body, Envelope)
        if envelope.event not in PAYLOADS:
            raise InvalidInput("event", f"{envelope.event[:60]!r} is no analytics event")
        msgspec.convert(envelope.payload, PAYLOADS[envelope.event])
    except msgspec.ValidationError as error:
        raise InvalidInput("envelope", str(error)) from error
    return envelope


def schema_of(event: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the event's envelope. Readers must bear fields that a later release adds."""
    (payload,), components = msgspec.json.schema_components((PAYLOADS[event],), ref_template="#/$defs/{name}")
    (envelope,), around = msgspec.json.schema_components((Envelope,), ref_template="#/$defs/{name}")
    whole: dict[str, Any] = around[_name(envelope)]
    about: str = components[_name(payload)]["description"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event,
        "description": " ".join(about.split()),
        "type": "object",
        "properties": {**whole["properties"], "event": {"const": event}, "payload": payload},
        "required": whole["required"],
        "$defs": {name: _open(component) for name, component in components.items()},
    }


def _name(reference: Mapping[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _open(component: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in component.items() if name != "additionalProperties"}
    return shown | {"description": " ".join(str(shown.get("description", "")).split())}
