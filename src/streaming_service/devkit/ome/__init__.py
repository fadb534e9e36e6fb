"""A stand-in for OvenMediaEngine that answers as recorded servers do and serves real HLS.

    async with StandInOme(media_root=media, state_dir=state, applications={"reels": ladder}) as ome:
        print(ome.api_url, ome.playback_url)

Held to the recordings by `tests/contract/ome`, which runs against a real OME as well.
"""

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.encoder import Publisher
from streaming_service.devkit.ome.ffmpeg_packager import FfmpegPackager
from streaming_service.devkit.ome.packager import Package, Packager
from streaming_service.devkit.ome.server import StandInOme
from streaming_service.devkit.ome.synthetic import SyntheticPackager
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.webhooks import Webhook

__all__ = [
    "FfmpegPackager",
    "MediaFacts",
    "Package",
    "Packager",
    "Publisher",
    "StandInOme",
    "SyntheticPackager",
    "Timing",
    "Webhook",
]
