"""How long a real OME takes for things, as measured; tests and benches turn the knobs down."""

from msgspec import Struct


class Timing(Struct, frozen=True, kw_only=True):
    """All values are seconds; a pair is the range from which each channel draws its own."""

    poll: float = 0.5
    """OME looks into its ScheduleFilesDir this often."""
    appear: tuple[float, float] = (0.1, 0.4)
    """From the look that finds a new file to the stream being listed: 0.1 to 0.9 s after the POST in all."""
    warm_up: float = 2.4
    """From listed to playlists answering 200: about 3.1 s after the POST with segments of 2 s."""
    empty_share: float = 0.5
    """Chance that playlists answer 201 with an empty body for a while before they answer 200."""
    empty_from: float = 0.4
    """Where in the warm-up that begins, as a share of it."""
    linger: tuple[float, float] = (2.4, 2.8)
    """From a DELETE to the stream being gone: it is listed and plays on until then."""
    publish: float = 0.085
    """From the admission of a publisher to its stream, or to its being cut where the name is taken."""
    kick: float = 0.1
    """From the DELETE of a publisher's stream to its end."""
    go_live: tuple[float, float] = (1.0, 1.2)
    """From a publisher's stream to the channels that show it going over from their slate."""
    lose_live: float = 0.1
    """From its end to their going back."""
    segment_seconds: float = 2.0
    """Length of a media segment."""
    window: int = 10
    """Segments in a chunklist."""
    first_chunklist: int = 2
    """No chunklist is answered before the first part of this media sequence number is out, so a stream that ends
    sooner can be recorded, but not watched."""

    @classmethod
    def instant(cls, *, segment_seconds: float = 2.0) -> "Timing":
        """A server that does at once what the real one does after a while."""
        return cls(
            poll=0.01,
            appear=(0.0, 0.0),
            warm_up=0.0,
            empty_share=0.0,
            linger=(0.02, 0.02),
            publish=0.0,
            kick=0.02,
            go_live=(0.0, 0.0),
            lose_live=0.0,
            first_chunklist=0,
            segment_seconds=segment_seconds,
        )
