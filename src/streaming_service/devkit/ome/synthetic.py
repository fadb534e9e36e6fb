"""A packager without ffmpeg, for thousands of channels: the bytes are not media, everything around them is."""

from collections.abc import Mapping
from pathlib import Path

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.domain.ladder import Ladder

_DEFAULT_FACTS = MediaFacts(duration=8.0, width=1280, height=720)


class SyntheticPackage:
    """Ready at once; segments are a `free` box that names them."""

    broken = False
    complete = True

    def __init__(self, facts: MediaFacts, ladder: Ladder, segment_seconds: float) -> None:
        self.facts = facts
        self.segment_seconds = segment_seconds
        self._rungs = len(ladder.rungs)
        whole, rest = divmod(facts.duration, segment_seconds)
        self._durations = (segment_seconds,) * int(whole) + ((rest,) if rest > 1e-6 else ())

    def durations(self) -> tuple[float, ...]:
        return self._durations

    def codec(self, track: int) -> str:
        return "avc1.42c01f" if track < self._rungs else "mp4a.40.2"

    async def init(self, track: int) -> bytes:
        return _free_box(f"init {track}")

    async def segment(self, track: int, index: int, shift: float) -> bytes:
        return _free_box(f"segment {track} {index} {shift:.3f}")


class SyntheticPackager:
    """`facts` tells about files by name (the last path part); every other file is 8 s of 720p with sound.

    `missing` names files that are not there. The disk is never asked.
    """

    def __init__(self, facts: Mapping[str, MediaFacts] | None = None, missing: frozenset[str] = frozenset()) -> None:
        self._facts = dict(facts or {})
        self._missing = missing
        self._packages: dict[tuple[MediaFacts, Ladder, float], SyntheticPackage] = {}

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def examine(self, path: Path) -> MediaFacts | None:
        return None if path.name in self._missing else self._facts.get(path.name, _DEFAULT_FACTS)

    def open(self, path: Path, ladder: Ladder, segment_seconds: float) -> SyntheticPackage | None:
        if path.name in self._missing:
            return None
        key = (self._facts.get(path.name, _DEFAULT_FACTS), ladder, segment_seconds)
        if key not in self._packages:
            self._packages[key] = SyntheticPackage(*key)
        return self._packages[key]


def _free_box(text: str) -> bytes:
    return (8 + len(text)).to_bytes(4, "big") + b"free" + text.encode()
