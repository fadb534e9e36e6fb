"""Firestore's client with a limit on every wait, and its errors as ours.

Nothing here holds a lock: a write says what it expects (that a document is not there yet, or is as it was read), and
whoever comes second is told so. A field that is None is not stored: a composite index holds only documents that have
all of its fields, so the indexes of what is due or waits stay small whatever the number of documents.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, TypeVar

from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    GoogleAPICallError,
    GoogleAPIError,
    InternalServerError,
    InvalidArgument,
    NotFound,
    ServiceUnavailable,
)
from google.api_core.retry import AsyncRetry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import firestore_v1
from grpc import RpcError
from grpc.aio import UsageError

from streaming_service.adapters.store.codec import from_micros, to_micros
from streaming_service.adapters.store.database import refuse_when
from streaming_service.adapters.store.firestore.documents import Document, Record, Write
from streaming_service.errors import ConfigurationError, InvalidInput, StoreUnavailable
from streaming_service.tracing import Kind, part

T = TypeVar("T")

# Seconds. Each limit is below the next, so that the most telling one speaks.
_RETRIES_S = 5.0
REQUEST_TIMEOUT_S = 8.0
_TIMEOUT_S = 15.0
# How often something is read and decided again when others write the same at once.
TRIES = 8


def _retry(*errors: type[Exception]) -> AsyncRetry:
    return AsyncRetry(if_exception_type(*errors), initial=0.05, maximum=0.5, multiplier=2.0, timeout=_RETRIES_S)


_READ_RETRY = _retry(ServiceUnavailable, InternalServerError)
# Others have the document in hand, and nothing was written.
_WRITE_RETRY = _retry(Aborted)


class FirestoreDatabase:
    """One database of one project, with the process's default credentials; `FIRESTORE_EMULATOR_HOST` is obeyed.

    Every failure of Firestore itself becomes StoreUnavailable, what it cannot hold InvalidInput. `clock` gives
    nanoseconds since 1970 by this machine.
    """

    def __init__(self, project: str, database: str, clock: Callable[[], int] = time.time_ns) -> None:
        """Raises ConfigurationError when there are no credentials. Needs a running event loop."""
        self.name = f"projects/{project}/databases/{database}"
        try:
            # Google's types leave half unknown: the client is used in this module only.
            self._client: Any = firestore_v1.AsyncClient(project=project, database=database)
        except DefaultCredentialsError as error:
            raise ConfigurationError([f"CHANNEL_REPOSITORY_BACKEND: firestore: {_first_line(error)}"]) from error
        self._clock = clock
        self._ahead = 0
        self._closed = False
        self._running = 0
        self._idle = asyncio.Event()

    def collection(self, *path: str) -> Any:
        """A collection, to build a query on."""
        return self._client.collection(*path)

    def micros(self) -> int:
        """Microseconds since 1970 by Firestore's clock, as far as it was seen."""
        return self._clock() // 1000 + self._ahead

    async def get(self, document: Document) -> Record | None:
        """The document as it is now."""
        found = await self._get(document)
        return Record.of(found) if found.exists else None

    async def time(self, document: Document) -> datetime:
        """When Firestore answered, by its own clock."""
        read_time: datetime = (await self._get(document)).read_time
        return from_micros(to_micros(read_time))

    async def get_all(self, documents: Sequence[Document]) -> list[Record]:
        """Those of the documents that are there, in any order."""
        references = [self._client.document(*document) for document in documents]
        async with self._request("batch_get"):
            found = self._client.get_all(references, retry=_READ_RETRY, timeout=REQUEST_TIMEOUT_S)
            return [Record.of(snapshot) async for snapshot in found if snapshot.exists]

    async def find(self, query: Any) -> list[Record]:
        """All that a query finds."""
        async with self._request("query"):
            found = await query.get(retry=_READ_RETRY, timeout=REQUEST_TIMEOUT_S)
        return [Record.of(snapshot) for snapshot in found]

    async def count(self, query: Any) -> int:
        """How many documents a query would find."""
        async with self._request("count"):
            found = await query.count().get(retry=_READ_RETRY, timeout=REQUEST_TIMEOUT_S)
        return int(found[0][0].value)

    async def commit(self, *writes: Write) -> bool:
        """All of the writes or none. False when something was not as one of them expected, and nothing was written.

        Sent again only when Firestore says that it was not done: whether a commit that got no answer was, nobody knows.
        """
        async with self._request("commit"):
            batch = self._client.batch()
            for write in writes:
                write.put_into(batch, self._client.document(*write.document))
            try:
                await batch.commit(retry=_WRITE_RETRY, timeout=REQUEST_TIMEOUT_S)
            except (FailedPrecondition, AlreadyExists, NotFound):
                return False
        return True

    async def revise(self, document: Document, decide: Callable[[Record | None], tuple[Write | None, T]]) -> T:
        """Read a document, decide, write what was decided; when somebody wrote meanwhile, begin again.

        `decide` gives the write, if any, and the answer.
        """
        for _ in range(TRIES):
            write, answer = decide(await self.get(document))
            if write is None or await self.commit(write):
                return answer
        raise contended(document)

    async def close(self) -> None:
        self._closed = True
        # What is under way is let finish; its own limit bounds this.
        while self._running:
            self._idle.clear()
            await self._idle.wait()
        # The client's own `close` is that of clients over HTTP, and leaves the gRPC channel open.
        await self._client._firestore_api.transport.close()  # noqa: SLF001

    async def _get(self, document: Document) -> Any:
        async with self._request("get"):
            found = await self._client.document(*document).get(retry=_READ_RETRY, timeout=REQUEST_TIMEOUT_S)
        read_time: datetime = found.read_time
        self._ahead = to_micros(read_time) - self._clock() // 1000
        return found

    @asynccontextmanager
    async def _request(self, operation: str) -> AsyncGenerator[None]:
        refuse_when(self._closed)
        self._running += 1
        about = {"db.system.name": "gcp.firestore", "db.operation.name": operation}
        try:
            with part(f"store {operation}", Kind.CLIENT, about), firestore_errors():
                async with asyncio.timeout(_TIMEOUT_S):
                    yield
        finally:
            self._running -= 1
            self._idle.set()


@contextmanager
def firestore_errors() -> Generator[None]:
    """Errors of Google's client and of gRPC as ours. They never quote what was to be written."""
    try:
        yield
    except (InvalidArgument, UnicodeEncodeError) as error:
        raise InvalidInput("value", "cannot be stored: Firestore takes no such characters, or no such size") from error
    except FailedPrecondition as error:
        raise StoreUnavailable(_explain(error)) from error
    except GoogleAPICallError as error:
        raise StoreUnavailable(f"Firestore: {_first_line(error)}") from error
    except (GoogleAPIError, GoogleAuthError, RpcError, UsageError, TimeoutError, OSError) as error:
        raise StoreUnavailable(f"Firestore does not answer ({type(error).__name__})") from error


def contended(document: Document) -> StoreUnavailable:
    """Too many write the same document at once; the next try may find it free."""
    return StoreUnavailable(f"{'/'.join(document)} is being written by too many at once")


def counted(names: Sequence[T], counts: Sequence[int]) -> Mapping[T, int]:
    """Those that there are any of."""
    return {name: number for name, number in zip(names, counts, strict=True) if number}


def _explain(error: Exception) -> str:
    reason = _first_line(error)
    return f"{reason}; deploy infra/firestore/firestore.indexes.json" if "index" in reason else reason


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
