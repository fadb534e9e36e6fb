"""Mounted buckets: what is in the folder can be read, and nothing else."""

import os
from pathlib import Path

import pytest

from streaming_service.adapters.media.directory import DirectoryReader
from streaming_service.domain.source import ObjectUri
from streaming_service.errors import NotFound, UpstreamUnavailable


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    (folder / "2026").mkdir(parents=True)
    (folder / "2026" / "film.mp4").write_bytes(b"0123456789")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def reader(mount: Path) -> DirectoryReader:
    return DirectoryReader({"uploads": mount})


def read(reader: DirectoryReader, key: str, offset: int = 0, length: int = 100) -> bytes:
    with reader.open(ObjectUri("uploads", key)) as stored:
        return stored.read(offset, length)


def test_it_serves_the_buckets_that_are_mounted(reader: DirectoryReader) -> None:
    assert reader.serves("uploads")
    assert not reader.serves("elsewhere")


def test_ranges_of_a_file_are_read(reader: DirectoryReader) -> None:
    with reader.open(ObjectUri("uploads", "2026/film.mp4")) as stored:
        assert stored.size == 10
        assert stored.read(2, 3) == b"234"
        assert stored.read(8, 100) == b"89"
        assert stored.read(100, 1) == b""


@pytest.mark.parametrize("key", ["missing.mp4", "2026", "2026/film.mp4/x", "a" * 300, "../secret", "2026/../../secret"])
def test_what_is_not_a_file_in_the_folder_is_not_there(reader: DirectoryReader, key: str) -> None:
    with pytest.raises(NotFound, match="is not there"):
        read(reader, key)


def test_an_absolute_key_does_not_leave_the_folder(reader: DirectoryReader, mount: Path) -> None:
    with pytest.raises(NotFound):
        read(reader, str(mount.parent / "secret"))


def test_a_link_out_of_the_folder_is_not_followed(reader: DirectoryReader, mount: Path) -> None:
    (mount / "film.mp4").symlink_to(mount.parent / "secret")
    (mount / "up").symlink_to(mount.parent)

    for key in ("film.mp4", "up/secret"):
        with pytest.raises(NotFound):
            read(reader, key)


def test_a_link_within_the_folder_is_fine(reader: DirectoryReader, mount: Path) -> None:
    (mount / "newest.mp4").symlink_to("2026/film.mp4")

    assert read(reader, "newest.mp4") == b"0123456789"


def test_a_neighbour_whose_name_begins_alike_is_outside(reader: DirectoryReader, mount: Path) -> None:
    neighbour = mount.with_name("uploads-private")
    neighbour.mkdir()
    (neighbour / "film.mp4").write_bytes(b"secret")
    (mount / "next").symlink_to(neighbour)

    with pytest.raises(NotFound):
        read(reader, "next/film.mp4")


def test_links_in_circles_are_not_there(reader: DirectoryReader, mount: Path) -> None:
    (mount / "a").symlink_to("b")
    (mount / "b").symlink_to("a")

    with pytest.raises(NotFound):
        read(reader, "a")


def test_a_pipe_does_not_make_us_wait(reader: DirectoryReader, mount: Path) -> None:
    os.mkfifo(mount / "film.mp4")

    with pytest.raises(NotFound):
        read(reader, "film.mp4")


def test_the_mount_itself_may_be_a_link(mount: Path) -> None:
    (mount.parent / "link").symlink_to(mount)

    assert read(DirectoryReader({"uploads": mount.parent / "link"}), "2026/film.mp4") == b"0123456789"


def test_a_mount_that_is_gone_is_an_outage_not_a_missing_film(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnavailable, match="not mounted"):
        read(DirectoryReader({"uploads": tmp_path / "gone"}), "film.mp4")


def test_nothing_stays_open(reader: DirectoryReader, mount: Path) -> None:
    os.mkfifo(mount / "pipe")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for key in ("2026/film.mp4", "2026", "pipe", "missing"):
        try:
            read(reader, key)
        except NotFound:
            continue

    assert len(list(Path("/proc/self/fd").iterdir())) == before
