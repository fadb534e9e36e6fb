"""Who tries tokens or content ids is held up; who watches is not."""

from collections.abc import AsyncIterator

import pytest

from streaming_service.domain.guessing import Guesses
from streaming_service.entrypoints.http.clients import Clients
from tests.integration.http.harness import (
    CONTENT,
    METRICS_TOKEN,
    SERVICE_TOKEN,
    Harness,
    playable,
    serving,
    viewer,
)

pytestmark = pytest.mark.anyio
LIMIT = 5
OTHER = "9b2e4c1a-7c1b-4d52-8a3f-000000000001"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def guarded(clock: Clock) -> AsyncIterator[Harness]:
    async with serving(clients=Clients(Guesses(LIMIT), None, clock)) as harness:
        await harness.add(playable())
        yield harness


async def guess(harness: Harness, times: int, content: str = CONTENT) -> list[int]:
    """With another token each time."""
    return [(await harness.watch(content, token=f"guess-{number}")).status for number in range(times)]


async def test_tokens_are_tried_so_often_and_then_nobody_is_asked(guarded: Harness, clock: Clock) -> None:
    assert await guess(guarded, LIMIT) == [401] * LIMIT
    asked = len(guarded.viewers.asked)
    refused = await guarded.watch(token="guess-x")

    assert (refused.status, refused.json["code"]) == (429, "too_many_guesses")
    assert 60 <= int(refused.headers["retry-after"]) <= 121
    assert len(guarded.viewers.asked) == asked
    counted = guarded.api.metrics.registry.get_sample_value(
        "streaming_manifest_requests_total", {"result": "too_many_guesses"}
    )
    assert counted == 1.0

    clock.now += 121
    assert await guess(guarded, 1) == [401]


async def test_a_token_that_is_known_watches_on_from_the_same_address(guarded: Harness) -> None:
    assert (await guarded.watch()).status == 200
    guarded.viewers.known["scopeless"] = viewer(scopes=frozenset())
    assert (await guarded.watch(token="scopeless")).status == 403
    await guess(guarded, LIMIT)

    assert (await guarded.watch()).status == 200
    assert (await guarded.watch(query="?session=9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d99")).status == 200
    assert (await guarded.watch(token="scopeless")).status == 403
    assert (await guarded.watch(token=None)).status == 401
    assert (await guarded.watch(OTHER)).status == 429


async def test_an_inactive_token_that_is_shown_again_and_again_is_a_guess_each_time(guarded: Harness) -> None:
    statuses = [(await guarded.watch(token="stale")).status for _ in range(LIMIT + 2)]

    assert statuses == [401] * LIMIT + [429] * 2


async def test_content_ids_are_tried_so_often_and_then_the_store_is_not_asked(guarded: Harness) -> None:
    contents = [f"9b2e4c1a-7c1b-4d52-8a3f-{number:012}" for number in range(LIMIT)]
    statuses = [(await guarded.watch(content)).status for content in contents]
    guarded.store.down = True

    assert statuses == [404] * LIMIT
    assert (await guarded.watch(OTHER)).status == 429


@pytest.mark.parametrize(
    ("path", "right"),
    [("/v1/admin/streams", SERVICE_TOKEN), ("/internal/qos", SERVICE_TOKEN), ("/metrics", METRICS_TOKEN)],
)
async def test_the_other_secrets_are_not_tried_for_ever_and_the_right_one_always_counts(
    guarded: Harness, path: str, right: str
) -> None:
    statuses = [
        (await guarded.ask("GET", path, headers={"authorization": f"Bearer guess-{number}"})).status
        for number in range(LIMIT + 1)
    ]

    assert statuses == [403] * LIMIT + [429]
    assert (await guarded.ask("GET", path, headers={"authorization": f"Bearer {right}"})).status == 200
    assert (await guarded.ask("GET", path)).status == 401


async def test_without_a_wrong_guess_nothing_is_counted(guarded: Harness) -> None:
    for _ in range(LIMIT * 3):
        assert (await guarded.watch()).status == 200
        assert (await guarded.watch(token=None)).status == 401

    assert not guarded.api.clients
