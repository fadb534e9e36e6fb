"""The manifest bucket: copies are finished, and removed, in it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from streaming_service.adapters.bucket.copy import Flawed, read_copy
from streaming_service.adapters.bucket.objects import ObjectFolder
from streaming_service.application.ports import CopyPlan, CopyReport, CopyVerdict
from streaming_service.domain.vod import check_prefix
from streaming_service.errors import NotFound, UpstreamUnavailable

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
# Not for ever like media: a retired copy has to leave the caches of players by itself.
PLAYLIST_CACHE_CONTROL = "public, max-age=60"

_THREADS = 4  # of its own: a mount that hangs must not take the threads that look up host names
_DELETED_AT_ONCE = 500
_ROUNDS = 200

Result = TypeVar("Result")


class BucketOfManifests:
    """A ManifestBucket in whatever folder of objects. `timeout_seconds` bounds each finish, and each part of a removal.

    What was begun when the time is over ends on its own; doing it again is safe.
    """

    def __init__(self, folder: ObjectFolder, *, timeout_seconds: float = 60.0) -> None:
        self._folder = folder
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="bucket")

    async def finish(self, plan: CopyPlan) -> CopyReport:
        """Verify by arithmetic, mend what a known OME gets wrong, write the caps' playlists. Repeatable.

        Nothing is written unless the copy is complete. Raises UpstreamUnavailable, UpstreamRejected, and
        InvalidInput for a prefix that is not exactly one copy's.
        """
        check_prefix(plan.prefix)
        return await self._run(lambda: self._finish(plan), f"the copy in {plan.prefix}")

    async def remove(self, prefix: str) -> None:
        """Delete everything below `vod/{application}/{stream}/`; repeatable; nothing there is fine.

        Raises UpstreamUnavailable also when so much is there that it takes another call. InvalidInput for any other
        prefix.
        """
        check_prefix(prefix)
        for _ in range(_ROUNDS):
            if await self._run(lambda: self._folder.delete_some(prefix, _DELETED_AT_ONCE), f"a removal of {prefix}"):
                return
        raise UpstreamUnavailable("storage", f"{prefix} holds more than was deleted at once: remove it again")

    async def check(self) -> None:
        """Raises UpstreamUnavailable or UpstreamRejected when the bucket is not there or may not be written."""
        await self._run(self._folder.check, "a look at the manifest bucket")

    def close(self) -> None:
        """Let the threads and connections go; what is under way ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._folder.close()

    def _finish(self, plan: CopyPlan) -> CopyReport:
        try:
            finished = read_copy(self._folder, plan)
            # All of them, changed or not: a mount gives objects no content type that players know, nor cache control.
            for name, text in finished.playlists.items():
                self._folder.write(plan.prefix + name, text.encode(), PLAYLIST_TYPE, PLAYLIST_CACHE_CONTROL)
        except Flawed as flawed:
            return flawed.report
        except NotFound as error:
            return CopyReport(CopyVerdict.MISSING, f"it was removed meanwhile: {error}")
        return finished.report

    async def _run(self, work: Callable[[], Result], what: str) -> Result:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await loop.run_in_executor(self._threads, work)
        except TimeoutError as error:
            detail = f"{what} was not finished within {self._timeout_seconds:g} s"
            raise UpstreamUnavailable("storage", detail) from error
