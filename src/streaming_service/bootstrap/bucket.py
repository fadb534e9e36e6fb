"""Where VOD copies lie."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from streaming_service.application.ports import ManifestBucket
from streaming_service.bootstrap.plans import publishing
from streaming_service.settings import Settings


@contextmanager
def open_bucket(settings: Settings) -> Generator[ManifestBucket | None]:
    """The mounted folder, or Cloud Storage; None where nothing is published."""
    if not publishing(settings):
        yield None
        return
    from streaming_service.adapters.bucket.manifests import BucketOfManifests

    if settings.manifest_mount:
        from streaming_service.adapters.bucket.directory import DirectoryFolder

        folder = DirectoryFolder(settings.manifest_mount)
    else:
        from streaming_service.adapters.bucket.cloud_storage import CloudStorageFolder

        folder = CloudStorageFolder(settings.gcs_manifest_bucket or "")
    with closing(BucketOfManifests(folder)) as bucket:
        yield bucket
