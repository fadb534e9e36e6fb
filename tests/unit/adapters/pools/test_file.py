"""A pools file that people edit, swap and break while it is read."""

import os
from pathlib import Path

import pytest

from streaming_service.adapters.pools.file import FileTopology
from streaming_service.errors import InvalidInput

pytestmark = pytest.mark.anyio


def written(*names: str) -> str:
    return "".join(f'[[pools.reels.origins]]\nname = "{name}"\napiUrl = "http://{name}:8081"\n' for name in names)


class Watched:
    """A pools file, and a source that reads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pools.toml"
        self.source = FileTopology(self.path)
        self._moment = 1_800_000_000

    def write(self, text: str) -> None:
        """In place, a second later than before."""
        self.path.write_text(text, encoding="utf-8")
        self._moment += 1
        os.utime(self.path, (self._moment, self._moment))

    async def names(self) -> list[str]:
        return sorted((await self.source.read()).origins)

    async def reason(self) -> str:
        with pytest.raises(InvalidInput) as caught:
            await self.source.read()
        assert caught.value.field == "OME_POOLS_FILE"
        return caught.value.reason


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_the_first_read_takes_what_is_there(watched: Watched) -> None:
    watched.write(written("ome-1"))

    assert await watched.names() == ["ome-1"]


async def test_a_file_that_did_not_change_is_not_parsed_again(watched: Watched) -> None:
    watched.write(written("ome-1"))

    assert await watched.source.read() is await watched.source.read()


async def test_a_change_is_taken_once_it_rests(watched: Watched) -> None:
    watched.write(written("ome-1"))
    await watched.names()
    watched.write(written("ome-1", "ome-2"))

    assert [await watched.names(), await watched.names()] == [["ome-1"], ["ome-1", "ome-2"]]


async def test_a_change_of_the_same_size_is_seen(watched: Watched) -> None:
    watched.write(written("ome-1"))
    await watched.names()
    watched.write(written("ome-2"))
    await watched.names()

    assert await watched.names() == ["ome-2"]


async def test_a_half_written_file_is_never_taken(watched: Watched) -> None:
    watched.write(written("ome-1", "ome-2"))
    await watched.names()
    watched.write(written("ome-1"))  # valid, and half of what is coming
    assert await watched.names() == ["ome-1", "ome-2"]
    watched.write(written("ome-1", "ome-2", "ome-3"))

    assert await watched.names() == ["ome-1", "ome-2"]
    assert await watched.names() == ["ome-1", "ome-2", "ome-3"]


async def test_a_swapped_link_is_seen(watched: Watched, tmp_path: Path) -> None:
    """As Kubernetes updates a ConfigMap: the folder behind a link is another one, the file's name is the same."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        file = tmp_path / version / "pools.toml"
        file.write_text(written(f"ome-{version}"), encoding="utf-8")
        os.utime(file, (1_800_000_000, 1_800_000_000))
    (tmp_path / "..data").symlink_to("one")
    watched.path.symlink_to("..data/pools.toml")
    assert await watched.names() == ["ome-one"]

    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    await watched.names()

    assert await watched.names() == ["ome-two"]


async def test_a_broken_file_says_why_until_it_is_mended(watched: Watched) -> None:
    watched.write(written("ome-1"))
    await watched.names()
    watched.write("[pools")
    assert await watched.names() == ["ome-1"]

    assert "is neither JSON nor TOML" in await watched.reason()
    assert "is neither JSON nor TOML" in await watched.reason()
    watched.write(written("ome-2"))
    assert "is neither JSON nor TOML" in await watched.reason()
    assert await watched.names() == ["ome-2"]


async def test_a_missing_file_says_so_until_it_is_back(watched: Watched) -> None:
    assert await watched.reason() == f"{watched.path} cannot be read: No such file or directory"
    watched.write(written("ome-1"))
    await watched.reason()
    assert await watched.names() == ["ome-1"]

    watched.path.unlink()
    assert "No such file" in await watched.reason()
    watched.write(written("ome-1"))
    await watched.reason()
    assert await watched.names() == ["ome-1"]


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Is a directory"):
        await FileTopology(tmp_path).read()


async def test_a_huge_file_is_not_read(watched: Watched) -> None:
    watched.write("#" * (4 * 1024 * 1024 + 1))

    assert "it is no pools file" in await watched.reason()
