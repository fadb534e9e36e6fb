"""Recordings through the Origin port over real HTTP: from media time 0 to a copy that is proved."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming_service.adapters.bucket import BucketOfManifests, DirectoryFolder
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import CopyPlan, CopyVerdict, Playability, RecordingState
from streaming_service.devkit.ome import StandInOme
from streaming_service.domain.placement import Placement
from tests.integration.ome.conftest import LADDER, Ome, stand_in, until

pytestmark = pytest.mark.anyio

SECONDS = 8.0  # as long as every file of the synthetic packager


class Studio:
    """A stand-in OME that records into a folder."""

    def __init__(self, server: StandInOme, ome: Ome, folder: Path) -> None:
        self.server = server
        self.ome = ome
        self.folder = folder

    def placement(self) -> Placement:
        return replace(self.ome.placement(), publish=True, duration=SECONDS)

    async def verdict(self, placement: Placement) -> CopyVerdict:
        bucket = BucketOfManifests(DirectoryFolder(self.folder))
        plan = CopyPlan(
            prefix=placement.copy_prefix,
            playlist="master",
            rungs=LADDER.rungs,
            ladder=LADDER,
            duration=SECONDS,
            tolerance=0.3,
            audio=True,
        )
        try:
            return (await bucket.finish(plan)).verdict
        finally:
            bucket.close()


@pytest.fixture
async def studio(transport: AiohttpTransport, tmp_path: Path) -> AsyncIterator[Studio]:
    folder = tmp_path / "manifests"
    folder.mkdir()
    async with stand_in(tmp_path) as server:
        yield Studio(server, Ome(transport, server.api_url, server.playback_url, "key:secret", str(folder)), folder)


async def test_a_recording_becomes_a_whole_copy(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin
    began = datetime.now(UTC)
    started = await origin.start(placement, began)
    assert (started.at, started.recorded) == (began, True)
    assert await origin.recording(placement) is RecordingState.RUNNING

    async def ended() -> bool:
        return await origin.recording(placement) is RecordingState.ENDED

    await until(ended)
    assert datetime.now(UTC) - began >= timedelta(seconds=SECONDS - 1), "it plays once, in real time"
    await origin.conclude(placement)
    await origin.conclude(placement)
    assert await studio.verdict(placement) is CopyVerdict.COMPLETE
    assert await origin.stop(placement.application, placement.stream)
    assert await studio.verdict(placement) is CopyVerdict.COMPLETE, "the copy stays when the stream goes"


async def test_a_start_that_is_repeated_is_the_same_recording(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin
    first = await origin.start(placement, datetime.now(UTC))
    again = await origin.start(placement, datetime.now(UTC))

    assert again.recorded
    assert abs(again.at - first.at) < timedelta(milliseconds=1)


async def test_a_recording_that_begins_late_says_so(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin
    await studio.ome.origin_with(fitted=False).start(replace(placement, publish=False), datetime.now(UTC))

    async def plays() -> bool:
        return (await origin.playability(placement)).verdict is Playability.PLAYABLE

    await until(plays)
    assert not (await origin.start(placement, datetime.now(UTC))).recorded


async def test_an_ome_that_restarts_has_forgotten_its_recordings(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin
    await origin.start(placement, datetime.now(UTC))
    booted = await origin.booted_at()
    await studio.server.restart()

    async def known_again() -> bool:
        return await origin.holds(placement)

    await until(known_again)
    assert await origin.recording(placement) is RecordingState.INTERRUPTED
    assert booted is not None
    assert (await origin.booted_at() or booted) > booted


async def test_what_ome_does_not_know_is_no_recording(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin

    assert await origin.recording(placement) is RecordingState.INTERRUPTED
    assert not await origin.holds(placement)
    assert (await origin.appearance(placement)).verdict is Playability.NOT_YET
    assert not await origin.kick(placement.application, placement.ingest_stream, datetime.now(UTC))


async def test_who_connected_before_is_kicked_and_who_came_later_stays(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin
    async with studio.server.publish("reels", placement.ingest_stream) as publisher:

        async def on_air() -> bool:
            return placement.ingest_stream in await studio.ome.client.streams("reels")

        await until(on_air)
        assert not await origin.kick("reels", placement.ingest_stream, datetime.now(UTC) - timedelta(hours=1))
        assert publisher.live
        assert await origin.kick("reels", placement.ingest_stream, datetime.now(UTC) + timedelta(seconds=1))

        async def gone() -> bool:
            return not publisher.live

        await until(gone)
