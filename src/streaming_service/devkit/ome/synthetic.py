"""A packager without ffmpeg, for thousands of channels: the boxes say what they should, and hold no picture."""

from collections.abc import Mapping
from pathlib import Path
from struct import pack

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.domain.ladder import Ladder

_DEFAULT_FACTS = MediaFacts(duration=8.0, width=1280, height=720)


class SyntheticPackage:
    """Ready at once; a segment is one sample as long as itself, and a `free` box that names it."""

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
        return _INIT + _free_box(f"init {track}")

    async def segment(self, track: int, index: int, shift: float) -> bytes:
        start = sum(self._durations[:index]) + shift
        return _fragment(start, self._durations[index]) + _free_box(f"segment {track} {index} {shift:.3f}")


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


# -- as few boxes as tell how long something is (ISO/IEC 14496-12) ----------------------------------------------------

_SCALE = 90_000  # ticks per second
_TRACK = 1


def _box(kind: bytes, content: bytes = b"") -> bytes:
    return pack(">I4s", len(content) + 8, kind) + content


def _full_box(kind: bytes, flags: int, content: bytes, version: int = 0) -> bytes:
    return _box(kind, pack(">I", (version << 24) | flags) + content)


def _init() -> bytes:
    header = _full_box(b"tkhd", 3, bytes(8) + pack(">I", _TRACK) + bytes(60))
    media = _box(b"mdia", _full_box(b"mdhd", 0, bytes(8) + pack(">I", _SCALE) + bytes(8)))
    extends = _box(b"mvex", _full_box(b"trex", 0, pack(">5I", _TRACK, 1, 0, 0, 0)))
    return _box(b"ftyp", b"iso6" + bytes(4)) + _box(b"moov", extends + _box(b"trak", header + media))


def _fragment(start: float, duration: float) -> bytes:
    """From `start`, `duration` long, both in seconds."""
    track = _full_box(b"tfhd", 0x020000, pack(">I", _TRACK))
    time = _full_box(b"tfdt", 0, pack(">Q", max(0, round(start * _SCALE))), version=1)
    run = _full_box(b"trun", 0x000100, pack(">II", 1, round(duration * _SCALE)))
    head = _box(b"moof", _full_box(b"mfhd", 0, bytes(4)) + _box(b"traf", track + time + run))
    return head + _box(b"mdat")


def _free_box(text: str) -> bytes:
    return _box(b"free", text.encode())


_INIT = _init()
