"""Dumps as OME writes them: its file names, its playlists line by line, fragments of hand-made boxes."""

from collections.abc import Mapping, Sequence
from itertools import islice
from struct import pack

from streaming_service.application.ports import CopyPlan
from streaming_service.domain.ladder import Ladder, Rung, parse_ladder
from streaming_service.errors import NotFound

KEY = "txr8p6Fs"
PREFIX = "vod/reels/ss-0d9f-3/"
LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
VIDEO_SCALE = 90_000
AUDIO_SCALE = 48_000
FRAME = 0.04  # seconds
SEGMENT = 2.0


def box(kind: bytes, content: bytes = b"") -> bytes:
    return pack(">I4s", len(content) + 8, kind) + content


def full_box(kind: bytes, flags: int, content: bytes, version: int = 0) -> bytes:
    return box(kind, pack(">I", (version << 24) | flags) + content)


def track(track_id: int, scale: int, version: int = 0) -> bytes:
    """A `trak` with what an init segment says of a track."""
    times = bytes(16 if version else 8)
    tkhd = full_box(b"tkhd", 3, times + pack(">I", track_id) + bytes(60), version)
    mdhd = full_box(b"mdhd", 0, times + pack(">I", scale) + bytes(8), version)
    return box(b"trak", tkhd + box(b"mdia", mdhd + full_box(b"hdlr", 0, bytes(20)) + box(b"minf")))


def init(scale: int, track_id: int = 1, *, version: int = 0, default: int = 0) -> bytes:
    trex = full_box(b"trex", 0, pack(">5I", track_id, 1, default, 0, 0))
    moov = full_box(b"mvhd", 0, bytes(96)) + box(b"mvex", trex) + track(track_id, scale, version)
    return box(b"ftyp", b"iso6" + bytes(12)) + box(b"moov", moov)


def tfhd(track_id: int = 1, default: int = 33) -> bytes:
    """As OME writes it: with a default duration that no sample uses."""
    return full_box(b"tfhd", 0x02003A, pack(">5I", track_id, 1, default, 0, 0))


def trun(durations: Sequence[int]) -> bytes:
    """As OME writes it for a picture: duration, size, flags and composition time of each sample."""
    rows = b"".join(pack(">IIII", ticks, 100, 0, 0) for ticks in durations)
    return full_box(b"trun", 0x000F01, pack(">Ii", len(durations), 0) + rows)


def fragment(durations: Sequence[int], track_id: int = 1) -> bytes:
    """One `moof` with its `mdat`: a part of an LL-HLS segment."""
    tfdt = full_box(b"tfdt", 0, bytes(8), 1)
    traf = box(b"traf", tfhd(track_id) + tfdt + trun(durations))
    return box(b"moof", full_box(b"mfhd", 0, bytes(4)) + traf) + box(b"mdat", b"picture")


def segment(seconds: float, scale: int) -> bytes:
    """Parts of 13 frames, as with parts of half a second."""
    frames = [round(FRAME * scale)] * round(seconds / FRAME)
    return b"".join(fragment(frames[start : start + 13]) for start in range(0, len(frames), 13))


def chunklist(number: int, kind: str, durations: Sequence[float], *, target: int = 2, ended: bool = True) -> str:
    name = f"{kind}_{KEY}_llhls.m4s"
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f'#EXT-X-MAP:URI="init_{number}_{name}"',
    ]
    for index, seconds in enumerate(durations):
        clock = f"{14 + index // 1800}:{index // 30 % 60:02}:{index % 30 * 2:02}"
        lines += [
            f"#EXT-X-PROGRAM-DATE-TIME:2026-11-22T{clock}.202+00:00",
            f"#EXTINF:{seconds:.6f},",
            f"seg_{number}_{index}_{name}",
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST"] if ended else lines) + "\n"


def chunklist_name(number: int, kind: str) -> str:
    return f"chunklist_{number}_{kind}_{KEY}_llhls.m3u8"


def master(rungs: Sequence[Rung], *, audio: bool = True) -> str:
    """As OME dumps it: relative, without sessions, with two empty lines after the audio."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if audio:
        uri = chunklist_name(len(rungs), "audio")
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_audio",NAME="Audio_100_2",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
            f'URI="{uri}"'
        )
    lines += ["", ""]
    for number, rung in enumerate(rungs):
        width, height = (-(-side // 4) * 4 for side in (rung.width, rung.height))
        codecs = '"avc1.42c01f,mp4a.40.2",AUDIO="aac_audio"' if audio else '"avc1.42c01f"'
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={rung.bitrate_kbps}000,RESOLUTION={width}x{height},FRAME-RATE=25.000,CODECS={codecs}",
            chunklist_name(number, "video"),
        ]
    return "\n".join(lines) + "\n"


def cut_up(seconds: float) -> list[float]:
    """The segments' durations of a track of that length."""
    whole = int(seconds / SEGMENT)
    rest = round(seconds - whole * SEGMENT, 6)
    return [SEGMENT] * whole + ([rest] if rest else [])


def dump(
    seconds: float = 11.88,
    *,
    rungs: Sequence[Rung] = LADDER.rungs,
    audio: bool = True,
    wrong_end: float | None = None,
    target: int = 2,
) -> dict[str, bytes]:
    """Every file of a dump by its name. `wrong_end` is what v0.20 says of the last segment when it is concluded."""
    files = {"master.m3u8": master(rungs, audio=audio).encode()}
    kinds = ["video"] * len(rungs) + (["audio"] if audio else [])
    for number, kind in enumerate(kinds):
        scale = AUDIO_SCALE if kind == "audio" else VIDEO_SCALE
        durations = cut_up(seconds)
        files[f"init_{number}_{kind}_{KEY}_llhls.m4s"] = init(scale)
        for index, length in enumerate(durations):
            files[f"seg_{number}_{index}_{kind}_{KEY}_llhls.m4s"] = segment(length, scale)
        said = durations if wrong_end is None else [*durations[:-1], wrong_end]
        files[chunklist_name(number, kind)] = chunklist(number, kind, said, target=target).encode()
    return files


def plan(
    duration: float = 12.0,
    *,
    rungs: tuple[Rung, ...] = LADDER.rungs,
    ladder: Ladder = LADDER,
    audio: bool = True,
    prefix: str = PREFIX,
) -> CopyPlan:
    return CopyPlan(
        prefix=prefix, playlist="master", rungs=rungs, ladder=ladder, duration=duration, tolerance=0.3, audio=audio
    )


class MemoryFolder:
    """An ObjectFolder in memory that counts what is asked of it. `lost` are keys that vanish after the listing."""

    def __init__(self, files: Mapping[str, bytes] | None = None, prefix: str = PREFIX) -> None:
        self.objects = {prefix + name: data for name, data in (files or {}).items()}
        self.lost: set[str] = set()
        self.written: list[tuple[str, str, str]] = []
        self.calls = {"list": 0, "read": 0, "delete": 0, "check": 0, "close": 0}

    def __getitem__(self, name: str) -> str:
        return self.objects[PREFIX + name].decode()

    def list(self, prefix: str, at_most: int) -> Mapping[str, int]:
        self.calls["list"] += 1
        found = {key.removeprefix(prefix): len(data) for key, data in self.objects.items() if key.startswith(prefix)}
        return dict(islice(found.items(), at_most))

    def read(self, key: str, at_most: int) -> bytes:
        self.calls["read"] += 1
        if key in self.lost or key not in self.objects:
            raise NotFound(key)
        return self.objects[key][:at_most]

    def write(self, key: str, data: bytes, content_type: str, cache_control: str) -> None:
        self.written.append((key, content_type, cache_control))
        self.objects[key] = data

    def delete_some(self, prefix: str, at_most: int) -> bool:
        self.calls["delete"] += 1
        keys = [key for key in self.objects if key.startswith(prefix)]
        for key in keys[:at_most]:
            del self.objects[key]
        return len(keys) <= at_most

    def check(self) -> None:
        self.calls["check"] += 1

    def close(self) -> None:
        self.calls["close"] += 1
