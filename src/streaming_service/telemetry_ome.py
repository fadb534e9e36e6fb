"""What origins count of their channels, as gauges that vanish with the channel."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from streaming_service.domain.statistics import OriginReading


class OmeCollector:
    """Shows the latest readings, which grow older until there are others. `time` in Unix seconds."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._readings: tuple[OriginReading, ...] = ()

    def show(self, readings: Sequence[OriginReading]) -> None:
        """These and nothing else from now on."""
        self._readings = tuple(readings)

    def collect(self) -> Iterable[Metric]:
        viewers = GaugeMetricFamily(
            "streaming_channel_viewers",
            "Open LL-HLS, WebRTC and SRT connections to the channel on the origin, not people."
            " A CDN pools connections, so its logs tell the audience.",
            labels=["content_id", "origin"],
        )
        bitrate = GaugeMetricFamily(
            "streaming_channel_bitrate_kbps",
            "What comes into the channel on the origin, kbit/s: its source, not its renditions.",
            labels=["content_id", "origin"],
        )
        up = GaugeMetricFamily(
            "streaming_ome_up", "1 when the origin told its statistics the last time.", labels=["origin"]
        )
        age = GaugeMetricFamily(
            "streaming_ome_stats_age_seconds",
            "Age of the origin's figures; of one that never told any, since when it has been asked.",
            labels=["origin"],
        )
        now = self._time()
        for reading in self._readings:
            up.add_metric([reading.origin], 1 if reading.up else 0)
            age.add_metric([reading.origin], max(0.0, now - reading.as_of.timestamp()))
            for channel in reading.channels:
                labels = [channel.content_id, reading.origin]
                viewers.add_metric(labels, channel.viewers)
                bitrate.add_metric(labels, channel.bitrate_kbps)
        return [viewers, bitrate, up, age]
