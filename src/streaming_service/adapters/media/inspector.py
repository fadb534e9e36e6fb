"""The MediaLibrary over any number of places where uploads lie."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from streaming_service.adapters.media.mp4 import read_facts
from streaming_service.adapters.media.objects import ObjectReader
from streaming_service.application.ports import MediaFacts
from streaming_service.domain.source import parse_object_uri
from streaming_service.errors import UpstreamUnavailable

_THREADS = 4  # of its own: a mount that hangs must not take the threads that look up host names


class MediaInspector:
    """Asks the first reader that serves the upload's bucket. `timeout_seconds` bounds one inspection."""

    def __init__(self, *readers: ObjectReader, timeout_seconds: float = 15.0) -> None:
        self._readers = readers
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="media")

    async def inspect(self, source_uri: str) -> MediaFacts | None:
        """What the upload holds; None when it is no MP4 or MOV, is broken, or no reader serves its bucket.

        Raises NotFound, UpstreamUnavailable("storage", …), UpstreamRejected when we may not read it, and InvalidInput
        for what is no `gs://` URI.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await loop.run_in_executor(self._threads, self._inspect, source_uri)
        except TimeoutError as error:
            detail = f"{source_uri} was not read within {self._timeout_seconds:g} s"
            raise UpstreamUnavailable("storage", detail) from error

    def close(self) -> None:
        """Let the threads go; inspections under way end on their own."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _inspect(self, source_uri: str) -> MediaFacts | None:
        uri = parse_object_uri(source_uri, "sourceUri")
        for reader in self._readers:
            if reader.serves(uri.bucket):
                with reader.open(uri) as stored:
                    return read_facts(stored)
        return None


class NullMediaLibrary:
    """Knows nothing about any upload."""

    async def inspect(self, source_uri: str) -> MediaFacts | None:  # noqa: ARG002
        return None
