"""What others write is followed, whatever happens to the feed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from streaming_service.application import title_watch
from streaming_service.application.title_watch import TitleWatch
from streaming_service.errors import StoreUnavailable
from tests.contract.store.builders import content_id
from tests.fakes import until
from tests.unit.application.shelf import Shelf, changes_of

pytestmark = pytest.mark.anyio
ONE = content_id(1)


class Feed:
    """Tells what a test says; each entry of `script` is an answer, an error, or None for silence."""

    def __init__(self, shelf: Shelf, *script: frozenset[str] | Exception | None) -> None:
        self.opened = 0
        self.seconds: list[float] = []
        self._shelf = shelf
        self._script = list(script)

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator["Feed"]:
        self.opened += 1
        yield self

    async def wait(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._shelf.now += seconds
        await asyncio.sleep(0)

    async def told(self) -> frozenset[str]:
        said = self._script.pop(0) if self._script else frozenset()
        if said is None:
            await asyncio.Event().wait()
        if isinstance(said, Exception):
            raise said
        return said or frozenset()


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title_watch, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(title_watch, "_AGAIN_S", 0.0)


async def _follow(shelf: Shelf, feed: Feed) -> "tuple[asyncio.Task[None], TitleWatch]":
    watch = TitleWatch(feed, shelf.titles(), lambda: shelf.now)
    return asyncio.create_task(watch.follow()), watch


async def test_what_is_told_reaches_the_titles() -> None:
    shelf = Shelf(1)
    feed = Feed(shelf)
    task, watch = await _follow(shelf, feed)
    titles = watch._titles
    await until(lambda: titles.told and shelf.now > 1000.0)
    await titles.get(ONE)
    await until(lambda: shelf.now > 1005.0)
    assert titles.at_once(ONE) is not None, "nothing was told of it, and it is five seconds old"

    shelf.change(1)
    feed._script.append(frozenset({ONE}))
    await until(lambda: titles.at_once(ONE) is None)
    assert changes_of(await titles.get(ONE)) == 2
    assert set(feed.seconds) == {0.25}
    task.cancel()


@pytest.mark.parametrize("trouble", [StoreUnavailable("gone"), None])
async def test_a_feed_that_fails_or_is_silent_is_opened_again(
    trouble: Exception | None, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = Shelf(1)
    feed = Feed(shelf, frozenset(), trouble, trouble)
    task, watch = await _follow(shelf, feed)
    while feed.opened < 3:
        await asyncio.sleep(0.005)
    await until(lambda: watch._titles.told and not watch._deaf)
    told = capsys.readouterr().out

    assert told.count("contents are read every second") == told.count("changes are told again") == 1
    task.cancel()


async def test_what_was_read_before_a_feed_was_opened_again_is_not_believed() -> None:
    shelf = Shelf(1)
    feed = Feed(shelf, frozenset(), frozenset())
    task, watch = await _follow(shelf, feed)
    await until(lambda: shelf.now > 1000.0)
    await watch._titles.get(ONE)
    shelf.change(1)
    feed._script[:] = [StoreUnavailable("it was told to a feed that nobody read")]
    await until(lambda: feed.opened == 2 and not feed._script)
    shelf.now += 5
    await until(lambda: watch._titles.told)

    assert watch._titles.at_once(ONE) is None
    task.cancel()
