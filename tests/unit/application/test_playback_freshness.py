"""How long what is known about a content counts, and playback without a viewer."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest

from streaming_service.application.playback import Refused, SignedPlayback
from streaming_service.application.title import ManifestAnswer
from streaming_service.domain.access import Refusal
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.errors import StoreError, StoreUnavailable
from tests.fakes import NOW, until
from tests.unit.application.theatre import HOUR, Theatre, showing
from tests.unit.application.world import CAUSE, content_id, request

pytestmark = pytest.mark.anyio


async def test_a_content_is_read_at_most_once_a_second(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.store.reads = 0
    theatre.clock.advance(0.9)
    await theatre.answer()
    assert theatre.store.reads == 0

    theatre.clock.advance(0.1)
    await theatre.answer()
    assert theatre.store.reads == 1


async def test_a_change_made_elsewhere_is_seen_within_a_second(theatre: Theatre) -> None:
    await theatre.answer()
    await theatre.world.operations.retire(content_id(), CAUSE)
    await theatre.answer()
    theatre.clock.advance(1)

    assert await theatre.refusal() == Refused(Refusal.RETIRED)


async def test_a_change_made_here_is_seen_at_once(theatre: Theatre) -> None:
    await theatre.answer()
    await theatre.world.operations.retire(content_id(), CAUSE)
    theatre.playback.titles.forget(content_id())

    assert await theatre.refusal() == Refused(Refusal.RETIRED)


async def test_a_new_stream_is_signed_anew(theatre: Theatre) -> None:
    old = await theatre.answer()
    await theatre.world.accept(request(checksum="sum-2", said_at=NOW + HOUR))
    await theatre.world.settle(within=30)
    new = await theatre.answer()

    assert old.manifest_url.partition("?")[0] != new.manifest_url.partition("?")[0]


async def test_what_did_not_change_is_not_prepared_again(theatre: Theatre) -> None:
    await theatre.answer()
    prepared = theatre.playback.titles.at_once(content_id())
    theatre.clock.advance(1)
    await theatre.answer()

    assert theatre.playback.titles.at_once(content_id()) is prepared


async def test_viewers_of_the_same_moment_share_one_read(theatre: Theatre) -> None:
    theatre.store.reads = 0
    await asyncio.gather(*(theatre.answer() for _ in range(20)))

    assert theatre.store.reads == 1


@pytest.mark.parametrize("error", [StoreUnavailable("down"), StoreError("cannot be read by this release")])
async def test_known_content_keeps_playing_while_the_store_is_down(theatre: Theatre, error: StoreError) -> None:
    await theatre.answer()
    theatre.store.down = error
    for _ in range(30):
        theatre.clock.advance(1)
        await theatre.answer()


async def test_nobody_waits_long_for_a_store_that_is_silent_and_it_is_asked_one_question_at_a_time() -> None:
    theatre = Theatre(patience=0.001)
    for number in range(1, 6):
        await theatre.world.playing(number)
        await theatre.answer(number=number)
    gate, get, asked = asyncio.Event(), theatre.store.get, list[str]()

    async def silent(content_id: str) -> Any:
        asked.append(content_id)
        await gate.wait()
        return await get(content_id)

    await theatre.world.operations.retire(content_id(1), CAUSE)
    theatre.store.get = silent
    for _ in range(3):
        theatre.clock.advance(1)
        for number in range(1, 6):
            assert isinstance(await theatre.ask(number=number), ManifestAnswer)
    assert asked == [content_id(1)]

    gate.set()
    await until(lambda: not theatre.playback.titles._loading)
    assert await theatre.refusal(number=1) == Refused(Refusal.RETIRED)
    assert isinstance(await theatre.ask(number=2), ManifestAnswer)
    assert asked[-1] == content_id(2)


async def test_unknown_content_is_unavailable_while_the_store_is_down(theatre: Theatre) -> None:
    theatre.store.down = StoreUnavailable("down")

    assert await theatre.refusal() == Refused(Refusal.STORE_UNAVAILABLE, 2)


async def test_a_store_that_is_back_is_noticed(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.store.down = StoreUnavailable("down")
    theatre.clock.advance(1)
    await theatre.answer()
    theatre.store.down = None
    await theatre.world.operations.retire(content_id(), CAUSE)
    theatre.clock.advance(1)

    assert await theatre.refusal() == Refused(Refusal.RETIRED)


async def test_a_viewer_that_goes_away_does_not_take_the_content_from_the_others(theatre: Theatre) -> None:
    gate = asyncio.Event()
    get = theatre.store.get

    async def slow(content_id: str) -> Any:
        await gate.wait()
        return await get(content_id)

    theatre.store.get = slow
    first, second = (asyncio.create_task(theatre.ask()) for _ in range(2))
    await until(lambda: content_id() in theatre.playback.titles._loading)
    first.cancel()
    gate.set()

    assert isinstance(await second, ManifestAnswer)


async def test_a_failure_nobody_waits_for_any_more_is_no_noise(theatre: Theatre) -> None:
    gate = asyncio.Event()

    async def fails(content_id: str) -> Any:
        await gate.wait()
        raise StoreUnavailable(content_id)

    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    theatre.store.get = fails
    viewer = asyncio.create_task(theatre.ask())
    await until(lambda: content_id() in theatre.playback.titles._loading)
    viewer.cancel()
    with suppress(asyncio.CancelledError):
        await viewer
    gate.set()
    await until(lambda: not theatre.playback.titles._loading)
    gc.collect()

    assert noise == []


async def test_what_is_kept_is_bounded_and_guessed_ids_are_not_kept() -> None:
    theatre = Theatre(capacity=2)
    for number in (1, 2, 3):
        await theatre.world.playing(number)
        await theatre.answer(number=number)
    for number in range(50, 60):
        await theatre.refusal(number=number)

    assert list(theatre.playback.titles._known) == [content_id(2), content_id(3)]


# -- internal callers -------------------------------------------------------------------------------------------------


async def test_internal_callers_need_no_viewer(theatre: Theatre) -> None:
    answer = await theatre.playback.internal(content_id())

    assert isinstance(answer, SignedPlayback)
    assert answer.playback_url == (await theatre.answer()).manifest_url


async def test_internal_callers_are_refused_what_does_not_play(theatre: Theatre) -> None:
    await theatre.world.operations.retire((await theatre.world.playing(3)).content_id, CAUSE)
    await theatre.world.accept(request(2))

    assert await theatre.playback.internal(content_id(9)) == Refused(Refusal.UNKNOWN_CONTENT)
    assert await theatre.playback.internal(content_id(2)) == Refused(Refusal.NOT_READY, 2)
    assert await theatre.playback.internal(content_id(3)) == Refused(Refusal.RETIRED)


async def test_internal_callers_get_no_url_that_has_expired_already() -> None:
    theatre = await showing(availability=AvailabilityWindow(None, NOW + HOUR))

    assert await theatre.playback.internal(content_id()) == Refused(Refusal.NO_LONGER_AVAILABLE)


async def test_a_wish_for_another_quality_of_a_prepared_content_costs_nothing(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.store.reads = 0
    await theatre.answer(quality="480p")

    assert (theatre.store.reads, len(theatre.signer.signed)) == (0, 1)
