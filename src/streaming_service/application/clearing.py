"""Take things away: streams from OME, copies from the bucket, publishers whose key is no longer good."""

import structlog

from streaming_service.application.ports import Clock, Fleet, ManifestBucket
from streaming_service.domain.channel import Channel
from streaming_service.domain.ingest import came_with_older_keys
from streaming_service.domain.placement import Draining, Placement
from streaming_service.domain.state import Status
from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable

log = structlog.get_logger(__name__)


class Clearing:
    """`retry_after` seconds pass before somebody who refuses is asked again."""

    def __init__(self, fleet: Fleet, bucket: ManifestBucket | None, *, clock: Clock, retry_after: float) -> None:
        self._fleet = fleet
        self._bucket = bucket
        self._clock = clock
        self._retry_after = retry_after

    async def remove(self, channel: Channel, item: Draining) -> None:
        """It is gone when this returns. Raises UpstreamUnavailable while it is not."""
        try:
            if item.copy:
                await self._remove_copy(item.placement)
            else:
                await self._stop(channel, item.placement)
        except NotFound:
            log.warning("origin left the fleet before its stream was removed", origin=item.placement.origin)
        except UpstreamRejected as error:
            raise UpstreamUnavailable(error.service, error.detail, retry_after=self._retry_after) from error

    async def cut(self, channel: Channel) -> None:
        """Cut whoever came with a key that is no longer good. Raises UpstreamUnavailable while that is not done.

        Whoever came with an old key in its grace is cut by OME: it was told how long that key is good.
        """
        now = self._clock.now()
        connected_before = came_with_older_keys(channel, now) or now
        for placement in channel.on_ome:
            try:
                origin = self._fleet.origin(placement.origin)
            except NotFound:
                continue
            try:
                if placement.live and await origin.kick(
                    placement.application, placement.ingest_stream, connected_before
                ):
                    log.info("publisher with an old key cut", content_id=channel.content_id, origin=placement.origin)
            except UpstreamRejected as error:
                raise UpstreamUnavailable(error.service, error.detail, retry_after=self._retry_after) from error

    async def _remove_copy(self, placement: Placement) -> None:
        if self._bucket is None:
            log.warning("copy stays: no manifest bucket is configured any more", prefix=placement.copy_prefix)
            return
        await self._bucket.remove(placement.copy_prefix)

    async def _stop(self, channel: Channel, placement: Placement) -> None:
        origin = self._fleet.origin(placement.origin)
        if placement.origin in self._fleet.given_up():
            detail = f"{placement.stream} stays on {placement.origin} until that answers"
            raise UpstreamUnavailable("ome", detail, retry_after=self._retry_after)
        if placement.live and (channel.status is Status.RETIRED or not channel.spec.live):
            await origin.kick(placement.application, placement.ingest_stream, self._clock.now())
        if not await origin.stop(placement.application, placement.stream):
            raise UpstreamUnavailable("ome", f"{placement.stream} is still going away")
