"""The playlists of a stream, as text. Pure; the format is the recorded one of OME's LL-HLS publisher.

Parts and preload hints are left out: players treat what remains as HLS with blocking reloads.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from streaming_service.devkit.ome.ffmpeg_command import AUDIO_BITRATE, encoded_size
from streaming_service.devkit.ome.schedule import timestamp
from streaming_service.domain.ladder import MASTER_PLAYLIST, Ladder, Rung


class Names(Struct, frozen=True):
    """The file names of a stream. In origin mode they depend on nothing but the names of the stream and its parents."""

    key: str
    prefix: str = ""
    legacy: bool = False

    @classmethod
    def of(cls, vhost: str, app: str, stream: str, *, absolute: bool = False, legacy: bool = False) -> "Names":
        """`absolute`: multivariant playlists name chunklists with their whole path (hlsChunklistPathDepth -1)."""
        digest = hashlib.sha256(f"{vhost}/{app}/{stream}".encode("utf-8", "surrogateescape")).digest()
        return cls(str(int.from_bytes(digest[:8], "big")), f"/{app}/{stream}/" if absolute else "", legacy)

    def chunklist(self, track: int, kind: str) -> str:
        query = "?_HLS_legacy=YES" if self.legacy else ""
        return f"{self.prefix}chunklist_{track}_{kind}_{self.key}_llhls.m3u8{query}"

    def init(self, track: int, kind: str, origin: int) -> str:
        """OME has one init segment a track; ours has one more for each further source file."""
        count = f"_{origin}" if origin else ""
        return f"init_{track}_{kind}_{self.key}{count}_llhls.m4s"

    def segment(self, track: int, number: int, kind: str) -> str:
        return f"seg_{track}_{number}_{kind}_{self.key}_llhls.m4s"


class Variant(Struct, frozen=True):
    """One line of a multivariant playlist."""

    track: int
    rung: Rung
    codec: str
    framerate: float


class Chunk(Struct, frozen=True):
    """One line of a chunklist: start in seconds since the epoch, duration in seconds."""

    number: int
    start: float
    duration: float
    origin: int


def playlist_rungs(ladder: Ladder) -> dict[str, tuple[int, ...]]:
    """File name to the rungs in it: the whole ladder, one playlist for each lower cap, and `llhls`, the smallest."""
    count = len(ladder.rungs)
    rungs = {MASTER_PLAYLIST: tuple(range(count))}
    for first in range(1, count):
        rungs[f"max-{ladder.rungs[first].name}"] = tuple(range(first, count))
    rungs["llhls"] = (count - 1,)
    return dict(sorted(rungs.items()))


def multivariant(names: Names, variants: Sequence[Variant], audio_track: int | None) -> str:
    """The playlist that lists renditions; `audio_track` is None for a stream without sound."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if audio_track is not None:
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_audio",NAME="Audio_100",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
            f'URI="{names.chunklist(audio_track, "audio")}"'
        )
    lines += ["", ""]
    for variant in variants:
        lines += [_stream_inf(variant, audio=audio_track is not None), names.chunklist(variant.track, "video")]
    return "\n".join(lines) + "\n"


def _stream_inf(variant: Variant, *, audio: bool) -> str:
    width, height = encoded_size(variant.rung.width, variant.rung.height)
    bandwidth = variant.rung.bitrate_kbps * 1000 + (AUDIO_BITRATE if audio else 0)
    codecs = variant.codec + (",mp4a.40.2" if audio else "")
    line = (
        f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height},"
        f'FRAME-RATE={variant.framerate:.3f},CODECS="{codecs}"'
    )
    return line + (',AUDIO="aac_audio"' if audio else "")


def chunklist(
    names: Names, track: int, kind: str, chunks: Sequence[Chunk], target: float, *, ended: bool = False
) -> str:
    """The media playlist of one track. `target` is the usual segment duration in seconds.

    `ended` is the form of a concluded stream and of a dump from its first segment on: OME counts these from 0.
    """
    longest = target if ended else max((chunk.duration for chunk in chunks), default=target)
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{max(1, round(max(target, longest)))}"]
    if not (names.legacy or ended):
        lines.append("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{chunks[0].number if chunks and not ended else 0}")
    if chunks and chunks[0].origin:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{chunks[0].origin}")
    origin = None
    for chunk in chunks:
        if chunk.origin != origin:
            # Another source file has its own encoder settings; the time line goes on.
            lines += ["#EXT-X-DISCONTINUITY"] if origin is not None else []
            lines.append(f'#EXT-X-MAP:URI="{names.init(track, kind, chunk.origin)}"')
            origin = chunk.origin
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{timestamp(chunk.start)}")
        lines += [f"#EXTINF:{chunk.duration:.6f},", names.segment(track, chunk.number, kind)]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"
