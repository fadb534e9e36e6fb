"""Buckets that are mounted as local folders (`MEDIA_MOUNTS`)."""

import errno
import os
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streaming_service.domain.source import ObjectUri
from streaming_service.errors import NotFound, UpstreamUnavailable

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
# A named pipe would block the open until somebody writes; a link that appears after the check must not be followed.
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenFile:
    """A StoredObject on a file descriptor."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        """Raises UpstreamUnavailable when the disk or the mount fails."""
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise UpstreamUnavailable("storage", f"cannot read: {error.strerror}") from error


class DirectoryReader:
    """`mounts` maps a bucket to its folder. Whatever a key or a symbolic link says, nothing outside it is opened."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        self._mounts = dict(mounts)

    def serves(self, bucket: str) -> bool:
        return bucket in self._mounts

    @contextmanager
    def open(self, uri: ObjectUri) -> Generator[OpenFile]:
        """See ObjectReader. What is outside the folder, or is no file, is not there."""
        descriptor = _open(self._mounts[uri.bucket], uri)
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise NotFound(f"{uri} is not there")
            yield OpenFile(descriptor, state.st_size)
        finally:
            os.close(descriptor)


def _open(folder: Path, uri: ObjectUri) -> int:
    try:
        root = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UpstreamUnavailable("storage", f"the folder of bucket {uri.bucket} is not mounted") from error
    try:
        path = root.joinpath(uri.key).resolve(strict=True)
        if not path.is_relative_to(root):
            raise NotFound(f"{uri} is not there")
        return os.open(path, _OPEN_FLAGS)
    except RuntimeError as error:  # links that go round in circles
        raise NotFound(f"{uri} is not there") from error
    except OSError as error:
        if error.errno in _ABSENT:
            raise NotFound(f"{uri} is not there") from error
        raise UpstreamUnavailable("storage", f"cannot open {uri}: {error.strerror}") from error
