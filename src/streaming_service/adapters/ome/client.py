"""A typed async client of OvenMediaEngine's REST API (v0.20, v0.21).

    client = OmeClient(caller, "http://127.0.0.1:8081", access_token="key:secret")
    await client.create_scheduled_channel("reels", channel)

OME's habits are handled here and nowhere else: the envelope, statuses inside answers, paths that are not
percent-decoded, deletions that answer 500 while they are under way, messages that are for people only.
"""

from base64 import b64encode
from typing import Any, TypeVar

import msgspec

from streaming_service.adapters.http import Caller, Request, Response
from streaming_service.adapters.ome.models import (
    Envelope,
    HlsDump,
    HlsDumpState,
    ItemResult,
    ScheduledChannel,
    ScheduledChannelState,
    StreamState,
    StreamStatistics,
    Version,
    VirtualHost,
)
from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable

_T = TypeVar("_T")


class OmeError(UpstreamRejected):
    """OME answered, and the answer is no. `status` is the HTTP status, `detail` OME's own message."""


class AlreadyExists(OmeError):
    """A stream of that name exists: 409."""


class Forbidden(OmeError):
    """The vhost is read-only, or the application lacks the provider: 403. Server.xml decides that."""


class OmeClient:
    """One OME server. Safe calls are repeated when there is no answer, others never."""

    def __init__(
        self, caller: Caller, base_url: str, *, access_token: str, vhost: str = "default", timeout: float = 5.0
    ) -> None:
        self._caller = caller
        self._apps = f"{base_url}/v1/vhosts/{vhost}/apps"
        self._statistics = f"{base_url}/v1/stats/current"
        self._app_statistics = f"{self._statistics}/vhosts/{vhost}/apps"
        self._base = base_url
        self._authorization = f"Basic {b64encode(access_token.encode()).decode()}"
        self._timeout = timeout

    async def version(self) -> Version:
        """Which OME this is."""
        return await self._get(f"{self._base}/v1/version", Version)

    async def applications(self) -> list[str]:
        """Names of the vhost's applications."""
        return await self._get(self._apps, list[str])

    async def create_virtual_hosts(self, *hosts: VirtualHost) -> tuple[ItemResult, ...]:
        """One result for each, in their order; OME answers 207 when they differ. Raises OmeError when the whole
        request was refused, which does not mean that nothing was made: give one at a time where that matters."""
        url = f"{self._base}/v1/vhosts"
        response = await self._send("POST", url, msgspec.json.encode(hosts))
        try:
            items = msgspec.json.decode(response.body, type=list[Envelope], strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            envelope = _open(response, "POST", url)
            raise _refusal(response.status, f"POST {url} answered {response.status}: {envelope.message}") from None
        return tuple(ItemResult(item.status_code, item.message) for item in items)

    async def delete_virtual_host(self, name: str) -> None:
        """Raises NotFound, or Forbidden for one that Server.xml declares."""
        await self._call("DELETE", f"{self._base}/v1/vhosts/{name}")

    async def scheduled_channels(self, application: str) -> list[str]:
        """Names of the application's scheduled channels. Raises NotFound for an unknown application."""
        return await self._get(f"{self._apps}/{application}/scheduledChannels", list[str])

    async def create_scheduled_channel(self, application: str, channel: ScheduledChannel) -> None:
        """OME has written the schedule; the stream appears 0.1 to 0.9 s later, and may never play.

        Raises AlreadyExists, NotFound (no such application) or Forbidden (it has no Schedule provider).
        """
        body = msgspec.json.encode(channel)
        await self._call("POST", f"{self._apps}/{application}/scheduledChannels", body)

    async def scheduled_channel(self, application: str, name: str) -> ScheduledChannelState:
        """Raises NotFound."""
        return await self._get(f"{self._apps}/{application}/scheduledChannels/{name}", ScheduledChannelState)

    async def delete_scheduled_channel(self, application: str, name: str) -> None:
        """It is going away. Raises NotFound once it is gone.

        While the stream is still there a repeated DELETE is answered 500: that is not a fault, only early.
        """
        try:
            await self._call("DELETE", f"{self._apps}/{application}/scheduledChannels/{name}")
        except UpstreamUnavailable as error:
            if error.status != 500:
                raise

    async def start_hls_dump(self, application: str, stream: str, dump: HlsDump) -> None:
        """Write the stream to OME's disk as it plays: from its beginning when this is accepted before the playlist is
        first 200, later from the newest segment on. An unknown playlist is noticed in the second case only.

        Raises NotFound while the output stream does not exist: ask again every 100 ms. Raises OmeError for what OME
        refuses, all with status 500: an id or info file that the stream has had, stopped or not, an unknown playlist,
        a folder it cannot write. `hls_dumps` tells: only the dump that was there before is in it. A refused dump may
        leave files, so each try has a folder of its own.
        """
        body = {"outputStreamName": stream, **msgspec.to_builtins(dump)}
        await self._act(application, stream, "startHlsDump", body)

    async def hls_dumps(self, application: str, stream: str) -> list[HlsDumpState]:
        """The stream's dumps, stopped ones too; OME forgets them when it restarts. Raises NotFound."""
        answer = await self._act(application, stream, "hlsDumps", {"outputStreamName": stream}, safe=True)
        return _shaped(answer, list[HlsDumpState], f"hlsDumps of {application}/{stream}")

    async def stop_hls_dump(self, application: str, stream: str, dump_id: str) -> None:
        """Write nothing more: without a conclusion half a second before, up to a segment is missing. Repeatable.

        Raises NotFound for a stream that is gone, OmeError for a dump that OME does not know or has forgotten.
        """
        await self._act(application, stream, "stopHlsDump", {"outputStreamName": stream, "id": dump_id})

    async def conclude_hls_live(self, application: str, stream: str) -> None:
        """End the stream for its viewers and dumps; its last segment is on disk within half a second. Repeatable.

        0.20 writes a wrong duration for that segment. Raises NotFound.
        """
        await self._act(application, stream, "concludeHlsLive", {})

    async def streams(self, application: str) -> list[str]:
        """Names of all input streams, scheduled or not."""
        return await self._get(f"{self._apps}/{application}/streams", list[str])

    async def stream(self, application: str, name: str) -> StreamState:
        """Raises NotFound."""
        return await self._get(f"{self._apps}/{application}/streams/{name}", StreamState)

    async def delete_stream(self, application: str, name: str) -> None:
        """Cut off the publisher of a stream within half a second. Raises NotFound.

        Nothing keeps its encoder from coming back: refuse it in the admission webhook first. For a scheduled
        channel OME answers 200 and does nothing.
        """
        await self._call("DELETE", f"{self._apps}/{application}/streams/{name}")

    async def server_statistics(self) -> StreamStatistics:
        """Of all streams of the server together. `created_time` is when it started."""
        return await self._get(self._statistics, StreamStatistics)

    async def stream_statistics(self, application: str, name: str) -> StreamStatistics:
        """Of an input stream and all that is made of it. Raises NotFound."""
        return await self._get(f"{self._app_statistics}/{application}/streams/{name}", StreamStatistics)

    async def application_statistics(self, application: str) -> StreamStatistics:
        """Of all streams of an application together. Raises NotFound."""
        return await self._get(f"{self._app_statistics}/{application}", StreamStatistics)

    async def _get(self, url: str, shape: type[_T]) -> _T:
        return _shaped(await self._call("GET", url), shape, f"GET {url}")

    async def _act(
        self, application: str, stream: str, action: str, body: dict[str, Any], *, safe: bool = False
    ) -> Any:
        """An action on a stream. OME says no with 500 as well, and then asking again does not help."""
        url = f"{self._apps}/{application}/streams/{stream}:{action}"
        response = await self._send("POST", url, msgspec.json.encode(body), safe=safe)
        envelope = _open(response, "POST", url)
        if response.ok:
            return envelope.response
        detail = f"POST {url} answered {response.status}: {envelope.message}"
        raise OmeError("ome", detail, status=500) if response.status == 500 else _refusal(response.status, detail)

    async def _call(self, method: str, url: str, body: bytes = b"") -> Any:
        response = await self._send(method, url, body)
        envelope = _open(response, method, url)
        if response.ok:
            return envelope.response
        raise _refusal(response.status, f"{method} {url} answered {response.status}: {envelope.message}")

    async def _send(self, method: str, url: str, body: bytes, *, safe: bool = False) -> Response:
        headers = {"authorization": self._authorization}
        if body:
            headers["content-type"] = "application/json"
        request = Request(method, url, headers, body, timeout=self._timeout)
        return await self._caller.call(request, retry=safe or method == "GET")


def _shaped(answer: Any, shape: type[_T], question: str) -> _T:
    try:
        return msgspec.convert(answer, shape, strict=False)
    except msgspec.ValidationError as error:
        raise UpstreamUnavailable("ome", f"{question} answered an unexpected shape: {error}") from error


def _open(response: Response, method: str, url: str) -> Envelope:
    try:
        return msgspec.json.decode(response.body, type=Envelope, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = f"{method} {url} answered {response.status} without OME's envelope: is this OME's API port?"
        raise UpstreamUnavailable("ome", detail, status=response.status) from error


def _refusal(status: int, detail: str) -> Exception:
    match status:
        case 401:
            return OmeError("ome", f"{detail} (check OME_API_KEY and OME_API_SECRET)", status=status)
        case 403:
            return Forbidden("ome", detail, status=status)
        case 404:
            return NotFound(detail)
        case 409:
            return AlreadyExists("ome", detail, status=status)
        case 429 | 500 | 502 | 503 | 504:
            return UpstreamUnavailable("ome", detail, status=status)
        case _:
            return OmeError("ome", detail, status=status)
