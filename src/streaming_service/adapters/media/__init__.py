"""Uploads, read just far enough to know what is in them."""

from streaming_service.adapters.media.cloud_storage import CloudStorageReader
from streaming_service.adapters.media.directory import DirectoryReader
from streaming_service.adapters.media.inspector import MediaInspector, NullMediaLibrary
from streaming_service.adapters.media.objects import ObjectReader, StoredObject

__all__ = [
    "CloudStorageReader",
    "DirectoryReader",
    "MediaInspector",
    "NullMediaLibrary",
    "ObjectReader",
    "StoredObject",
]
