"""The machine with its evidence, moved by probes, as `application.failover` moves it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from streaming_service.domain.failover import Decision, Mode, Standing, decide, new_standing
from streaming_service.domain.failover_evidence import Evidence, Reading
from streaming_service.domain.failover_policy import FAILOVER_POLICY, FailoverPolicy
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from tests.fakes import NOW

REGIONS = ("iad", "sfo", "ams")
OK = ProbeVerdict.OK
CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"

Verdicts = Sequence[ProbeVerdict | None]


class Run:
    """`log` has every change: when, from which mode, to which, and what was known."""

    def __init__(self, regions: Sequence[str] = REGIONS, policy: FailoverPolicy = FAILOVER_POLICY) -> None:
        self.now = NOW
        self.regions = regions
        self.policy = policy
        self.standing: Standing = new_standing(CONTENT, NOW)
        self.evidence = Evidence()
        self.thought = ""
        self.log: list[tuple[datetime, Standing, Standing, Reading]] = []

    @property
    def mode(self) -> Mode:
        return self.standing.mode

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def probe(self, primary: Verdicts, failover: Verdicts | None = None) -> Decision:
        """One round; None is a region that says nothing. The failover is well unless told otherwise."""
        theirs = [OK] * len(self.regions) if failover is None else failover
        for target, verdicts in ((Target.PRIMARY, primary), (Target.FAILOVER, theirs)):
            for region, verdict in zip(self.regions, verdicts, strict=True):
                if verdict is not None:
                    seen = Observation(CONTENT, region, target, verdict, self.now, 10.0)
                    self.evidence = self.evidence.with_observation(seen, self.now, self.policy)
        self.evidence, reading = self.evidence.read(self.now, self.policy)
        decision = decide(self.standing, reading, self.now, self.policy)
        self.thought = decision.thought
        if decision.standing is not None:
            self.log.append((self.now, self.standing, decision.standing, reading))
            self.standing = decision.standing
        return decision

    def clear_for(self, seconds: float, failover: ProbeVerdict = OK) -> None:
        """Rounds every five seconds in which the primary is well."""
        left = seconds
        while left > 0:
            self.wait(min(5.0, left))
            left -= 5.0
            self.probe([OK] * len(self.regions), [failover] * len(self.regions))
