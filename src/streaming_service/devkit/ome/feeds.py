"""Who published what and when, for `stream://` items of scheduled channels. Pure: times are seconds since the epoch."""

import math

from msgspec import Struct

STREAM = "stream://"
# Windows reach back a minute at most; older changes are of no use to anybody.
_KEPT = 32


class Feed(Struct, frozen=True):
    """One publisher's time on air: what it sends loops `file`.

    A channel shows it from `shows`, a second after it `begins`, until `until`, just after it has left.
    """

    file: str
    begins: float
    shows: float
    until: float = math.inf


class Feeds:
    """The feeds of each `stream://vhost/application/stream`, oldest first. Two of one name never overlap."""

    def __init__(self) -> None:
        self._feeds: dict[str, list[Feed]] = {}

    def begin(self, url: str, feed: Feed) -> None:
        self._feeds[url] = [*self._feeds.get(url, ()), feed][-_KEPT:]

    def end(self, url: str, until: float) -> None:
        """The last one has left."""
        *before, last = self._feeds[url]
        self._feeds[url] = [*before, Feed(last.file, last.begins, last.shows, until)]

    def at(self, url: str, moment: float) -> Feed | None:
        """What a channel shows for this item at that moment; None: its fallback."""
        return next((feed for feed in self._feeds.get(url, ()) if feed.shows <= moment < feed.until), None)

    def next_change(self, url: str, after: float) -> float | None:
        """The first moment after `after` at which a channel goes over to a feed, or leaves one."""
        return min((change for change in self._changes(url) if change > after), default=None)

    def last_change(self, url: str, until: float) -> float | None:
        """The last moment up to `until` at which a channel went over to a feed, or left one."""
        return max((change for change in self._changes(url) if change <= until), default=None)

    def _changes(self, url: str) -> list[float]:
        shown = [feed for feed in self._feeds.get(url, ()) if feed.shows < feed.until]
        return [change for feed in shown for change in (feed.shows, feed.until)]
