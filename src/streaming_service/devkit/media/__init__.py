"""Test media made on the spot with the bundled ffmpeg."""

from streaming_service.devkit.media.clip import make_clip
from streaming_service.devkit.media.ffmpeg import FfmpegFailed, run_ffmpeg
from streaming_service.devkit.media.probe import MediaFacts, probe

__all__ = ["FfmpegFailed", "MediaFacts", "make_clip", "probe", "run_ffmpeg"]
