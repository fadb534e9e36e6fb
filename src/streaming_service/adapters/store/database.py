"""What the stores' nouns run in: a job is a plain function over a connection, a database decides where it runs."""

import sqlite3
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Table, TextClause, text
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from streaming_service.application.ports import ChangeFeed
from streaming_service.errors import InvalidInput, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs jobs. Every failure of the database itself becomes StoreUnavailable; a job's own errors pass through."""

    async def read(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job that writes nothing."""
        ...

    async def write(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job that is one statement."""
        ...

    async def transact(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job in a transaction: all of it or, when it raises, nothing."""
        ...

    async def time(self) -> datetime | None:
        """What the database's clock says; None when that is this machine's."""
        ...

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        """See `ChangeSource`."""
        ...

    def close(self) -> Awaitable[None]: ...


@contextmanager
def database_errors() -> Generator[None]:
    """Errors of drivers and sockets as ours. They never quote a statement's parameters."""
    try:
        yield
    except (DataError, UnicodeEncodeError) as error:
        raise InvalidInput("value", "holds characters that cannot be stored") from error
    except DBAPIError as error:
        raise StoreUnavailable(_explain(error.orig)) from error
    except (SQLAlchemyError, sqlite3.Error, TimeoutError, OSError) as error:
        raise StoreUnavailable(f"the database does not answer ({type(error).__name__})") from error


def refuse_when(closed: bool) -> None:
    """Raises StoreUnavailable: whoever is late at a shutdown gets the error that it is prepared for."""
    if closed:
        raise StoreUnavailable("the store is closed")


def insert_new(table: Table, *without: str) -> TextClause:
    """Insert rows whose key is not there yet and leave the others alone: one text that both databases take.

    `without` names the columns that the database fills.
    """
    names = [column.name for column in table.columns if column.name not in without]
    values = ", ".join(f":{name}" for name in names)
    return text(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608


def _explain(error: BaseException | None) -> str:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    missing = "no such table" in reason or "no such column" in reason or "does not exist" in reason
    return f"{reason}; run `streaming-service db migrate`" if missing else reason
