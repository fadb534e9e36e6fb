"""The failover machine against a naive rule, over outages of the shapes that happen and over random ones.

The naive rule is what one writes first: after each round of probes, half or more not well on the primary → failover,
otherwise → primary; a region that says nothing is not well. Both see the same probes every 15 s, and both are asked
every second where viewers are. The machine gets the quick probes that it asks for. Seeded: every run is the same.

`python -m bench.failover [--quick]`
"""

import random
import statistics
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

from bench.failover_patterns import PATTERNS, REGIONS, Pattern, Verdicts, clean_outage, random_life
from bench.figures import Figure, note, report
from streaming_service.domain.failover import Mode, decide, new_standing
from streaming_service.domain.failover_evidence import Evidence
from streaming_service.domain.failover_policy import FAILOVER_POLICY
from streaming_service.domain.probe import Observation, ProbeVerdict, Target

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_EVERY = 15
# There and back again within so many seconds is a flap.
_FLAP = 300
_CONTENT = "simulated"


class Rule(Protocol):
    """Says where viewers go."""

    def heard(self, verdicts: Verdicts, now: datetime, *, scheduled: bool) -> float | None:
        """One round of probes; in how many seconds it wants another one."""
        ...

    def heads_away(self) -> bool:
        """Viewers are sent to the failover, all of them."""
        ...

    def share(self, now: datetime) -> float:
        """The part of the viewers that is there."""
        ...


class Naive:
    """One look decides."""

    def __init__(self) -> None:
        self._away = False

    def heard(self, verdicts: Verdicts, now: datetime, *, scheduled: bool) -> float | None:
        del now, scheduled
        bad = sum(verdicts[Target.PRIMARY, region] is not ProbeVerdict.OK for region in REGIONS)
        self._away = 2 * bad >= len(REGIONS)
        return None

    def heads_away(self) -> bool:
        return self._away

    def share(self, now: datetime) -> float:
        del now
        return float(self._away)


class Machine:
    """Ours, moved as `application.failover` moves it."""

    def __init__(self) -> None:
        self._standing = new_standing(_CONTENT, _BEGIN)
        self._evidence = Evidence()

    def heard(self, verdicts: Verdicts, now: datetime, *, scheduled: bool) -> float | None:
        del scheduled
        for (target, region), verdict in verdicts.items():
            if verdict is not None:
                seen = Observation(_CONTENT, region, target, verdict, now, 50.0)
                self._evidence = self._evidence.with_observation(seen, now, FAILOVER_POLICY)
        self._evidence, reading = self._evidence.read(now, FAILOVER_POLICY)
        decision = decide(self._standing, reading, now, FAILOVER_POLICY)
        self._standing = decision.standing or self._standing
        return decision.probe_in

    def heads_away(self) -> bool:
        return self._standing.mode is Mode.PROMOTED

    def share(self, now: datetime) -> float:
        return self._standing.share(now)


class Outcome(NamedTuple):
    """What one life was like.

    moves     when viewers were sent elsewhere, there and back in turn
    needless  how often to the failover although the primary did not fail
    detect    seconds from the beginning of the outage until all were sent to the failover; None: they never were
    recover   seconds from its end until all were back; None likewise
    lost      viewer seconds on an origin that failed while the other one was well
    """

    moves: tuple[int, ...]
    needless: int
    detect: float | None
    recover: float | None
    lost: float

    @property
    def flaps(self) -> int:
        return sum(later - earlier < _FLAP for earlier, later in pairwise(self.moves))


def live(pattern: Pattern, rule: Rule, seed: int) -> Outcome:
    """Second by second."""
    chance = random.Random(seed)
    next_round, quick = chance.randrange(_EVERY), None
    moves: list[int] = []
    shares: list[float] = []
    needless, lost = 0, 0.0
    for second in range(pattern.seconds):
        now, scheduled = _BEGIN + timedelta(seconds=second), second == next_round
        if scheduled or (quick is not None and second >= quick):
            before = rule.heads_away()
            probe_in = rule.heard(pattern.probe(second, chance), now, scheduled=scheduled)
            quick = None if probe_in is None else second + probe_in
            next_round += _EVERY if scheduled else 0
            if rule.heads_away() is not before:
                moves.append(second)
                needless += rule.heads_away() and not pattern.fails(Target.PRIMARY, second)
        share = rule.share(now)
        shares.append(share)
        ours, theirs = pattern.fails(Target.PRIMARY, second), pattern.fails(Target.FAILOVER, second)
        lost += (1 - share) * (ours and not theirs) + share * (theirs and not ours)
    detect = recover = None
    if pattern.outage:
        begin, end = pattern.outage
        detect = _until(shares[begin:], lambda share: share == 1.0)
        recover = _until(shares[end:], lambda share: share == 0.0)
    return Outcome(tuple(moves), needless, detect, recover, lost)


def measure(lives: int) -> list[Figure]:
    """The named patterns, and as many random outages and random lives."""
    for pattern in PATTERNS:
        ours, naive = (live(pattern, make(), 1) for make in (Machine, Naive))
        note(
            f"{pattern.name}: {len(ours.moves)} moves (naive {len(naive.moves)}),"
            f" {ours.lost:.0f} viewer seconds lost (naive {naive.lost:.0f})"
        )
    troubled = [*PATTERNS, *map(random_life, range(lives))]
    ours, naive = _all(troubled, Machine), _all(troubled, Naive)
    outages = [*(item for item in PATTERNS if item.outage), *map(clean_outage, range(lives))]
    ours_out, naive_out = _all(outages, Machine), _all(outages, Naive)
    note(f"{len(troubled)} troubled lives: {_moves(ours)} moves (naive {_moves(naive)})")
    note(f"viewer seconds lost: {_lost(ours):,.0f} (naive {_lost(naive):,.0f})")
    clear, ramp = FAILOVER_POLICY.clear, FAILOVER_POLICY.ramp
    flaps, naive_flaps = sum(item.flaps for item in ours), sum(item.flaps for item in naive)
    return [
        Figure("failover_flaps_per_100_lives", 100 * flaps / len(troubled), 25, at_least=False),
        Figure("failover_naive_flaps_per_100_lives", 100 * naive_flaps / len(troubled), 100, at_least=True),
        Figure("failover_needless_promotions", sum(item.needless for item in ours), 0, at_least=False),
        Figure("failover_naive_needless_promotions", sum(item.needless for item in naive), 1, at_least=True),
        # A round and two quick ones; then the clear time and the ramp, or, when two probes at once fail for no reason,
        # the clear time again.
        *_times("failover", ours_out, (_EVERY + 5, _EVERY + 5), (clear + ramp + _EVERY, 2 * clear + ramp)),
        # What one look takes, whatever the rule: otherwise the simulation is wrong.
        *_times("failover_naive", naive_out, (_EVERY, _EVERY), (_EVERY, _EVERY)),
    ]


def _times(
    name: str, outcomes: Sequence[Outcome], detect: tuple[float, float], recover: tuple[float, float]
) -> list[Figure]:
    """The targets are for the median and the worst."""
    found = [item.detect for item in outcomes if item.detect is not None]
    back = [item.recover for item in outcomes if item.recover is not None]
    missed = 2 * len(outcomes) - len(found) - len(back)
    return [
        Figure(f"{name}_detect_seconds_median", statistics.median(found), detect[0], at_least=False),
        Figure(f"{name}_detect_seconds_worst", max(found), detect[1], at_least=False),
        Figure(f"{name}_recover_seconds_median", statistics.median(back), recover[0], at_least=False),
        Figure(f"{name}_recover_seconds_worst", max(back), recover[1], at_least=False),
        Figure(f"{name}_outages_missed", missed, 0, at_least=False),
    ]


def _all(patterns: Sequence[Pattern], make: Callable[[], Rule]) -> list[Outcome]:
    return [live(pattern, make(), seed) for seed, pattern in enumerate(patterns)]


def _moves(outcomes: Sequence[Outcome]) -> int:
    return sum(len(item.moves) for item in outcomes)


def _lost(outcomes: Sequence[Outcome]) -> float:
    return sum(item.lost for item in outcomes)


def _until(shares: Sequence[float], reached: Callable[[float], bool]) -> float | None:
    return next((float(second) for second, share in enumerate(shares) if reached(share)), None)


def main() -> int:
    figures = measure(20 if "--quick" in sys.argv[1:] else 100)
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
