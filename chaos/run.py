"""One run of a scenario: a child that may be killed once, whoever talks to it, and how long it is waited for."""

import asyncio
import multiprocessing
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import uuid4

import msgspec

from chaos import child
from chaos.child import Answer, Order, State, socket_of
from chaos.world import CLIP_SECONDS, World
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire

PATIENCE = 60.0

_LOOK_PAUSE = 0.1
_processes = multiprocessing.get_context("forkserver")


class Broken(Exception):
    """Something that must hold does not; the text says what."""


class Died(Exception):
    """The child is no more."""


def preload() -> None:
    """Children are forked off a process that has imported everything already."""
    _processes.set_forkserver_preload(["chaos.child"])


class Run:
    """Talks to the child as senders and operators do: what was not answered is said again to the next one."""

    def __init__(self, world: World, kill_at: int | None) -> None:
        self.world = world
        self.content_id = str(uuid4())
        self.killed_at = ""
        self.recovery = 0.0
        self._kill_at = kill_at
        self._died_at = 0.0
        self._process: BaseProcess | None = None
        self._arrivals: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    # -- what happens to the service ------------------------------------------------------------------------------

    async def upload(self, checksum: str = "1", classification: str = "REEL") -> None:
        """A `media.uploaded` event, redelivered until it is acknowledged."""
        event = {
            "uploadId": str(uuid4()),
            "objectKey": "clip.mp4",
            "storageUrl": "gs://uploads/clip.mp4",
            "assetType": "video",
            "adminId": "chaos",
            "contentId": self.content_id,
            "contentClassification": classification,
            "validation": {
                "checksum": f"sha256:{checksum}",
                "durationSeconds": CLIP_SECONDS,
                "width": 1280,
                "height": 720,
            },
            "emittedAt": to_wire(datetime.now(UTC)),
        }
        while await self.tell("publish", event=event) != "ack":
            await asyncio.sleep(_LOOK_PAUSE)

    async def tell(self, order: str, **details: Any) -> Any:
        """Have it done, by the next child if this one dies of it."""
        while True:
            try:
                answer = msgspec.json.decode(await self._ask({"do": order, **details}), type=Answer)
            except Died:
                await self._bury()
                continue
            if answer.refusal is None:
                return answer.value
            await asyncio.sleep(_LOOK_PAUSE)  # whoever is refused for the moment asks again

    async def look(self) -> State:
        """What the store holds."""
        while True:
            try:
                return msgspec.json.decode(await self._ask({"do": "look"}), type=State)
            except Died:
                await self._bury()

    async def until(self, what: str, holds: Callable[[Channel], object]) -> Channel:
        """The channel, once this holds of it. Raises Broken when it never does."""
        began = time.monotonic()
        while True:
            seen = next(iter((await self.look()).channels), None)
            if seen and holds(seen):
                return seen
            if time.monotonic() > began + PATIENCE:
                raise Broken(f"not {what} after {PATIENCE:.0f} s: {_summary(seen)}\n{self._last_words()}")
            await asyncio.sleep(_LOOK_PAUSE)

    async def settled(self) -> State:
        """Nothing is under way any more, and nothing is owed."""
        began = time.monotonic()
        while not _at_rest(state := await self.look()):
            if time.monotonic() > began + PATIENCE:
                seen = [_summary(channel) for channel in state.channels]
                raise Broken(f"not settled after {PATIENCE:.0f} s: {seen}, {state.pending} deliveries wait")
            await asyncio.sleep(_LOOK_PAUSE)
        if self._died_at:
            self.recovery = time.monotonic() - self._died_at
        return state

    # -- the child ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def alive(self) -> AsyncGenerator[None]:
        """A child from the beginning on, and none afterwards: it is asked to stop, and has to."""
        server = await asyncio.start_unix_server(self._arrived, socket_of(self.world.folder), limit=16 * 1024 * 1024)
        try:
            await self._bear(self._kill_at)
            yield
            await self._stop()
        finally:
            if self._process and self._process.is_alive():
                self._process.kill()
                await asyncio.to_thread(self._process.join)
            if self._line:
                self._line[1].close()
            server.close()

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._arrivals.put((reader, writer))

    async def _bear(self, kill_at: int | None) -> None:
        order = Order(self.world.env, str(self.world.folder), kill_at)
        self._process = _processes.Process(target=child.main, args=(order,))
        self._process.start()

    async def _ask(self, order: dict[str, Any]) -> bytes:
        if self._line is None:
            self._line = await self._connected()
        reader, writer = self._line
        try:
            writer.write(msgspec.json.encode(order) + b"\n")
            async with asyncio.timeout(PATIENCE):
                answer = await reader.readline()
        except ConnectionError as error:
            raise Died from error
        except TimeoutError:
            raise Broken(f"no answer to {order['do']} within {PATIENCE:.0f} s") from None
        if not answer:
            raise Died
        return answer

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        arrival = asyncio.create_task(self._arrivals.get())
        death = asyncio.create_task(self._death())
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.wait([arrival, death], return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():
                raise Died
            return arrival.result()
        finally:
            arrival.cancel()
            death.cancel()
            # Both have to be over before anybody else waits for the same.
            await asyncio.gather(arrival, death, return_exceptions=True)

    async def _death(self) -> int:
        """The exit code."""
        process = self._process
        if process is None:
            raise Died
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(process.sentinel, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(process.sentinel)
        process.join()
        return process.exitcode or 0

    async def _bury(self) -> None:
        """Once a death was ordered; every other one is a fault."""
        try:
            async with asyncio.timeout(PATIENCE):
                code = await self._death()
        except TimeoutError:
            raise Broken(f"the child hung up and lives on:\n{self._last_words()}") from None
        if code != -signal.SIGKILL or self._died_at or self._kill_at is None:
            raise Broken(f"the child ended with {code} by itself:\n{self._last_words()}")
        self.killed_at = (self.world.folder / "epitaph").read_text()
        self._died_at = time.monotonic()
        if self._line:
            self._line[1].close()
        self._line = None
        await self._bear(None)

    async def _stop(self) -> None:
        """As SIGTERM does. One that is killed on its way out has a successor, too."""
        await self.look()
        if self._line:
            self._line[1].close()
        try:
            async with asyncio.timeout(PATIENCE):
                code = await self._death()
        except TimeoutError:
            raise Broken(f"it did not stop within {PATIENCE:.0f} s") from None
        if code == 0:
            return
        await self._bury()
        await self.settled()
        await self._stop()

    def _last_words(self) -> str:
        log = self.world.folder / "log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""


def _at_rest(state: State) -> bool:
    return state.pending == 0 and all(
        not (item.building or item.draining or item.announce or item.waiting_since or item.recording)
        and len(item.ingest) <= 1
        for item in state.channels
    )


def _summary(channel: Channel | None) -> str:
    if channel is None:
        return "no channel"
    return (
        f"{channel.status}/{channel.phase} ({channel.phase_reason}), {len(channel.draining)} draining,"
        f" {channel.retries} retries"
    )
