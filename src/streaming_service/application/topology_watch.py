"""The topology as last read: what cannot be read now changes nothing."""

from typing import Protocol

import structlog

from streaming_service.domain.fleet.topology import Topology
from streaming_service.errors import InvalidInput, UpstreamError

log = structlog.get_logger(__name__)


class TopologySource(Protocol):
    """Where the topology is written down."""

    async def read(self) -> Topology:
        """The topology of now. Raises InvalidInput when it is wrong, UpstreamError when it cannot be had."""
        ...


class TopologyWatch:
    """`current` is empty until the source has been read once.

    A process that should not start with a wrong topology asks the source itself before.
    """

    def __init__(self, source: TopologySource) -> None:
        self._source = source
        self._problem = ""
        self.current = Topology()

    async def refresh(self) -> Topology:
        """Read it again; when that fails the last good one stays, and each new reason is logged once."""
        try:
            found = await self._source.read()
        except (InvalidInput, UpstreamError) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("topology not read, the last one stays", reason=self._problem)
            return self.current
        if self._problem:
            self._problem = ""
            log.info("topology can be read again")
        if found != self.current:
            before, after = self.current.origins, found.origins
            log.info(
                "topology changed",
                pools=sorted(found.pools),
                added=sorted(after.keys() - before.keys()),
                removed=sorted(before.keys() - after.keys()),
                changed=sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
            )
            self.current = found
        return self.current
