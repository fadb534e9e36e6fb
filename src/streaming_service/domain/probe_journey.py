"""What a probe is asked, and what it answers: the same here and over the wire to an agent."""

from typing import Annotated

from msgspec import Meta, Struct

from streaming_service.domain.ladder import Rung
from streaming_service.domain.probe import ProbeVerdict, Target
from streaming_service.domain.signing.scheme import Grant, PrefixGrant

_Url = Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+/[^#\s]*$", max_length=8192)]


class Journey(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Follow the manifest at `url`, which is signed, to a variant and its first segment.

    grant    what the query of each address has to hold beside the manifest's; empty where addresses need nothing
    cookie   the Cookie header of each request; empty for none
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
    cookie: str = ""


def signed_journey(
    grant: Grant, playlist: str, target: Target, rungs: tuple[Rung, ...], timeout: float, *, patient: bool = False
) -> Journey:
    """A journey that begins at what is called `playlist` below the grant's prefix, under any scheme."""
    return Journey(
        url=grant.url(playlist),
        # A grant that is not for the whole prefix is for the manifest alone.
        grant=grant.query if isinstance(grant, PrefixGrant) else "",
        target=target,
        rungs=rungs,
        timeout=timeout,
        patient=patient,
        cookie="; ".join(f"{cookie.name}={cookie.value}" for cookie in grant.cookies),
    )


class Finding(Struct, frozen=True, rename="camel"):
    """What came of it. `latency_ms` until the whole first segment was there, or until it was clear what is wrong;
    without the pauses between two looks. `status`: the HTTP status of the last answer, None when there was none."""

    verdict: ProbeVerdict
    latency_ms: float
    status: int | None = None
    detail: str = ""
