"""A stand-in OME with many cheap channels, every answer late by the given milliseconds.

Prints its API and playback addresses when it listens. SIGUSR1 wipes and restarts it, SIGTERM ends it.
"""

import asyncio
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.domain.ladder import parse_ladder

LADDER = "720p|1280x720|2500,480p|854x480|1500,360p|640x360|900"


async def main(milliseconds: float) -> None:
    with TemporaryDirectory() as folder:
        media = Path(folder, "media")
        media.mkdir()  # noqa: ASYNC240 - before anything is served
        (media / "clip.mp4").write_bytes(b"synthetic")
        ome = StandInOme(
            media_root=media,
            state_dir=Path(folder, "state"),
            applications={"reels": parse_ladder(LADDER), "series": parse_ladder(LADDER)},
            timing=Timing.instant(),
            packager=SyntheticPackager(),
            latency=milliseconds / 1000,
        )
        async with ome:
            print(ome.api_url, ome.playback_url, flush=True)
            stop, wipe = asyncio.Event(), asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, wipe.set)
            wiping = asyncio.create_task(_wipe(ome, wipe))
            await stop.wait()
            wiping.cancel()


async def _wipe(ome: StandInOme, asked: asyncio.Event) -> None:
    """Whenever that is asked for."""
    while True:
        await asked.wait()
        asked.clear()
        await ome.restart(wipe=True)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
