"""ffmpeg as a child process that never outlives the task that started it."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import cast

from streaming_service.errors import StreamingServiceError


class FfmpegFailed(StreamingServiceError):
    """ffmpeg ended with an error; the text is the end of what it wrote to stderr."""


def ffmpeg_path() -> str:
    """The ffmpeg inside the `imageio-ffmpeg` wheel, imported late because only the `devkit` extra installs it."""
    try:
        module = importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise FfmpegFailed("imageio-ffmpeg is missing: pip install 'streaming-service[devkit]'") from error
    return cast("str", module.get_ffmpeg_exe())


async def run_ffmpeg(arguments: Sequence[str], *, check: bool = True) -> str:
    """Run ffmpeg to its end and return its stderr. Cancelling this kills the child.

    Raises FfmpegFailed for a non-zero exit unless `check` is false (`ffmpeg -i` without an output always "fails").
    """
    process = await asyncio.create_subprocess_exec(
        ffmpeg_path(),
        "-hide_banner",
        "-nostdin",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, stderr = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
        # Drains the pipe too, or its transport would stay open after the process is gone.
        await process.communicate()
        raise
    text = stderr.decode(errors="replace")
    if check and process.returncode != 0:
        raise FfmpegFailed(text.strip()[-2000:] or f"exit status {process.returncode}")
    return text
