"""Where the viewers of a content, or all viewers, are sent: a machine that prefers the primary and never flaps.

primary    half of the known regions fail for certain, and the failover is usable → promoted
promoted   the primary was clear for five minutes → returning
           the failover fails for certain, and the primary was clear for the hold-down → primary at once
returning  the ramp is over → primary; the primary fails again → promoted; the failover fails → primary at once

No way leads back to an origin that was left because it failed, before that has been clear for long enough. After a
return there is no promotion for a while that grows with each one. What an operator says is done at once, and stays.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.failover_evidence import Reading, Tally
from streaming_service.domain.failover_policy import FailoverPolicy
from streaming_service.domain.probe import Target

WHOLE = "cdn"
"""The subject that stands for all contents; no content id looks like it."""

_ITSELF = "failover"
_SPOTS = 2**32


class Mode(StrEnum):
    """RETURNING: viewers go back to the primary, a few more every second."""

    PRIMARY = "primary"
    PROMOTED = "promoted"
    RETURNING = "returning"


class Standing(Struct, frozen=True, kw_only=True):
    """Where a subject's viewers are sent: WHOLE, or a content id. `version` 0: it was never written.

    since       of the mode; `reason` and `actor` are those of the last change, `changed_at` its moment
    ends_at     of the ramp, while there is one
    manual      an operator brought it here: who was promoted so stays until an operator says otherwise
    frozen_at   nothing but an operator changes anything since then
    promotions  those that count for the hold-down
    held_until  no promotion before that
    bad         the origin that was left last because it failed
    """

    subject: str
    since: datetime
    changed_at: datetime
    version: int = 0
    mode: Mode = Mode.PRIMARY
    reason: str = ""
    actor: str = _ITSELF
    ends_at: datetime | None = None
    manual: bool = False
    frozen_at: datetime | None = None
    promotions: int = 0
    held_until: datetime | None = None
    bad: Target | None = None

    @property
    def active(self) -> bool:
        """There is something to know about it."""
        remembered = self.promotions > 0 or self.held_until is not None or self.bad is not None
        return self.mode is not Mode.PRIMARY or self.frozen_at is not None or remembered

    def share(self, now: datetime) -> float:
        """The part of the viewers that the failover serves, 0 to 1. While it is frozen a ramp stands still."""
        if self.mode is Mode.PRIMARY:
            return 0.0
        if self.mode is Mode.PROMOTED or self.ends_at is None:
            return 1.0
        left = (self.ends_at - (self.frozen_at or now)).total_seconds()
        ramp = (self.ends_at - self.since).total_seconds()
        return min(1.0, max(0.0, left / ramp)) if ramp > 0 else 0.0

    def leads_away(self, viewer: str, now: datetime) -> bool:
        """Whether this viewer goes to the failover. In a ramp each goes back once, at a moment of its own."""
        if self.mode is Mode.PROMOTED:
            return True
        return self.mode is Mode.RETURNING and crc32(viewer.encode()) < self.share(now) * _SPOTS


class Decision(Struct, frozen=True):
    """What the machine does, if anything, and what it thinks. `probe_in` seconds it wants to know more."""

    standing: Standing | None = None
    thought: str = ""
    probe_in: float | None = None


def new_standing(subject: str, now: datetime) -> Standing:
    """Of what nobody ever changed: viewers go to the primary."""
    return Standing(subject=subject, since=now, changed_at=now)


def decide(before: Standing, reading: Reading, now: datetime, policy: FailoverPolicy) -> Decision:
    """What follows from what is known now."""
    if before.frozen_at is not None:
        return Decision(thought=f"frozen by {before.actor}")
    standing = settle(before, now, policy) or before
    if standing.mode is not Mode.PROMOTED:
        decision = _while_primary(standing, reading, now, policy)
    elif standing.manual:
        decision = Decision(thought="promoted by an operator: only an operator ends it", probe_in=policy.watch)
    else:
        decision = _while_promoted(standing, reading, now, policy)
    if decision.standing is None and standing is not before:
        return replace(decision, standing=standing)
    return decision


def settle(before: Standing, now: datetime, policy: FailoverPolicy) -> Standing | None:
    """What time alone changes: a ramp is over, promotions are forgotten. None: nothing."""
    standing = before
    if standing.frozen_at is not None:
        return None
    if standing.mode is Mode.RETURNING and standing.ends_at is not None and now >= standing.ends_at:
        standing = replace(standing, mode=Mode.PRIMARY, since=standing.ends_at, ends_at=None, changed_at=now)
    if standing.mode is Mode.PRIMARY:
        quiet = (now - standing.since).total_seconds() >= policy.forgotten
        if standing.promotions and quiet:
            standing = replace(standing, promotions=0, changed_at=now)
        # While promotions count it is left where it is: one write less for each return.
        if not standing.promotions and standing.held_until and now >= standing.held_until:
            standing = replace(standing, held_until=None, manual=False, changed_at=now)
    return None if standing is before else standing


def abandon(standing: Standing, now: datetime) -> Standing:
    """The content is gone, so that nobody has to be sent anywhere. What an operator said stays."""
    if standing.mode is Mode.PRIMARY or standing.manual or standing.frozen_at is not None:
        return standing
    why = "the content is gone"
    return replace(
        standing, mode=Mode.PRIMARY, since=now, changed_at=now, reason=why, actor=_ITSELF, ends_at=None, bad=None
    )


def _while_primary(standing: Standing, reading: Reading, now: datetime, policy: FailoverPolicy) -> Decision:
    rehabilitated = standing.bad is Target.FAILOVER and reading.failover_clear >= policy.clear
    if rehabilitated:
        standing = replace(standing, bad=None, changed_at=now)
    kept = standing if rehabilitated else None
    if standing.mode is Mode.RETURNING and reading.failover.fails and reading.primary.usable:
        why = f"{_count(reading, Target.FAILOVER)}: everybody returns at once"
        return Decision(_gone_back(standing, why, now, policy), why)
    watch = policy.watch if standing.mode is Mode.RETURNING or standing.bad else None
    if not reading.primary.fails:
        if reading.primary.doubtful:
            return Decision(kept, f"{_count(reading, Target.PRIMARY)}: to be confirmed", policy.quick)
        return Decision(kept, standing.reason if standing.mode is Mode.RETURNING else "", watch)
    why = _count(reading, Target.PRIMARY)
    # A ramp that has hardly begun may end where it began; whoever is back on the primary stays there for a while.
    if standing.held_until and now < standing.held_until and (standing.manual or standing.mode is Mode.PRIMARY):
        pause = (standing.held_until - now).total_seconds()
        return Decision(kept, f"{why}, and no promotion for another {pause:.0f} s", min(policy.watch, pause))
    if standing.bad is Target.FAILOVER:
        return Decision(kept, f"{why}, but the failover failed last and is not clear yet", policy.watch)
    if not reading.failover.known:
        return Decision(kept, f"{why}, but nothing is known of the failover", policy.quick)
    if not reading.failover.usable:
        return Decision(kept, f"{why}, but {_count(reading, Target.FAILOVER, well=True)}", policy.watch)
    return Decision(_promoted(standing, why, now), why, policy.watch)


def _while_promoted(standing: Standing, reading: Reading, now: datetime, policy: FailoverPolicy) -> Decision:
    stayed = (now - standing.since).total_seconds()
    if stayed < policy.dwell:
        return Decision(thought=standing.reason, probe_in=policy.watch)
    if reading.primary_clear >= policy.clear:
        why = f"the primary has been clear for {reading.primary_clear:.0f} s"
        return Decision(_returning(standing, why, now, policy), why, policy.watch)
    if reading.failover.fails:
        why = _count(reading, Target.FAILOVER)
        if reading.primary.usable and reading.primary_clear >= policy.hold_down_of(standing.promotions):
            return Decision(_gone_back(standing, why, now, policy), why, policy.watch)
        return Decision(thought=f"{why}, but the primary is not clear for long enough", probe_in=policy.watch)
    if reading.failover.doubtful:
        return Decision(thought=f"{_count(reading, Target.FAILOVER)}: to be confirmed", probe_in=policy.quick)
    return Decision(thought=standing.reason, probe_in=policy.watch)


def _promoted(standing: Standing, why: str, now: datetime) -> Standing:
    return replace(
        standing,
        mode=Mode.PROMOTED,
        since=now,
        changed_at=now,
        reason=why,
        actor=_ITSELF,
        ends_at=None,
        manual=False,
        promotions=standing.promotions + 1,
        held_until=None,
        bad=Target.PRIMARY,
    )


def _returning(standing: Standing, why: str, now: datetime, policy: FailoverPolicy) -> Standing:
    ends_at = now + timedelta(seconds=policy.ramp)
    return replace(
        standing,
        mode=Mode.RETURNING,
        since=now,
        changed_at=now,
        reason=why,
        actor=_ITSELF,
        ends_at=ends_at,
        manual=False,
        held_until=ends_at + timedelta(seconds=policy.hold_down_of(standing.promotions)),
        bad=None,
    )


def _gone_back(standing: Standing, why: str, now: datetime, policy: FailoverPolicy) -> Standing:
    """At once, because the failover fails."""
    return replace(
        standing,
        mode=Mode.PRIMARY,
        since=now,
        changed_at=now,
        reason=why,
        actor=_ITSELF,
        ends_at=None,
        manual=False,
        held_until=now + timedelta(seconds=policy.hold_down_of(standing.promotions)),
        bad=Target.FAILOVER,
    )


def _count(reading: Reading, target: Target, *, well: bool = False) -> str:
    tally: Tally = reading.primary if target is Target.PRIMARY else reading.failover
    if well:
        return f"only {tally.well} of {tally.known} {reading.what} are well on the {target}"
    return f"{max(tally.sure, tally.failing)} of {tally.known} {reading.what} fail on the {target}"
