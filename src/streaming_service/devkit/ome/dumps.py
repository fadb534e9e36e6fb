"""`…/streams/{stream}:startHlsDump`, `:stopHlsDump`, `:hlsDumps` and `:concludeHlsLive`.

A restart forgets all dumps and leaves what they have written.
"""

import asyncio
from typing import cast

import msgspec

from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.channels import Channels
from streaming_service.devkit.ome.dump import Dump, DumpFailed, DumpOrder
from streaming_service.devkit.ome.inventory import Inventory, Json
from streaming_service.devkit.ome.playlists import Names
from streaming_service.devkit.ome.rest import ApiError, Call, Reply, Router, ok
from streaming_service.devkit.ome.schedule_body import as_object
from streaming_service.devkit.ome.webhooks import Outputs

_STREAM = "/v1/vhosts/{vhost}/apps/{app}/streams/{stream}"
_LOOK_AGAIN = 0.05  # seconds between looks for segments that a dump has not copied yet
_OVERSTATED_020 = 28.48  # seconds: 0.20 wrote 30.36 for 1.88


class HlsDumps:
    """`version_020`: conclusions write a wrong last EXTINF, as 0.20 does."""

    def __init__(self, inventory: Inventory, *, version_020: bool = False) -> None:
        self._inventory = inventory
        self._overstated = _OVERSTATED_020 if version_020 else 0.0
        self._dumps: dict[Channel, dict[str, Dump]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # OME's API has one worker.
        self._starting = asyncio.Lock()

    def register(self, router: Router) -> None:
        router.add("POST", f"{_STREAM}:startHlsDump", self.start)
        router.add("POST", f"{_STREAM}:stopHlsDump", self.stop_one)
        router.add("POST", f"{_STREAM}:hlsDumps", self.index)
        router.add("POST", f"{_STREAM}:concludeHlsLive", self.conclude)

    async def stop(self) -> None:
        """Nothing is written any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, call: Call) -> Reply:
        channels, channel = self._find(call)
        order = _order(call)
        if not (order.id and order.output_stream_name and order.output_path):
            raise ApiError(400, "id, outputStreamName and outputPath are required")
        outputs = self._outputs(call, channels, channel, order)
        async with self._starting:
            try:
                self._check_free(channel, order)
                dump = Dump(order, channel, outputs, Names.of(*call.params))
                # Before the stream plays OME only notes the order; what is wrong with it nobody hears of.
                if segments := channel.segments(channels.now()):
                    await dump.begin(segments[-1], channels.now())
            except DumpFailed as error:
                raise self._failed("start", call, error) from error
            self._dumps.setdefault(channel, {})[order.id] = dump
        task = asyncio.get_running_loop().create_task(self._follow(dump, channels, channel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ok()

    async def stop_one(self, call: Call) -> Reply:
        """Without an id all dumps of the stream are stopped."""
        dumps, order = self._existing(call)
        if order.id and order.id not in dumps:
            raise self._failed("stop", call, DumpFailed("Could not find dump info"))
        for dump in [dumps[order.id]] if order.id else list(dumps.values()):
            await dump.stop()
        return ok()

    def index(self, call: Call) -> Reply:
        dumps, order = self._existing(call)
        return ok([_shown(dump) for name, dump in sorted(dumps.items()) if order.id in {"", name}])

    def conclude(self, call: Call) -> Reply:
        channels, channel = self._find(call)
        channel.conclude(channels.now(), self._overstated)
        return ok()

    def _check_free(self, channel: Channel, order: DumpOrder) -> None:
        """Stopped dumps keep their id and their info file."""
        dumps = self._dumps.get(channel, {})
        if order.id in dumps:
            raise DumpFailed("Duplicate ID")
        if order.info_file and any(dump.order.info_file == order.info_file for dump in dumps.values()):
            raise DumpFailed("Duplicate info file")

    async def _follow(self, dump: Dump, channels: Channels, channel: Channel) -> None:
        while dump.enabled and not channel.gone(channels.now()):
            await dump.go_on(channels.now())
            await asyncio.sleep(_LOOK_AGAIN)
        if dump.enabled:
            await dump.stop()
        if channel.gone(channels.now()):
            self._dumps.pop(channel, None)

    def _existing(self, call: Call) -> tuple[dict[str, Dump], DumpOrder]:
        channels, channel = self._find(call)
        order = _order(call)
        if not order.output_stream_name:
            raise ApiError(400, "outputStreamName is required")
        self._outputs(call, channels, channel, order)
        return self._dumps.get(channel, {}), order

    def _find(self, call: Call) -> tuple[Channels, Channel]:
        vhost, app, name = call.params
        application = self._inventory.application(vhost, app)
        channel = application.channels.find(name) if application.channels else None
        if channel is None or application.channels is None:
            raise self._inventory.stream_missing(application, name)
        return application.channels, channel

    def _outputs(self, call: Call, channels: Channels, channel: Channel, order: DumpOrder) -> Outputs:
        """What the output stream of that name consists of. Raises ApiError 404 while there is none."""
        vhost, app, stream = call.params
        outputs = channel.outputs
        exists = order.output_stream_name == stream and channel.has_outputs(channels.now())
        if outputs is None or not exists:
            raise ApiError(404, f"Could not find output stream: [{vhost}/{app}/{order.output_stream_name}]")
        return outputs

    def _failed(self, action: str, call: Call, error: DumpFailed) -> ApiError:
        vhost, app, stream = call.params
        return ApiError(500, f"Could not {action} dump: [{vhost}/{app}/{stream}] ({error})")


def _order(call: Call) -> DumpOrder:
    try:
        return msgspec.convert(as_object(call.body), DumpOrder)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"Could not parse json context: [{'/'.join(call.params)}]") from error


def _shown(dump: Dump) -> Json:
    return {**cast("Json", msgspec.to_builtins(dump.order)), "enabled": dump.enabled}
