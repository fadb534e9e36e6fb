"""Cutting a media segment short, where a channel goes over to another source in the middle of it.

Source: ISO/IEC 14496-12 (`tfhd`, `trun`). Only what ffmpeg's HLS muxer writes: one fragment, one track, one run.
"""

from collections.abc import Iterator

from msgspec import Struct

from streaming_service.devkit.ome.boxes import boxes

# In `tfhd`: which fields stand before the default duration and the default size.
_TFHD_BEFORE = ((0x1, 8), (0x2, 4))
_TFHD_DURATION, _TFHD_SIZE = 0x8, 0x10
_TRUN_OFFSET, _TRUN_FIRST_FLAGS = 0x1, 0x4
_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_COMPOSITION = 0x100, 0x200, 0x400, 0x800


class _Run(Struct, frozen=True):
    """Where the samples of a `trun` are described: `first` is the offset of the first, `width` bytes each."""

    flags: int
    count: int
    first: int
    width: int


def trimmed(fragment: bytes, ticks: int) -> bytes:
    """The fragment with its samples that begin before `ticks`, at least one; as it is when it has no `moof`."""
    places = {kind: (begin, end) for kind, begin, end in boxes(fragment)}
    if not {b"moof", b"traf", b"tfhd", b"trun", b"mdat"} <= places.keys():
        return fragment
    run = _run(fragment, places[b"trun"][0])
    kept, size = _kept(fragment, run, places[b"tfhd"][0], ticks)
    dropped = (run.count - kept) * run.width
    data = bytearray(fragment)
    for kind in (b"moof", b"traf", b"trun"):
        begin, end = places[kind]
        data[begin : begin + 4] = (end - begin - dropped).to_bytes(4, "big")
    trun, (mdat, _) = places[b"trun"][0], places[b"mdat"]
    data[trun + 12 : trun + 16] = kept.to_bytes(4, "big")
    if run.flags & _TRUN_OFFSET:
        offset = int.from_bytes(data[trun + 16 : trun + 20], "big") - dropped
        data[trun + 16 : trun + 20] = offset.to_bytes(4, "big")
    data[mdat : mdat + 4] = (8 + size).to_bytes(4, "big")
    return bytes(data[: run.first + kept * run.width] + data[places[b"trun"][1] : mdat + 8 + size])


def _run(data: bytes, begin: int) -> _Run:
    flags, count = _word(data, begin + 8) & 0xFFFFFF, _word(data, begin + 12)
    first = begin + 16 + 4 * bool(flags & _TRUN_OFFSET) + 4 * bool(flags & _TRUN_FIRST_FLAGS)
    fields = (_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_COMPOSITION)
    return _Run(flags, count, first, 4 * sum(bool(flags & field) for field in fields))


def _kept(data: bytes, run: _Run, tfhd: int, ticks: int) -> tuple[int, int]:
    """How many samples begin before `ticks`, and how many bytes they have."""
    kept = size = time = 0
    for duration, length in _samples(data, run, tfhd):
        if kept and time >= ticks:
            break
        kept, size, time = kept + 1, size + length, time + duration
    return kept, size


def _samples(data: bytes, run: _Run, tfhd: int) -> Iterator[tuple[int, int]]:
    """Duration in ticks and size in bytes of each sample."""
    duration, size = _defaults(data, tfhd)
    for index in range(run.count):
        place = run.first + index * run.width
        if run.flags & _TRUN_DURATION:
            duration = _word(data, place)
            place += 4
        if run.flags & _TRUN_SIZE:
            size = _word(data, place)
        yield duration, size


def _defaults(data: bytes, tfhd: int) -> tuple[int, int]:
    flags = _word(data, tfhd + 8) & 0xFFFFFF
    place = tfhd + 16 + sum(width for flag, width in _TFHD_BEFORE if flags & flag)
    duration = _word(data, place) if flags & _TFHD_DURATION else 0
    place += 4 * bool(flags & _TFHD_DURATION)
    return duration, _word(data, place) if flags & _TFHD_SIZE else 0


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "big")
