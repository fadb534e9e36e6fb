"""What a probe is asked, and what it answers: the same here and over the wire to an agent."""

from typing import Annotated

from msgspec import Meta, Struct

from streaming_service.domain.ladder import Rung
from streaming_service.domain.probe import ProbeVerdict, Target

_Url = Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+/[^?#\s]*$", max_length=4096)]


class Journey(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Follow the manifest at `url` to a variant and its first segment, with `grant` in the query of each of them.

    target   whose manifest it is
    rungs    the renditions that the channel promises
    timeout  seconds for each playlist; a segment may take as long as it plays
    patient  look at a live playlist until it is certain whether it advances; else remember it for the next probe
    """

    url: _Url
    grant: str
    target: Target
    rungs: tuple[Rung, ...]
    timeout: Annotated[float, Meta(gt=0, le=60)]
    patient: bool = False


class Finding(Struct, frozen=True, rename="camel"):
    """What came of it. `latency_ms` until the whole first segment was there, or until it was clear what is wrong;
    without the pauses between two looks. `status`: the HTTP status of the last answer, None when there was none."""

    verdict: ProbeVerdict
    latency_ms: float
    status: int | None = None
    detail: str = ""
