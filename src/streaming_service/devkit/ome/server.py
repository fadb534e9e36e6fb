"""A stand-in for OvenMediaEngine: its REST API and its LL-HLS port on loopback, in the caller's event loop."""

import asyncio
import random
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.apps import Applications
from streaming_service.devkit.ome.channels import AskOutputs, Channels
from streaming_service.devkit.ome.control import Publishers, Wanted
from streaming_service.devkit.ome.dumps import HlsDumps
from streaming_service.devkit.ome.encoder import Publisher
from streaming_service.devkit.ome.feeds import Feeds
from streaming_service.devkit.ome.ffmpeg_packager import FfmpegPackager
from streaming_service.devkit.ome.ingest import PROTOCOLS, Ingest, Offer, Session
from streaming_service.devkit.ome.inventory import Application, Inventory, VirtualHost
from streaming_service.devkit.ome.pace import Pace
from streaming_service.devkit.ome.packager import Packager
from streaming_service.devkit.ome.playback import Playback
from streaming_service.devkit.ome.profiles import OutputProfiles
from streaming_service.devkit.ome.rest import (
    ApiError,
    Call,
    Reply,
    Router,
    check_credential,
    ok,
    preflight,
    refusal,
    render,
)
from streaming_service.devkit.ome.scheduled import ScheduledChannels
from streaming_service.devkit.ome.static_config import STATIC_VHOST, application_config
from streaming_service.devkit.ome.stats import Statistics
from streaming_service.devkit.ome.streams import Streams
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.vhosts import VirtualHosts
from streaming_service.devkit.ome.webhooks import Outputs, Webhook, transcode
from streaming_service.domain.ladder import Ladder

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

VERSION = "0.21.0"
_VERSION_020 = "0.20.0"
# OME answers within a millisecond or two, so whoever stops it waits for answers on their way, not for clients.
_SHUTDOWN_SECONDS = 1.0


class StandInOme:
    """Answers as the recorded servers of version 0.21 do; `latency` seconds are added to each answer.

    `applications` are the ones of `Server.xml`, each with its ladder, on the read-only virtual host `vhost`.
    `state_dir` holds the `.sch` files and packaged media and survives a restart; everything else does not.
    `version_020` gives it the one fault of 0.20 that copies show: a wrong last EXTINF after a conclusion.
    The webhooks are asked about the renditions of each stream, about each publisher, and about each master playlist
    that is fetched. With more scheduled channels than `realtime_channels` on air all of them fall behind the clock.
    `viewers` sets how many watch: `ome.viewers["reels", "channel"] = 7` for LL-HLS, or a mapping by publisher such as
    `{"llhls": 5, "webrtc": 2}`; other streams have the connections that OME counts although nobody watches.
    `now` is the wall clock in seconds since the epoch, `rng` draws the delays.
    """

    def __init__(
        self,
        *,
        media_root: Path,
        state_dir: Path,
        applications: Mapping[str, Ladder],
        access_token: str = "ome-key:ome-secret",  # noqa: S107 - the development token
        vhost: str = "default",
        host: str = "127.0.0.1",
        api_port: int = 0,
        playback_port: int = 0,
        timing: Timing | None = None,
        latency: float = 0.0,
        packager: Packager | None = None,
        absolute_chunklists: bool = False,
        transcode_webhook: Webhook | None = None,
        admission_webhook: Webhook | None = None,
        realtime_channels: int | None = None,
        version_020: bool = False,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.media_root = media_root
        self.state_dir = state_dir
        self.latency = latency
        self.timing = timing or Timing()
        self._applications = dict(applications)
        self._access_token = access_token
        self._vhost = vhost
        self._host = host
        self._ports = {"api": api_port, "playback": playback_port}
        self._packager = packager or FfmpegPackager(state_dir / "packages")
        self._path_depth = -1 if absolute_chunklists else 0
        self._transcode_webhook = transcode_webhook
        self._admission_webhook = admission_webhook
        self._version_020 = version_020
        self._now = now
        self._rng = rng or random.Random()
        self._pace = Pace(realtime_channels, self._on_air) if realtime_channels is not None else None
        self.viewers: dict[tuple[str, str], int | Mapping[str, int]] = {}
        self._inventory = Inventory()
        self._router = Router()
        self._ingest: Ingest | None = None
        self._publishers = Publishers(self._wanted)
        self._dumps: HlsDumps | None = None
        self._runners: list[web.ServerRunner] = []

    @property
    def api_url(self) -> str:
        """Without a slash at the end; `/v1/…` follows."""
        return f"http://{self._host}:{self._ports['api']}"

    @property
    def playback_url(self) -> str:
        return f"http://{self._host}:{self._ports['playback']}"

    def publish(
        self,
        application: str,
        key: str,
        *,
        query: str = "",
        protocol: str = "RTMP",
        address: str = "127.0.0.1",
        port: int = 0,
        file: str = "live.mp4",
        auto_reconnect: bool = False,
        pause: float = 0.5,
    ) -> Publisher:
        """An encoder that publishes `rtmp://…/{application}/{key}?{query}` (or `protocol` "SRT") once it is started.

        What it sends is `file` below the media root, looped. A `port` of 0 is another one for each connection.
        Raises ValueError for another protocol.
        """
        if protocol not in PROTOCOLS:
            raise ValueError(f"no publisher speaks {protocol!r} here: it is {' or '.join(PROTOCOLS)}")

        async def connect() -> Session:
            if self._ingest is None:
                raise ConnectionRefusedError("nobody listens: OME is not running")
            peer = (address, port or self._rng.randint(32768, 60999))
            offer = Offer(
                application=application, key=key, query=query, protocol=protocol, peer=peer, file=f"file://{file}"
            )
            return await self._ingest.connect(offer)

        return Publisher(connect, auto_reconnect=auto_reconnect, pause=pause)

    async def start(self) -> None:
        """Bind the ports and load the `.sch` files. A port of 0 is chosen once and kept over restarts.

        Raises OSError when a port is taken.
        """
        await self._packager.start()
        self._load()
        playback = Playback(
            lambda: self._inventory.vhost(self._vhost),
            self._now,
            absolute=self._path_depth < 0,
            admission=self._admission_webhook,
        )
        try:
            await self._listen("api", self._late(self._answer))
            # Who gives up waiting for a chunklist is let go.
            await self._listen("playback", self._late(playback.handle), cancelled=True)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the ports and end every ffmpeg."""
        await self._publishers.stop()
        ingest, self._ingest = self._ingest, None
        if ingest:
            await ingest.stop()
        runners, self._runners = self._runners, []
        for runner in runners:
            await runner.cleanup()
        if self._dumps:
            await self._dumps.stop()
        for vhost in self._inventory.vhosts.values():
            for application in vhost.applications.values():
                if application.channels:
                    await application.channels.stop()
        await self._packager.stop()

    async def restart(self, *, wipe: bool = False) -> None:
        """Stop and start; with `wipe` the `.sch` files are lost in between."""
        await self.stop()
        if wipe:
            for application in self._applications:
                await asyncio.to_thread(shutil.rmtree, self._schedule_files(application), ignore_errors=True)
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _schedule_files(self, application: str) -> Path:
        return self.state_dir / f"sch-{application}"

    def _load(self) -> None:
        self._inventory, self._router = Inventory(), Router()
        vhost = VirtualHost(self._vhost, {**STATIC_VHOST, "name": self._vhost}, static=True)
        self._inventory.vhosts[vhost.name] = vhost
        feeds = Feeds()
        for name, ladder in self._applications.items():
            folder = self._schedule_files(name)
            channels = Channels(
                ladder=ladder,
                media_root=self.media_root,
                folder=folder,
                packager=self._packager,
                timing=self.timing,
                random=self._rng,
                now=self._now,
                ask=self._asker(name, ladder),
                feeds=feeds,
                pace=self._pace,
            )
            channels.load()
            config = application_config(name, ladder, self.media_root, folder, self._path_depth)
            vhost.applications[name] = Application(vhost.name, name, config, channels)
        self._ingest = Ingest(
            vhost.applications,
            feeds,
            vhost=self._vhost,
            host=self._host,
            timing=self.timing,
            rng=self._rng,
            now=self._now,
            admission=self._admission_webhook,
            transcoding=self._transcode_webhook,
        )
        version = _VERSION_020 if self._version_020 else VERSION
        self._router.add("GET", "/v1/version", lambda _: ok({"version": version, "gitVersion": f"v{version}"}))
        VirtualHosts(self._inventory).register(self._router)
        Applications(self._inventory).register(self._router)
        OutputProfiles(self._inventory).register(self._router)
        ScheduledChannels(self._inventory).register(self._router)
        Streams(self._inventory, self._path_depth).register(self._router)
        self._dumps = HlsDumps(self._inventory, version_020=self._version_020)
        self._dumps.register(self._router)
        Statistics(self._inventory, self._now(), self.viewers).register(self._router)
        self._publishers.register(self._router)

    def _wanted(self, wanted: Wanted) -> Publisher:
        return self.publish(**msgspec.structs.asdict(wanted))

    def _on_air(self, now: float) -> int:
        applications = self._inventory.vhost(self._vhost).applications.values()
        return sum(application.channels.on_air(now) for application in applications if application.channels)

    def _asker(self, application: str, ladder: Ladder) -> AskOutputs | None:
        hook, vhost = self._transcode_webhook, self._vhost
        if hook is None:
            return None

        async def ask(name: str, created: float, facts: MediaFacts, audio: bool) -> Outputs:
            return await transcode(hook, ladder, (vhost, application, name), created, facts, audio=audio)

        return ask

    async def _listen(self, name: str, handler: Handler, *, cancelled: bool = False) -> None:
        """`cancelled`: what is asked by a client that has gone needs no answer."""
        server = web.Server(handler, handler_cancellation=cancelled)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, self._host, self._ports[name], reuse_address=True, backlog=1024)
        await site.start()
        self._ports[name] = int(runner.addresses[0][1])

    def _late(self, handler: Handler) -> Handler:
        async def late(request: web.BaseRequest) -> web.StreamResponse:
            if self.latency:
                await asyncio.sleep(self.latency)
            return await handler(request)

        return late

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return preflight()
        # OME reads no body without Content-Length: a chunked one looks empty to it.
        chunked = "Transfer-Encoding" in request.headers
        content = b"" if chunked or not request.body_exists else await request.read()
        return render(await self._reply(request, content))

    async def _reply(self, request: web.BaseRequest, content: bytes) -> Reply:
        try:
            check_credential(request.headers.get("Authorization"), self._access_token)
            handler, params = self._router.find(request.method, request.raw_path.partition("?")[0])
            reply = handler(Call(params, content))
            return reply if isinstance(reply, Reply) else await reply
        except ApiError as error:
            return refusal(error)
