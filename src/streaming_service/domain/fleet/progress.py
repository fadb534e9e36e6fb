"""How fast a stream's media time passes, from looks at its playlist now and then."""

from datetime import datetime

from msgspec import Struct

# A playlist grows by parts of half a second, or by whole segments: over so long that makes a few per cent.
SPAN_SECONDS = 30.0


class Look(Struct, frozen=True):
    """`position` is how far the playlist went: seconds, of which only differences mean something."""

    at: datetime
    position: float


class Progress(Struct, frozen=True):
    """The latest looks at one stream, oldest first: back to the one that is a span ago, and no further."""

    looks: tuple[Look, ...] = ()

    def seen(self, position: float, at: datetime, span: float = SPAN_SECONDS) -> "Progress":
        """One look more. A position that goes back is that of another stream under the same name."""
        looks = (*self.looks, Look(at, position))
        if self.looks and position < self.looks[-1].position:
            return Progress(looks[-1:])
        old_enough = [index for index, look in enumerate(looks) if (at - look.at).total_seconds() >= span]
        return Progress(looks[old_enough[-1] :] if old_enough else looks)

    def ratio(self, span: float = SPAN_SECONDS) -> float | None:
        """Media seconds gained per second, over at least `span` seconds; None while that cannot be told.

        What has not moved since the look before has ended or is stuck: an overload slows down, it does not stop.
        """
        if len(self.looks) < 2 or self.looks[-1].position == self.looks[-2].position:
            return None
        first, last = self.looks[0], self.looks[-1]
        passed = (last.at - first.at).total_seconds()
        return (last.position - first.position) / passed if passed >= span else None
