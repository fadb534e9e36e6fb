from pathlib import Path

import pytest

from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.errors import ConfigurationError


@pytest.mark.parametrize(
    ("dsn", "path"),
    [
        ("/var/lib/state.db", "/var/lib/state.db"),
        ("var/state.db", str(Path.cwd() / "var/state.db")),
        ("sqlite:////var/lib/state.db", "/var/lib/state.db"),
        ("sqlite+aiosqlite:////var/lib/state.db", "/var/lib/state.db"),
        ("sqlite:///var/state.db", str(Path.cwd() / "var/state.db")),
        ("~/state.db", str(Path.home() / "state.db")),
        ("/odd/na me?#%.db", "/odd/na me?#%.db"),
    ],
)
def test_sqlite(dsn: str, path: str):
    url = parse_dsn(dsn)

    assert url.get_backend_name() == "sqlite"
    assert url.database == path


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def test_postgres(scheme: str):
    url = parse_dsn(f"{scheme}://user:p%40ss@db.example:5433/streams?sslmode=require")

    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "user",
        "p@ss",
        "db.example",
        5433,
        "streams",
    )
    assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://user:secret@host/db",
        "://secret",
        "postgresql://user:secret@host:port/db",
        "1234://secret",
    ],
)
def test_what_cannot_be_used_is_refused_without_being_quoted(dsn: str):
    with pytest.raises(ConfigurationError) as caught:
        parse_dsn(dsn)

    assert "secret" not in str(caught.value)
