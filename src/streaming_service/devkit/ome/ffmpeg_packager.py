"""Real media: one ffmpeg run makes all rungs and the sound of a file, once for each content and ladder."""

import asyncio
import hashlib
import shutil
from functools import lru_cache
from pathlib import Path

import msgspec

from streaming_service.devkit.media.ffmpeg import FfmpegFailed, run_ffmpeg
from streaming_service.devkit.media.probe import MediaFacts, probe
from streaming_service.devkit.ome import boxes
from streaming_service.devkit.ome.ffmpeg_command import arguments
from streaming_service.domain.ladder import Ladder

_DONE = "complete"


class FfmpegPackage:
    """Segments in a folder `<track>/<index>.m4s`; they can be served while ffmpeg writes the next ones."""

    def __init__(self, ladder: Ladder, segment_seconds: float) -> None:
        self.ladder = ladder
        self.segment_seconds = segment_seconds
        self.facts: MediaFacts | None = None
        self.broken = False
        self.complete = False
        self.folder: Path | None = None
        self._durations: tuple[float, ...] = ()

    def durations(self) -> tuple[float, ...]:
        if self.folder is not None and not self.complete:
            self._durations = self._finished(self.folder)
        return self._durations

    def finish(self) -> None:
        """Everything is on disk now."""
        self.durations()
        self.complete = True

    def codec(self, track: int) -> str:
        return boxes.codec(_init_bytes(self._init_path(track)))

    async def init(self, track: int) -> bytes:
        return await asyncio.to_thread(_init_bytes, self._init_path(track))

    async def segment(self, track: int, index: int, shift: float) -> bytes:
        path = self._init_path(track).with_name(f"{index}.m4s")
        ticks = round(shift * boxes.timescale(await self.init(track)))
        return boxes.shifted(await asyncio.to_thread(path.read_bytes), ticks)

    def _finished(self, folder: Path) -> tuple[float, ...]:
        tracks = len(self.ladder.rungs) + (self.facts is not None and self.facts.audio)
        lists = [_listed(folder / str(track) / "index.m3u8") for track in range(tracks)]
        # The audio padding may end a little later than the picture: what all tracks have is what plays.
        return lists[0][: min(map(len, lists))]

    def _init_path(self, track: int) -> Path:
        if self.folder is None:
            raise FileNotFoundError("nothing is packaged yet")
        return self.folder / str(track) / f"init_{track}.mp4"


class FfmpegPackager:
    """`cache` keeps finished packages over restarts; at most `parallel` ffmpegs run at once."""

    def __init__(self, cache: Path, *, parallel: int = 2) -> None:
        self._cache = cache
        self._slots = asyncio.Semaphore(parallel)
        self._packages: dict[tuple[object, ...], FfmpegPackage] = {}
        self._folders: dict[Path, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # What was cut off is unfinished: the next start begins it again.
        self._packages = {key: package for key, package in self._packages.items() if package.complete}

    async def examine(self, path: Path) -> MediaFacts | None:
        try:
            facts = await probe(path)
        except (OSError, FfmpegFailed):
            return None
        return facts if facts and facts.video else None

    def open(self, path: Path, ladder: Ladder, segment_seconds: float) -> FfmpegPackage | None:
        try:
            status = path.stat()
        except OSError:
            return None
        if not path.is_file():
            return None
        key = (path, status.st_size, status.st_mtime_ns, ladder, segment_seconds)
        package = self._packages.get(key)
        if package is None:
            package = self._packages[key] = FfmpegPackage(ladder, segment_seconds)
            task = asyncio.get_running_loop().create_task(self._produce(path, package))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return package

    async def _produce(self, path: Path, package: FfmpegPackage) -> None:
        try:
            facts = await probe(path)
            if facts is None or not facts.video:
                package.broken, package.facts = facts is None, facts
                return
            folder = self._cache / await asyncio.to_thread(_digest, path, package)
            async with self._folders.setdefault(folder, asyncio.Lock()):
                await self._fill(path, package, facts, folder)
        except (OSError, FfmpegFailed):
            package.broken = True

    async def _fill(self, path: Path, package: FfmpegPackage, facts: MediaFacts, folder: Path) -> None:
        cached = (folder / _DONE).exists()
        if not cached:
            await asyncio.to_thread(_emptied, folder)
        package.folder, package.facts = folder, facts
        if not cached:
            async with self._slots:
                await run_ffmpeg(arguments(path, folder, package.ladder, facts, package.segment_seconds))
            (folder / _DONE).touch()
        package.finish()


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _digest(path: Path, package: FfmpegPackage) -> str:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
    digest.update(msgspec.json.encode((package.ladder, package.segment_seconds)))
    return digest.hexdigest()[:32]


def _listed(playlist: Path) -> tuple[float, ...]:
    """Durations in a playlist of ffmpeg, which replaces it whole after each segment."""
    try:
        text = playlist.read_text()
    except FileNotFoundError:
        return ()
    return tuple(float(line[8:].rstrip(",")) for line in text.splitlines() if line.startswith("#EXTINF:"))


@lru_cache(maxsize=256)
def _init_bytes(path: Path) -> bytes:
    return path.read_bytes()
