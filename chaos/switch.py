"""Kill this process with SIGKILL at the nth moment at which it has just reached out of itself, or is about to."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Concatenate

from sqlalchemy import Connection

from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.adapters.store.database import Database, P, T
from streaming_service.application.ports import ChangeFeed, CopyPlan, CopyReport, ManifestBucket

# Loops ask these again and again. An answer that gives them no work changes nothing anywhere, so a crash before it,
# after it and after the one before leave the same world behind: such an answer is no moment of its own.
_CLAIMS = frozenset({"claim", "claim_due", "claim_waiting", "acquire"})
_LOOKS = frozenset({"waiting", "seats", "drained", "count_by_status", "count", "backlog", "placed_on", "revision"})


class KillSwitch:
    """`at` counts from 1; None lets the process live and only counts. What was last reached is written to `epitaph`."""

    def __init__(self, at: int | None, epitaph: Path) -> None:
        self._at = at
        self._epitaph = epitaph
        self.passed: list[str] = []

    def reach(self, moment: str) -> None:
        """Does not return at the moment that was asked for."""
        self.passed.append(moment)
        if len(self.passed) == self._at:
            self._epitaph.write_text(moment)
            os.kill(os.getpid(), signal.SIGKILL)


class KillingTransport:
    """Every HTTP exchange. A GET changes nothing, so the moment after it stands for the one before."""

    def __init__(self, inner: Transport, switch: KillSwitch) -> None:
        self._inner = inner
        self._switch = switch

    async def send(self, request: Request) -> Response:
        what = f"{request.method} {_path(request.url)}"
        if request.method != "GET":
            self._switch.reach(f"before {what}")
        response = await self._inner.send(request)
        self._switch.reach(f"after {what}")
        return response


class KillingDatabase:
    """Every job of the store: reads after, writes before and after."""

    def __init__(self, inner: Database, switch: KillSwitch) -> None:
        self._inner = inner
        self._switch = switch

    async def read(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await self._inner.read(job, *args, **kwargs)
        if job.__name__ not in _LOOKS:
            self._switch.reach(f"after {_name(job)}")
        return found

    async def write(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if job.__name__ in _CLAIMS:
            claimed = await self._inner.write(job, *args, **kwargs)
            if claimed:
                self._switch.reach(f"after {_name(job)}")
            return claimed
        self._switch.reach(f"before {_name(job)}")
        done = await self._inner.write(job, *args, **kwargs)
        self._switch.reach(f"after {_name(job)}")
        return done

    async def transact(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._switch.reach(f"before {_name(job)}")
        done = await self._inner.transact(job, *args, **kwargs)
        self._switch.reach(f"after {_name(job)}")
        return done

    async def time(self) -> datetime | None:
        now = await self._inner.time()
        self._switch.reach("after the database's clock")
        return now

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        return self._inner.changes()

    async def close(self) -> None:
        await self._inner.close()


class KillingBucket:
    """Everything done to VOD copies."""

    def __init__(self, inner: ManifestBucket, switch: KillSwitch) -> None:
        self._inner = inner
        self._switch = switch

    async def finish(self, plan: CopyPlan) -> CopyReport:
        self._switch.reach("before bucket.finish")
        report = await self._inner.finish(plan)
        self._switch.reach("after bucket.finish")
        return report

    async def remove(self, prefix: str) -> None:
        self._switch.reach("before bucket.remove")
        await self._inner.remove(prefix)
        self._switch.reach("after bucket.remove")

    async def check(self) -> None:
        await self._inner.check()


def _name(job: Callable[..., object]) -> str:
    return f"{job.__module__.rpartition('.')[2]}.{job.__name__}"


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[-1].partition("?")[0]
