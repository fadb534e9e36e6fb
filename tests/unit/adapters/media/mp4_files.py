"""MP4 files made by hand, box by box."""

from struct import pack

UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
QUARTER_TURN = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
THREE_QUARTER_TURN = (0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000)
HALF_TURN = (-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000)


class Bytes:
    """A StoredObject in memory that counts what is read of it."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        self._data = data
        self.size = len(data) if size is None else size
        self.reads = 0
        self.bytes_read = 0

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length > 0
        self.reads += 1
        found = self._data[offset : offset + length]
        self.bytes_read += len(found)
        return found


def box(kind: bytes, content: bytes = b"", *, long: bool = False) -> bytes:
    if long:
        return pack(">I4sQ", 1, kind, len(content) + 16) + content
    return pack(">I4s", len(content) + 8, kind) + content


def header(kind: bytes, scale: int, units: int, *, version: int = 0) -> bytes:
    """`mvhd` or `mdhd`."""
    form = ">B3xQQIQ" if version == 1 else ">B3xIIII"
    return box(kind, pack(form, version, 0, 0, scale, units) + bytes(80))


def track_header(
    width: int, height: int, matrix: tuple[int, ...] = UPRIGHT, *, enabled: bool = True, version: int = 0
) -> bytes:
    start = pack(">I", (version << 24) | (1 if enabled else 0)) + bytes(32 if version == 1 else 20) + bytes(16)
    return box(b"tkhd", start + pack(">9i", *matrix) + pack(">II", width << 16, height << 16))


def track(
    handler: bytes,
    *,
    width: int = 0,
    height: int = 0,
    matrix: tuple[int, ...] = UPRIGHT,
    enabled: bool = True,
    version: int = 0,
    units: int = 1000,
    samples: int = 0,
) -> bytes:
    """A `trak`; `samples` is the size in bytes of the tables that we have no use for."""
    media = box(
        b"mdia",
        header(b"mdhd", 1000, units, version=version)
        + box(b"hdlr", bytes(8) + handler + bytes(13))
        + box(b"minf", box(b"stbl", bytes(samples))),
    )
    return box(b"trak", track_header(width, height, matrix, enabled=enabled, version=version) + box(b"edts") + media)


def movie(*boxes: bytes, scale: int = 1000, units: int = 12_500, version: int = 0) -> bytes:
    return box(b"moov", header(b"mvhd", scale, units, version=version) + b"".join(boxes))


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
VIDEO = track(b"vide", width=1280, height=720)
AUDIO = track(b"soun")
FILM = FTYP + movie(VIDEO, AUDIO) + box(b"mdat", bytes(1000))
