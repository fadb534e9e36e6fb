"""The store's address as people write it."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from streaming_service.errors import ConfigurationError

_EXPECTED = "a path or sqlite:///path for sqlite, or postgresql://user:password@host:port/database"


def parse_dsn(dsn: str) -> URL:
    """`var/state.db`, `sqlite:///var/state.db`, `postgresql://…`, `postgres://…`, each with or without a driver.

    Raises ConfigurationError, which never quotes the address: it may hold a password.
    """
    if "://" not in dsn:
        url = URL.create("sqlite", database=dsn)
    else:
        try:
            url = make_url(dsn)
        except (ArgumentError, ValueError) as error:
            raise ConfigurationError([f"the store's address cannot be read: expected {_EXPECTED}"]) from error
    match url.drivername.partition("+")[0]:
        case "sqlite":
            if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
                raise ConfigurationError(["sqlite needs the path of a file; a store without one is the memory store"])
            return URL.create("sqlite+pysqlite", database=str(Path(url.database).expanduser().absolute()))
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case kind:
            raise ConfigurationError([f"the store's address begins with {kind!r}: expected {_EXPECTED}"])
