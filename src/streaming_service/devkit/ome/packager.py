"""What the playback side needs of packaged media, and the port by which it gets it."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.domain.ladder import Ladder


class Package(Protocol):
    """One source file as segments: a video track for each rung, best first, then one audio track if it has sound.

    It fills while it is looked at: `facts` is None until the source was examined, `durations` grows until `complete`.
    """

    @property
    def segment_seconds(self) -> float: ...

    @property
    def facts(self) -> MediaFacts | None: ...

    @property
    def broken(self) -> bool:
        """The file holds nothing that can be played."""
        ...

    @property
    def complete(self) -> bool: ...

    def durations(self) -> tuple[float, ...]:
        """Seconds of each segment that can be served now."""
        ...

    def codec(self, track: int) -> str:
        """RFC 6381 name. Only to be asked when there is a segment."""
        ...

    async def init(self, track: int) -> bytes: ...

    async def segment(self, track: int, index: int, shift: float) -> bytes:
        """The media segment with its timestamps moved by `shift` seconds."""
        ...


class Packager(Protocol):
    """Turns media files into packages. Nothing of it may outlive `stop()`."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def examine(self, path: Path) -> MediaFacts | None:
        """What the file holds, without packaging it; None when there is none, or no media in it."""
        ...

    def open(self, path: Path, ladder: Ladder, segment_seconds: float) -> Package | None:
        """The package of this file, begun if need be; None when there is no such file. Cheap: each request asks."""
        ...


class Cuts:
    """Where the segments of a package begin, on its own time line in seconds."""

    def __init__(self, durations: tuple[float, ...]) -> None:
        self.starts = (0.0, *accumulate(durations))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def duration(self, index: int) -> float:
        return self.starts[index + 1] - self.starts[index]

    def index_at(self, position: float) -> int:
        """The segment that holds this position, the last one for positions beyond it."""
        return min(max(bisect_right(self.starts, position + 1e-3) - 1, 0), len(self) - 1)
