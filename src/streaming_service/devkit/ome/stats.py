"""`/v1/stats/current…`."""

from collections.abc import Iterable

from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.inventory import Application, Inventory, Json
from streaming_service.devkit.ome.rest import Call, Reply, Router, ok
from streaming_service.devkit.ome.schedule import timestamp

_ROOT = "/v1/stats/current"
_PUBLISHERS = ("file", "hlsv3", "llhls", "ovt", "push", "srt", "thumbnail", "webrtc")
# In origin mode OME counts its stream workers as LL-HLS connections, whether or not anybody watches.
_STREAM_WORKERS = 2


class Statistics:
    """`created` is when the server came up, seconds since the epoch."""

    def __init__(self, inventory: Inventory, created: float) -> None:
        self._inventory = inventory
        self._created = created

    def register(self, router: Router) -> None:
        router.add("GET", _ROOT, self.server)
        router.add("GET", f"{_ROOT}/vhosts/{{vhost}}", self.vhost)
        router.add("GET", f"{_ROOT}/vhosts/{{vhost}}/apps/{{app}}", self.application)
        router.add("GET", f"{_ROOT}/vhosts/{{vhost}}/apps/{{app}}/streams/{{stream}}", self.stream)

    def server(self, _: Call) -> Reply:
        applications = [app for vhost in self._inventory.vhosts.values() for app in vhost.applications.values()]
        return ok(self._sum(applications))

    def vhost(self, call: Call) -> Reply:
        return ok(self._sum(self._inventory.vhost(*call.params).applications.values()))

    def application(self, call: Call) -> Reply:
        return ok(self._sum([self._inventory.application(*call.params)]))

    def stream(self, call: Call) -> Reply:
        vhost, app, name = call.params
        application = self._inventory.application(vhost, app)
        channel = application.channels.find(name) if application.channels else None
        if channel is None or application.channels is None:
            raise self._inventory.stream_missing(application, name)
        return ok(_metrics([channel], application.channels.now(), channel.appears))

    def _sum(self, applications: Iterable[Application]) -> Json:
        members: list[Channel] = []
        now = self._created
        for channels in (application.channels for application in applications):
            if channels:
                now = channels.now()
                members += [channel for name in channels.names() if (channel := channels.find(name))]
        return _metrics(members, now, self._created)


def _metrics(channels: list[Channel], now: float, created: float) -> Json:
    """Bytes, and bits per second. What comes in is worked out from the bitrate of what plays."""
    rates = {channel: _bitrate(channel, now) for channel in channels}
    received = sum(int(rate / 8 * max(0.0, now - channel.appears)) for channel, rate in rates.items())
    sent = sum(channel.bytes_out for channel in channels)
    workers = _STREAM_WORKERS * sum(1 for rate in rates.values() if rate)
    elapsed = max(1.0, now - created)
    throughput_in, throughput_out = sum(rates.values()), int(sent * 8 / elapsed)
    return {
        "connections": {name: workers if name == "llhls" else 0 for name in _PUBLISHERS},
        "totalConnections": workers,
        "maxTotalConnections": workers,
        "maxTotalConnectionTime": timestamp(created),
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
    package = channel.package(now)
    return package.facts.bitrate_kbps * 1000 if package and package.facts else 0
