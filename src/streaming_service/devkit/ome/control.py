"""`/_stand-in/publishers`: encoders started over HTTP, by whoever does not run in this process. No OME has this."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from msgspec import Struct

from streaming_service.devkit.ome.encoder import Publisher
from streaming_service.devkit.ome.rest import ApiError, Call, Reply, Router, created, ok

_PATH = "/_stand-in/publishers"


class Wanted(Struct, frozen=True, rename="camel"):
    """The body of a POST; `file` is below the media root."""

    application: str
    key: str
    query: str = ""
    protocol: str = "RTMP"
    file: str = "live.mp4"
    auto_reconnect: bool = False


class Publishers:
    """They publish until they are deleted or the server stops."""

    def __init__(self, publish: Callable[[Wanted], Publisher]) -> None:
        self._publish = publish
        self._publishers: dict[str, tuple[Wanted, Publisher]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def register(self, router: Router) -> None:
        router.add("GET", _PATH, self.index)
        router.add("POST", _PATH, self.create)
        router.add("DELETE", f"{_PATH}/{{app}}/{{key}}", self.delete)

    def index(self, _: Call) -> Reply:
        """`error` is what the encoder would have printed last."""
        return ok(
            [
                {**msgspec.to_builtins(wanted), "live": publisher.live, "error": publisher.error}
                for wanted, publisher in self._publishers.values()
            ]
        )

    def create(self, call: Call) -> Reply:
        """201: it is connecting. The list tells what became of it."""
        try:
            wanted = msgspec.convert(call.body, Wanted)
            publisher = self._publish(wanted)
        except (msgspec.ValidationError, ValueError) as error:
            raise ApiError(400, str(error)) from error
        name = f"{wanted.application}/{wanted.key}"
        if name in self._publishers:
            raise ApiError(409, f"An encoder for {name} has been started already: delete it first")
        self._publishers[name] = (wanted, publisher)
        self._do(publisher.start())
        return created()

    def delete(self, call: Call) -> Reply:
        name = "/".join(call.params)
        if name not in self._publishers:
            raise ApiError(404, f"No encoder for {name} has been started")
        _, publisher = self._publishers.pop(name)
        self._do(publisher.stop())
        return ok()

    async def stop(self) -> None:
        publishers, self._publishers = self._publishers, {}
        await asyncio.gather(*self._tasks)
        for _, publisher in publishers.values():
            await publisher.stop()

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
