"""A circuit breaker: after some failures in a row, stop asking for a while, then let one call try.

The pattern is Michael Nygard's (Release It!); pure, the clock comes in.
"""

from collections.abc import Callable
from enum import IntEnum

from streaming_service.errors import UpstreamUnavailable


class BreakerState(IntEnum):
    """The value is that of the metric `streaming_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Guards one service.

    `failures` in a row open it, for `open_seconds`; then one call at a time is let through, and its result closes the
    breaker or opens it again. `monotonic` is a clock in seconds.
    """

    def __init__(
        self, service: str, monotonic: Callable[[], float], *, failures: int = 5, open_seconds: float = 10.0
    ) -> None:
        self.service = service
        self._monotonic = monotonic
        self._limit = failures
        self._open_seconds = open_seconds
        self._failures = 0
        self._retry_at: float | None = None
        self._trial = False
        # Counts changes of state, so that the late result of a call from before one says nothing about after it.
        self._epoch = 0

    @property
    def state(self) -> BreakerState:
        """Half open from the moment on at which the next call would be let through as a trial."""
        if self._retry_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._monotonic() < self._retry_at and not self._trial else BreakerState.HALF_OPEN

    def admit(self) -> int:
        """A ticket for one call, to be given back by `succeeded`, `failed` or `forgotten`.

        Raises UpstreamUnavailable with `retry_after` while calls are not let through.
        """
        if self._retry_at is not None:
            wait = self._retry_at - self._monotonic()
            if wait > 0 or self._trial:
                raise UpstreamUnavailable(
                    self.service,
                    "is not asked for a moment, after failing repeatedly (circuit breaker open)",
                    retry_after=max(wait, 1.0),
                )
            self._trial = True
            self._epoch += 1
        return self._epoch

    def succeeded(self, ticket: int) -> None:
        """The service answered."""
        if ticket == self._epoch:
            self._failures = 0
            if self._trial:
                self._change(retry_at=None)

    def failed(self, ticket: int) -> None:
        """The service did not answer, or answered that it is broken."""
        if ticket == self._epoch:
            self._failures += 1
            if self._trial or self._failures >= self._limit:
                self._change(retry_at=self._monotonic() + self._open_seconds)

    def forgotten(self, ticket: int) -> None:
        """The call was cancelled and nothing was learnt: a trial may be made by the next one."""
        if ticket == self._epoch and self._trial:
            self._change(retry_at=self._retry_at)

    def _change(self, *, retry_at: float | None) -> None:
        self._retry_at = retry_at
        self._trial = False
        self._failures = 0
        self._epoch += 1
