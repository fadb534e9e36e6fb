"""Cutting segments short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.devkit.ome.boxes import boxes
from streaming_service.devkit.ome.trim import trimmed
from tests.unit.devkit.ome.test_boxes import box

SIZES = (3, 5, 7, 11)


def word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def fragment(sizes: tuple[int, ...], *, each: bool) -> bytes:
    """Samples of 10 ticks; `each` says so for every one, otherwise the track's default does."""
    described = b"".join((word(10) if each else b"") + word(size) for size in sizes)
    flags = 0x1 | 0x200 | (0x100 if each else 0)
    tfhd = box(b"tfhd", word(0x20000 | (0 if each else 0x8)) + word(1) + (b"" if each else word(10)))

    def moof(offset: int) -> bytes:
        return box(
            b"moof", box(b"traf", tfhd + box(b"trun", word(flags) + word(len(sizes)) + word(offset) + described))
        )

    content = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    return moof(len(moof(0)) + 8) + box(b"mdat", content)


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize(("ticks", "kept"), [(1, 1), (10, 1), (11, 2), (30, 3), (31, 4), (999, 4), (0, 1)])
def test_it_keeps_the_samples_that_begin_before(ticks: int, kept: int, *, each: bool) -> None:
    assert trimmed(fragment(SIZES, each=each), ticks) == fragment(SIZES[:kept], each=each)


def test_what_is_no_fragment_stays_as_it_is() -> None:
    content = box(b"free", b"segment 1")

    assert trimmed(content, 5) == content


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 100))
def test_the_boxes_add_up(sizes: list[int], ticks: int) -> None:
    content = trimmed(fragment(tuple(sizes), each=False), ticks)

    assert max(end for _, _, end in boxes(content)) == len(content)
