"""What happens to origins: the shapes that incidents have, and random ones. Seconds throughout."""

import math
import random
from collections.abc import Mapping
from typing import NamedTuple

from streaming_service.domain.probe import ProbeVerdict, Target

REGIONS = ("iad", "sfo", "ams", "nrt", "gru")
PRIMARY, FAILOVER = Target.PRIMARY, Target.FAILOVER
_NOISE = 0.01  # so many probes fail for no reason
_HELPLESS = frozenset({ProbeVerdict.SIGNATURE_REJECTED, None})

Verdicts = Mapping[tuple[Target, str], ProbeVerdict | None]


class Trouble(NamedTuple):
    """Probes of these regions find this, with this probability; None: the region says nothing at all."""

    target: Target
    begin: int
    end: int
    verdict: ProbeVerdict | None = ProbeVerdict.UNREACHABLE
    regions: tuple[str, ...] = REGIONS
    probability: float = 1.0


class Pattern(NamedTuple):
    """A life of two origins. `outage`: the one whose detection and recovery are measured."""

    name: str
    seconds: int
    troubles: tuple[Trouble, ...]
    outage: tuple[int, int] | None = None

    def probe(self, second: int, chance: random.Random) -> Verdicts:
        """What a round of probes finds."""
        found: dict[tuple[Target, str], ProbeVerdict | None] = {}
        for target in (PRIMARY, FAILOVER):
            for region in REGIONS:
                noise = chance.random() < _NOISE
                verdict: ProbeVerdict | None = ProbeVerdict.UNREACHABLE if noise else ProbeVerdict.OK
                for trouble in self._at(target, second):
                    if region in trouble.regions and chance.random() < trouble.probability:
                        verdict = trouble.verdict
                found[target, region] = verdict
        return found

    def fails(self, target: Target, second: int) -> bool:
        """Whether half of the regions really have trouble there, more often than not."""
        hit = {
            region
            for trouble in self._at(target, second)
            if trouble.verdict not in _HELPLESS and trouble.probability >= 0.5
            for region in trouble.regions
        }
        return 2 * len(hit) >= len(REGIONS)

    def _at(self, target: Target, second: int) -> list[Trouble]:
        return [item for item in self.troubles if item.target is target and item.begin <= second < item.end]


def _every(target: Target, begin: int, end: int, up: int, down: int) -> tuple[Trouble, ...]:
    return tuple(Trouble(target, start, start + down) for start in range(begin, end, up + down))


# Each has the shape of something that happens; none is a recording of one event.
PATTERNS = (
    Pattern("an outage of ten minutes", 2400, (Trouble(PRIMARY, 300, 900),), (300, 900)),
    Pattern(
        "three of five regions cut off", 2400, (Trouble(PRIMARY, 300, 900, regions=("iad", "sfo", "ams")),), (300, 900)
    ),
    Pattern("one of five regions cut off", 2400, (Trouble(PRIMARY, 300, 1500, regions=("gru",)),)),
    Pattern("packets lost for three seconds, again and again", 3600, _every(PRIMARY, 200, 3400, 47, 3)),
    Pattern("an origin that restarts every minute", 3600, _every(PRIMARY, 300, 2700, 40, 20)),
    Pattern("an origin up and down by minutes", 7200, _every(PRIMARY, 300, 4500, 150, 150)),
    Pattern("agents fall silent", 3600, (Trouble(PRIMARY, 300, 2400, None, ("iad", "sfo", "ams", "nrt")),)),
    Pattern("a wrong signing key", 3600, (Trouble(PRIMARY, 300, 2400, ProbeVerdict.SIGNATURE_REJECTED),)),
    Pattern("both origins down", 3600, (Trouble(PRIMARY, 300, 1200), Trouble(FAILOVER, 300, 1200))),
    Pattern(
        "the failover dies after the primary is back", 3600, (Trouble(PRIMARY, 300, 500), Trouble(FAILOVER, 620, 2000))
    ),
    Pattern("a brown-out", 3600, (Trouble(PRIMARY, 300, 1800, ProbeVerdict.SLOW, probability=0.4),)),
    Pattern(
        "a slow death", 3600, tuple(Trouble(PRIMARY, 300 + 60 * n, 1800, regions=REGIONS[n : n + 1]) for n in range(5))
    ),
)


def clean_outage(seed: int) -> Pattern:
    """Half of the regions or more, for one to thirty minutes."""
    chance = random.Random(f"outage/{seed}")
    begin, lasts = chance.randrange(120, 600), int(60 * 30 ** chance.random())
    regions = tuple(chance.sample(REGIONS, chance.randint(3, 5)))
    trouble = Trouble(PRIMARY, begin, begin + lasts, regions=regions)
    return Pattern(f"outage {seed}", begin + lasts + 1200, (trouble,), (begin, begin + lasts))


def random_life(seed: int) -> Pattern:
    """Two hours with one to eight troubles of any kind, from a second to twenty minutes long."""
    chance = random.Random(f"life/{seed}")
    troubles: list[Trouble] = []
    for _ in range(chance.randint(1, 8)):
        begin, lasts = chance.randrange(60, 6600), math.ceil(1200 ** chance.random())
        verdict = chance.choice([*ProbeVerdict, None])
        if verdict is ProbeVerdict.OK:
            verdict = ProbeVerdict.HTTP_ERROR
        regions = tuple(chance.sample(REGIONS, chance.randint(1, 5)))
        target = PRIMARY if chance.random() < 0.8 else FAILOVER
        troubles.append(Trouble(target, begin, begin + lasts, verdict, regions, chance.choice([1.0, 1.0, 0.5, 0.2])))
    return Pattern(f"life {seed}", 7200, tuple(troubles))
