"""`python -m streaming_service.devkit.ome`: the stand-in as a process of its own, on loopback, until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from streaming_service.devkit.ome.server import StandInOme
from streaming_service.domain.ladder import parse_ladder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m streaming_service.devkit.ome", description=__doc__)
    parser.add_argument("--media-root", type=Path, required=True, help="the folder that file:// begins at")
    parser.add_argument("--state-dir", type=Path, required=True, help="schedules and packaged media")
    parser.add_argument(
        "--app",
        action="append",
        required=True,
        metavar="NAME=PRESET",
        help="reels=720p|1280x720|2500,480p|854x480|1500",
    )
    parser.add_argument("--access-token", default="ome-key:ome-secret")
    parser.add_argument("--api-port", type=int, default=8081)
    parser.add_argument("--playback-port", type=int, default=3333)
    parser.add_argument("--absolute-chunklists", action="store_true", help="hlsChunklistPathDepth -1")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    pairs = [entry.partition("=") for entry in options.app]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with StandInOme(
        media_root=options.media_root,
        state_dir=options.state_dir,
        applications={name: parse_ladder(preset) for name, _, preset in pairs},
        access_token=options.access_token,
        api_port=options.api_port,
        playback_port=options.playback_port,
        absolute_chunklists=options.absolute_chunklists,
    ) as ome:
        sys.stdout.write(f"api {ome.api_url}\nplayback {ome.playback_url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
