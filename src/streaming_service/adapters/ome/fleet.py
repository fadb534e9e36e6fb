"""The origins there are. One, for now: pools and placement come with the fleet."""

from collections.abc import Iterable

from streaming_service.application.ports import Origin
from streaming_service.domain.channel import Channel
from streaming_service.errors import NotFound


class StaticFleet:
    """A fixed set of origins; a channel goes to the first."""

    def __init__(self, origins: Iterable[Origin]) -> None:
        self._origins = {origin.name: origin for origin in origins}

    def choose(self, channel: Channel) -> str:  # noqa: ARG002 - placement by channel is the port's promise
        return next(iter(self._origins))

    def origin(self, name: str) -> Origin:
        try:
            return self._origins[name]
        except KeyError as error:
            raise NotFound(f"origin {name} is not part of the fleet") from error

    def names(self) -> tuple[str, ...]:
        return tuple(self._origins)
