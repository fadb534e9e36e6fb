"""What viewers are answered from follows the store, of whatever kind it is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import Store
from streaming_service.application.title_watch import TitleWatch
from streaming_service.application.titles import Titles
from streaming_service.domain.channel import Channel
from tests.contract.store.builders import accept, channel, content_id
from tests.unit.application.shelf import changes_of, prepared

pytestmark = pytest.mark.anyio


class Counting:
    """A store, and how often it was read."""

    def __init__(self, store: Store) -> None:
        self.reads = 0
        self._store = store

    async def get(self, content_id: str) -> Channel | None:
        self.reads += 1
        return await self._store.get(content_id)


@pytest.fixture
def reader(store: Store) -> Counting:
    return Counting(store)


@pytest.fixture
async def titles(store: Store, reader: Counting) -> AsyncIterator[Titles]:
    titles = Titles(reader, prepared, time.monotonic, playlist="master", freshness=1.0, patience=10.0, capacity=100)
    following = asyncio.create_task(TitleWatch(store, titles, time.monotonic).follow())
    await _come_true(lambda: titles.told)
    yield titles
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_change_made_elsewhere_is_followed_and_nothing_is_read_in_vain(
    store: Store, elsewhere: Store, titles: Titles, reader: Counting
) -> None:
    first = await elsewhere.commit(accept(_changed(channel(1), 1)), None)
    assert changes_of(await titles.get(content_id(1))) == 1

    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert changes_of(await titles.get(content_id(1))) == 1
        await asyncio.sleep(0.05)
    assert reader.reads <= 2, "no more than at first, and for the second in which the feed may have been late"

    await elsewhere.commit(accept(_changed(first, 2)), None)
    await _come_true(lambda: changes_of(titles.at_once(content_id(1))) != 1)
    assert changes_of(await titles.get(content_id(1))) == 2


def _changed(channel: Channel, times: int) -> Channel:
    return replace(channel, spec=replace(channel.spec, base_url=f"https://{times}"))


async def _come_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
