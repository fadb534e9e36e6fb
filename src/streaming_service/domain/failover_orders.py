"""What operators may order of a failover. They know better than the machine: it is done whatever the probes say."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from streaming_service.domain.failover import Mode, Standing
from streaming_service.domain.failover_policy import FailoverPolicy


def promote(standing: Standing, actor: str, reason: str, now: datetime) -> Standing:
    """All viewers to the failover, until `demote`. Again: nothing changes."""
    if standing.mode is Mode.PROMOTED and standing.manual:
        return standing
    return replace(
        standing,
        mode=Mode.PROMOTED,
        since=now if standing.mode is not Mode.PROMOTED else standing.since,
        changed_at=now,
        reason=reason,
        actor=actor,
        ends_at=None,
        manual=True,
        held_until=None,
    )


def demote(standing: Standing, actor: str, reason: str, now: datetime, policy: FailoverPolicy) -> Standing:
    """Viewers back to the primary over the ramp; while they go, again: the rest at once. On the primary: no change.

    Frozen, a ramp would stand still: there it is at once, too. The machine does not promote again before the longest
    hold-down is over.
    """
    if standing.mode is Mode.PRIMARY:
        return standing
    at_once = standing.mode is Mode.RETURNING or standing.frozen_at is not None
    ends_at = now if at_once else now + timedelta(seconds=policy.ramp)
    return replace(
        standing,
        mode=Mode.PRIMARY if at_once else Mode.RETURNING,
        since=now,
        changed_at=now,
        reason=reason,
        actor=actor,
        ends_at=None if at_once else ends_at,
        manual=True,
        held_until=ends_at + timedelta(seconds=policy.longest_hold_down),
        bad=None,
    )


def freeze(standing: Standing, actor: str, reason: str, now: datetime) -> Standing:
    """Nothing changes by itself from now on; a ramp stands still. Again: nothing changes."""
    if standing.frozen_at is not None:
        return standing
    return replace(standing, frozen_at=now, changed_at=now, actor=actor, reason=reason)


def unfreeze(standing: Standing, actor: str, reason: str, now: datetime) -> Standing:
    """The machine decides again; a ramp goes on from where it stood."""
    if standing.frozen_at is None:
        return standing
    stood = now - standing.frozen_at
    ramping = standing.ends_at is not None
    return replace(
        standing,
        frozen_at=None,
        changed_at=now,
        actor=actor,
        reason=reason,
        since=standing.since + stood if ramping else standing.since,
        ends_at=standing.ends_at + stood if standing.ends_at else None,
        held_until=standing.held_until + stood if standing.held_until and ramping else standing.held_until,
    )
