"""The use cases drive an OME over real HTTP; the store and the clock are in memory."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.findings import Findings
from streaming_service.devkit.ome import StandInOme
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.state import Status
from tests.fake_ome import FakeFleet
from tests.fakes import NOW
from tests.integration.ome.conftest import Ome, stand_in, until
from tests.unit.application.world import CAUSE, World, request

pytestmark = pytest.mark.anyio


class Site:
    """A world whose origin is a stand-in OME behind real HTTP."""

    def __init__(self, server: StandInOme, transport: AiohttpTransport) -> None:
        self.server = server
        self.ome = Ome(transport, server.api_url, server.playback_url, "key:secret")
        self.world = World()
        fleet = FakeFleet(self.ome.origin)
        self.world.provisioning._fleet = self.world.provisioning._clearing._fleet = fleet
        self.world.reconciliation._fleet = self.world.seating._fleet = fleet

    async def streams(self) -> frozenset[str]:
        return await self.ome.origin.streams("reels")


@pytest.fixture
async def site(transport: AiohttpTransport, tmp_path: Path) -> AsyncIterator[Site]:
    async with stand_in(tmp_path) as server:
        yield Site(server, transport)


async def test_an_upload_plays_in_the_end(site: Site) -> None:
    channel = await site.world.playing()

    assert channel.status is Status.READY
    assert channel.serving is not None
    assert await site.streams() == {channel.serving.stream}
    assert await site.ome.plays(channel.serving)


async def test_new_media_replaces_the_old_without_a_gap(site: Site) -> None:
    old = (await site.world.playing()).serving
    await site.world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
    await site.world.settle(within=60)
    new = (await site.world.channel()).serving
    assert old is not None
    assert new is not None
    assert await site.ome.plays(old)
    assert await site.ome.plays(new)

    await site.world.settle()
    assert await site.streams() == {new.stream}


async def test_a_lost_stream_comes_back(site: Site) -> None:
    before = await site.world.playing()
    assert before.serving is not None
    await site.ome.origin.stop("reels", before.serving.stream)

    assert await site.world.reconcile() == Findings(lost=1)
    await site.world.settle()
    after = await site.world.channel()
    assert after.serving is not None
    assert await site.streams() == {after.serving.stream}


async def test_a_wiped_ome_is_filled_again(site: Site) -> None:
    for number in range(1, 4):
        await site.world.playing(number)
    await site.server.restart(wipe=True)
    await site.world.reconcile()
    await site.world.settle()

    assert len(await site.streams()) == 3


async def test_an_ome_that_restarts_keeps_its_streams(site: Site) -> None:
    await site.world.playing()
    held = await site.streams()
    await site.server.restart()

    async def back() -> bool:
        return await site.streams() == held

    await until(back)
    assert await site.world.reconcile() == Findings(restarted=1)


async def test_retiring_leaves_nothing_on_ome(site: Site) -> None:
    channel = await site.world.playing()
    await site.world.operations.retire(channel.content_id, CAUSE)
    await site.world.settle()

    assert await site.streams() == frozenset()


async def test_a_ladder_that_ome_does_not_have_fails_and_says_so(site: Site) -> None:
    wider = parse_ladder("1080p|1920x1080|4500,720p|1280x720|2500")
    wishes = site.world.provisioning._wishes
    specs = wishes._specs
    wishes._specs = replace(specs, ladders=dict.fromkeys(specs.ladders, wider))
    await site.world.accept()
    channel = await site.world.converge()

    assert channel.failure is not None
    assert "incomplete manifest lacks 1080p" in channel.failure.detail
