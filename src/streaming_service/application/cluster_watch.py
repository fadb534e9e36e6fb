"""Are the clusters behind the CDN in order? Asked when somebody scrapes, who does not wait for the answer."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

import structlog

from streaming_service.application.ports import Clock, ClusterControl, ClusterReport, OutboxStore
from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.errors import StreamingServiceError

log = structlog.get_logger(__name__)

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:cluster")
TOPIC = "cdn.multi_cluster"


class Shown(Protocol):
    """Where the gauge is."""

    def multi_cluster(self, cluster: str, *, healthy: bool) -> None: ...


class ClusterWatch:
    """Validates at most every `pause`, one question at a time; what changes is told as an envelope."""

    def __init__(
        self,
        *,
        control: ClusterControl,
        shown: Shown,
        store: OutboxStore,
        endpoints: Collection[Endpoint],
        clock: Clock,
        pause: timedelta = timedelta(seconds=15),
    ) -> None:
        self._control = control
        self._shown = shown
        self._store = store
        self._endpoints = endpoints
        self._clock = clock
        self._pause = pause
        self._not_before = clock.now()
        self._asking: asyncio.Task[None] | None = None
        self._known: dict[str, bool] = {}

    def scraped(self) -> None:
        """Somebody wants to know. Returns at once; the answer is there for the next scrape."""
        now = self._clock.now()
        if self._asking is None and now >= self._not_before:
            self._not_before = now + self._pause
            self._asking = asyncio.create_task(self._ask(), name="validate clusters")
            self._asking.add_done_callback(self._answered)

    async def close(self) -> None:
        """Forget the question that is out."""
        if self._asking:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _answered(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self) -> None:
        try:
            report = await self._control.validate()
            self._shown.multi_cluster(report.cluster, healthy=report.healthy)
            if self._known.get(report.cluster) is not report.healthy:
                await self._tell(report)
                self._known[report.cluster] = report.healthy
        except StreamingServiceError as error:
            # The gauge keeps what was known, and the next scrape asks again.
            log.warning("clusters could not be validated", reason=str(error))
        except Exception:
            # A mistake of ours must not fail the scrape, which tells everything else, too.
            log.exception("job failed", job="validate clusters")

    async def _tell(self, report: ClusterReport) -> None:
        log.info("cluster validated", cluster=report.cluster, healthy=report.healthy)
        if Endpoint.BIGQUERY not in self._endpoints:
            return
        validated_at = to_wire(report.validated_at)
        await self._store.owe(
            [
                Notification(
                    id=str(uuid5(_NAMESPACE, f"{report.cluster}/{validated_at}/{report.healthy}")),
                    endpoint=Endpoint.BIGQUERY,
                    topic=TOPIC,
                    content_id=f"cluster:{report.cluster}",
                    occurred_at=self._clock.now(),
                    facts={"cluster": report.cluster, "healthy": report.healthy, "validatedAt": validated_at},
                )
            ]
        )
