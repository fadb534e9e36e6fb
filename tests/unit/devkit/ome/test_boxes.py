"""Reading and moving ISO BMFF."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.devkit.ome import boxes


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def tfdt(time: int, version: int) -> bytes:
    return box(b"tfdt", bytes([version, 0, 0, 0]) + time.to_bytes(8 if version else 4, "big"))


def fragment(time: int, version: int = 1) -> bytes:
    moof = box(b"moof", box(b"mfhd", bytes(8)) + box(b"traf", box(b"tfhd", bytes(8)) + tfdt(time, version)))
    return box(b"styp", b"msdh") + moof + box(b"mdat", b"picture")


def init(scale: int, version: int = 0, entry: bytes = b"") -> bytes:
    times = bytes(16 if version else 8)
    mdhd = box(b"mdhd", bytes([version, 0, 0, 0]) + times + scale.to_bytes(4, "big") + bytes(8))
    stsd = box(b"stsd", bytes(8) + entry)
    media = box(b"mdia", mdhd + box(b"minf", box(b"stbl", stsd)))
    return box(b"ftyp", b"iso6") + box(b"moov", box(b"trak", media))


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_shifted_moves_the_decode_time_only(time: int, ticks: int) -> None:
    moved = boxes.shifted(fragment(time), ticks)

    assert moved == fragment(time + ticks)[12:], "what precedes the moof is dropped"


def test_shifted_short_time() -> None:
    assert boxes.shifted(fragment(5, version=0), 10) == fragment(15, version=0)[12:]


@pytest.mark.parametrize("version", [0, 1])
def test_timescale(version: int) -> None:
    assert boxes.timescale(init(12800, version)) == 12800


def test_codec() -> None:
    avc1 = box(b"avc1", bytes(78) + box(b"avcC", b"\x01\x42\xc0\x1f\xff"))

    assert boxes.codec(init(12800, entry=avc1)) == "avc1.42c01f"
    assert boxes.codec(init(48000)) == "mp4a.40.2"


@given(st.binary(max_size=200))
def test_any_bytes_can_be_walked(content: bytes) -> None:
    for _, begin, end in boxes.boxes(content):
        assert 0 <= begin < end
