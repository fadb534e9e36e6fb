"""Recordings and live placements through the Origin port over real HTTP, from media time 0 to a copy that is proved."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming_service.adapters.bucket import BucketOfManifests, DirectoryFolder
from streaming_service.adapters.ome import OmeError
from streaming_service.application.ports import CopyPlan, CopyVerdict, Playability, RecordingState
from streaming_service.domain.placement import Placement
from streaming_service.errors import NotFound
from tests.integration.ome.conftest import LADDER, REAL, Ome, setting, until

pytestmark = pytest.mark.anyio

SECONDS = 8.0  # as long as every file of the synthetic packager
# A busy server encodes on after the end of a program.
LAST_FRAMES = 3.0 if REAL else 0.0


class Studio:
    """An OME that records into a folder, and the bucket that this is."""

    def __init__(self, ome: Ome, folder: Path) -> None:
        self.ome = ome
        self._bucket = BucketOfManifests(DirectoryFolder(folder))
        self._made: list[Placement] = []

    def placement(self) -> Placement:
        made = replace(self.ome.placement(), publish=True, duration=SECONDS)
        self._made.append(made)
        return made

    async def verdict(self, placement: Placement) -> CopyVerdict:
        plan = CopyPlan(
            prefix=placement.copy_prefix,
            playlist="master",
            rungs=LADDER.rungs,
            ladder=LADDER,
            duration=SECONDS,
            tolerance=0.3,
            audio=True,
        )
        return (await self._bucket.finish(plan)).verdict

    async def close(self) -> None:
        # OME writes as long as the stream is there.
        await self.ome.clean_up()
        for placement in self._made:
            await self._bucket.remove(placement.copy_prefix)
        self._bucket.close()


@pytest.fixture
async def studio(ome: Ome) -> AsyncIterator[Studio]:
    folder = Path(ome.dumps or setting("OME_CONTRACT_DUMP_ROOT"))
    folder.mkdir(exist_ok=True)
    found = Studio(ome, folder)
    yield found
    await found.close()


async def test_a_recording_becomes_a_whole_copy(studio: Studio) -> None:
    placement, origin = studio.placement(), studio.ome.origin
    began = datetime.now(UTC)
    started = await origin.start(placement, began)
    assert (started.at, started.recorded) == (began, True)
    assert await origin.holds(placement)
    assert await origin.recording(placement) is RecordingState.RUNNING
    assert await studio.verdict(placement) is not CopyVerdict.COMPLETE

    async def ended() -> bool:
        return await origin.recording(placement) is RecordingState.ENDED

    await until(ended)
    assert datetime.now(UTC) - began >= timedelta(seconds=SECONDS - 1), "it plays once, in real time"
    await asyncio.sleep(LAST_FRAMES)
    await origin.conclude(placement)
    await origin.conclude(placement)
    assert await studio.verdict(placement) is CopyVerdict.COMPLETE
    assert await origin.recording(placement) is RecordingState.ENDED
    assert await origin.stop(placement.application, placement.stream)
    assert await studio.verdict(placement) is CopyVerdict.COMPLETE, "the copy stays when the stream goes"
    assert not await origin.holds(placement)


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


@pytest.mark.skipif(REAL, reason="the stand-in is restarted for this")
async def test_an_ome_that_restarts_has_forgotten_its_recordings(studio: Studio) -> None:
    placement, origin, server = studio.placement(), studio.ome.origin, studio.ome.server
    assert server
    await origin.start(placement, datetime.now(UTC))
    booted = await origin.booted_at()
    await server.restart()

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
    assert await origin.figures(placement.application, placement.stream) is None
    assert await origin.position(placement.application, placement.stream) is None
    assert not await origin.kick(placement.application, placement.ingest_stream, datetime.now(UTC))
    with pytest.raises(NotFound):
        await origin.conclude(placement)
    assert await studio.verdict(placement) is CopyVerdict.MISSING


async def test_nothing_is_recorded_where_there_is_no_folder_for_it(ome: Ome) -> None:
    ome.dumps = None
    placement = replace(ome.placement(), publish=True, duration=SECONDS)

    with pytest.raises(OmeError, match="set OME_MANIFEST_MOUNT"):
        await ome.origin_with(fitted=False).start(placement, datetime.now(UTC))
    # OME deletes nothing that it has not listed yet.
    await until(lambda: ome.listed(placement))


async def test_when_an_ome_came_up(ome: Ome) -> None:
    booted = await ome.origin.booted_at()

    assert booted is not None
    assert booted < datetime.now(UTC) + timedelta(seconds=1)


async def test_who_connected_before_is_kicked_and_who_came_later_stays(ome: Ome) -> None:
    ingest, origin = ome.placement().ingest_stream, ome.origin
    async with ome.publishing(ingest) as let_in:
        connected = await appeared(ome, ingest)
        assert not await origin.kick("reels", ingest, connected)
        assert let_in()
        assert await appeared(ome, ingest) == connected
        assert await origin.kick("reels", ingest, connected + timedelta(seconds=1))

        async def gone() -> bool:
            return not let_in() and ingest not in await ome.client.streams("reels")

        await until(gone)


async def test_a_live_placement_shows_its_slate_and_then_what_is_pushed(ome: Ome) -> None:
    placement = replace(ome.placement(), live=True)
    await ome.origin.start(placement, datetime.now(UTC))
    await until(lambda: ome.plays(placement))
    await until(lambda: shown(ome, placement, at_least=2000))
    before = await ome.origin.position("reels", placement.stream)

    async with ome.publishing(placement.ingest_stream):
        await appeared(ome, placement.ingest_stream)
        # OME counts anew from where the source changes.
        await until(lambda: shown(ome, placement, at_most=1500))
        await until(lambda: shown(ome, placement, at_least=2000))
        assert await ome.plays(placement)
    await until(lambda: shown(ome, placement, at_most=1500))

    after = await ome.origin.position("reels", placement.stream)
    assert before is not None
    assert after is not None
    assert after - before > 1.0, "one playlist through it all"


async def appeared(ome: Ome, stream: str) -> datetime:
    """When a publisher's stream began; waits until it is there."""

    async def there() -> bool:
        return stream in await ome.client.streams("reels")

    await until(there)
    moment = (await ome.client.stream("reels", stream)).appeared
    assert moment
    return moment


async def shown(ome: Ome, placement: Placement, *, at_least: int = 0, at_most: int = 1_000_000) -> bool:
    """Whether its current source, slate or publisher, has been shown for so many milliseconds."""
    program = (await ome.client.scheduled_channel("reels", placement.stream)).current_program
    item = program.current_item if program else None
    return item is not None and at_least <= item.current_position <= at_most
