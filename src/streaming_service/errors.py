"""Every error the service raises on purpose.

StreamingServiceError
├── InvalidInput            a field of an event, request or preset is wrong
├── IllegalTransition       a channel was asked to make a move its state does not allow
├── ConfigurationError      the process cannot start with these settings
├── NotFound                a thing was named that we do not have
├── StoreError
│   ├── Conflict            somebody else changed the record first
│   ├── SeatTaken           another channel was given that place on the origin first
│   └── StoreUnavailable    the store does not answer
└── UpstreamError           an outside service did not do what we asked
    ├── UpstreamUnavailable it could not be reached or is overloaded: try again later
    └── UpstreamRejected    it answered, and the answer is no: asking again will not help
"""

from collections.abc import Sequence


class StreamingServiceError(Exception):
    """Base of all errors raised by the Streaming Service."""


class InvalidInput(StreamingServiceError):
    """A field is missing or wrong. `field` is the name on the wire, `reason` a sentence for the sender."""

    def __init__(self, field: str, reason: str, *, code: str = "invalid_input") -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.code = code


class IllegalTransition(StreamingServiceError):
    """The channel's state does not allow this move."""


class ConfigurationError(StreamingServiceError):
    """The settings are wrong. `problems` names every variable and what it expected."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class NotFound(StreamingServiceError):
    """There is no such thing."""


class StoreError(StreamingServiceError):
    """The store could not do it."""


class Conflict(StoreError):
    """The record was changed by somebody else since it was read: read it again and decide again."""


class SeatTaken(StoreError):
    """Another channel was given this place on an origin first: choose another one."""

    def __init__(self, origin: str, seat: int) -> None:
        super().__init__(f"seat {seat} on {origin} was taken meanwhile")
        self.origin = origin
        self.seat = seat


class StoreUnavailable(StoreError):
    """The store does not answer; nothing was written."""


class UpstreamError(StreamingServiceError):
    """An outside service failed. `service` names it, `detail` says what happened."""

    def __init__(self, service: str, detail: str, *, status: int | None = None) -> None:
        super().__init__(f"{service}: {detail}")
        self.service = service
        self.detail = detail
        self.status = status


class UpstreamUnavailable(UpstreamError):
    """The service could not be reached, timed out, or answered 5xx/429. `retry_after` is in seconds."""

    def __init__(
        self, service: str, detail: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(service, detail, status=status)
        self.retry_after = retry_after


class UpstreamRejected(UpstreamError):
    """The service answered and refused; the same request will be refused again."""
