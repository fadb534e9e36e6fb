"""What a person sees of `dev` and `publish`."""

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.domain.signing.scheme import Scheme
from streaming_service.entrypoints.dev.publish import Publisher, Upload
from streaming_service.entrypoints.dev.stack import VIEWER_TOKEN, StackInfo, read_info, running_stack, sample_clip
from streaming_service.errors import InvalidInput
from streaming_service.telemetry import configure_logging

_BOLD, _DIM, _GREEN, _PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[0m"


async def run_dev(port: int, directory: Path, *, keep: bool, scheme: str = Scheme.CLOUD_CDN) -> None:
    """Start the stack, publish the sample, stay until SIGINT or SIGTERM. Raises InvalidInput for an unknown scheme."""
    if scheme not in set(Scheme):
        raise InvalidInput("--signing", f"is not one of {', '.join(Scheme)}")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    directory.parent.mkdir(parents=True, exist_ok=True)
    log_path = directory.parent / f"{directory.name}.log"
    with log_path.open("w", buffering=1) as log_file, _own_terminal():
        configure_logging("info", "json", log_file)
        sample = await sample_clip(directory)
        async with running_stack(port, directory, keep=keep, scheme=Scheme(scheme)) as info:
            _introduce(info, log_path)
            shown = asyncio.create_task(_show(info, sample, directory))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({shown, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if shown.done():
                shown.result()
                await stopped
            shown.cancel()
            with suppress(asyncio.CancelledError):
                await shown
            _print(f"\n{_tint(_DIM)}stopping …{_tint(_PLAIN)}")
        _print("stopped")


async def run_publish(file: Path, directory: Path, content_id: str | None, classification: str) -> None:
    """Publish to the stack of `directory` and print the signed URL when it plays."""
    upload = Upload(file, content_id, classification)
    async with AiohttpTransport() as transport:
        await _publish(read_info(directory), transport, upload)


async def _show(info: StackInfo, sample: Path, directory: Path) -> None:
    async with AiohttpTransport() as transport:
        content_id = await _publish(info, transport, Upload(sample))
    place = "" if directory == Path("var/dev") else f" --directory {directory}"
    command, channel = ".venv/bin/streaming-service", f"{info.api}/v1/admin/streams/{content_id}"
    probe = f'{info.api}/internal/probes/manifest --json \'{{"contentId": "{content_id}"}}\''
    viewer = f"{info.api}/v1/streams/{content_id}/manifest"
    _print("")
    for about, line in (
        ("another video", f"{command} publish FILE.mp4{place}"),
        ("ask as a viewer", f"curl -H 'Authorization: Bearer {VIEWER_TOKEN}' {viewer}"),
        ("the channel", f"curl -H 'x-service-token: {info.service_token}' {channel}"),
        ("does it play", f"curl -H 'x-service-token: {info.service_token}' {probe}"),
        ("all channels", f"{command} channels list --env-file {directory}/service.env"),
        ("stop", "Ctrl-C"),
    ):
        _print(f"  {_tint(_DIM)}{about:<16}{_tint(_PLAIN)}{line}")


async def _publish(info: StackInfo, transport: AiohttpTransport, upload: Upload) -> str:
    async for state, playable in Publisher(info, transport, _say).publish(upload):
        _print(f"\n{_tint(_BOLD)}{state}: {playable.url}{_tint(_PLAIN)}\n")
        if playable.cookies:
            _print(f"  {_tint(_DIM)}{'with the header':<16}{_tint(_PLAIN)}Cookie: {playable.cookies}\n")
    return upload.content_id


def _introduce(info: StackInfo, log_path: Path) -> None:
    rows = (
        ("service", info.api, "API · /docs · /metrics"),
        ("edge", info.edge, "stand-in CDN: refuses what is not signed · /_edge"),
        ("OME", info.ome_api, f"stand-in · playback {info.ome_playback}"),
        (
            "platform",
            info.platform,
            "stand-ins for all our neighbours: GET shows what they got",
        ),
        ("log", str(log_path), ""),
    )
    _print(f"{_tint(_BOLD)}Streaming Service{_tint(_PLAIN)}, everything on loopback\n")
    for name, address, about in rows:
        _print(f"  {name:<10}{address}  {_tint(_DIM)}{about}{_tint(_PLAIN)}")
    _print("")


def _say(seconds: float, what: str, details: str) -> None:
    _print(f"  {_tint(_GREEN)}{seconds:5.1f} s{_tint(_PLAIN)}  {what:<24} {_tint(_DIM)}{details}{_tint(_PLAIN)}")


def _tint(code: str) -> str:
    return code if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ""


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _own_terminal() -> Generator[None]:
    """Take Ctrl-C for ourselves while we run under make, which would otherwise call a clean stop an error.

    Only from the foreground of a terminal: a process group of our own gets the interrupt, make does not.
    """
    if not sys.stdin.isatty() or "MAKELEVEL" not in os.environ or os.tcgetpgrp(0) != os.getpgrp():
        yield
        return
    parent = os.getpgrp()
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(0, parent)
        signal.signal(signal.SIGTTOU, before)
