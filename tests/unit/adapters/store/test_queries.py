"""Queries that run all the time must find their rows by an index, however many rows rest beside them."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, create_engine, event

from streaming_service.adapters.store import channels, outbox
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.tables import metadata

WINDOW = {"now": 0, "until": 0, "owner": "a", "count": 10}
ENDPOINTS = {"endpoint_0": "a", "endpoint_1": "b"}


@pytest.mark.parametrize(
    ("statement", "values", "indexes"),
    [
        (channels._CLAIM, WINDOW, {"channels_due"}),
        (channels._ON_OME, {"after": "", "count": 1}, {"channels_on_ome"}),
        (channels._COUNT, {}, {"channels_status"}),
        (channels._HISTORY, {"id": "a", "count": 1}, {"history_content"}),
        (outbox._claim(2), WINDOW | ENDPOINTS, {"deliveries_claimable", "deliveries_heads"}),
        (outbox._BEHIND, {"line": "a b", "head": 1, "due": 1}, {"deliveries_heads"}),
        (outbox._PUT_OFF, {"keys": ["a", "b"]}, {"autoindex_deliveries"}),
        (outbox._FORGET, {"of": "dead", "before": 1, "count": 1}, {"deliveries_state"}),
        (outbox._WAITING, {}, {"deliveries_state"}),
        (outbox._OLDEST, {}, {"deliveries_state"}),
        (outbox._DEAD, {}, {"deliveries_state"}),
    ],
)
def test_indexes_are_used(statement: Executable, values: dict[str, Any], indexes: set[str], tmp_path: Path):
    path = tmp_path / "store.db"
    upgrade(str(path))
    engine = create_engine(parse_dsn(str(path)))
    sent: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *call: sent.append((call[2], call[3])))
    with engine.begin() as connection:
        connection.execute(statement, values)
    engine.dispose()
    plain = sqlite3.connect(path)
    plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {sent[0][0]}", sent[0][1])]
    plain.close()

    text = "\n".join(plan)
    assert all(index in text for index in indexes), text
    tables = [line for line in plan if line.startswith("SCAN") and line.split()[1] in metadata.tables]
    assert [line for line in tables if "COVERING INDEX" not in line] == [], text
