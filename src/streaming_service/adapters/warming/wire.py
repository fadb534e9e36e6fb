"""How the service and its agents speak of warm-ups: an errand is posted, what came of it comes back, both signed."""

from msgspec import Struct

from streaming_service.domain.warming import Warmed

PATH = "/warm"


class WarmAnswer(Struct, frozen=True):
    """What an agent warmed, and where it is."""

    region: str
    warmed: Warmed
