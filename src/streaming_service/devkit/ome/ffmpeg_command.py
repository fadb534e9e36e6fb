"""The ffmpeg command line that makes a ladder."""

from pathlib import Path

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.domain.ladder import Ladder

AUDIO_BITRATE = 128_000


def encoded_size(width: int, height: int) -> tuple[int, int]:
    """OME rounds each side up to a multiple of 4: 854x480 becomes 856x480, 480x854 becomes 480x856."""
    return -(-width // 4) * 4, -(-height // 4) * 4


def arguments(source: Path, folder: Path, ladder: Ladder, facts: MediaFacts, segment_seconds: float) -> list[str]:
    """All rungs and the sound in one run: fMP4 segments `<folder>/<track>/<index>.m4s`, cut at the same moments.

    Rungs larger than the source are scaled up and another shape is stretched, as OME does when it is told a size.
    """
    rungs = ladder.rungs
    command = ["-loglevel", "error", "-y", "-i", str(source)]
    for _ in rungs:
        command += ["-map", "0:V:0"]
    if facts.audio:
        command += ["-map", "0:a:0"]
    for track, rung in enumerate(rungs):
        width, height = encoded_size(rung.width, rung.height)
        rate = f"{rung.bitrate_kbps}k"
        command += [f"-filter:v:{track}", f"scale={width}:{height},setsar=1"]
        command += [f"-b:v:{track}", rate, f"-maxrate:v:{track}", rate, f"-bufsize:v:{track}", rate]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-flags", "+cgop"]
    command += ["-sc_threshold", "0", "-force_key_frames", f"expr:gte(t,n_forced*{segment_seconds})"]
    if facts.audio:
        # Sound that ends early would end the whole: pad it, and stop with the picture.
        command += ["-c:a", "aac", "-b:a", str(AUDIO_BITRATE), "-ar", "48000", "-ac", "2", "-af", "apad", "-shortest"]
    command += ["-map_metadata", "-1", "-f", "hls", "-hls_time", f"{segment_seconds}", "-hls_list_size", "0"]
    command += ["-hls_playlist_type", "event", "-hls_segment_type", "fmp4"]
    command += ["-hls_flags", "independent_segments+temp_file", "-hls_fmp4_init_filename", "init.mp4"]
    command += ["-var_stream_map", _stream_map(len(rungs), audio=facts.audio)]
    return [*command, "-hls_segment_filename", f"{folder}/%v/%d.m4s", f"{folder}/%v/index.m3u8"]


def _stream_map(rungs: int, *, audio: bool) -> str:
    group = ",agroup:audio" if audio else ""
    tracks = [f"v:{track}{group}" for track in range(rungs)]
    return " ".join([*tracks, "a:0,agroup:audio"] if audio else tracks)
