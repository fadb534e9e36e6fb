"""Reading what a dump has written, and starting one in time."""

import asyncio
from pathlib import Path

import m3u8

from tests.contract.ome.playing import seconds
from tests.contract.ome.target import Json, Target


class Copy:
    """A folder as a dump left it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()

    @property
    def chunklists(self) -> dict[str, m3u8.M3U8]:
        return {name: self.playlist(name) for name in sorted(self.files) if name.startswith("chunklist_")}

    def playlist(self, name: str) -> m3u8.M3U8:
        return m3u8.loads((self.folder / name).read_text())

    @property
    def masters(self) -> set[str]:
        return {name for name in self.files if name.endswith(".m3u8") and not name.startswith("chunklist_")}

    @property
    def lengths(self) -> list[float]:
        """Seconds in each chunklist."""
        return [seconds(playlist) for playlist in self.chunklists.values()]

    @property
    def missing(self) -> set[str]:
        """What a playlist in the folder names and the folder lacks."""
        named: set[str] = set()
        for name in self.masters:
            ladder = self.playlist(name)
            named |= {str(item.uri) for item in (*ladder.playlists, *ladder.media)}
        for playlist in self.chunklists.values():
            named |= {str(item.uri) for item in (*playlist.segment_map, *playlist.segments)}
        return named - self.files

    def media(self, chunklist: str) -> bytes:
        """The track of that chunklist as one file."""
        playlist = self.playlist(chunklist)
        uris = [playlist.segment_map[0].uri, *(segment.uri for segment in playlist.segments)]
        return b"".join((self.folder / str(uri)).read_bytes() for uri in uris)


async def start_dump(ome: Target, name: str, dump_id: str, folder: Path, playlist: list[str], **fields: str) -> Copy:
    """Ask until the output stream exists: accepted before the playlist is there, a copy begins at the beginning."""
    body: Json = {"id": dump_id, "outputPath": str(folder), "playlist": playlist, **fields}
    answer = await ome.until(lambda: ome.act(name, "startHlsDump", body), lambda found: found.status != 404)
    assert answer.status == 200, answer.text
    return Copy(folder)


async def complete(copy: Copy, count: int, *, patience: float) -> None:
    """Wait for so many segments in each chunklist of a copy."""
    async with asyncio.timeout(patience):
        while not copy.chunklists or min(len(each.segments) for each in copy.chunklists.values()) < count:
            await asyncio.sleep(0.02)
