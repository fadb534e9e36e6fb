"""Can viewers play it? A content is looked at from every region, at every target, and what is found is told."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog
from msgspec import Struct

from streaming_service.application.playback import NOT_READY_RETRY_AFTER, Refused
from streaming_service.application.ports import Clock, Failovers, ProbeMeter, Prober, Store
from streaming_service.domain.access import Refusal
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause, Endpoint
from streaming_service.domain.placement import Placement
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.domain.probe_journey import Finding, Journey, signed_journey
from streaming_service.domain.probe_ledger import Ledger
from streaming_service.domain.probe_region import Region
from streaming_service.domain.probe_report import failure, results
from streaming_service.domain.signing.scheme import Signer
from streaming_service.domain.state import Status
from streaming_service.tracing import part

log = structlog.get_logger(__name__)

UNKNOWN = "unknown"


class ProbePlan(Struct, frozen=True):
    """From where, at what, and how long.

    bases    where each target is reached; a target without one is not probed
    ttl      seconds that a probe's signature is good for
    timeout  seconds for a playlist
    """

    regions: tuple[Region, ...]
    bases: Mapping[Target, str]
    playlist: str
    ttl: int
    timeout: float
    endpoints: frozenset[Endpoint] = frozenset()
    audit_topic: str | None = None

    @property
    def lookouts(self) -> tuple[tuple[Region, ...], ...]:
        """Regions that are looked at together: one look from here stands for all that have no way of their own."""
        here = tuple(region for region in self.regions if region.is_here)
        return ((here,) if here else ()) + tuple((region,) for region in self.regions if not region.is_here)

    @property
    def cost(self) -> int:
        """How many journeys one content takes."""
        return len(self.lookouts) * len(self.bases)


class Probed(Struct, frozen=True):
    """What was found of a content: nothing when it was replaced meanwhile. `silent`: where nobody answered, so that
    nothing is known. `in_doubt`: a failure that another look has to confirm."""

    observations: tuple[Observation, ...] = ()
    silent: tuple[tuple[str, Target], ...] = ()
    in_doubt: bool = False


class ProbeReport(Struct, frozen=True):
    """The answer to somebody who asked: what was found, and where viewers are sent, and why."""

    probed: Probed
    failover: tuple[str, str]


class Probing:
    """Probes contents, one at a time each. `time` gives Unix seconds.

    Only while it `leads` are failures told: one process remembers what it told.
    """

    def __init__(
        self,
        *,
        store: Store,
        prober: Prober,
        failovers: Failovers,
        signer: Signer,
        plan: ProbePlan,
        meter: ProbeMeter,
        clock: Clock,
        time: Callable[[], float],
    ) -> None:
        self.plan = plan
        self._store = store
        self._prober = prober
        self._failovers = failovers
        self._signer = signer
        self._meter = meter
        self._clock = clock
        self._time = time
        self._ledger = Ledger()
        self._leads = False

    async def probe_now(self, content_id: str, cause: Cause) -> ProbeReport | Refused:
        """Somebody waits for the answer. Raises StoreError."""
        found = await self._playing(content_id)
        if isinstance(found, Refused):
            return found
        probed = await self._probe(*found, cause, asked_for=True)
        now = self._clock.now()
        if owed := results(probed.observations, content_id, now, cause, self.plan.endpoints):
            await self._store.owe(owed)
        return ProbeReport(probed, self._failovers.state(content_id))

    async def probe_in_turn(self, content_id: str, cause: Cause) -> Probed | None:
        """Its turn has come; None when viewers get nothing of it. Raises StoreError."""
        found = await self._playing(content_id)
        if isinstance(found, Refused):
            self._ledger.forget(content_id)
            return None
        return await self._probe(*found, cause, asked_for=False)

    def lead(self, leads: bool) -> None:
        """Whether this is the process that tells failures. What fails is told anew by the next one."""
        if self._leads and not leads:
            self._ledger.clear()
        self._leads = leads

    async def _playing(self, content_id: str) -> tuple[Channel, Placement] | Refused:
        channel = await self._store.get(content_id)
        if channel is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        if channel.status is Status.RETIRED:
            return Refused(Refusal.RETIRED)
        if channel.serving is None:
            return Refused(Refusal.NOT_READY, NOT_READY_RETRY_AFTER)
        window = channel.spec.availability
        if window and window.ends_at and self._time() >= window.ends_at.timestamp():
            return Refused(Refusal.NO_LONGER_AVAILABLE)
        return channel, channel.serving

    async def _probe(self, channel: Channel, serving: Placement, cause: Cause, *, asked_for: bool) -> Probed:
        asked = [(regions, target) for target in self.plan.bases for regions in self.plan.lookouts]
        journeys = {target: self._journey(channel, serving, target, patient=asked_for) for target in self.plan.bases}
        findings = await asyncio.gather(
            *(self._look(regions[0], target, journeys[target]) for regions, target in asked)
        )
        content_id, now = channel.content_id, self._clock.now()
        observations: list[Observation] = []
        silent: list[tuple[str, Target]] = []
        for (regions, target), finding in zip(asked, findings, strict=True):
            for region in regions:
                if finding is None:
                    silent.append((region.name, target))
                else:
                    observations.append(_observation(content_id, region.name, target, finding, now))
        if _any_fails(observations) and await self._was_replaced(content_id, serving):
            return Probed()
        self._count(observations, silent)
        if observations:
            await self._failovers.heard(observations, asked_for=asked_for)
        in_doubt = await self._tell(content_id, observations, silent, now, cause)
        return Probed(tuple(observations), tuple(silent), in_doubt)

    async def _look(self, region: Region, target: Target, journey: Journey) -> Finding | None:
        about = {"streaming.probe.region": region.name, "streaming.probe.target": target.value}
        with part("probe", attributes=about) as span:
            finding = await self._prober.probe(region, journey)
            span.note({"streaming.probe.verdict": finding.verdict.value if finding else UNKNOWN})
            if finding is None or finding.verdict is not ProbeVerdict.OK:
                span.failed(finding.verdict.value if finding else UNKNOWN)
            return finding

    def _journey(self, channel: Channel, serving: Placement, target: Target, *, patient: bool) -> Journey:
        own = channel.spec.base_url if target is Target.PRIMARY else None
        prefix = f"{own or self.plan.bases[target]}{serving.path}"
        grant = self._signer.sign(prefix, int(self._time()) + self.plan.ttl)
        rungs = serving.fitted or serving.rungs
        return signed_journey(grant, f"{self.plan.playlist}.m3u8", target, rungs, self.plan.timeout, patient=patient)

    async def _was_replaced(self, content_id: str, serving: Placement) -> bool:
        """What we looked at may have been taken away from under the probe: viewers are not sent there any more."""
        channel = await self._store.get(content_id)
        now = channel.serving if channel and channel.status is not Status.RETIRED else None
        return now is None or now.path != serving.path

    def _count(self, observations: Sequence[Observation], silent: Sequence[tuple[str, Target]]) -> None:
        for item in observations:
            self._meter.probed(item.region, item.target, item.verdict)
        for region, target in silent:
            self._meter.probed(region, target, UNKNOWN)

    async def _tell(
        self,
        content_id: str,
        observations: Sequence[Observation],
        silent: Sequence[tuple[str, Target]],
        now: datetime,
        cause: Cause,
    ) -> bool:
        if not self._leads:
            return False
        turns, in_doubt = self._ledger.note(content_id, observations, silent)
        for turn in turns:
            failing = {region: verdict.value for region, verdict in turn.failing.items()}
            log.warning("probes changed", content_id=content_id, target=turn.target, failing=failing)
        plan = self.plan
        told = [failure(turn, observations, now, cause, plan.endpoints, plan.audit_topic) for turn in turns]
        if owed := [item for alerts in told for item in alerts]:
            await self._store.owe(owed)
        return in_doubt


def _observation(content_id: str, region: str, target: Target, finding: Finding, at: datetime) -> Observation:
    return Observation(
        content_id, region, target, finding.verdict, at, finding.latency_ms, finding.status, finding.detail
    )


def _any_fails(observations: Sequence[Observation]) -> bool:
    return any(item.verdict is not ProbeVerdict.OK for item in observations)
