"""Buckets of Google Cloud Storage, or of `STORAGE_EMULATOR_HOST`."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from streaming_service.domain.source import ObjectUri
from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable


class Blob(Protocol):
    """google.cloud.storage.Blob; once it was looked up it is pinned to that generation of the object."""

    @property
    def size(self) -> int | None: ...

    def download_as_bytes(
        self, *, start: int, end: int, raw_download: bool, checksum: None, timeout: float, retry: Any
    ) -> bytes: ...


class CloudObject:
    """A StoredObject in a bucket, read by ranges."""

    def __init__(self, blob: Blob, uri: ObjectUri, options: dict[str, Any]) -> None:
        self._blob = blob
        self._uri = uri
        self._options = options
        self.size = blob.size or 0

    def read(self, offset: int, length: int) -> bytes:
        """One range request. NotFound also when the object was replaced since it was opened."""
        with _translated(self._uri):
            return self._blob.download_as_bytes(
                start=offset, end=offset + length - 1, raw_download=True, checksum=None, **self._options
            )


class CloudStorageReader:
    """Reads every bucket that the process's default credentials may read; anonymous with an emulator.

    `timeout_seconds` bounds each request together with its retries.
    """

    def __init__(self, *, timeout_seconds: float = 5.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._client: Any = None
        self._options: dict[str, Any] = {}

    def serves(self, bucket: str) -> bool:  # noqa: ARG002 - it is the place for all that lie nowhere else
        return True

    @contextmanager
    def open(self, uri: ObjectUri) -> Generator[CloudObject]:
        """See ObjectReader."""
        with _translated(uri):
            client = self._connected()
            blob = cast("Blob | None", client.bucket(uri.bucket).get_blob(uri.key, **self._options))
        if blob is None:
            raise NotFound(f"{uri} is not there")
        yield CloudObject(blob, uri, self._options)

    def close(self) -> None:
        """Close the connections; a later `open` makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        from google.cloud import storage  # noqa: PLC0415 - half a second that start-up need not wait for
        from google.cloud.storage.retry import DEFAULT_RETRY  # noqa: PLC0415

        with self._lock:
            if self._client is None:
                self._options = {
                    "timeout": self._timeout_seconds,
                    "retry": cast("Any", DEFAULT_RETRY).with_timeout(self._timeout_seconds),
                }
                self._client = cast("Any", storage).Client(project=None)  # reading needs no project
            return self._client


@contextmanager
def _translated(uri: ObjectUri) -> Generator[None]:
    """Google's errors to ours."""
    from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError  # noqa: PLC0415 - as above
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    try:
        yield
    except GoogleAPICallError as error:
        status = int(error.code or 0)
        if status == 404:
            raise NotFound(f"{uri} is not there") from error
        if status in {401, 403}:
            raise UpstreamRejected("storage", f"we may not read {uri}", status=status) from error
        raise UpstreamUnavailable("storage", f"cannot read {uri}: {status or error}", status=status or None) from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:  # requests' errors are OSErrors
        raise UpstreamUnavailable("storage", f"cannot read {uri}: {error}") from error
