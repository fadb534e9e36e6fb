"""A mounted manifest bucket: what is in the folder is read, written and deleted, and nothing else."""

import os
from pathlib import Path

import pytest

from streaming_service.adapters.bucket import DirectoryFolder
from streaming_service.errors import NotFound, UpstreamUnavailable
from tests.unit.adapters.bucket.dumps import PREFIX


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "manifests"
    (root / PREFIX).mkdir(parents=True)
    (root / PREFIX / "seg").write_bytes(b"0123456789")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "seg").write_bytes(b"secret")
    return root


@pytest.fixture
def folder(root: Path) -> DirectoryFolder:
    return DirectoryFolder(root)


def write(folder: DirectoryFolder, key: str, data: bytes = b"new") -> None:
    folder.write(key, data, "application/vnd.apple.mpegurl", "public, max-age=60")


def test_only_files_are_objects(folder: DirectoryFolder, root: Path) -> None:
    (root / PREFIX / "folder").mkdir()
    (root / PREFIX / "link").symlink_to("seg")
    os.mkfifo(root / PREFIX / "pipe")

    assert folder.list(PREFIX, 10) == {"seg": 10}
    for name in ("folder", "link", "pipe", ""):
        with pytest.raises(NotFound):
            folder.read(PREFIX + name, 10)


@pytest.mark.parametrize(
    "key", ["../secret/seg", "vod/../../secret/seg", f"{PREFIX}../../../../secret/seg", "/etc/passwd"]
)
def test_no_key_leads_out_of_the_folder(folder: DirectoryFolder, root: Path, key: str) -> None:
    with pytest.raises(NotFound):
        folder.read(key, 100)
    with pytest.raises(NotFound):
        write(folder, key)
    assert folder.list(key.rpartition("/")[0] + "/", 10) == {}
    assert folder.delete_some(key.rpartition("/")[0] + "/", 10)
    assert (root.parent / "secret" / "seg").read_bytes() == b"secret"


@pytest.mark.parametrize("linked", ["vod", "vod/reels", "vod/reels/ss-0d9f-3"])
def test_no_link_leads_out_of_the_folder(tmp_path: Path, linked: str) -> None:
    root, outside = tmp_path / "manifests", tmp_path / "outside"
    (outside / "reels" / "ss-0d9f-3").mkdir(parents=True)
    for place in (outside, outside / "reels" / "ss-0d9f-3"):
        (place / "seg").write_bytes(b"secret")
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(outside if linked == "vod" else outside / "reels" / "ss-0d9f-3")
    folder = DirectoryFolder(root)

    for prefix in (PREFIX, f"{linked}/"):
        assert folder.list(prefix, 10) == {}
        assert folder.delete_some(prefix, 10)
        with pytest.raises(NotFound):
            folder.read(prefix + "seg", 10)
        with pytest.raises(NotFound):
            write(folder, prefix + "seg")
    assert (outside / "seg").read_bytes() == b"secret"


def test_links_inside_of_a_copy_are_deleted_and_not_followed(folder: DirectoryFolder, root: Path) -> None:
    (root / PREFIX / "link").symlink_to(root.parent / "secret")
    (root / PREFIX / "deep").mkdir()
    (root / PREFIX / "deep" / "link").symlink_to(root.parent / "secret")

    assert folder.delete_some(PREFIX, 10)
    assert not (root / PREFIX).exists()
    assert (root.parent / "secret" / "seg").exists()


def test_a_written_link_is_replaced_and_not_followed(folder: DirectoryFolder, root: Path) -> None:
    (root / PREFIX / "master.m3u8").symlink_to(root.parent / "secret" / "seg")
    write(folder, PREFIX + "master.m3u8")

    assert (root.parent / "secret" / "seg").read_bytes() == b"secret"
    assert folder.read(PREFIX + "master.m3u8", 10) == b"new"


def test_a_write_that_fails_leaves_nothing_behind(folder: DirectoryFolder, root: Path) -> None:
    (root / PREFIX / "master.m3u8").mkdir()
    with pytest.raises(UpstreamUnavailable, match=r"master.m3u8: Is a directory"):
        write(folder, PREFIX + "master.m3u8")

    assert {path.name for path in (root / PREFIX).iterdir()} == {"seg", "master.m3u8"}


def test_what_is_written_can_be_read_by_the_server_of_the_files(folder: DirectoryFolder, root: Path) -> None:
    write(folder, PREFIX + "master.m3u8")

    assert (root / PREFIX / "master.m3u8").stat().st_mode & 0o444
    assert {path.name for path in (root / PREFIX).iterdir()} == {"seg", "master.m3u8"}


def test_the_folder_of_a_copy_goes_with_it(folder: DirectoryFolder, root: Path) -> None:
    assert folder.delete_some(PREFIX, 10)

    assert (root / "vod" / "reels").is_dir()
    assert not (root / PREFIX).exists()


def test_the_mount_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "mount").symlink_to(root)
    folder = DirectoryFolder(root.parent / "mount")
    folder.check()

    assert folder.list(PREFIX, 10) == {"seg": 10}


def test_a_mount_that_is_gone_is_an_outage_not_an_empty_bucket(tmp_path: Path) -> None:
    folder = DirectoryFolder(tmp_path / "gone")

    for ask in (folder.check, lambda: folder.list(PREFIX, 1), lambda: folder.delete_some(PREFIX, 1)):
        with pytest.raises(UpstreamUnavailable, match="gone cannot be opened"):
            ask()


def test_nothing_stays_open(folder: DirectoryFolder) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        folder.list(PREFIX, 10)
        folder.list("vod/nowhere/", 10)
        folder.read(PREFIX + "seg", 10)
        write(folder, PREFIX + "a")
        for missing in (PREFIX + "b", "vod/reels"):
            with pytest.raises(NotFound):
                folder.read(missing, 10)
        folder.delete_some("vod/nowhere/", 10)
        folder.check()

    assert len(list(Path("/proc/self/fd").iterdir())) == before
