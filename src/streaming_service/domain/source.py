"""Where uploads lie, and which file OME opens for them.

OME joins a `file://` path to its media root without checking it, and `..` escapes that root: every path that
reaches OME passes through here first.
"""

import re

from msgspec import Struct

from streaming_service.errors import InvalidInput

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_FOLDER = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_MAX_KEY_BYTES = 1024  # Cloud Storage's own limit for object names


class ObjectUri(Struct, frozen=True):
    """An object in a bucket: `gs://bucket/key`."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.key}"


class Mount(Struct, frozen=True):
    """A bucket and the folder it is mounted at."""

    bucket: str
    folder: str


class MediaMounts(Struct, frozen=True):
    """The upload buckets we accept and the folder below OME's media root where each is mounted."""

    mounts: tuple[Mount, ...] = ()

    def media_path(self, uri: ObjectUri, field: str) -> str:
        """Path of the object below OME's media root. Raises InvalidInput for a bucket that is not mounted."""
        for mount in self.mounts:
            if mount.bucket == uri.bucket:
                return f"{mount.folder}/{uri.key}" if mount.folder else uri.key
        raise InvalidInput(field, f"bucket {uri.bucket!r} is not one of the allowed upload buckets")


def parse_object_uri(text: str, field: str) -> ObjectUri:
    """`gs://bucket/key` with a key that cannot leave its folder. Raises InvalidInput naming `field`."""
    scheme, separator, rest = text.partition("://")
    if scheme != "gs" or not separator:
        raise InvalidInput(field, "must be a gs:// URI")
    bucket, _, key = rest.partition("/")
    check_bucket(bucket, field)
    check_key(key, field)
    return ObjectUri(bucket, key)


def check_bucket(bucket: str, field: str) -> None:
    """Refuse what is no bucket name."""
    if not _BUCKET.fullmatch(bucket):
        raise InvalidInput(field, "names no valid bucket")


def check_key(key: str, field: str) -> None:
    """Refuse object names that would not stay below their mount or would confuse a URL parser."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(field, "holds characters that are not text") from error
    if not key or size > _MAX_KEY_BYTES:
        raise InvalidInput(field, f"needs an object name of 1 to {_MAX_KEY_BYTES} bytes")
    if any(not character.isprintable() for character in key) or any(character in key for character in '\\?#%"'):
        raise InvalidInput(field, 'holds control characters or one of \\ ? # % "')
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise InvalidInput(field, "holds an empty, . or .. path segment")


def parse_mounts(text: str, field: str = "OME_MEDIA_MOUNTS") -> MediaMounts:
    """`gs://bucket=dir,gs://other=dir2` to mounts; `dir` may be empty for the media root itself."""
    mounts: list[Mount] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        uri, separator, folder = entry.partition("=")
        bucket = uri.removeprefix("gs://").rstrip("/")
        folder = folder.strip().strip("/")
        if not separator or not uri.startswith("gs://") or not _BUCKET.fullmatch(bucket):
            raise InvalidInput(field, f"entry {entry!r} is not gs://bucket=folder")
        if folder and (not _FOLDER.fullmatch(folder) or ".." in folder.split("/")):
            raise InvalidInput(field, f"folder {folder!r} must be a relative path without ..")
        if any(mount.bucket == bucket for mount in mounts):
            raise InvalidInput(field, f"names bucket {bucket!r} twice")
        mounts.append(Mount(bucket, folder))
    return MediaMounts(tuple(mounts))
