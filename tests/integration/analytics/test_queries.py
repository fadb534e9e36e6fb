"""The table, the view and the queries of the runbooks, run on a day of envelopes.

BigQuery itself cannot be had here: sqlglot reads its dialect and DuckDB runs what it makes of it.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from msgspec import NODEFAULT
from msgspec.structs import fields

from streaming_service.domain.analytics import Envelope
from tests.analytics import DAY, FOLDER, GONE, GOOD, LATE, LIVE, MISSING, at

QUERIES = sorted((FOLDER / "queries").glob("*.sql"))
TYPES = {"STRING": "VARCHAR", "JSON": "JSON", "TIMESTAMP": "TIMESTAMPTZ"}


class Warehouse:
    """The table as `table.json` defines it, loaded twice: deliveries are repeated."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        columns = json.loads((FOLDER / "table.json").read_text())
        types = {column["name"]: TYPES[column["type"]] for column in columns}
        defined = ", ".join(f"{name} {kind} NOT NULL" for name, kind in types.items())
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("CREATE SCHEMA streaming")
        self._connection.execute(f"CREATE TABLE streaming.envelopes ({defined})")
        load = "INSERT INTO streaming.envelopes SELECT * FROM read_json(?, columns = ?, format = 'newline_delimited')"
        for _ in range(2):
            self._connection.execute(load, [str(FOLDER / "example.ndjson"), types])
        self._connection.execute(translated(FOLDER / "events.sql"))

    def ask(self, name: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """The rows of a runbook's query."""
        given = {"since": since, "until": until}
        result = self._connection.execute(translated(FOLDER / "queries" / f"{name}.sql"), given)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def count(self, table: str) -> int:
        return len(self._connection.table(f"streaming.{table}"))

    def close(self) -> None:
        self._connection.close()


def translated(path: Path) -> str:
    """What stands in the file, for DuckDB. Raises sqlglot's ParseError for what is no statement of BigQuery."""
    (statement,) = sqlglot.transpile(path.read_text(), read="bigquery", write="duckdb")
    return statement


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    opened = Warehouse()
    yield opened
    opened.close()


def whole_day(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
    return warehouse.ask(name, DAY, DAY + timedelta(days=1))


def test_the_table_has_exactly_the_envelopes_fields() -> None:
    columns = {column["name"]: column for column in json.loads((FOLDER / "table.json").read_text())}
    known = {field.encode_name: field for field in fields(Envelope)}
    assert list(columns) == list(known)
    assert all(column["mode"] == "REQUIRED" for column in columns.values())
    assert all(field.default is NODEFAULT for field in known.values())
    assert columns["payload"]["type"] == "JSON"
    assert columns["emittedAt"]["type"] == "TIMESTAMP"


def test_what_came_twice_is_there_once(warehouse: Warehouse) -> None:
    assert warehouse.count("envelopes") == 2 * warehouse.count("events")
    assert warehouse.count("events") == len((FOLDER / "example.ndjson").read_text().splitlines())


def test_every_runbook_has_a_query_that_is_run_here() -> None:
    assert [path.stem for path in QUERIES] == [
        "cache-warm-up",
        "key-rotation",
        "manifest-latency",
        "ome-stats-missing",
        "regional-outage",
        "stream-registration",
    ]


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_nothing_is_found_where_nothing_happened(path: Path, warehouse: Warehouse) -> None:
    assert warehouse.ask(path.stem, DAY - timedelta(days=2), DAY - timedelta(days=1)) == []


def test_stream_registration_shows_how_each_content_ended(warehouse: Warehouse) -> None:
    rows = {row["contentId"]: row for row in whole_day(warehouse, "stream-registration")}
    ended = {content: row["event"].removeprefix("stream.") for content, row in rows.items()}
    assert ended == {
        GOOD: "provisioned",
        LATE: "provisioned",
        LIVE: "provisioned",
        MISSING: "provisioning.failed",
        GONE: "retired",
    }
    assert (rows[MISSING]["code"], rows[MISSING]["retries"]) == ("source_missing", 5)
    assert rows[LATE]["retries"] == 3


def test_key_rotation_shows_that_it_reached_the_cdn(warehouse: Warehouse) -> None:
    (row,) = whole_day(warehouse, "key-rotation")
    assert (row["contentId"], row["rotatedAt"], row["confirmed"], row["purges"]) == (LIVE, at(14), 1, 1)
    assert row["previousKeyValidUntil"] == "2026-11-22T14:05:00.000Z"


def test_cache_warm_up_shows_where_it_plays_again_and_since_when(warehouse: Warehouse) -> None:
    rows = [row for row in whole_day(warehouse, "cache-warm-up") if row["contentId"] == GOOD]
    assert [(row["region"], row["warmAfterSeconds"]) for row in rows] == [("ams", 60), ("iad", 60), ("sfo", 60)]
    (unseen,) = [row for row in whole_day(warehouse, "cache-warm-up") if row["contentId"] == GONE]
    assert unseen["warmAfterSeconds"] is None


def test_manifest_latency_shows_which_process_was_slow_and_until_when(warehouse: Warehouse) -> None:
    rows = whole_day(warehouse, "manifest-latency")
    assert [(row["instance"], row["beganAt"], row["endedAt"]) for row in rows] == [
        ("api-1", at(17, 2), at(17, 9)),
        ("api-2", at(17, 4), None),
    ]
    assert all(row["p99Ms"] > row["sloMs"] and row["requests"] == 1000 for row in rows)


def test_a_regional_outage_is_told_in_its_order(warehouse: Warehouse) -> None:
    rows = warehouse.ask("regional-outage", at(15), at(15, 12))
    told = [(row["minute"].minute, row["what"], row["subject"], row["detail"]) for row in rows]
    assert told[:4] == [
        (2, "cluster", "europe", "not in order"),
        (2, "probes", "iad at the primary", "2 of 2 fail: http_error"),
        (2, "probes", "sfo at the primary", "2 of 2 fail: http_error"),
        (3, "failover", "all viewers", "to the failover: 2 of 3 regions fail on the primary"),
    ]
    assert told[-2:] == [
        (5, "cluster", "europe", "in order"),
        (11, "failover", "all viewers", "to the primary: clear for 300 s"),
    ]
    assert not [row for row in told if "ams" in row[2]]


def test_missing_statistics_are_told_from_those_that_nobody_asked_for(warehouse: Warehouse) -> None:
    rows = {row["origin"]: row for row in warehouse.ask("ome-stats-missing", at(16), at(16, 10))}
    assert (rows["ome-1"]["unansweredMinutes"], rows["ome-1"]["silentMinutes"]) == (6, 1)
    assert rows["ome-1"]["lastAnswered"] == at(16, 3, 20)
    assert (rows["ome-2"]["unansweredMinutes"], rows["ome-2"]["silentMinutes"]) == (0, 5)
    assert warehouse.ask("ome-stats-missing", at(16), at(16, 4)) == []
