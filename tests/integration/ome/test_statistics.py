"""Figures and progress of channels on an OME over real HTTP."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.ome import OmeError
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import Placed
from streaming_service.application.progress_watch import ProgressWatch
from streaming_service.application.statistics import Statistics
from streaming_service.devkit.ome import StandInOme
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import UpstreamUnavailable
from streaming_service.telemetry import Metrics
from tests.fake_ome import FakeFleet
from tests.fakes import FragileStore
from tests.integration.ome.conftest import MISSING, REAL, Ome, stand_in, until

pytestmark = pytest.mark.anyio
only_stand_in = pytest.mark.skipif(REAL, reason="the stand-in's viewers and clock are set for this")


class HurriedClock(WallClock):
    """The wall clock, with jumps."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def time(self) -> float:
        return self.now().timestamp()

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


class Placements(FragileStore):
    """Knows what plays without knowing its channels."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        super().__init__()
        self.placed = tuple(placed)

    async def placements(self, origin: str) -> tuple[Placed, ...]:
        return self.placed if origin == "default" else ()


class Hall:
    """Channels on a stand-in OME whose clock is ours."""

    def __init__(self, server: StandInOme, ome: Ome, clock: HurriedClock) -> None:
        self.server, self.ome, self.clock = server, ome, clock
        self.store = Placements(())
        self.fleet = FakeFleet(ome.origin)

    async def fill(self, count: int) -> None:
        """So many channels that play."""
        names = [(await self.ome.playing()).stream for _ in range(count)]
        self.store.placed = tuple(Placed(name, f"content-{n}", "reels", serving=True) for n, name in enumerate(names))

    async def ratios(self, looks: int = 5) -> list[float]:
        """Of looks that are ten seconds apart."""
        observed: list[float] = []
        watch = ProgressWatch(
            store=self.store,
            fleet=self.fleet,
            observe=lambda _, ratio, __: observed.append(ratio),
            clock=self.clock,
        )
        for _ in range(looks):
            await watch.run()
            self.clock.advance(10)
        return observed


@asynccontextmanager
async def hall(folder: Path, transport: AiohttpTransport, realtime_channels: int | None = None) -> AsyncGenerator[Hall]:
    clock = HurriedClock()
    async with stand_in(folder, realtime_channels=realtime_channels, now=clock.time) as server:
        ome = Ome(transport, server.api_url, server.playback_url, "key:secret")
        yield Hall(server, ome, clock)


async def test_figures_of_a_channel(ome: Ome) -> None:
    placement = await ome.playing()
    figures = await ome.origin.figures("reels", placement.stream)

    assert figures is not None
    assert figures.viewers >= 0
    assert figures.bytes_out > 0
    assert await ome.origin.figures("reels", ome.placement().stream) is None


async def test_the_position_moves_on(ome: Ome) -> None:
    placement = await ome.playing()
    first = await ome.origin.position("reels", placement.stream)
    assert first is not None

    async def moved() -> bool:
        position = await ome.origin.position("reels", placement.stream)
        return position is not None and position > first

    await until(moved)


async def test_what_does_not_play_has_no_position(ome: Ome) -> None:
    placement = await ome.started(MISSING)

    assert await ome.origin.position("reels", placement.stream) is None
    assert await ome.origin.position("reels", ome.placement().stream) is None


async def test_a_wrong_secret_is_said(ome: Ome) -> None:
    ome.client = ome.client_with("somebody:else")

    with pytest.raises(OmeError, match="check OME_API_KEY"):
        await ome.origin_with(fitted=False).figures("reels", "ss-1")


@only_stand_in
async def test_what_has_ended_has_no_position(ome: Ome) -> None:
    placement = await ome.playing()
    await ome.client.conclude_hls_live("reels", placement.stream)

    assert await ome.origin.position("reels", placement.stream) is None


@only_stand_in
async def test_gauges_and_analytics_of_an_ome_that_goes_down(transport: AiohttpTransport, tmp_path: Path) -> None:
    metrics = Metrics()
    async with hall(tmp_path, transport) as place:
        await place.fill(2)
        names = [placed.stream for placed in place.store.placed]
        place.server.viewers["reels", names[0]] = {"llhls": 5, "webrtc": 2, "hlsv3": 2}
        place.server.viewers["reels", names[1]] = 1
        statistics = Statistics(
            store=place.store,
            fleet=place.fleet,
            gauges=metrics,
            endpoints=frozenset({Endpoint.BIGQUERY}),
            clock=place.clock,
        )
        await statistics.run()

        def viewers(content: str) -> float | None:
            labels = {"content_id": content, "origin": "default"}
            return metrics.registry.get_sample_value("streaming_channel_viewers", labels)

        assert (viewers("content-0"), viewers("content-1")) == (7, 1)
        (owed,) = place.store.everything_owed()
        assert owed.facts["totals"]["viewers"] == 8
        assert owed.facts["channels"][0]["bitrateKbps"] > 0

    place.store.placed = place.store.placed[:1]
    await statistics.run()
    assert (viewers("content-0"), viewers("content-1")) == (7, None)
    assert metrics.registry.get_sample_value("streaming_ome_up", {"origin": "default"}) == 0


@only_stand_in
async def test_an_ome_that_keeps_up(transport: AiohttpTransport, tmp_path: Path) -> None:
    async with hall(tmp_path, transport, realtime_channels=4) as place:
        await place.fill(4)

        assert await place.ratios() == pytest.approx([1.0, 1.0], abs=0.08)


@only_stand_in
async def test_an_ome_with_too_many_channels(transport: AiohttpTransport, tmp_path: Path) -> None:
    async with hall(tmp_path, transport, realtime_channels=4) as place:
        await place.fill(6)

        ratios = await place.ratios()
        assert ratios == pytest.approx([0.67, 0.67], abs=0.08)
        assert max(ratios) < 0.9


@only_stand_in
async def test_an_ome_that_is_gone_has_no_figures(transport: AiohttpTransport, tmp_path: Path) -> None:
    async with hall(tmp_path, transport) as place:
        await place.fill(1)
        stream = place.store.placed[0].stream

    with pytest.raises(UpstreamUnavailable):
        await place.ome.origin.figures("reels", stream)
    with pytest.raises(UpstreamUnavailable):
        await place.ome.origin.position("reels", stream)
    assert await place.ratios(1) == []
