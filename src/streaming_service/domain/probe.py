"""What a probe finds out: whether viewers in a region can play a content from a target, and if not, why."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Target(StrEnum):
    """Where viewers can be sent: `CDN_BASE_URL`, or `CDN_FAILOVER_BASE_URL`."""

    PRIMARY = "primary"
    FAILOVER = "failover"


class ProbeVerdict(StrEnum):
    """OK, or the first thing that is wrong on the way from the manifest to a media segment."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    HTTP_ERROR = "http_error"
    SIGNATURE_REJECTED = "signature_rejected"
    MALFORMED = "malformed"
    INCOMPLETE = "incomplete"  # a rung is missing
    STALE = "stale"  # a live playlist does not advance
    GAP = "gap"
    SLOW = "slow"


class Observation(Struct, frozen=True):
    """One probe of one content. `status` is the HTTP status of the last answer, None when there was none."""

    content_id: str
    region: str
    target: Target
    verdict: ProbeVerdict
    at: datetime
    latency_ms: float
    status: int | None = None
    detail: str = ""
