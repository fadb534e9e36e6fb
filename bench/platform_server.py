"""The stand-in platform in a process of its own, which knows many viewers: `viewer-0` and so on.

Prints its address when it listens; ends on SIGTERM.
"""

import asyncio
import signal

import uvloop

from streaming_service.devkit.platform import StandInPlatform

VIEWERS = 200_000


async def main() -> None:
    async with StandInPlatform() as platform:
        viewer = platform.tokens.introspect("viewer-demo")
        for number in range(VIEWERS):
            platform.tokens.add(f"viewer-{number}", {**viewer, "userId": f"u{number}"})
        print(platform.url, flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
