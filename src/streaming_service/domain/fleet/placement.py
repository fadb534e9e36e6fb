"""Which origins may get a channel, in which order, and from which they move away."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b

from streaming_service.domain.fleet.health import HEALTH_POLICY, HealthPolicy, HealthState, OriginHealth
from streaming_service.domain.fleet.topology import Topology


def rendezvous(key: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names in the order in which `key` prefers them: the highest random weight first.

    Every process computes the same order from the names alone. Without one of them the order of the others stays, so
    only the keys that preferred it move. D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
    IEEE/ACM Transactions on Networking 6(1), 1998; the hash is BLAKE2b instead of theirs.
    """
    return tuple(sorted(set(names), key=lambda name: (_weight(key, name), name), reverse=True))


def allowed(
    capacity: int, health: OriginHealth, drained: bool, now: datetime, policy: HealthPolicy = HEALTH_POLICY
) -> int:
    """How many channels may be on an origin before it gets no more: 0 when it is drained, overloaded or not reachable.

    What is on it beyond that stays: only a drained or given up origin is moved away from.
    """
    if drained or health.load.overloaded_at(now, policy.load):
        return 0
    return health.room(capacity, now, policy)


def given_up(topology: Topology, health: Mapping[str, OriginHealth]) -> frozenset[str]:
    """The origins whose channels are to be placed again elsewhere.

    One is given up when it is down while another one of a common pool is up. When all of them look down it is us who
    are cut off, and nothing moves. One that is still recovering is no proof: after we come back, the first to count as
    reachable would have the others given up that are about to follow.
    """
    lost: set[str] = set()
    for pool in topology.pools.values():
        states = {origin.name: health[origin.name].state for origin in pool.origins if origin.name in health}
        if HealthState.UP in states.values():
            lost.update(name for name, state in states.items() if state is HealthState.DOWN)
    return frozenset(lost)


def _weight(key: str, name: str) -> bytes:
    # Names hold no NUL, so no two pairs are written alike.
    return blake2b(f"{key}\0{name}".encode(errors="surrogatepass"), digest_size=8).digest()
