"""Probes in turn: steady, within a budget, live and watched contents first, in the one process that is elected."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from streaming_service.application.ports import ChannelQuery, Clock, Store
from streaming_service.application.probing import Probed, Probing
from streaming_service.context import correlation_id, new_correlation_id
from streaming_service.domain.notification import Cause
from streaming_service.domain.probe import Observation
from streaming_service.domain.probe_report import SCHEDULE, results
from streaming_service.domain.probe_rota import Rota
from streaming_service.domain.state import Status
from streaming_service.errors import StoreError
from streaming_service.tracing import NO_TRACER, Tracer, active, traceparent

log = structlog.get_logger(__name__)

_ACTOR = "prober"
_IDLE = 1.0
# A failure is looked at again so soon, and told when it is still there.
_CONFIRM_AFTER = 2.0
_MOST_KEPT = 10_000
# Reading everything that is on an OME is dearer than a probe.
_FAVOUR_EVERY = 30.0


class ProbeWatch:
    """`run` goes on until it is cancelled. `leads` says whether this process is the one that probes.

    budget        journeys a second, all regions and targets together
    again_after   seconds that a content is left alone
    look_around   seconds between two looks at whether this process still leads
    tell_every    seconds between two envelopes of results
    concurrency   contents that are probed side by side at most
    page          contents that are taken from the catalogue at a time
    watched       contents that have viewers, the most watched ones first
    urgent        contents that whoever begins to lead has to probe first
    """

    def __init__(
        self,
        *,
        store: Store,
        probing: Probing,
        watched: Callable[[], Iterable[str]],
        urgent: Callable[[], Iterable[str]] = tuple,
        clock: Clock,
        budget: float,
        again_after: float = 10.0,
        look_around: float = 5.0,
        tell_every: float = 60.0,
        concurrency: int = 8,
        page: int = 200,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._store = store
        self._probing = probing
        self._watched = watched
        self._urgent = urgent
        self._clock = clock
        self._pause = probing.plan.cost / budget
        self._look_around = look_around
        self._tell_every = tell_every
        self._page = page
        self._tracer = tracer
        self._slots = asyncio.Semaphore(concurrency)
        self._rota = Rota(again_after=again_after)
        self._cursor: str | None = None
        self._leads = False
        self._looked_at = float("-inf")
        self._favoured_at = float("-inf")
        self._told_at = 0.0
        self._results: list[Observation] = []
        self._telling: tuple[Observation, ...] = ()

    async def run(self, leads: Callable[[], Awaitable[bool]]) -> None:
        """Until cancelled. An error is logged, not fatal."""
        self._told_at = self._now()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    chosen = await self._choose(leads)
                except StoreError as error:
                    log.warning("store does not answer", job="probes", reason=str(error))
                    chosen = None
                except Exception:
                    # A mistake of ours must not end the worker: the schedule goes on with the next choice.
                    log.exception("job failed", job="probes")
                    chosen = None
                if chosen is None:
                    await self._clock.sleep(_IDLE)
                    continue
                await self._slots.acquire()
                tasks.create_task(self._take_turn(chosen), name=f"probe {chosen}")
                await self._clock.sleep(self._pause)

    def soon(self, content_id: str, seconds: float = 0.0) -> None:
        """Probe it before all others, `seconds` from now, if this process leads."""
        self._rota.call(content_id, self._now() + seconds)

    async def _choose(self, leads: Callable[[], Awaitable[bool]]) -> str | None:
        now = self._now()
        if now - self._looked_at >= self._look_around:
            led, self._leads = self._leads, await leads()
            if self._leads and not led:
                for content_id in self._urgent():
                    self.soon(content_id)
            self._probing.lead(self._leads)
            self._looked_at = now
        if not self._leads:
            return None
        if now - self._favoured_at >= _FAVOUR_EVERY:
            await self._favour()
            self._favoured_at = now
        if now - self._told_at >= self._tell_every:
            await self._tell()
        if self._rota.wants_stock:
            await self._stock()
        return self._rota.next(now)

    async def _favour(self) -> None:
        """What is live breaks while somebody watches; what else is watched comes next."""
        live = [channel.content_id for channel in await self._store.on_ome() if channel.spec.live and channel.serving]
        self._rota.favour([*live, *self._watched()])

    async def _stock(self) -> None:
        """The next page of the catalogue; after the last one comes the first."""
        page = await self._store.list(ChannelQuery(status=Status.READY, limit=self._page, cursor=self._cursor))
        self._cursor = page.next
        self._rota.stock(channel.content_id for channel in page.items)

    async def _take_turn(self, content_id: str) -> None:
        correlation_id.set(new_correlation_id())
        try:
            with active(self._tracer.begin("probe content", attributes={"streaming.content_id": content_id})):
                cause = Cause(_ACTOR, correlation_id.get(), traceparent())
                probed = await self._probing.probe_in_turn(content_id, cause)
        except StoreError as error:
            log.warning("store does not answer", job="probe", content_id=content_id, reason=str(error))
        except Exception:
            # Out of here it would end the task group, and with it the probes of every other content.
            log.exception("probe failed", content_id=content_id)
        else:
            self._note(content_id, probed or Probed())
        finally:
            self._slots.release()

    def _note(self, content_id: str, probed: Probed) -> None:
        if probed.in_doubt:
            self.soon(content_id, _CONFIRM_AFTER)
        self._results += probed.observations
        # A store that is down for long: the newest are worth most.
        del self._results[:-_MOST_KEPT]

    async def _tell(self) -> None:
        """What the store does not take is told the next time, with the same ids."""
        if not self._telling:
            self._telling, self._results = tuple(self._results), []
        cause = Cause(_ACTOR, new_correlation_id())
        endpoints = self._probing.plan.endpoints
        if owed := results(self._telling, SCHEDULE, self._clock.now(), cause, endpoints):
            await self._store.owe(owed)
        self._telling, self._told_at = (), self._now()

    def _now(self) -> float:
        return self._clock.now().timestamp()
