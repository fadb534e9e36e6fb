"""What the connections of one server share."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from streaming_service.entrypoints.http.asgi import AsgiApp
from streaming_service.entrypoints.http.exchange import Exchange
from streaming_service.entrypoints.http.wire import DateLine

# Finished bytes for what a connection has brought from this address, None when it is for the application.
Quick = Callable[[bytes, str], bytes | None]


class Member(Protocol):
    """A connection, seen from the server."""

    def retire(self) -> None: ...

    def abort(self) -> None: ...

    def check(self, now: float, idle: float, busy: float) -> None: ...


class Hub:
    """`address` is the server's own. `now` is the loop's time at the last look around: cheap, and late by as much as
    the looks are apart. Once `last_answers` is set, each connection ends with its next answer; once
    it is `closed`, with the one that it is at."""

    def __init__(
        self,
        app: AsgiApp,
        quick: Quick | None,
        address: tuple[str, int],
        *,
        limit: int,
        loop: asyncio.AbstractEventLoop,
        time: Callable[[], float],
    ) -> None:
        self.quick = quick
        self.address = address
        self.date = DateLine(time)
        self.now = loop.time()
        self.last_answers = False
        self.closed = False
        self.members: set[Member] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        # Nobody is connected, and nothing that they asked for is still done.
        self.empty = asyncio.Event()
        self.empty.set()
        self._app = app
        self._limit = limit
        self._loop = loop

    def joined(self, member: Member) -> bool:
        """Whether there is room for one more."""
        if len(self.members) >= self._limit:
            return False
        self.members.add(member)
        self.empty.clear()
        return True

    def left(self, member: Member) -> None:
        self.members.discard(member)
        self._check_empty()

    def run(self, exchange: Exchange) -> None:
        """Answer a request in a task of its own."""
        task = self._loop.create_task(exchange.run(self._app))
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._check_empty()

    def _check_empty(self) -> None:
        if not self.members and not self.tasks:
            self.empty.set()

    def look_around(self, idle: float, busy: float) -> None:
        """Let every connection see whether its client has taken too long, in seconds."""
        self.now = self._loop.time()
        for member in tuple(self.members):
            member.check(self.now, idle, busy)

    def stop_answering(self) -> None:
        """Each connection ends with its next answer; a plain request is for the application now, which says so."""
        self.last_answers = True
        self.quick = None

    def close(self) -> None:
        """Every connection ends as soon as nothing is in hand."""
        self.closed = True
        for member in tuple(self.members):
            member.retire()
