"""A sample video: moving test pattern and a tone."""

from pathlib import Path

from streaming_service.devkit.media.ffmpeg import run_ffmpeg

FRAMES_PER_SECOND = 25


async def make_clip(
    path: Path, *, seconds: float = 6, size: tuple[int, int] = (1280, 720), audio: bool = True, tone_hz: int = 440
) -> Path:
    """Write an H.264/AAC MP4 of `seconds` to `path` and return it. `size` is (width, height) in pixels, both even.

    The file appears whole: a reader never sees half of it.
    """
    partial = path.with_name(f".{path.name}.partial")
    width, height = size
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate={FRAMES_PER_SECOND}"]
    tone = ["-f", "lavfi", "-i", f"sine=frequency={tone_hz}:sample_rate=48000"]
    encode = ["-c:v", "libx264", "-bf", "0", "-preset", "veryfast", "-crf", "30", "-pix_fmt", "yuv420p", "-g", "50"]
    sound = ["-c:a", "aac", "-b:a", "96k", "-ac", "2"]
    await run_ffmpeg(
        [
            *("-loglevel", "error", "-y"),
            *picture,
            *(tone if audio else []),
            *("-t", f"{seconds:.3f}"),
            *encode,
            *(sound if audio else []),
            *("-movflags", "+faststart", "-f", "mp4", str(partial)),
        ]
    )
    partial.replace(path)
    return path
