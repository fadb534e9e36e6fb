"""What earlier releases wrote, and every statement they send: recorded from them, never to be changed.

`<revision>.json` was made by the release whose newest schema is that revision.

    rows         table → its rows, as that release left them
    statements   what it sends in a session afterwards, in order, each with its parameters; `{"base64": …}` are bytes
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

_FOLDER = Path(__file__).parent


def rows_of(revision: str) -> Mapping[str, Sequence[dict[str, Any]]]:
    """By table."""
    return {table: [_plain(row) for row in rows] for table, rows in _read(revision)["rows"].items()}


def put_rows(connection: Connection, revision: str) -> None:
    """Into tables of that revision."""
    for table, rows in rows_of(revision).items():
        for row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # noqa: S608 - recorded
        if connection.dialect.name == "postgresql" and table in {"history", "deliveries"}:
            serial = "id" if table == "history" else "sequence"
            catch_up = f"SELECT setval(pg_get_serial_sequence('{table}', '{serial}'), max({serial})) FROM {table}"  # noqa: S608
            connection.execute(text(catch_up))


def say_everything(connection: Connection, revision: str) -> int:
    """Send that release's statements; how many there were. Raises what the database says to one that it refuses."""
    statements = _read(revision)["statements"]
    for statement in statements:
        sql: str = statement["sql"]
        if connection.dialect.name == "sqlite":
            sql = sql.replace(" FOR UPDATE", "")
        else:
            sql = sql.replace(" FOR UPDATE", " FOR UPDATE SKIP LOCKED")
        for parameters in statement["params"]:
            done = connection.execute(text(sql), _plain(parameters))
            if sql.startswith(("INSERT", "UPDATE channels SET version")):
                assert done.rowcount == 1, (sql, parameters)
    return len(statements)


def _read(revision: str) -> Any:
    return json.loads((_FOLDER / f"{revision}.json").read_text())


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_pairs(row))


def _pairs(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        yield name, base64.b64decode(value["base64"]) if isinstance(value, dict) else value
