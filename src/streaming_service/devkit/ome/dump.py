"""One HLS dump: a stream written to disk as it plays, file by file as OME does.

The folder looks finished at every moment: the chunklists end from their first segment on. Only their sum tells.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import escape

from msgspec import Struct

from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.live import Segment
from streaming_service.devkit.ome.playback import master, read_segment
from streaming_service.devkit.ome.playlists import Chunk, Names, chunklist
from streaming_service.devkit.ome.schedule import timestamp
from streaming_service.devkit.ome.webhooks import Outputs


class DumpOrder(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The body of `:startHlsDump`, `:stopHlsDump` and `:hlsDumps`; paths are on OME's own disk.

    OME writes below its working directory what is given a relative path; ours takes the order and writes nothing.
    """

    output_stream_name: str = ""
    id: str = ""
    output_path: str = ""
    playlist: tuple[str, ...] = ()
    info_file: str = ""
    user_data: str = ""


class DumpFailed(Exception):
    """What could not be written, in the words of OME."""


class Dump:
    """Copies a channel's segments from `begin` on, or from the channel's first when `go_on` comes first."""

    def __init__(self, order: DumpOrder, channel: Channel, outputs: Outputs, names: Names) -> None:
        self.order = order
        self.enabled = True
        self._channel = channel
        self._outputs = outputs
        self._names = names
        self._folder = Path(order.output_path)
        self._chunks: list[Chunk] = []
        self._after = -1  # number of the segment that was copied last
        self._origins: set[int] = set()
        self._written: list[tuple[float, Path]] = []
        self._busy = asyncio.Lock()

    async def begin(self, newest: Segment, now: float) -> None:
        """Copy a stream that plays from its newest segment on: of one that was concluded, a segment without content.

        Raises DumpFailed and leaves what was written.
        """
        async with self._busy:
            if self._channel.window.concluded:
                await self._copy_nothing(newest, now)
            else:
                await self._copy(newest, now)
            if not await self._masters(newest, now):
                raise DumpFailed("Could not dump master playlist")

    async def go_on(self, now: float) -> None:
        """Copy what has been completed since; nothing is copied any more once something could not be written."""
        async with self._busy:
            try:
                for segment in self._new(now):
                    first = not self._chunks
                    await self._copy(segment, now)
                    if first:
                        # An unknown name drops itself and those after it, and OME tells nobody.
                        await self._masters(segment, now)
            except DumpFailed:
                self.enabled = False

    async def stop(self) -> None:
        """Nothing is copied any more, and the info file calls that completed. Repeatable."""
        async with self._busy:
            self.enabled = False
            # OME stops whether it can say so there or not.
            with suppress(OSError, ValueError):
                await asyncio.to_thread(self._write_info)

    def _new(self, now: float) -> list[Segment]:
        segments = self._channel.segments(now) if self.enabled else []
        return [segment for segment in segments if segment.number > self._after]

    async def _copy_nothing(self, last: Segment, now: float) -> None:
        """What OME finds after a conclusion is the segment that it had begun for what would have followed."""
        await self._copy_init(last, now)
        self._after = last.number
        for track, kind in self._tracks():
            text = chunklist(self._names, track, kind, [], last.package.segment_seconds, ended=True)
            await self._write(self._names.segment(track, last.number + 1, kind), b"", now, "segment")
            await self._write(self._names.chunklist(track, kind), text.encode(), now, "segment")

    async def _copy_init(self, segment: Segment, now: float) -> None:
        if segment.origin not in self._origins:
            self._origins.add(segment.origin)
            for track, kind in self._tracks():
                content = await segment.package.init(track)
                await self._write(self._names.init(track, kind, segment.origin), content, now, "init segment")

    async def _copy(self, segment: Segment, now: float) -> None:
        await self._copy_init(segment, now)
        self._after = segment.number
        self._chunks.append(Chunk(segment.number, segment.start, segment.duration, segment.origin))
        for track, kind in self._tracks():
            content = await read_segment(segment, track)
            target = segment.package.segment_seconds
            text = chunklist(self._names, track, kind, self._chunks, target, ended=True)
            await self._write(self._names.segment(track, segment.number, kind), content, now, "segment")
            await self._write(self._names.chunklist(track, kind), text.encode(), now, "segment")

    async def _masters(self, segment: Segment, now: float) -> bool:
        """Write the playlists up to the first that there is not. False when that was not all."""
        for file in self.order.playlist:
            text = master(file, self._names, self._outputs, segment.package, audio=self._channel.audio)
            if text is None:
                return False
            await self._write(file, text.encode(), now, "master playlist")
        return True

    def _tracks(self) -> Iterable[tuple[int, str]]:
        rungs = len(self._outputs.ladder.rungs)
        video = [(track, "video") for track in range(rungs)]
        return [*video, (rungs, "audio")] if self._channel.audio else video

    async def _write(self, file: str, content: bytes, now: float, what: str) -> None:
        try:
            await asyncio.to_thread(self._write_file, file, content, now)
        except (OSError, ValueError) as error:
            raise DumpFailed(f"Could not dump {what}") from error

    def _write_file(self, file: str, content: bytes, now: float) -> None:
        path = self._folder / file
        if not self._folder.is_absolute():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._written.append((now, path))
        self._write_info()

    def _write_info(self) -> None:
        """In place, as OME does: who reads meanwhile may see half of it."""
        path = Path(self.order.info_file)
        if not path.is_absolute():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._info())

    def _info(self) -> str:
        lines = [
            "<HLSDumpInfo>",
            f"\t<UserData>{escape(self.order.user_data)}</UserData>",
            f"\t<Stream>{escape(self.order.output_stream_name)}</Stream>",
            f"\t<Status>{'Running' if self.enabled else 'Completed'}</Status>",
            "\t<Items>",
        ]
        for count, (moment, path) in enumerate(self._written):
            lines += ["\t\t<Item>", f"\t\t\t<Seq>{count}</Seq>", f"\t\t\t<Time>{timestamp(moment)}</Time>"]
            lines += [f"\t\t\t<File>{escape(str(path))}</File>", "\t\t</Item>"]
        return "\n".join([*lines, "\t</Items>", "</HLSDumpInfo>", ""])
