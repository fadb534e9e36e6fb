"""Guessing is slowed down, client by client."""

import random
from collections import deque

import pytest

from streaming_service.domain.guessing import GuessLimiter


def test_so_many_are_free_and_then_one_has_to_wait() -> None:
    limiter = GuessLimiter(10, seconds=60)
    for _ in range(10):
        assert limiter.wait("a", 0.0) == 0
        limiter.guessed_wrong("a", 0.0)
    wait = limiter.wait("a", 0.0)
    assert 60 <= wait <= 120
    assert limiter.wait("b", 0.0) == 0
    assert limiter.wait("a", wait - 2.0) > 0
    assert limiter.wait("a", float(wait)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_whoever_waits_as_told_may_go_on_and_nobody_gets_far_more_than_the_limit(seed: int) -> None:
    chance = random.Random(seed)
    limit, seconds = chance.randint(1, 30), chance.choice([1.0, 10.0, 60.0])
    limiter, now = GuessLimiter(limit, seconds), chance.random() * 1000
    made: deque[float] = deque()
    for _ in range(2000):
        now += chance.expovariate(limit / seconds * 3)
        if wait := limiter.wait("a", now):
            assert limiter.wait("a", now + wait) == 0
            continue
        limiter.guessed_wrong("a", now)
        made.append(now)
        while made[0] <= now - seconds:
            made.popleft()
        # Somebody who spends a window at its very end finds the next one nearly free at its own end.
        assert len(made) <= 2 * limit + 1


def test_silence_forgets() -> None:
    limiter = GuessLimiter(2, seconds=60)
    for _ in range(5):
        limiter.guessed_wrong("a", 0.0)
    assert limiter.wait("a", 59.0) > 0
    assert limiter.wait("a", 180.0) == 0


def test_memory_is_bounded_and_keeps_the_latest() -> None:
    limiter = GuessLimiter(1, capacity=3)
    for client in "abcabd":
        limiter.guessed_wrong(client, 0.0)
    assert [bool(limiter.wait(client, 0.0)) for client in "abcd"] == [True, True, False, True]
