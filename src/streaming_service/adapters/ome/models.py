"""The parts of OME's answers that we read, leniently: versions add fields and change types."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct


class Envelope(Struct, rename="camel"):
    """What every answer is wrapped in."""

    status_code: int
    message: str = ""
    response: Any = None


class Version(Struct, rename="camel"):
    version: str = ""
    git_version: str = ""


class HostNames(Struct):
    names: list[str]


class VirtualHost(Struct):
    """A virtual host made by API; OME forgets it when it restarts."""

    name: str
    host: HostNames


class ItemResult(Struct, frozen=True):
    """What became of one item of a request that has several."""

    status: int
    message: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class ProgramItem(Struct, rename="camel"):
    """`url` is `file://…` below the media root or `stream://…`; `start` and `duration` in ms, -1 for all."""

    url: str
    start: int = 0
    duration: int = -1


class Program(Struct, rename="camel"):
    name: str
    scheduled: str
    repeat: bool
    items: list[ProgramItem]


class FallbackProgram(Struct):
    items: list[ProgramItem]


class ScheduledStream(Struct, rename="camel"):
    name: str
    bypass_transcoder: bool = False
    video_track: bool = True
    audio_track: bool = True


class ScheduledChannel(Struct, rename="camel", omit_defaults=True):
    """What is POSTed to `…/scheduledChannels`."""

    stream: ScheduledStream
    programs: list[Program]
    fallback_program: FallbackProgram | None = None


class CurrentItem(Struct, rename="camel"):
    url: str = ""
    current_position: int = 0


class CurrentProgram(Struct, rename="camel"):
    name: str = ""
    state: str = ""
    current_item: CurrentItem | None = None


class ScheduledChannelState(Struct, rename="camel"):
    """What GET of a scheduled channel tells."""

    stream: ScheduledStream | None = None
    programs: list[Program] = []
    current_program: CurrentProgram | None = None


class OutputPlaylist(Struct, rename="camel"):
    name: str = ""
    file_name: str = ""


class Output(Struct, rename="camel"):
    name: str = ""
    playlists: list[OutputPlaylist] = []


class VideoTrack(Struct, rename="camel"):
    """Sides in pixels."""

    width: int = 0
    height: int = 0


class Track(Struct, rename="camel"):
    type: str = ""
    video: VideoTrack | None = None


class StreamInput(Struct, rename="camel"):
    created_time: str = ""
    source_type: str = ""
    tracks: list[Track] = []


class StreamState(Struct, rename="camel"):
    """What GET of a stream tells; `outputs[].playlists[].file_name` are the playlists it really has."""

    name: str = ""
    input: StreamInput | None = None
    outputs: list[Output] = []

    @property
    def appeared(self) -> datetime | None:
        """When its input began, by OME's clock."""
        return ome_moment(self.input.created_time) if self.input else None

    @property
    def source_size(self) -> tuple[int, int]:
        """Width and height of the picture that comes in; zeros as long as OME does not know."""
        tracks = self.input.tracks if self.input else []
        video = next((track.video for track in tracks if track.video), VideoTrack())
        return video.width, video.height


class StreamStatistics(Struct, rename="camel"):
    """What OME counts of a stream, or of all streams of an application. Moments are as OME writes them.

    `avg_throughput_*` are bits per second over the last second or so, `last_throughput_*` the same in bytes per second;
    `total_bytes_*` are bytes since the stream began. What goes in is the source, what goes out all that players fetch.
    """

    connections: dict[str, int] = {}
    total_connections: int = 0
    max_total_connections: int = 0
    total_bytes_in: int = 0
    total_bytes_out: int = 0
    last_throughput_in: int = 0
    last_throughput_out: int = 0
    avg_throughput_in: int = 0
    avg_throughput_out: int = 0
    created_time: str = ""
    last_recv_time: str = ""
    last_sent_time: str = ""

    @property
    def viewers(self) -> int:
        """Connections of LL-HLS, WebRTC and SRT: an indication, the audience is in the CDN's logs.

        With OriginMode, as we recommend it, `llhls` is the number of StreamWorkerCount from the moment a stream is
        there, whoever watches (measured on 0.21: 2 before the first fetch, with one and with two viewers, and 44 s
        after the last): only what is above that can be people, by WebRTC or SRT. Without it, `llhls` counts what
        fetched a multivariant playlist over a TCP connection that is still open, hardly anything behind a CDN that
        pools connections. `totalConnections` would add recordings, pushes, other servers, and on 0.21 a constant for
        HLS.
        """
        return sum(self.connections.get(publisher, 0) for publisher in ("llhls", "webrtc", "srt"))

    @property
    def bitrate_kbps(self) -> int:
        """What comes in, in kbit/s: the source's bitrate, not that of its renditions."""
        return round(self.avg_throughput_in / 1000)


class HlsDump(Struct, rename="camel", omit_defaults=True, frozen=True):
    """What is POSTed to `…:startHlsDump`, but for the output stream's name.

    Paths are absolute and on OME's own file system; it makes folders that are missing. `playlist` are file names,
    `master.m3u8`.
    """

    id: str
    output_path: str
    playlist: list[str]
    info_file: str = ""


class HlsDumpState(Struct, rename="camel"):
    """One line of `…:hlsDumps`. Stopped ones stay listed, not `enabled`, and neither says that a copy is whole.

    Those that Server.xml starts have no id.
    """

    id: str = ""
    enabled: bool = False
    output_path: str = ""
    playlist: list[str] = []
    info_file: str = ""


def ome_time(moment: datetime) -> str:
    """`2026-11-22T13:46:13.591+00:00`, as OME writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def ome_moment(text: str) -> datetime | None:
    """What OME wrote so, as a moment; None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
