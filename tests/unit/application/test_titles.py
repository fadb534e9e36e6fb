"""What is known of the contents counts while every change is told, and a second otherwise."""

import asyncio

import pytest

from streaming_service.application import titles as module
from streaming_service.errors import StoreUnavailable
from tests.contract.store.builders import content_id
from tests.fakes import until
from tests.unit.application.shelf import Shelf, changes_of

pytestmark = pytest.mark.anyio
ONE = content_id(1)


async def test_what_every_change_is_told_of_is_not_read_again() -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    titles.hear((), since=0.0, until=shelf.now)
    first = await titles.get(ONE)
    for _ in range(100):
        shelf.now += 0.9
        titles.hear((), since=0.0, until=shelf.now)
        assert titles.told
        assert titles.at_once(ONE) is first

    assert shelf.reads == 1


async def test_what_is_told_counts_at_once() -> None:
    shelf = Shelf(1, 2)
    titles = shelf.titles()
    titles.hear((), since=0.0, until=shelf.now)
    await titles.get(ONE)
    other = await titles.get(content_id(2))
    shelf.change(1)
    titles.hear([ONE, content_id(9)], since=0.0, until=shelf.now)

    assert titles.at_once(ONE) is None
    assert titles.at_once(content_id(2)) is other
    assert changes_of(await titles.get(ONE)) == 2
    assert titles.at_once(ONE) is not None


async def test_a_second_after_the_last_word_nothing_is_believed_any_more() -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    await titles.get(ONE)
    shelf.now += 10
    titles.hear((), since=shelf.now - 1, until=shelf.now)
    await titles.get(ONE)
    shelf.change(1)
    shelf.now += 0.99
    assert changes_of(titles.at_once(ONE)) == 1

    shelf.now += 0.01
    assert not titles.told
    assert titles.at_once(ONE) is None
    assert changes_of(await titles.get(ONE)) == 2


async def test_what_was_read_before_anybody_listened_is_not_believed() -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    await titles.get(ONE)
    shelf.change(1)
    shelf.now += 5
    titles.hear((), since=shelf.now, until=shelf.now)

    assert titles.at_once(ONE) is None
    assert changes_of(await titles.get(ONE)) == 2


@pytest.mark.parametrize("forgotten", [True, False])
async def test_an_answer_that_a_change_overtook_does_not_count(*, forgotten: bool) -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    shelf.held, shelf.late = asyncio.Event(), True
    asked = asyncio.create_task(titles.get(ONE))
    await until(lambda: shelf.reads == 1)
    shelf.change(1)
    if forgotten:
        titles.forget(ONE)
    else:
        titles.hear([ONE], since=0.0, until=shelf.now)
    shelf.held.set()

    assert changes_of(await asked) == 1
    assert titles.at_once(ONE) is None
    assert changes_of(await titles.get(ONE)) == 2
    assert changes_of(titles.at_once(ONE)) == 2


async def test_a_store_that_fails_makes_nobody_believe_what_has_changed() -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    titles.hear((), since=0.0, until=shelf.now)
    await titles.get(ONE)
    shelf.change(1)
    titles.hear([ONE], since=0.0, until=shelf.now)
    shelf.down = StoreUnavailable("down")
    assert changes_of(await titles.get(ONE)) == 1, "what is known keeps playing"

    shelf.down = None
    shelf.now += 1
    titles.hear((), since=0.0, until=shelf.now)
    assert changes_of(await titles.get(ONE)) == 2


async def test_who_writes_past_the_feed_is_caught_in_the_end_and_nobody_waits_for_it() -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    titles.hear((), since=0.0, until=shelf.now)
    await titles.get(ONE)
    shelf.change(1)
    shelf.now += 301
    titles.hear((), since=0.0, until=shelf.now)

    assert changes_of(titles.at_once(ONE)) == 1
    await until(lambda: changes_of(titles.at_once(ONE)) == 2)
    assert shelf.reads == 2


async def test_what_is_gone_is_gone() -> None:
    shelf = Shelf(1)
    titles = shelf.titles()
    await titles.get(ONE)
    shelf.remove(1)
    titles.hear([ONE], since=0.0, until=shelf.now)

    assert await titles.get(ONE) is None
    assert len(titles) == 0


async def test_few_are_prepared_and_the_others_are_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PREPARED", 8)
    shelf = Shelf(*range(1, 31))
    titles = shelf.titles()
    titles.hear((), since=0.0, until=shelf.now)
    for _ in range(3):
        for number in range(1, 31):
            assert changes_of(await titles.get(content_id(number))) == 1

    assert len(titles) == shelf.reads == 30
    assert sum(known.title is not None for known in titles._known.values()) == len(titles._prepared) <= 8


async def test_room_is_made_for_what_is_asked_for() -> None:
    shelf = Shelf(*range(1, 101))
    titles = shelf.titles(capacity=32)
    for number in range(1, 101):
        await titles.get(content_id(number))
        assert len(titles) <= 32

    assert content_id(100) in titles._known
    assert titles._prepared.keys() == titles._known.keys()
