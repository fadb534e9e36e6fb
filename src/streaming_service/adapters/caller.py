"""What makes calls to one service dependable: context headers, a circuit breaker, retries of what is safe."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from streaming_service.adapters.breaker import Breaker, BreakerState
from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.adapters.retry_after import retry_after_seconds
from streaming_service.application.ports import Clock
from streaming_service.errors import UpstreamUnavailable

_RETRIED = frozenset({429, 502, 503, 504})
_FIRST_PAUSE = 0.1


class ResilientCaller:
    """A Caller for `service`.

    context   gives the headers of the request or job at hand (`x-correlation-id`); those that the
              request brings itself win
    patience  seconds after which no further attempt begins; the first attempt always gets its own whole timeout
    tolerated 5xx statuses by which this service says no rather than that it is broken
    jitter    random numbers in [0, 1)
    """

    def __init__(
        self,
        service: str,
        transport: Transport,
        breaker: Breaker,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        context: Callable[[], Mapping[str, str]],
        attempts: int = 3,
        patience: float = 8.0,
        tolerated: frozenset[int] = frozenset(),
    ) -> None:
        self.service = service
        self.breaker = breaker
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._jitter = jitter
        self._context = context
        self._attempts = attempts
        self._patience = patience
        self._tolerated = tolerated

    async def call(self, request: Request, *, retry: bool = False) -> Response:
        """The service's answer, whatever its status. `retry`: up to `attempts` tries on no answer, 429, 502, 503, 504.

        A short Retry-After is waited for, a long one ends the tries. Raises UpstreamUnavailable when there was no
        answer in the last try, or at once while the breaker is open.
        """
        request = replace(request, headers=with_context(request.headers, self._context()), peer=self.service)
        deadline = self._monotonic() + self._patience
        outcome = await self._try(request)
        for attempt in range(self._attempts - 1 if retry else 0):
            if not _worth_repeating(outcome) or self.breaker.state is not BreakerState.CLOSED:
                break
            pause = max(self._wished(outcome), _FIRST_PAUSE * 2**attempt * (0.5 + self._jitter()))
            left = deadline - self._monotonic() - pause
            if left <= 0:
                break
            await self._clock.sleep(pause)
            outcome = await self._try(replace(request, timeout=min(request.timeout, left)))
        if isinstance(outcome, UpstreamUnavailable):
            raise outcome
        return outcome

    async def _try(self, request: Request) -> Response | UpstreamUnavailable:
        ticket = self.breaker.admit()
        try:
            response = await self._transport.send(request)
        except UpstreamUnavailable as error:
            self.breaker.failed(ticket)
            renamed = UpstreamUnavailable(self.service, error.detail, status=error.status)
            renamed.__cause__ = error
            return renamed
        except BaseException:  # cancelled, or a mistake of ours: says nothing about the service
            self.breaker.forgotten(ticket)
            raise
        if response.status >= 500 and response.status not in self._tolerated:
            self.breaker.failed(ticket)
        else:
            self.breaker.succeeded(ticket)
        return response

    def _wished(self, outcome: Response | UpstreamUnavailable) -> float:
        if isinstance(outcome, UpstreamUnavailable):
            return 0.0
        return retry_after_seconds(outcome.headers, self._clock.now()) or 0.0


def with_context(own: Mapping[str, str], context: Mapping[str, str]) -> dict[str, str]:
    """`own` headers and those of `context` that it lacks. Names become lower case.

    A context value that no header may hold (it came from outside) is left out.
    """
    headers = {name.lower(): value for name, value in context.items() if value.isascii() and value.isprintable()}
    headers.update({name.lower(): value for name, value in own.items()})
    return headers


def _worth_repeating(outcome: Response | UpstreamUnavailable) -> bool:
    return isinstance(outcome, UpstreamUnavailable) or outcome.status in _RETRIED
