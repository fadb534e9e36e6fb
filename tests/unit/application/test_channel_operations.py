"""What operators may do to a channel: each is safe to repeat, and the loser of a race decides again."""

from datetime import timedelta

import pytest

from streaming_service.application.ports import ChannelQuery
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Status
from streaming_service.errors import InvalidInput, NotFound, StoreUnavailable
from tests.fakes import NOW
from tests.unit.application.world import CAUSE, World, content_id, request

pytestmark = pytest.mark.anyio


def purged(world: World) -> list[str]:
    return [item.facts["path"] for item in world.owed("cdn.purge") if item.endpoint is Endpoint.CDN_CONTROL]


async def swapped(world: World) -> tuple[str, str]:
    """A content whose old stream drains: the paths of what is served and of what was."""
    await world.playing()
    await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
    await world.settle(within=60)
    channel = await world.channel()
    assert channel.serving is not None
    return f"{channel.serving.path}*", f"{channel.draining[0].placement.path}*"


@pytest.mark.parametrize("operation", ["get", "history", "retire", "purge", "replay"])
async def test_what_does_not_exist_is_not_found(world: World, operation: str) -> None:
    arguments = (content_id(),) if operation in {"get", "history"} else (content_id(), CAUSE)

    with pytest.raises(NotFound, match=content_id()):
        await getattr(world.operations, operation)(*arguments)


async def test_retiring_clears_ome_and_the_caches_and_keeps_the_record(world: World) -> None:
    channel = await world.playing()
    await world.operations.retire(channel.content_id, CAUSE)
    await world.settle()

    assert world.origin.names() == []
    assert (await world.channel()).status is Status.RETIRED
    assert channel.serving is not None
    assert purged(world) == [f"{channel.serving.path}*"]
    assert {item.endpoint for item in world.owed("stream.retired")} == {Endpoint.BIGQUERY, Endpoint.OBSERVABILITY}
    assert world.wakes[-1] == channel.content_id


async def test_retiring_twice_is_retiring_once(world: World) -> None:
    await world.playing()
    first = await world.operations.retire(content_id(), CAUSE)
    owed = len(world.owed())

    assert await world.operations.retire(content_id(), CAUSE) == first
    assert len(world.owed()) == owed


async def test_retiring_also_purges_what_viewers_still_hold_urls_of(world: World) -> None:
    serving, draining = await swapped(world)
    await world.operations.retire(content_id(), CAUSE)

    assert purged(world) == [serving, draining]


async def test_retiring_what_comes_back_and_retiring_it_again_is_told_twice(world: World) -> None:
    await world.playing()
    await world.operations.retire(content_id(), CAUSE)
    world.clock.advance(1)
    await world.accept(request(said_at=world.clock.now()))
    await world.settle()
    await world.operations.retire(content_id(), CAUSE)

    assert len(world.owed("stream.retired")) == 4


async def test_a_purge_covers_what_is_served_and_what_was(world: World) -> None:
    serving, draining = await swapped(world)
    before = await world.channel()
    after = await world.operations.purge(content_id(), CAUSE)

    assert purged(world) == [serving, draining]
    assert (after.status, after.serving, after.generation) == (before.status, before.serving, before.generation)


async def test_each_purge_is_a_purge(world: World) -> None:
    await world.playing()
    await world.operations.purge(content_id(), CAUSE)
    await world.operations.purge(content_id(), CAUSE)

    assert len(purged(world)) == 2


async def test_a_purge_of_what_never_played_owes_nothing(world: World) -> None:
    await world.accept()
    await world.operations.purge(content_id(), CAUSE)

    assert world.owed() == []


async def test_a_retired_content_cannot_be_replayed(world: World) -> None:
    await world.playing()
    await world.operations.retire(content_id(), CAUSE)

    with pytest.raises(InvalidInput) as caught:
        await world.operations.replay(content_id(), CAUSE)
    assert caught.value.code == "retired"


async def test_a_replay_takes_a_failed_content_up_again_at_once(world: World) -> None:
    world.media.missing.add("gs://uploads/1/sum-1.mp4")
    await world.accept()
    await world.settle(within=60)
    assert (await world.channel()).status is Status.FAILED

    world.media.missing.clear()
    await world.operations.replay(content_id(), CAUSE)
    await world.settle(within=10)

    assert (await world.channel()).status is Status.READY


async def test_the_loser_of_a_race_decides_again(world: World) -> None:
    await world.playing()

    async def faster(change: Change) -> None:
        await world.operations.retire(change.channel.content_id, CAUSE)

    world.store.before_commit = faster

    with pytest.raises(InvalidInput):
        await world.operations.replay(content_id(), CAUSE)


async def test_every_action_is_in_the_history_with_its_actor(world: World) -> None:
    await world.playing()
    await world.operations.purge(content_id(), CAUSE)
    await world.operations.replay(content_id(), CAUSE)
    await world.operations.retire(content_id(), CAUSE)

    entries = await world.operations.history(content_id())
    assert [entry.action for entry in entries[:3]] == ["retired", "replay", "purge"]
    assert {(entry.actor, entry.correlation_id) for entry in entries} == {("test", "correlation-1")}


@pytest.mark.parametrize("limit", [-1, 0, 201])
async def test_a_page_size_that_is_none_is_refused(world: World, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        await world.operations.list(ChannelQuery(limit=limit))


async def test_a_listing_may_be_filtered(world: World) -> None:
    await world.playing(1)
    await world.accept(request(2))

    page = await world.operations.list(ChannelQuery(status="provisioning"))
    assert [channel.content_id for channel in page.items] == [content_id(2)]


async def test_a_store_that_is_down_is_raised(world: World) -> None:
    world.store.down = StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await world.operations.retire(content_id(), CAUSE)
