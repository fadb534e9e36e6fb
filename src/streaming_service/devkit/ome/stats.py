"""`/v1/stats/current…`."""

from collections import Counter
from collections.abc import Iterable, Mapping

from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.inventory import Application, Inventory, Json
from streaming_service.devkit.ome.rest import Call, Reply, Router, ok
from streaming_service.devkit.ome.schedule import timestamp

_ROOT = "/v1/stats/current"
_PUBLISHERS = ("file", "hlsv3", "llhls", "ovt", "push", "srt", "thumbnail", "webrtc")
# In origin mode OME counts its stream workers as LL-HLS connections, whether or not anybody watches.
_STREAM_WORKERS = 2


# A number is LL-HLS viewers; otherwise viewers by publisher.
Viewers = Mapping[tuple[str, str], int | Mapping[str, int]]


class Statistics:
    """`created` is when the server came up, seconds since the epoch.

    `viewers` by (application, stream) are taken for the connections of that stream.
    """

    def __init__(self, inventory: Inventory, created: float, viewers: Viewers) -> None:
        self._inventory = inventory
        self._created = created
        self._viewers = viewers
        # The most connections that have been seen of a stream, an application, … and when.
        self._most: dict[tuple[str, ...], tuple[int, float]] = {}

    def register(self, router: Router) -> None:
        router.add("GET", _ROOT, self.server)
        router.add("GET", f"{_ROOT}/vhosts/{{vhost}}", self.vhost)
        router.add("GET", f"{_ROOT}/vhosts/{{vhost}}/apps/{{app}}", self.application)
        router.add("GET", f"{_ROOT}/vhosts/{{vhost}}/apps/{{app}}/streams/{{stream}}", self.stream)

    def server(self, call: Call) -> Reply:
        applications = [app for vhost in self._inventory.vhosts.values() for app in vhost.applications.values()]
        return ok(self._sum(applications, call.params))

    def vhost(self, call: Call) -> Reply:
        return ok(self._sum(self._inventory.vhost(*call.params).applications.values(), call.params))

    def application(self, call: Call) -> Reply:
        return ok(self._sum([self._inventory.application(*call.params)], call.params))

    def stream(self, call: Call) -> Reply:
        vhost, app, name = call.params
        application = self._inventory.application(vhost, app)
        channel = application.channels.stream(name) if application.channels else None
        if channel is None or application.channels is None:
            raise self._inventory.stream_missing(application, name)
        now = application.channels.now()
        connections = self._connections(application, name, channel, now)
        return ok(self._metrics([channel], connections, now, channel.appears, call.params))

    def _sum(self, applications: Iterable[Application], scope: tuple[str, ...]) -> Json:
        members: list[Channel] = []
        connections: Counter[str] = Counter()
        now = self._created
        for application in applications:
            channels = application.channels
            for name in channels.streams() if channels else ():
                channel = channels.stream(name) if channels else None
                if channels and channel:
                    now = channels.now()
                    members.append(channel)
                    connections.update(self._connections(application, name, channel, now))
        return self._metrics(members, connections, now, self._created, scope)

    def _connections(self, application: Application, name: str, channel: Channel, now: float) -> Mapping[str, int]:
        viewers = self._viewers.get((application.name, name))
        if viewers is None:
            return {"llhls": _STREAM_WORKERS if _bitrate(channel, now) else 0}
        return {"llhls": viewers} if isinstance(viewers, int) else viewers

    def _metrics(
        self,
        channels: list[Channel],
        connections: Mapping[str, int],
        now: float,
        created: float,
        scope: tuple[str, ...],
    ) -> Json:
        """Rates on average in bits per second, the last ones in bytes per second, as OME has them.

        What comes in is worked out from the bitrate of what plays.
        """
        rates = {channel: _bitrate(channel, now) for channel in channels}
        received = sum(int(rate / 8 * max(0.0, now - channel.appears)) for channel, rate in rates.items())
        sent = sum(channel.bytes_out for channel in channels)
        total = sum(connections.values())
        # A stream that was made again under its name is another one.
        most, most_at = self._most.get(scope, (0, created))
        if total > most or most_at < created:
            most, most_at = self._most[scope] = (total, now)
        elapsed = max(1.0, now - created)
        throughput_in, throughput_out = sum(rates.values()), int(sent * 8 / elapsed)
        return {
            "connections": {name: connections.get(name, 0) for name in _PUBLISHERS},
            "totalConnections": total,
            "maxTotalConnections": most,
            "maxTotalConnectionTime": timestamp(most_at),
            "totalBytesIn": received,
            "totalBytesOut": sent,
            "avgThroughputIn": throughput_in,
            "avgThroughputOut": throughput_out,
            "lastThroughputIn": throughput_in // 8,
            "lastThroughputOut": throughput_out // 8,
            "maxThroughputIn": throughput_in,
            "maxThroughputOut": throughput_out,
            "createdTime": timestamp(created),
            "lastRecvTime": timestamp(now),
            "lastSentTime": timestamp(max((channel.last_sent for channel in channels), default=created)),
            "lastUpdatedTime": timestamp(now),
        }


def _bitrate(channel: Channel, now: float) -> int:
    facts = channel.facts(now)
    return facts.bitrate_kbps * 1000 if facts else 0
