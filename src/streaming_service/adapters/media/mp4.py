"""The few boxes of an MP4 or MOV file that say what is in it (ISO/IEC 14496-12; Apple's QuickTime file format).

Only headers are read, by ranges: a film of many gigabytes costs a handful of small reads, wherever its `moov` lies.
The file is a stranger's: every size is checked against what encloses it, and reads and boxes are counted.
"""

from collections.abc import Generator
from struct import unpack_from
from typing import NamedTuple

from streaming_service.adapters.media.objects import StoredObject
from streaming_service.application.ports import MediaFacts

# What the first box of such a file can be; QuickTime files need no ftyp.
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"styp"})
_WINDOW_BYTES = 64 * 1024
_MAX_READS = 64
_MAX_BOXES = 4096
_MAX_DURATION = 1e7  # seconds; more is not a duration but a mistake
_TRACK_ENABLED = 1


class Malformed(Exception):
    """This is not a file that we can read."""


class Box(NamedTuple):
    """A box's four-letter kind and where its content lies in the file."""

    kind: bytes
    start: int
    end: int


class Track(NamedTuple):
    """What one `trak` says. `duration` is 0 when it holds no samples, or holds them in fragments."""

    handler: bytes
    enabled: bool
    width: int
    height: int
    duration: float | None


def read_facts(stored: StoredObject) -> MediaFacts | None:
    """What the file holds; None when it is not MP4 or MOV, or is broken. Raises only what `stored.read` raises.

    Sides are those of the picture as displayed: a portrait film that is stored lying down is given upright.
    """
    try:
        return _Reader(stored).facts()
    except Malformed:
        return None


class _Reader:
    def __init__(self, stored: StoredObject) -> None:
        self._stored = stored
        self._window = b""
        self._window_start = 0
        self._reads = 0
        self._boxes = 0

    def facts(self) -> MediaFacts:
        moov = self._find_moov()
        duration: float | None = None
        tracks: list[Track] = []
        fragmented = False
        for box in self._children(moov):
            if box.kind == b"mvhd":
                duration = self._duration(box)
            elif box.kind == b"trak":
                tracks.append(self._track(box))
            elif box.kind == b"mvex":
                fragmented = True
            elif box.kind == b"cmov":
                raise Malformed("the movie header is compressed")
        if not fragmented:
            tracks = [track for track in tracks if track.duration != 0]  # announced, but nothing in it
        return _summary(tracks, duration)

    def _find_moov(self) -> Box:
        size = self._stored.size
        for index, box in enumerate(self._boxes_between(0, size)):
            if index == 0 and box.kind not in _FIRST_BOXES:
                break
            if box.kind == b"moov":
                if box.end > size:
                    break
                return box
        raise Malformed("no movie header")

    def _track(self, trak: Box) -> Track:
        handler, enabled, width, height, duration = b"", False, 0, 0, None
        for box in self._children(trak):
            if box.kind == b"tkhd":
                enabled, width, height = self._track_header(box)
            elif box.kind == b"mdia":
                for inner in self._children(box):
                    if inner.kind == b"mdhd":
                        duration = self._duration(inner)
                    elif inner.kind == b"hdlr":
                        handler = self._content(inner, 12)[8:12]
        return Track(handler, enabled, width, height, duration)

    def _track_header(self, tkhd: Box) -> tuple[bool, int, int]:
        """Enabled flag, width and height in pixels, turned as the matrix says."""
        version = self._content(tkhd, 4)[0]
        matrix = 52 if version == 1 else 40
        data = self._content(tkhd, matrix + 44)
        a, b, _, c, d = unpack_from(">5i", data, matrix)
        # 16.16 fixed point: the upper half is whole pixels.
        width, _, height, _ = unpack_from(">4H", data, matrix + 36)
        if a == 0 and d == 0 and b != 0 and c != 0:
            width, height = height, width
        return bool(data[3] & _TRACK_ENABLED), width, height

    def _duration(self, header: Box) -> float | None:
        """Seconds, from `mvhd` or `mdhd`, which begin alike; None when it says "unknown" or makes no sense."""
        if self._content(header, 4)[0] == 1:
            scale, units = unpack_from(">IQ", self._content(header, 32), 20)
            unknown = 2**64 - 1
        else:
            scale, units = unpack_from(">II", self._content(header, 20), 12)
            unknown = 2**32 - 1
        if scale == 0 or units == unknown or units / scale > _MAX_DURATION:
            return None
        return units / scale

    def _children(self, parent: Box) -> Generator[Box]:
        for box in self._boxes_between(parent.start, parent.end):
            if box.end > parent.end:
                raise Malformed(f"{box.kind!r} is larger than what it is in")
            yield box

    def _boxes_between(self, start: int, end: int) -> Generator[Box]:
        """The boxes that follow each other; the last one may claim more than there is."""
        while end - start >= 8:
            self._boxes += 1
            if self._boxes > _MAX_BOXES:
                raise Malformed("too many boxes")
            size, kind = unpack_from(">I4s", self._bytes(start, 8))
            header = 8
            if size == 1:
                (size,) = unpack_from(">Q", self._bytes(start + 8, 8))
                header = 16
            elif size == 0:  # "to the end"
                size = end - start
            if size < header:
                raise Malformed(f"{kind!r} is smaller than its own header")
            yield Box(kind, start + header, start + size)
            start += size

    def _content(self, box: Box, length: int) -> bytes:
        """The first `length` bytes of a box."""
        if box.end - box.start < length:
            raise Malformed(f"{box.kind!r} is too short")
        return self._bytes(box.start, length)

    def _bytes(self, offset: int, length: int) -> bytes:
        begin = offset - self._window_start
        if begin < 0 or begin + length > len(self._window):
            self._reads += 1
            if self._reads > _MAX_READS:
                raise Malformed("its headers are too scattered")
            self._window = self._stored.read(offset, _WINDOW_BYTES)
            self._window_start, begin = offset, 0
            if len(self._window) < length:
                raise Malformed("it ends too early")
        return self._window[begin : begin + length]


def _summary(tracks: list[Track], movie_duration: float | None) -> MediaFacts:
    pictures = sorted((track for track in tracks if track.handler == b"vide"), key=lambda track: not track.enabled)
    picture = pictures[0] if pictures else None
    sound = next((track for track in tracks if track.handler == b"soun"), None)
    lengths = [track.duration for track in tracks if track.duration]
    return MediaFacts(
        video=picture is not None,
        audio=sound is not None,
        width=(picture.width or None) if picture else None,
        height=(picture.height or None) if picture else None,
        duration=movie_duration or max(lengths, default=None),
        shortest=min((track.duration for track in (picture, sound) if track and track.duration), default=None),
    )
