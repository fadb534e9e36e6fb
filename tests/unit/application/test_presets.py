"""Channels on OME follow the presets; what is published keeps its ladder until it is asked for."""

import pytest
from msgspec.structs import replace

from streaming_service.application.findings import Findings
from streaming_service.domain.history import change
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.state import Phase, Status
from streaming_service.domain.wish import with_presets
from tests.unit.application.world import CAUSE, SPECS, World, content_id

pytestmark = pytest.mark.anyio
SMALLER = replace(SPECS, ladders=dict.fromkeys(SPECS.ladders, parse_ladder("480p|854x480|1500")))


async def test_a_channel_gets_the_new_ladder_without_a_gap(world: World) -> None:
    before = await world.playing()
    world.reconciliation = world.new_reconciliation(SMALLER)

    assert await world.reconcile() == Findings(revised=1)
    between = await world.channel()
    assert (between.status, between.serving) == (Status.READY, before.serving)
    assert between.generation == before.generation + 1
    await world.settle()
    after = await world.channel()
    assert after.serving is not None
    assert [rung.name for rung in after.serving.rungs] == ["480p"]
    assert await world.reconcile() == Findings()


async def test_only_a_few_change_in_a_pass(world: World) -> None:
    for number in range(1, 13):
        await world.playing(number)
    world.reconciliation = world.new_reconciliation(SMALLER)

    assert [(await world.reconcile()).revised for _ in range(3)] == [10, 2, 0]


async def test_they_are_reviewed_once_and_when_told(world: World) -> None:
    await world.reconcile()
    channel = await world.playing()
    spec = replace(channel.spec, rungs=SMALLER.ladders[channel.spec.classification].rungs)
    await world.store.commit(
        change(channel.revised(spec, world.clock.now(), channel.said_at), "test", CAUSE), world.clock.now()
    )
    assert await world.reconcile() == Findings()
    world.reconciliation.review_presets()

    assert await world.reconcile() == Findings(revised=1)


async def test_a_published_copy_keeps_its_ladder_until_it_is_replayed() -> None:
    world = World(publishing=True)
    await world.playing()
    await world.settle()
    before = await world.channel()
    assert before.phase is Phase.PUBLISHED
    world.reconciliation = world.new_reconciliation(SMALLER)
    assert await world.reconcile() == Findings()

    world.operations = world.new_operations(SMALLER)
    after = await world.operations.replay(content_id(), CAUSE)
    assert [rung.name for rung in after.spec.rungs] == ["480p"]
    assert after.serving == before.serving
    await world.settle()
    serving = (await world.channel()).serving
    assert serving is not None
    assert [rung.name for rung in serving.rungs] == ["480p"]


async def test_a_retired_channel_is_left_as_it_was(world: World) -> None:
    await world.playing()
    retired = await world.operations.retire(content_id(), CAUSE)

    assert with_presets(retired, SMALLER, world.clock.now()) is None
