"""How one origin fares, from what its probes say, with hysteresis: a blip changes nothing, and nothing flaps.

unknown     a success → up: a process that has just started believes the first answer
up          a failure → suspect
suspect     3 successes in a row → up, or recovering while its ramp lasts
down        3 successes in a row → recovering, and the ramp begins
recovering  a failure → suspect; a success after the ramp → up
all         3 failures in a row that span at least 10 s → down
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.fleet.load import LOAD_POLICY, Load, LoadPolicy


class HealthState(StrEnum):
    UNKNOWN = "unknown"
    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"
    RECOVERING = "recovering"


class HealthPolicy(Struct, frozen=True, kw_only=True):
    """Counts are probes in a row, durations seconds.

    An origin is down after `failures` that span at least `down_seconds`, and answers again after `successes`. For
    `ramp_seconds` after it was down its allowed capacity grows from 1 to the full.
    """

    failures: int = 3
    down_seconds: float = 10.0
    successes: int = 3
    ramp_seconds: float = 60.0
    load: LoadPolicy = LOAD_POLICY


HEALTH_POLICY = HealthPolicy()


class OriginHealth(Struct, frozen=True, kw_only=True):
    """`since` is when it came into this state. `successes` and `failures` are those in a row; one of them is 0.

    `recovered_at` is when the ramp began, while there is one: failures do not stop it, being down does.
    """

    since: datetime
    state: HealthState = HealthState.UNKNOWN
    successes: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    recovered_at: datetime | None = None
    load: Load = Load()

    def succeeded(self, now: datetime, policy: HealthPolicy = HEALTH_POLICY) -> "OriginHealth":
        """A probe was answered."""
        successes = self.successes + 1
        state = self._after_success(successes, now, policy)
        begins = self.state is HealthState.DOWN and state is HealthState.RECOVERING
        return replace(
            self,
            state=state,
            since=self.since if state is self.state else now,
            successes=successes,
            failures=0,
            failing_since=None,
            recovered_at=now if begins else None if state is HealthState.UP else self.recovered_at,
        )

    def failed(self, now: datetime, policy: HealthPolicy = HEALTH_POLICY) -> "OriginHealth":
        """A probe was not answered, or answered that the origin is broken."""
        failing_since = self.failing_since or now
        state = self._after_failure(self.failures + 1, (now - failing_since).total_seconds(), policy)
        return replace(
            self,
            state=state,
            since=self.since if state is self.state else now,
            successes=0,
            failures=self.failures + 1,
            failing_since=failing_since,
            recovered_at=None if state is HealthState.DOWN else self.recovered_at,
        )

    def progressed(self, ratio: float, now: datetime, policy: HealthPolicy = HEALTH_POLICY) -> "OriginHealth":
        """Its playlists advanced by `ratio` of the time that passed (see `Load`)."""
        return replace(self, load=self.load.observed(ratio, now, policy.load))

    @property
    def reachable(self) -> bool:
        """It answers, or did until just now."""
        return self.state in {HealthState.UP, HealthState.SUSPECT, HealthState.RECOVERING}

    @property
    def in_doubt(self) -> bool:
        """Reachable, but the others are the better choice."""
        return self.state is HealthState.SUSPECT

    def room(self, capacity: int, now: datetime, policy: HealthPolicy = HEALTH_POLICY) -> int:
        """How many of `capacity` channels its health allows: none, the full, or in a ramp something from 1 on."""
        if not self.reachable:
            return 0
        if self.recovered_at is None or not self._ramping(now, policy):
            return capacity
        part = max(0.0, (now - self.recovered_at).total_seconds()) / policy.ramp_seconds
        return min(capacity, 1 + int((capacity - 1) * part))

    def _after_success(self, successes: int, now: datetime, policy: HealthPolicy) -> HealthState:
        sure = successes >= policy.successes
        match self.state:
            case HealthState.UNKNOWN:
                return HealthState.UP
            case HealthState.DOWN if sure:
                return HealthState.RECOVERING
            case HealthState.SUSPECT if sure:
                return HealthState.RECOVERING if self._ramping(now, policy) else HealthState.UP
            case HealthState.RECOVERING if not self._ramping(now, policy):
                return HealthState.UP
            case _:
                return self.state

    def _after_failure(self, failures: int, seconds: float, policy: HealthPolicy) -> HealthState:
        if failures >= policy.failures and seconds >= policy.down_seconds:
            return HealthState.DOWN
        return HealthState.SUSPECT if self.state in {HealthState.UP, HealthState.RECOVERING} else self.state

    def _ramping(self, now: datetime, policy: HealthPolicy) -> bool:
        return self.recovered_at is not None and (now - self.recovered_at).total_seconds() < policy.ramp_seconds
