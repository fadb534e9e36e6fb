"""The few bytes of ISO BMFF that a live packager must read and move. Source: ISO/IEC 14496-12 and 14496-15."""

from collections.abc import Iterator

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_SAMPLE_ENTRY_SIZE = {b"avc1": 86, b"avc3": 86}
_STSD_HEADER = 16


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, begin, end) of every box between two offsets, those inside of containers too."""
    position, end = start, len(data) if end is None else end
    while position + 8 <= end:
        size = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if size < 8:
            return
        yield kind, position, position + size
        if kind in _CONTAINERS:
            yield from boxes(data, position + 8, position + size)
        elif kind == b"stsd":
            yield from boxes(data, position + _STSD_HEADER, position + size)
        elif kind in _SAMPLE_ENTRY_SIZE:
            yield from boxes(data, position + _SAMPLE_ENTRY_SIZE[kind], position + size)
        position += size


def timescale(init: bytes) -> int:
    """Ticks per second of the only track of an init segment. Raises ValueError when it is none."""
    found = find_timescale(init)
    if found is None:
        raise ValueError("init segment without mdhd")
    return found


def find_timescale(init: bytes) -> int | None:
    """Ticks per second of the only track; None for bytes that are no init segment."""
    for kind, begin, _ in boxes(init):
        if kind == b"mdhd":
            version = init[begin + 8]
            offset = begin + (28 if version else 20)
            return int.from_bytes(init[offset : offset + 4], "big")
    return None


def codec(init: bytes) -> str:
    """RFC 6381 name of an H.264 track (`avc1.PPCCLL`), AAC-LC for everything else."""
    for kind, begin, _ in boxes(init):
        if kind == b"avcC":
            return f"avc1.{init[begin + 9 : begin + 12].hex()}"
    return "mp4a.40.2"


def shifted(segment: bytes, ticks: int) -> bytes:
    """The fragment from its `moof` on (OME's segments begin there), decode times moved by `ticks`."""
    data = bytearray(segment)
    first = 0
    for kind, begin, _ in boxes(segment):
        if kind == b"moof" and not first:
            first = begin
        elif kind == b"tfdt":
            size = 8 if segment[begin + 8] else 4
            offset = begin + 12
            time = int.from_bytes(segment[offset : offset + size], "big") + ticks
            data[offset : offset + size] = max(0, time).to_bytes(size, "big")
    return bytes(data[first:])
