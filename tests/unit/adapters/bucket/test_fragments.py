"""Seconds of fragmented MP4, told by its samples."""

from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming_service.adapters.bucket.fragments import MalformedFragment, segment_seconds
from tests.unit.adapters.bucket.dumps import box, fragment, full_box, init, segment, tfhd, track, trun

INIT = init(90_000)
SEGMENT = segment(1.88, 90_000)


def moof(*trafs: bytes) -> bytes:
    return box(b"moof", full_box(b"mfhd", 0, bytes(4)) + b"".join(trafs)) + box(b"mdat", bytes(10))


def traf(*boxes: bytes) -> bytes:
    return box(b"traf", b"".join(boxes))


def test_a_segment_of_several_parts_is_as_long_as_all_of_them() -> None:
    assert SEGMENT.count(b"moof") == 4
    assert segment_seconds(INIT, SEGMENT) == pytest.approx(1.88)


def test_the_timescale_is_the_tracks() -> None:
    assert segment_seconds(init(48_000), fragment([1024] * 94)) == pytest.approx(94 * 1024 / 48_000)


@pytest.mark.parametrize("version", [0, 1])
def test_both_versions_of_the_headers(version: int) -> None:
    assert segment_seconds(init(1000, version=version), fragment([40] * 50)) == pytest.approx(2.0)


def test_samples_without_a_duration_last_as_long_as_the_fragment_says() -> None:
    without = full_box(b"trun", 0x000001, pack(">Ii", 50, 0))

    assert segment_seconds(init(1000), moof(traf(tfhd(default=40), without))) == pytest.approx(2.0)


def test_and_otherwise_as_long_as_the_init_segment_says() -> None:
    plain = full_box(b"tfhd", 0, pack(">I", 1))
    without = full_box(b"trun", 0x000605, pack(">IiI", 3, 0, 0) + bytes(24))

    assert segment_seconds(init(1000, default=500), moof(traf(plain, without))) == pytest.approx(1.5)


def test_a_base_offset_before_the_default_duration() -> None:
    header = full_box(b"tfhd", 0x00000B, pack(">IQII", 1, 2**40, 1, 40))

    assert segment_seconds(init(1000), moof(traf(header, full_box(b"trun", 0, pack(">I", 50))))) == pytest.approx(2.0)


def test_the_longest_track_counts() -> None:
    both = box(b"moov", track(1, 1000) + track(2, 48_000))
    media = moof(traf(tfhd(1), trun([40] * 10)), traf(tfhd(2), trun([1024] * 47)))

    assert segment_seconds(both, media) == pytest.approx(47 * 1024 / 48_000)


def test_boxes_that_nobody_needs_are_passed_over() -> None:
    styp, sidx, emsg = box(b"styp", b"msdh"), box(b"sidx", bytes(40)), pack(">I4sQ", 1, b"emsg", 20) + bytes(4)

    assert segment_seconds(INIT, styp + sidx + emsg + SEGMENT + box(b"free")) == pytest.approx(1.88)


def test_the_last_box_may_reach_to_the_end() -> None:
    open_end = pack(">I4s", 0, b"mdat") + bytes(100)

    assert segment_seconds(INIT, SEGMENT + open_end) == pytest.approx(1.88)


@pytest.mark.parametrize(
    ("start", "media", "reason"),
    [
        (b"", SEGMENT, "no tracks"),
        (INIT[:-4], SEGMENT, "does not fit"),
        (b"<html>not found</html>", SEGMENT, "does not fit"),
        (init(0), SEGMENT, "no timescale"),
        (init(90_000, 0), SEGMENT, "no id"),
        (init(90_000, 7), SEGMENT, "knows no track 1"),
        (box(b"moov", box(b"trak", box(b"tkhd", bytes(4)))), SEGMENT, "too short"),
        (INIT, b"", "no track fragments"),
        (INIT, box(b"mdat", bytes(10)), "no track fragments"),
        (INIT, SEGMENT[:-3], "does not fit"),
        (INIT, SEGMENT + b"\0\0", "inside of a box's header"),
        (INIT, moof(traf(trun([1]))), "no header"),
        (INIT, moof(traf(tfhd(), box(b"trun", b"\0\0\0"))), "too short"),
        (INIT, moof(traf(tfhd(), full_box(b"trun", 0x000100, pack(">I", 2**31)))), "fewer samples than it says"),
        (INIT, moof(traf(tfhd(), trun([]))), "last 0 s"),
        (init(1), moof(traf(tfhd(default=2**31), full_box(b"trun", 0, pack(">I", 2**31)))), "samples last"),
        (INIT, pack(">I4s", 4, b"moof") + bytes(100), "does not fit"),
        (INIT, SEGMENT + pack(">I4sQ", 1, b"free", 8), "does not fit"),
        (INIT, pack(">I4sQ", 1, b"moof", 2**63) + bytes(100), "does not fit"),
        (INIT, box(b"free") * 30_000 + SEGMENT, "too many boxes"),
    ],
)
def test_what_cannot_be_read_says_why(start: bytes, media: bytes, reason: str) -> None:
    with pytest.raises(MalformedFragment, match=reason):
        segment_seconds(start, media)


KINDS = st.sampled_from(
    [b"moov", b"trak", b"tkhd", b"mdia", b"mdhd", b"mvex", b"trex", b"moof", b"traf", b"tfhd", b"trun"]
)
BOXES = st.recursive(
    st.builds(box, KINDS, st.binary(max_size=60)),
    lambda inner: st.builds(box, KINDS, st.lists(inner, max_size=4).map(b"".join)),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes with some of them changed, cut off or doubled."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        data[place : place + draw(st.integers(0, 8))] = draw(
            st.binary(max_size=8) | st.just(b"\xff" * 4) | st.just(bytes(4))
        )
    return bytes(data)


ANYTHING = st.binary(max_size=200) | st.lists(BOXES, max_size=6).map(b"".join)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.just(INIT) | damaged(INIT) | ANYTHING, st.just(SEGMENT) | damaged(SEGMENT) | ANYTHING)
def test_no_bytes_can_hurt_us(start: bytes, media: bytes) -> None:
    try:
        seconds = segment_seconds(start, media)
    except MalformedFragment:
        return
    assert 0 < seconds <= 86_400


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=100), st.integers(1, 100_000))
def test_no_sample_is_forgotten(durations: list[int], scale: int) -> None:
    parts = b"".join(fragment(durations[start : start + 7]) for start in range(0, len(durations), 7))

    if sum(durations) / scale <= 86_400:
        assert segment_seconds(init(scale), parts) == pytest.approx(sum(durations) / scale)
