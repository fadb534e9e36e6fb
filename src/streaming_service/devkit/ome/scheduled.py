"""`/v1/vhosts/{vhost}/apps/{app}/scheduledChannels`."""

from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.channels import Channels
from streaming_service.devkit.ome.inventory import Inventory, Json
from streaming_service.devkit.ome.rest import ApiError, Call, Reply, Router, created, ok
from streaming_service.devkit.ome.schedule import program_end, timestamp
from streaming_service.devkit.ome.schedule_body import parse_new, parse_patch, show

_PATH = "/v1/vhosts/{vhost}/apps/{app}/scheduledChannels"
# What OME says for "never": the largest time of a 64-bit nanosecond clock.
_NEVER = "2262-04-11T23:47:16.854+00:00"
# What it says of the stream of a publisher.
_NOT_SHOWN = (500, "Could not get the scheduled stream")
_NOT_SCHEDULED = (400, "Stream is not a scheduled stream")


class ScheduledChannels:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def register(self, router: Router) -> None:
        router.add("GET", _PATH, self.index)
        router.add("POST", _PATH, self.create)
        router.add("GET", f"{_PATH}/{{stream}}", self.show)
        router.add("PATCH", f"{_PATH}/{{stream}}", self.patch)
        router.add("DELETE", f"{_PATH}/{{stream}}", self.delete)

    def index(self, call: Call) -> Reply:
        return ok(self._channels(*call.params).names())

    def create(self, call: Call) -> Reply:
        channels = self._channels(*call.params)
        channels.create(parse_new(call.body))
        return created()

    def show(self, call: Call) -> Reply:
        channels, channel = self._find(*call.params, refusal=_NOT_SHOWN)
        now = channels.now()
        return ok({**show(channel.schedule(now)), "currentProgram": _current_program(channel, now)})

    def patch(self, call: Call) -> Reply:
        channels, channel = self._find(*call.params)
        channels.patch(channel, parse_patch(call.body, channel.schedule(channels.now())))
        return created()

    def delete(self, call: Call) -> Reply:
        channels, channel = self._find(*call.params)
        channels.delete(channel, call.params[2])
        return ok()

    def _channels(self, vhost: str, app: str) -> Channels:
        channels = self._inventory.application(vhost, app).channels
        if channels is None:
            raise ApiError(403, "Forbidden", raw=True)
        return channels

    def _find(
        self, vhost: str, app: str, name: str, *, refusal: tuple[int, str] = _NOT_SCHEDULED
    ) -> tuple[Channels, Channel]:
        channels = self._channels(vhost, app)
        if name in channels.ingest:
            raise ApiError(*refusal)
        channel = channels.find(name)
        if channel is None:
            raise self._inventory.stream_missing(self._inventory.application(vhost, app), name)
        return channels, channel


def _current_program(channel: Channel, now: float) -> Json:
    """`currentProgram` of a GET: durations and positions in milliseconds."""
    on_air = channel.on_air(now)
    if on_air.program is None:
        return {"state": "offair"}
    program, head = on_air.program, on_air.head
    end = program_end(channel.schedule(now), program)
    shown: Json = {
        "name": program.name,
        "scheduled": program.scheduled,
        "repeat": program.repeat,
        "state": "onair" if head else "offair",
        "duration": -1 if end is None else round((end - program.begins) * 1000),
        "end": _NEVER if end is None else timestamp(end),
    }
    if head:
        shown["currentItem"] = {
            "url": head.item.url,
            "start": head.item.start,
            "duration": head.item.duration,
            "currentPosition": int(head.position * 1000),
        }
    return shown
