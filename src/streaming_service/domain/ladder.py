"""Bitrate ladders: presets to rungs, caps to playlists."""

import re

from msgspec import Struct

from streaming_service.errors import InvalidInput

MASTER_PLAYLIST = "master"
QUALITIES = ("auto", "1080p", "720p", "480p", "360p")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_MAX_SIDE = 8192
_MAX_KBPS = 200_000


class Rung(Struct, frozen=True, order=True):
    """One rendition. Width and height in pixels, bitrate in kbit/s."""

    name: str
    width: int
    height: int
    bitrate_kbps: int

    @property
    def short_side(self) -> int:
        """What "720p" counts, whichever way the picture is turned."""
        return min(self.width, self.height)


class Ladder(Struct, frozen=True):
    """The renditions of a classification, best first."""

    rungs: tuple[Rung, ...]

    def capped(self, quality: str) -> tuple[Rung, ...]:
        """The rungs a viewer with this cap gets: those at or below it, the smallest one when all are above it."""
        if quality == "auto":
            return self.rungs
        limit = int(quality.removesuffix("p"))
        fitting = tuple(rung for rung in self.rungs if rung.short_side <= limit)
        return fitting or self.rungs[-1:]

    def playlist(self, quality: str, full: str = MASTER_PLAYLIST) -> str:
        """File name (without `.m3u8`) of the multivariant playlist that holds exactly `capped(quality)`."""
        rungs = self.capped(quality)
        return full if len(rungs) == len(self.rungs) else f"max-{rungs[0].name}"


def parse_ladder(preset: str, field: str = "preset") -> Ladder:
    """`720p|1280x720|2500,480p|854x480|1500` (name, size, kbit/s) to a ladder, best rung first.

    Raises InvalidInput naming `field` and the entry that is wrong.
    """
    rungs = [_parse_rung(entry.strip(), field) for entry in preset.split(",")]
    if len({rung.name for rung in rungs}) != len(rungs):
        raise InvalidInput(field, "names a rung twice")
    rungs.sort(key=lambda rung: (rung.short_side, rung.bitrate_kbps), reverse=True)
    return Ladder(tuple(rungs))


def _parse_rung(entry: str, field: str) -> Rung:
    parts = [part.strip() for part in entry.split("|")]
    if len(parts) != 3:
        raise InvalidInput(field, f"entry {entry!r} is not name|WIDTHxHEIGHT|kbit/s")
    name, size, bitrate = parts
    if not _NAME.fullmatch(name):
        raise InvalidInput(field, f"rung name {name!r} must be 1 to 32 letters, digits, - or _")
    sides = _SIZE.fullmatch(size)
    if not sides or not all(0 < int(side) <= _MAX_SIDE for side in sides.groups()):
        raise InvalidInput(field, f"size {size!r} of rung {name!r} is not WIDTHxHEIGHT with sides up to {_MAX_SIDE}")
    if not (bitrate.isascii() and bitrate.isdigit() and len(bitrate) <= 6 and 0 < int(bitrate) <= _MAX_KBPS):
        raise InvalidInput(field, f"bitrate {bitrate!r} of rung {name!r} is not kbit/s from 1 to {_MAX_KBPS}")
    return Rung(name, int(sides[1]), int(sides[2]), int(bitrate))
