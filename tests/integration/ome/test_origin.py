"""Starting, watching and stopping streams on an OME over real HTTP."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming_service.adapters.ome import OmeError
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import Playability
from streaming_service.devkit.ome import Timing
from streaming_service.domain.ladder import Rung
from streaming_service.errors import UpstreamUnavailable
from tests.integration.ome.conftest import LADDER, MISSING, REAL, SILENT, Ome, stand_in, until

pytestmark = pytest.mark.anyio
only_stand_in = pytest.mark.skipif(REAL, reason="the stand-in is slowed down or broken for this")
NOW = datetime.now(UTC)


async def test_a_start_plays_every_rung_after_a_while(ome: Ome) -> None:
    placement = await ome.playing()

    assert await ome.listed(placement)
    assert not await ome.origin.starved_of_audio(replace(placement, rungs=()))


async def test_a_start_may_be_repeated(ome: Ome) -> None:
    placement = await ome.started()
    await ome.origin.start(placement, datetime.now(UTC))
    await asyncio.gather(*(ome.origin.start(placement, datetime.now(UTC)) for _ in range(3)))

    names = await ome.client.scheduled_channels("reels")
    assert names.count(placement.stream) == 1


async def test_a_start_in_an_unknown_application_says_what_to_do(ome: Ome) -> None:
    placement = replace(ome.placement(), application="nothing")

    with pytest.raises(OmeError, match=r"'nothing' does not exist on default: declare it in Server\.xml"):
        await ome.origin.start(placement, NOW)
    with pytest.raises(OmeError, match=r"declare it in Server\.xml"):
        await ome.origin.streams("nothing")


async def test_a_stop_waits_until_it_is_gone(ome: Ome) -> None:
    placement = await ome.playing()

    assert await ome.origin.stop("reels", placement.stream)
    assert not await ome.listed(placement)
    assert not await ome.plays(placement)


async def test_a_stop_may_be_repeated(ome: Ome) -> None:
    placement = await ome.started()

    assert await asyncio.gather(*(ome.origin.stop("reels", placement.stream) for _ in range(3))) == [True] * 3
    assert await ome.origin.stop("reels", placement.stream)


async def test_a_name_that_is_gone_may_be_used_again(ome: Ome) -> None:
    placement = await ome.started()
    await ome.origin.stop("reels", placement.stream)
    await ome.origin.start(placement, datetime.now(UTC))
    await until(lambda: ome.listed(placement))


async def test_what_was_never_started_does_not_play(ome: Ome) -> None:
    report = await ome.look(ome.placement())

    assert (report.verdict, report.detail) == (Playability.NOT_YET, "manifest answers 404")


async def test_a_file_that_is_missing_never_plays(ome: Ome) -> None:
    placement = await ome.started(MISSING)

    assert (await ome.look(placement)).verdict is Playability.NOT_YET


async def test_a_rung_that_is_missing_is_named(ome: Ome) -> None:
    placement = await ome.playing()
    report = await ome.look(placement, rungs=(*LADDER.rungs, Rung("144p", 256, 144, 100)))

    assert (report.verdict, report.detail) == (Playability.INCOMPLETE, "manifest lacks 144p")


@only_stand_in
async def test_a_stream_that_starves_of_audio_is_recognised(ome: Ome) -> None:
    placement = await ome.started(SILENT)

    assert (await ome.look(placement)).verdict is Playability.NOT_YET
    assert await ome.origin.starved_of_audio(placement)


@only_stand_in
async def test_a_silent_file_plays_when_no_audio_is_asked_for(ome: Ome) -> None:
    placement = await ome.started(SILENT, audio=False)

    await until(lambda: ome.plays(placement))
    assert not await ome.origin.starved_of_audio(ome.placement())


@only_stand_in
async def test_an_empty_201_is_not_playable_yet(transport: AiohttpTransport, tmp_path: Path) -> None:
    timing = replace(Timing.instant(), warm_up=3600.0, empty_share=1.0, empty_from=0.0)
    async with stand_in(tmp_path, timing) as server:
        ome = Ome(transport, server.api_url, server.playback_url, "key:secret")
        report = await ome.look(await ome.started())

    assert (report.verdict, report.detail) == (Playability.NOT_YET, "manifest answers 201")


@only_stand_in
async def test_schedules_survive_a_restart_and_a_wiped_ome_has_none(
    transport: AiohttpTransport, tmp_path: Path
) -> None:
    async with stand_in(tmp_path) as server:
        ome = Ome(transport, server.api_url, server.playback_url, "key:secret")
        placement = await ome.playing()
        await server.restart()
        await until(lambda: ome.plays(placement))
        await server.restart(wipe=True)

        assert await ome.origin.streams("reels") == frozenset()


@only_stand_in
async def test_an_ome_that_is_gone_is_unavailable_and_not_empty(transport: AiohttpTransport, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = Ome(transport, server.api_url, server.playback_url, "key:secret")
        placement = await ome.playing()

    with pytest.raises(UpstreamUnavailable):
        await ome.origin.streams("reels")
    with pytest.raises(UpstreamUnavailable):
        await ome.look(placement)
    with pytest.raises(UpstreamUnavailable):
        await ome.origin.stop("reels", placement.stream)
