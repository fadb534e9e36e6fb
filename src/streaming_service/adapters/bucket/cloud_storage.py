"""A manifest bucket of Google Cloud Storage, or of `STORAGE_EMULATOR_HOST`."""

import threading
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Protocol, cast

from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable

_NEEDED = ["storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"]
# Deletions are single requests, because the emulator does not understand the client's batches; so many at once because
# the client keeps ten connections.
_DELETING_THREADS = 8


class Blob(Protocol):
    """google.cloud.storage.Blob."""

    name: str
    size: int | None
    cache_control: str | None

    def download_as_bytes(
        self, *, start: int, end: int, raw_download: bool, checksum: None, timeout: float, retry: Any
    ) -> bytes: ...

    def upload_from_string(self, data: bytes, *, content_type: str, timeout: float, retry: Any) -> None: ...

    def delete(self, *, timeout: float, retry: Any) -> None: ...


class CloudStorageFolder:
    """An ObjectFolder in a bucket, with the process's default credentials; anonymous with an emulator.

    `timeout_seconds` bounds each request together with its retries.
    """

    def __init__(self, bucket: str, *, timeout_seconds: float = 10.0) -> None:
        self._name = bucket
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._client: Any = None
        self._options: dict[str, Any] = {}

    def list(self, prefix: str, at_most: int) -> Mapping[str, int]:
        """See ObjectFolder. One request for each thousand objects."""
        with self._translated(prefix, absent_is_bucket=True):
            blobs = self._listed(prefix, at_most, delimiter="/")
            sizes = {blob.name.removeprefix(prefix): blob.size or 0 for blob in blobs}
        sizes.pop("", None)  # a mount keeps an empty object for the folder itself
        return sizes

    def read(self, key: str, at_most: int) -> bytes:
        """See ObjectFolder."""
        from google.api_core.exceptions import RequestRangeNotSatisfiable  # noqa: PLC0415 - as in _connected

        with self._translated(key):
            try:
                return self._blob(key).download_as_bytes(
                    start=0, end=at_most - 1, raw_download=True, checksum=None, **self._options
                )
            except RequestRangeNotSatisfiable:  # it is empty
                return b""

    def write(self, key: str, data: bytes, content_type: str, cache_control: str) -> None:
        """See ObjectFolder."""
        with self._translated(key, absent_is_bucket=True):
            blob = self._blob(key)
            blob.cache_control = cache_control
            blob.upload_from_string(data, content_type=content_type, **self._options)

    def delete_some(self, prefix: str, at_most: int) -> bool:
        """See ObjectFolder."""
        with self._translated(prefix, absent_is_bucket=True):
            names = [blob.name for blob in self._listed(prefix, at_most + 1)]
        with ThreadPoolExecutor(_DELETING_THREADS, thread_name_prefix="bucket-delete") as threads:
            for _ in threads.map(self._delete, names[:at_most]):
                pass
        return len(names) <= at_most

    def check(self) -> None:
        """See ObjectFolder."""
        with self._translated("", absent_is_bucket=True):
            for _ in self._listed("", 1):
                pass
        with suppress(NotFound), self._translated(""):  # emulators do not know the question
            bucket = self._connected().bucket(self._name)
            held = cast("list[str]", bucket.test_iam_permissions(_NEEDED, **self._options))
            if lacking := sorted(set(_NEEDED) - set(held)):
                raise UpstreamRejected("storage", f"we lack {', '.join(lacking)} on gs://{self._name}")

    def close(self) -> None:
        """Close the connections; a later call makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _listed(self, prefix: str, at_most: int, delimiter: str | None = None) -> Iterable[Blob]:
        client = self._connected()
        fields = "items(name,size),prefixes,nextPageToken"
        blobs = client.list_blobs(
            self._name, prefix=prefix, delimiter=delimiter, max_results=at_most, fields=fields, **self._options
        )
        return islice(cast("Iterable[Blob]", blobs), at_most)

    def _delete(self, key: str) -> None:
        with suppress(NotFound), self._translated(key):  # somebody else was quicker
            self._blob(key).delete(**self._options)

    def _blob(self, key: str) -> Blob:
        return cast("Blob", self._connected().bucket(self._name).blob(key))

    def _connected(self) -> Any:
        from google.cloud import storage  # noqa: PLC0415 - half a second that start-up need not wait for
        from google.cloud.storage.retry import DEFAULT_RETRY  # noqa: PLC0415

        with self._lock:
            if self._client is None:
                self._options = {
                    "timeout": self._timeout_seconds,
                    "retry": cast("Any", DEFAULT_RETRY).with_timeout(self._timeout_seconds),
                }
                self._client = cast("Any", storage).Client(project=None)  # objects need no project
            return self._client

    @contextmanager
    def _translated(self, key: str, *, absent_is_bucket: bool = False) -> Generator[None]:
        """Google's errors to ours. What is listed or written is never absent: when it is, the bucket is."""
        from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError  # noqa: PLC0415 - as above
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

        uri = f"gs://{self._name}/{key}"
        try:
            yield
        except GoogleAPICallError as error:
            status = int(error.code or 0)
            if status == 404 and absent_is_bucket:
                detail = f"there is no bucket gs://{self._name}: create it, or correct GCS_MANIFEST_BUCKET"
                raise UpstreamRejected("storage", detail, status=status) from error
            if status == 404:
                raise NotFound(f"{uri} is not there") from error
            if status in {401, 403}:
                raise UpstreamRejected("storage", f"we may not use {uri} so", status=status) from error
            raise UpstreamUnavailable("storage", f"{uri}: {status or error}", status=status or None) from error
        except (GoogleAPIError, GoogleAuthError, OSError) as error:  # requests' errors are OSErrors
            raise UpstreamUnavailable("storage", f"{uri}: {error}") from error
