"""A manifest bucket that is mounted as a local folder (`MANIFEST_MOUNT`)."""

import errno
import os
import shutil
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from uuid import uuid4

from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
# No link is followed anywhere below the root; a named pipe would block the open until somebody writes.
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MODE = 0o644


class DirectoryFolder:
    """An ObjectFolder below `root`. Whatever a key or a symbolic link says, nothing outside it is touched.

    A mount knows no content types and no cache control: whoever serves its files sets them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, prefix: str, at_most: int) -> Mapping[str, int]:
        """See ObjectFolder. Links, pipes and folders are no objects."""
        with self._translated(prefix), self._folder(prefix) as folder:
            if folder is None:
                return {}
            found: dict[str, int] = {}
            with os.scandir(folder) as entries:
                for entry in islice(entries, at_most):
                    with suppress(FileNotFoundError):  # deleted since it was listed
                        state = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(state.st_mode):
                            found[entry.name] = state.st_size
            return found

    def read(self, key: str, at_most: int) -> bytes:
        """See ObjectFolder."""
        folder_key, _, name = key.rpartition("/")
        with self._translated(key), self._folder(folder_key) as folder:
            if folder is None or not name:
                raise NotFound(f"{key} is not there")
            descriptor = os.open(name, _READ, dir_fd=folder)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise NotFound(f"{key} is not there")
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return file.read(at_most)
            finally:
                os.close(descriptor)

    def write(self, key: str, data: bytes, content_type: str, cache_control: str) -> None:  # noqa: ARG002 - see above
        """See ObjectFolder."""
        folder_key, _, name = key.rpartition("/")
        with self._translated(key), self._folder(folder_key) as folder:
            if folder is None:
                raise NotFound(f"the folder of {key} is not there")
            temporary = f".{name[:100]}.{uuid4().hex}"
            try:
                with os.fdopen(os.open(temporary, _CREATE, _MODE, dir_fd=folder), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            os.fsync(folder)

    def delete_some(self, prefix: str, at_most: int) -> bool:
        """See ObjectFolder. A folder inside counts as one object, a link is deleted and not followed."""
        parent_key, _, name = prefix.rstrip("/").rpartition("/")
        with self._translated(prefix), self._folder(parent_key) as parent, self._folder(prefix) as folder:
            if folder is None or parent is None:
                return True
            with os.scandir(folder) as entries:
                found = list(islice(entries, at_most + 1))
            for entry in found[:at_most]:
                with suppress(FileNotFoundError):  # somebody else was quicker
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.name, dir_fd=folder)
                    else:
                        os.unlink(entry.name, dir_fd=folder)
            if len(found) > at_most:
                return False
            with suppress(FileNotFoundError):
                os.rmdir(name, dir_fd=parent)
            return True

    def check(self) -> None:
        """See ObjectFolder."""
        with self._translated(""), self._folder("") as folder:
            if folder is not None and not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
                raise UpstreamRejected("storage", f"we may not write into the manifest bucket's folder {self._root}")

    def close(self) -> None:
        """Nothing stays open."""

    @contextmanager
    def _folder(self, key: str) -> Generator[int | None]:
        """A descriptor of that folder below the root; None when it is not there."""
        try:
            current = os.open(self._root, _FOLDER & ~os.O_NOFOLLOW)  # the mount itself may be a link
        except OSError as error:
            detail = f"the manifest bucket's folder {self._root} cannot be opened: {error.strerror}"
            raise UpstreamUnavailable("storage", detail) from error
        try:
            for part in key.strip("/").split("/") if key.strip("/") else ():
                below = _descend(current, part)
                os.close(current)
                current = -1
                if below is None:
                    break
                current = below
            yield None if current < 0 else current
        finally:
            if current >= 0:
                os.close(current)

    @contextmanager
    def _translated(self, key: str) -> Generator[None]:
        """The system's errors to ours."""
        try:
            yield
        except OSError as error:
            if error.errno in _ABSENT:
                raise NotFound(f"{key} is not there") from error
            detail = f"the manifest bucket's folder {self._root}: {key}: {error.strerror}"
            if error.errno in _REFUSED:
                raise UpstreamRejected("storage", detail) from error
            raise UpstreamUnavailable("storage", detail) from error


def _descend(folder: int, name: str) -> int | None:
    if name in {"", ".", ".."}:
        return None
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
