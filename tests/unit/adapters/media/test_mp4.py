"""What is in an MP4 file, and that no file can hurt us."""

from struct import pack

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streaming_service.adapters.media.mp4 import read_facts
from streaming_service.application.ports import MediaFacts
from tests.unit.adapters.media.mp4_files import (
    AUDIO,
    FILM,
    FTYP,
    HALF_TURN,
    QUARTER_TURN,
    THREE_QUARTER_TURN,
    UPRIGHT,
    VIDEO,
    Bytes,
    box,
    header,
    movie,
    track,
)

FACTS = MediaFacts(video=True, audio=True, width=1280, height=720, duration=12.5, shortest=1.0)
MDAT = box(b"mdat", bytes(1000))


def facts(data: bytes) -> MediaFacts | None:
    return read_facts(Bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        FTYP + movie(VIDEO, AUDIO) + MDAT,
        FTYP + MDAT + movie(VIDEO, AUDIO),
        FTYP + box(b"free", bytes(8)) + box(b"mdat", bytes(200_000), long=True) + movie(AUDIO, VIDEO),
        MDAT + movie(VIDEO, AUDIO),
        box(b"wide") + MDAT + movie(VIDEO, AUDIO),
        FTYP + movie(VIDEO, AUDIO) + pack(">I4s", 0, b"mdat") + bytes(1000),
        FTYP + movie(track(b"vide", width=1280, height=720, version=1), AUDIO, version=1),
        FTYP + movie(track(b"tmcd"), VIDEO, AUDIO, box(b"udta", bytes(4))),
        FTYP + movie(VIDEO, AUDIO) + MDAT[:100],
    ],
    ids=[
        "moov first",
        "moov last",
        "long box between",
        "QuickTime without ftyp",
        "wide first",
        "mdat to the end",
        "version 1 headers",
        "other tracks",
        "cut off in the media",
    ],
)
def test_tracks_sides_and_duration_are_found(data: bytes) -> None:
    assert facts(data) == FACTS


def test_a_film_without_sound_says_so() -> None:
    assert facts(FTYP + movie(VIDEO)) == MediaFacts(True, False, 1280, 720, 12.5, 1.0)


def test_sound_alone_has_no_sides() -> None:
    assert facts(FTYP + movie(AUDIO)) == MediaFacts(False, True, None, None, 12.5, 1.0)


def test_a_movie_without_tracks_holds_nothing() -> None:
    assert facts(FTYP + movie()) == MediaFacts(False, False, None, None, 12.5)


@pytest.mark.parametrize(
    ("matrix", "sides"),
    [
        (UPRIGHT, (1280, 720)),
        (HALF_TURN, (1280, 720)),
        (QUARTER_TURN, (720, 1280)),
        (THREE_QUARTER_TURN, (720, 1280)),
        ((0,) * 9, (1280, 720)),
    ],
)
@pytest.mark.parametrize("version", [0, 1])
def test_a_film_filmed_upright_is_upright(matrix: tuple[int, ...], sides: tuple[int, int], version: int) -> None:
    found = facts(FTYP + movie(track(b"vide", width=1280, height=720, matrix=matrix, version=version)))

    assert found is not None
    assert (found.width, found.height) == sides


def test_of_two_pictures_the_enabled_one_counts() -> None:
    hidden = track(b"vide", width=320, height=180, enabled=False)

    assert facts(FTYP + movie(hidden, VIDEO, AUDIO)) == FACTS
    assert facts(FTYP + movie(VIDEO, hidden, AUDIO)) == FACTS


def test_sides_that_are_not_said_are_not_known() -> None:
    assert facts(FTYP + movie(track(b"vide"))) == MediaFacts(True, False, None, None, 12.5, 1.0)


def test_an_audio_track_with_nothing_in_it_is_no_audio() -> None:
    assert facts(FTYP + movie(VIDEO, track(b"soun", units=0))) == MediaFacts(True, False, 1280, 720, 12.5, 1.0)


def test_in_a_fragmented_file_the_tracks_are_filled_later() -> None:
    empty = track(b"vide", width=1280, height=720, units=0), track(b"soun", units=0)

    assert facts(FTYP + movie(*empty, box(b"mvex"), units=0)) == MediaFacts(True, True, 1280, 720, None)


@pytest.mark.parametrize(("scale", "units"), [(1000, 0), (0, 12_500), (1000, 2**32 - 1), (1, 10**8)])
def test_a_movie_that_does_not_know_its_duration_is_as_long_as_its_longest_track(scale: int, units: int) -> None:
    found = facts(FTYP + movie(VIDEO, track(b"soun", units=2500), scale=scale, units=units))

    assert found is not None
    assert found.duration == 2.5


def test_an_unknown_long_duration_is_unknown() -> None:
    found = facts(FTYP + box(b"moov", header(b"mvhd", 1000, 2**64 - 1, version=1)))

    assert found == MediaFacts(False, False, None, None, None)


MOOV = movie(VIDEO, AUDIO)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\x18",
        b"\x1a\x45\xdf\xa3" + bytes(100),
        b"#EXTM3U\n#EXT-X-VERSION:3\n",
        b"<html>not found</html>",
        bytes(1000),
        FTYP,
        FTYP + MDAT,
        FTYP + pack(">I4s", 0, b"mdat") + MOOV,
        FTYP + MOOV[:-1],
        FTYP + MOOV[:40],
        FTYP + pack(">I4s", 7, b"free") + MOOV,
        FTYP + pack(">I4sQ", 1, b"mdat", 2**64 - 1) + MOOV,
        FTYP + pack(">I4sQ", 1, b"mdat", 3) + MOOV,
        FTYP + box(b"moov", header(b"mvhd", 1000, 1000) + pack(">I4s", 10**6, b"trak")),
        FTYP + box(b"moov", box(b"mvhd", bytes(8))),
        FTYP + box(b"moov", box(b"mvhd")),
        FTYP + movie(box(b"trak", box(b"tkhd", bytes(40)))),
        FTYP + movie(box(b"trak", box(b"mdia", box(b"hdlr", bytes(8))))),
        FTYP + box(b"moov", box(b"cmov", bytes(100))),
        FTYP + box(b"free") * 5000 + MOOV,
        FTYP + box(b"free", bytes(70_000)) * 65 + MOOV,
    ],
)
def test_what_cannot_be_read_is_none(data: bytes) -> None:
    assert facts(data) is None


def test_a_file_that_shrinks_while_it_is_read_is_none() -> None:
    assert read_facts(Bytes(FILM[:200], size=len(FILM))) is None


@pytest.mark.parametrize("first", [True, False], ids=["moov first", "moov last"])
def test_a_large_film_costs_a_few_small_reads(first: bool) -> None:
    tables = movie(track(b"vide", width=1280, height=720, samples=4_000_000), track(b"soun", samples=4_000_000))
    media = box(b"mdat", bytes(20_000_000), long=True)
    stored = Bytes(FTYP + (tables + media if first else media + tables))

    assert read_facts(stored) == FACTS
    assert stored.reads <= 5
    assert stored.bytes_read <= 5 * 64 * 1024


# -- anything at all --------------------------------------------------------------------------------------------------

KINDS = st.sampled_from(
    [b"ftyp", b"moov", b"trak", b"mdia", b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"mvex", b"free", b"mdat"]
)
BOXES = st.recursive(
    st.builds(box, KINDS, st.binary(max_size=100), long=st.booleans()),
    lambda inner: st.builds(box, KINDS, st.lists(inner, max_size=4).map(b"".join), long=st.booleans()),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good film with some bytes changed, cut off or doubled."""
    data = bytearray(FTYP + MOOV + box(b"mdat", bytes(8)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data) - 1))
        data[place : place + draw(st.integers(0, 8))] = draw(
            st.binary(max_size=8) | st.just(b"\xff" * 4) | st.just(bytes(4))
        )
    return bytes(data)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300) | damaged() | st.lists(BOXES, max_size=6).map(b"".join))
@example(pack(">I4s", 0, b"moov"))
@example(pack(">I4s", 0, b"moov") * 3)
@example(pack(">I4sQ", 1, b"moov", 16))
def test_no_file_can_hurt_us(data: bytes) -> None:
    stored = Bytes(data)
    found = read_facts(stored)

    assert stored.reads <= 64
    if found is not None:
        assert found.duration is None or 0 < found.duration <= 1e7
        assert all(side is None or 0 < side < 2**16 for side in (found.width, found.height))
