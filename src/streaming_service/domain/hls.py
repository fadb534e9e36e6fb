"""What a playlist says to a player, apart from how it is spelt (RFC 8216, draft-pantos-hls-rfc8216bis)."""

from msgspec import Struct

# A player begins a live playlist this many target durations from its end (RFC 8216, section 6.3.3).
_HOLD_BACK = 3.0


class MediaSegment(Struct, frozen=True):
    """One whole segment: absolute URLs, `seconds` long. `at` is its date in Unix seconds, None when it has none.

    `gap`: the playlist itself says that it is not there. `cut`: it does not go on where the one before ended.
    """

    url: str
    seconds: float
    init: str | None = None
    at: float | None = None
    gap: bool = False
    cut: bool = False


class MediaPlaylist(Struct, frozen=True):
    """The segments of one rendition. `target` is its longest segment in seconds, `sequence` the first one's number,
    `begun` how many seconds there are of one that is still being written. `ended`: nothing will be added."""

    segments: tuple[MediaSegment, ...]
    target: float
    sequence: int = 0
    begun: float = 0.0
    ended: bool = False

    @property
    def head(self) -> tuple[int, float]:
        """How far it goes: grows with everything that is added."""
        return self.sequence + len(self.segments), self.begun

    @property
    def first_played(self) -> MediaSegment:
        """What a player that joins now fetches first: the beginning, or three target durations before the live edge.

        Not the first one of a live window, which may leave it before the player gets there. Raises IndexError when
        there is none.
        """
        if self.ended:
            return self.segments[0]
        left, chosen = _HOLD_BACK * self.target, self.segments[-1]
        for segment in reversed(self.segments):
            chosen = segment
            left -= segment.seconds
            if left <= 0:
                break
        return chosen
