"""One VOD copy, read whole: what is wrong with it, and what has to be written to make it right."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.adapters.bucket.fragments import MalformedFragment, segment_seconds
from streaming_service.adapters.bucket.objects import ObjectFolder
from streaming_service.adapters.bucket.playlists import (
    Chunklist,
    MalformedPlaylist,
    Master,
    UnfinishedPlaylist,
    parse_chunklist,
    parse_master,
    with_last_duration,
    with_target,
    with_variants,
)
from streaming_service.application.ports import CopyPlan, CopyReport, CopyVerdict
from streaming_service.domain.transcode import playlists
from streaming_service.domain.vod import Track, flaw_in_length, match_rungs
from streaming_service.errors import NotFound

_SUFFIX = ".m3u8"
_MOST_FILES = 250_000  # ten hours of six tracks in segments of a second
_LARGEST_PLAYLIST = 16 * 1024 * 1024
_LARGEST_INIT = 1024 * 1024
_LARGEST_SEGMENT = 64 * 1024 * 1024
_WRONG_BY = 0.1  # seconds; OME rounds a segment's duration to milliseconds
_NAMED = 3  # files that a report names

Parsed = TypeVar("Parsed")


class Flawed(Exception):
    """The copy is not complete."""

    def __init__(self, verdict: CopyVerdict, detail: str) -> None:
        super().__init__(detail)
        self.report = CopyReport(verdict, detail)


class Finished(Struct, frozen=True):
    """A complete copy: what to report, and every playlist of it in the order in which they have to be written."""

    report: CopyReport
    playlists: Mapping[str, str]


def read_copy(folder: ObjectFolder, plan: CopyPlan) -> Finished:
    """Raises Flawed, and what `folder` raises for trouble with the store.

    One listing tells which files there are, however long the film is. Beside it are read: the playlists, and of each
    track the init segment and the last segment.
    """
    return _Copy(folder, plan).finished()


class _Copy:
    def __init__(self, folder: ObjectFolder, plan: CopyPlan) -> None:
        self._folder = folder
        self._plan = plan
        self._sizes = folder.list(plan.prefix, _MOST_FILES)

    def finished(self) -> Finished:
        if not self._sizes:
            raise Flawed(CopyVerdict.MISSING, f"nothing is below {self._plan.prefix}")
        if len(self._sizes) >= _MOST_FILES:
            raise Flawed(CopyVerdict.MALFORMED, f"more than {_MOST_FILES} files are below {self._plan.prefix}")
        full = self._plan.playlist + _SUFFIX
        master = self._parsed(full, parse_master)
        multivariant = self._multivariant(master)
        if clash := multivariant.keys() & set(master.chunklists):
            raise Flawed(CopyVerdict.MALFORMED, f"{full} names {_few(clash)} as a chunklist")
        chunklists = {name: self._parsed(name, parse_chunklist) for name in master.chunklists}
        media = frozenset[str]().union(*(chunklist.files for chunklist in chunklists.values()))
        self._require(media)
        mended = self._mended(chunklists)
        corrected = sum(mended[name].seconds != chunklist.seconds for name, chunklist in chunklists.items())
        tracks = [Track(name, math.fsum(chunklist.seconds)) for name, chunklist in mended.items()]
        if flaw := flaw_in_length(tracks, self._plan.duration, self._plan.tolerance, self._plan.shortest):
            raise Flawed(CopyVerdict.INCOMPLETE, flaw)
        written = {**{name: chunklist.text for name, chunklist in mended.items()}, **multivariant}
        report = CopyReport(
            CopyVerdict.COMPLETE,
            f"{len(tracks)} tracks, {len(multivariant)} playlists, {corrected} ends corrected",
            duration=min(track.seconds for track in tracks),
            files=len(media) + len(written),
            bytes=sum(self._sizes[name] for name in media) + sum(len(text.encode()) for text in written.values()),
        )
        return Finished(report, written)

    def _multivariant(self, master: Master) -> Mapping[str, str]:
        """The full ladder's playlist and one for each cap, the full one last: it says that the others are there."""
        plan = self._plan
        matches = match_rungs(plan.rungs, [variant.size for variant in master.variants])
        if missing := [name for name, index in matches.items() if index is None]:
            raise Flawed(CopyVerdict.INCOMPLETE, f"{plan.playlist}{_SUFFIX} lacks {', '.join(missing)}")
        found = {name: index for name, index in matches.items() if index is not None}
        if plan.audio and not all(master.variants[index].audio in master.audio for index in found.values()):
            raise Flawed(CopyVerdict.INCOMPLETE, f"{plan.playlist}{_SUFFIX} has renditions without audio")
        made = {
            f"{name}{_SUFFIX}": with_variants(master.text, {found[rung.name] for rung in rungs})
            for name, rungs in playlists(plan.rungs, plan.playlist, plan.ladder).items()
            if name != plan.playlist
        }
        return {**made, plan.playlist + _SUFFIX: master.text}

    def _require(self, names: Iterable[str]) -> None:
        """Every file is there and holds something."""
        absent = [name for name in names if not self._sizes.get(name)]
        if absent:
            raise Flawed(CopyVerdict.INCOMPLETE, f"not there ({len(absent)}): {_few(absent)}")

    def _mended(self, chunklists: Mapping[str, Chunklist]) -> dict[str, Chunklist]:
        """What a known OME gets wrong, put right.

        v0.20 writes a last EXTINF many times too long when the playlists are concluded (measured: 30.36 for 1.88 s),
        and may raise the target duration with it, which has to be the same in all chunklists (RFC 8216, 6.2.4).
        """
        mended = {name: self._with_true_end(name, chunklist) for name, chunklist in chunklists.items()}
        longest = max(int(max(chunklist.seconds) + 0.5) for chunklist in mended.values())
        targets = {chunklist.target for chunklist in mended.values()}
        if len(targets) == 1 and mended == chunklists:
            return mended
        target = max(1, longest)
        return {
            name: replace(item, text=with_target(item.text, target), target=target) for name, item in mended.items()
        }

    def _with_true_end(self, name: str, chunklist: Chunklist) -> Chunklist:
        init = self._read(chunklist.last_init, _LARGEST_INIT)
        segment = self._read(chunklist.last, _LARGEST_SEGMENT)
        try:
            seconds = segment_seconds(init, segment)
        except MalformedFragment as error:
            raise Flawed(CopyVerdict.MALFORMED, f"{chunklist.last} of {name}: {error}") from error
        if abs(seconds - chunklist.seconds[-1]) <= _WRONG_BY:
            return chunklist
        return replace(
            chunklist,
            text=with_last_duration(chunklist.text, seconds),
            seconds=(*chunklist.seconds[:-1], round(seconds, 6)),
        )

    def _parsed(self, name: str, parse: Callable[[str], Parsed]) -> Parsed:
        try:
            return parse(self._read(name, _LARGEST_PLAYLIST).decode())
        except UnfinishedPlaylist as error:
            raise Flawed(CopyVerdict.INCOMPLETE, f"{name} {error}") from error
        except MalformedPlaylist as error:
            raise Flawed(CopyVerdict.MALFORMED, f"{name} {error}") from error
        except UnicodeDecodeError as error:
            raise Flawed(CopyVerdict.MALFORMED, f"{name} is no text") from error

    def _read(self, name: str, at_most: int) -> bytes:
        self._require([name])
        if self._sizes[name] > at_most:
            raise Flawed(CopyVerdict.MALFORMED, f"{name} is larger than {at_most} bytes")
        try:
            return self._folder.read(self._plan.prefix + name, at_most)
        except NotFound as error:
            raise Flawed(CopyVerdict.INCOMPLETE, f"{name} is not there any more") from error


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:_NAMED]) + (", …" if len(ordered) > _NAMED else "")
