"""What probes have told of the two origins, and what follows from it: pure counting, no decision yet."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.failover_policy import FailoverPolicy
from streaming_service.domain.probe import Observation, ProbeVerdict, Target


def fails(verdict: ProbeVerdict) -> bool:
    """Whether another origin could help. A signature that is refused here is refused there: it is our own key."""
    return verdict not in {ProbeVerdict.OK, ProbeVerdict.SIGNATURE_REJECTED}


class Heard(Struct, frozen=True):
    """The last that a region told of an origin. `failures` are those in a row, the newest counted at `counted_at`."""

    verdict: ProbeVerdict
    at: datetime
    failures: int = 0
    counted_at: datetime | None = None

    def and_then(self, verdict: ProbeVerdict, at: datetime, policy: FailoverPolicy) -> "Heard":
        """A newer one; an older one changes nothing.

        Probes of the same moment are one: only what fails again after a pause says that it goes on failing.
        """
        if at < self.at:
            return self
        if not fails(verdict):
            return Heard(verdict, at)
        if self.counted_at is None or (at - self.at).total_seconds() > policy.silence:
            return Heard(verdict, at, 1, at)
        if (at - self.counted_at).total_seconds() < policy.quick / 2:
            return Heard(verdict, at, self.failures, self.counted_at)
        return Heard(verdict, at, self.failures + 1, at)


class Tally(Struct, frozen=True):
    """How many of those that are known (regions, or contents) fail.

    sure     of `failing`, those whose failure is certain
    well     those that are known to be well
    enough   so many failures are too many
    """

    known: int = 0
    failing: int = 0
    sure: int = 0
    well: int = 0
    enough: int = 1

    @property
    def fails(self) -> bool:
        """For certain."""
        return self.sure >= self.enough

    @property
    def doubtful(self) -> bool:
        """It fails, which is to be confirmed."""
        return self.failing >= self.enough and not self.fails

    @property
    def usable(self) -> bool:
        """Viewers may be sent there: too few are not well for anything to be wrong with it."""
        return self.known > 0 and self.known - self.well < self.enough

    @property
    def clear(self) -> bool:
        """At most a quarter is not well: farther from failing than half, so that what wavers is not taken for clear."""
        return self.known > 0 and 4 * (self.known - self.well) <= self.known


def tally_regions(heard: Iterable[Heard], now: datetime, policy: FailoverPolicy) -> Tally:
    """Half of the known regions are enough. Those that are silent are not among them."""
    known = failing = sure = well = 0
    for item in heard:
        if (now - item.at).total_seconds() > policy.silence:
            continue
        known += 1
        failing += fails(item.verdict)
        sure += item.failures >= policy.failures
        well += item.verdict is ProbeVerdict.OK
    return Tally(known, failing, sure, well, max(1, (known + 1) // 2))


def tally_contents(tallies: Iterable[Tally], policy: FailoverPolicy) -> Tally:
    """Most of the known contents are enough; of a few nothing is known about the whole CDN.

    Contents that fail side by side confirm each other: once a few are certain, all that fail are.
    """
    known = failing = certain = well = 0
    for item in tallies:
        if not item.known:
            continue
        known += 1
        failing += item.fails or item.doubtful
        certain += item.fails
        well += item.clear
    if known < policy.fewest_contents:
        return Tally()
    enough = known // 2 + 1
    sure = failing if certain >= min(policy.fewest_contents, enough) else certain
    return Tally(known, failing, sure, well, enough)


class Clearness(Struct, frozen=True):
    """Since when something has been clear without a break. Being unheard of for too long is a break."""

    since: datetime | None = None
    at: datetime | None = None

    def looked_at(self, clear: bool, now: datetime, policy: FailoverPolicy) -> "Clearness":
        """As it is now."""
        if not clear:
            return Clearness(None, now)
        unbroken = self.at is not None and (now - self.at).total_seconds() <= policy.silence
        return Clearness(self.since if unbroken and self.since else now, now)

    @property
    def seconds(self) -> float:
        """How long, as far as it was looked at."""
        return (self.at - self.since).total_seconds() if self.at and self.since else 0.0


class Reading(Struct, frozen=True):
    """What is known about a content, or the whole CDN, on both origins. `what` is counted there.

    The clear times are in seconds, without a break until now.
    """

    primary: Tally = Tally()
    failover: Tally = Tally()
    primary_clear: float = 0.0
    failover_clear: float = 0.0
    what: str = "regions"


class Evidence(Struct, frozen=True):
    """Everything heard about a content."""

    heard: Mapping[tuple[Target, str], Heard] = {}
    primary: Clearness = Clearness()
    failover: Clearness = Clearness()

    def with_observation(self, observation: Observation, now: datetime, policy: FailoverPolicy) -> "Evidence":
        """One more; a moment that is yet to come is taken for now."""
        key, at = (observation.target, observation.region), min(observation.at, now)
        before = self.heard.get(key)
        after = before or Heard(ProbeVerdict.OK, at)
        return replace(self, heard={**self.heard, key: after.and_then(observation.verdict, at, policy)})

    def tally(self, target: Target, now: datetime, policy: FailoverPolicy) -> Tally:
        """Of the regions, as to this origin."""
        return tally_regions((item for (of, _), item in self.heard.items() if of is target), now, policy)

    def read(self, now: datetime, policy: FailoverPolicy) -> tuple["Evidence", Reading]:
        """What it says now; to be called after whatever was heard, because it also keeps how long things are clear."""
        primary, failover = self.tally(Target.PRIMARY, now, policy), self.tally(Target.FAILOVER, now, policy)
        after = replace(
            self,
            primary=self.primary.looked_at(primary.clear, now, policy),
            failover=self.failover.looked_at(failover.clear, now, policy),
        )
        return after, Reading(primary, failover, after.primary.seconds, after.failover.seconds)


class Survey(Struct, frozen=True):
    """How long the whole CDN has been clear."""

    primary: Clearness = Clearness()
    failover: Clearness = Clearness()

    def read(
        self, primary: Iterable[Tally], failover: Iterable[Tally], now: datetime, policy: FailoverPolicy
    ) -> tuple["Survey", Reading]:
        """From the tallies of all contents on either origin."""
        ours, theirs = tally_contents(primary, policy), tally_contents(failover, policy)
        after = Survey(
            self.primary.looked_at(ours.clear, now, policy), self.failover.looked_at(theirs.clear, now, policy)
        )
        return after, Reading(ours, theirs, after.primary.seconds, after.failover.seconds, "contents")
