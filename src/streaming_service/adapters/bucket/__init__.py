"""The manifest bucket, where VOD copies lie."""

from streaming_service.adapters.bucket.cloud_storage import CloudStorageFolder
from streaming_service.adapters.bucket.directory import DirectoryFolder
from streaming_service.adapters.bucket.manifests import BucketOfManifests
from streaming_service.adapters.bucket.objects import ObjectFolder

__all__ = ["BucketOfManifests", "CloudStorageFolder", "DirectoryFolder", "ObjectFolder"]
