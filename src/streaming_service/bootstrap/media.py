"""How uploads are looked into."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from streaming_service.adapters.media import CloudStorageReader, DirectoryReader, MediaInspector, NullMediaLibrary
from streaming_service.application.ports import MediaLibrary
from streaming_service.settings import Settings


@contextmanager
def open_media(settings: Settings) -> Generator[MediaLibrary]:
    """Mounted buckets first, then Cloud Storage; nothing at all in a dry run."""
    if not settings.media_inspection or settings.dry_run_provisioning:
        yield NullMediaLibrary()
        return
    with (
        closing(CloudStorageReader()) as cloud,
        closing(MediaInspector(DirectoryReader(settings.local_mounts), cloud)) as inspector,
    ):
        yield inspector
