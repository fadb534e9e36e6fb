"""The committed indexes against the queries that are really sent: the emulator answers without any, Google refuses."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore_v1 import AsyncCollectionReference

from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.store import FirestoreStore
from streaming_service.application.ports import ChannelQuery, DeliveryQuery, DeliveryState, Tried
from streaming_service.domain.content import Classification
from streaming_service.domain.notification import Endpoint
from tests.contract.store.builders import MINUTE, NOW, accept, attempt, channel, content_id, letter, notification

pytestmark = [pytest.mark.anyio, pytest.mark.firestore]

FILE = Path("infra/firestore/firestore.indexes.json")
NAME = "__name__"
Field = tuple[str, str]


class Recording(FirestoreDatabase):
    """Remembers what it was asked."""

    def __init__(self, project: str) -> None:
        super().__init__(project, "(default)")
        self.asked: list[Any] = []

    async def find(self, query: Any) -> list[Any]:
        self._note(query)
        return await super().find(query)

    async def count(self, query: Any) -> int:
        self._note(query)
        return await super().count(query)

    def _note(self, query: Any) -> None:
        asked = query._query() if isinstance(query, AsyncCollectionReference) else query
        self.asked.append(asked._to_protobuf())


async def test_every_query_has_its_index(firestore_project: str):
    database = Recording(firestore_project)
    await _use_everything(FirestoreStore(database))
    committed = json.loads(FILE.read_text())
    indexes = [
        (index["collectionGroup"], tuple((field["fieldPath"], field["order"]) for field in index["fields"]))
        for index in committed["indexes"]
    ]
    exempt = {(item["collectionGroup"], item["fieldPath"]) for item in committed["fieldOverrides"]}
    used: set[int] = set()
    for query in database.asked:
        collection, equal, ordered = _shape(query)
        assert not {(collection, field) for field in equal | {field for field, _ in ordered}} & exempt, query
        if len(ordered) <= 1 and not (equal and ordered):
            continue  # answered by the indexes that every field has
        found = _serving(indexes, collection, equal, ordered)
        assert found, f"no index for {collection}: {sorted(equal)} then {ordered}"
        used |= found
    assert used == set(range(len(indexes))), "an index that nobody asks for is paid for by every write"
    await database.close()


def _shape(query: Any) -> tuple[str, set[str], tuple[Field, ...]]:
    """Collection, fields of equality, and the order, which begins with the ranges."""
    equal: set[str] = set()
    ranges: list[str] = []
    conditions = query.where.composite_filter.filters or ([query.where] if query.where else [])
    for condition in conditions:
        item = condition.field_filter
        if not item.field.field_path:
            continue
        name = item.op.name
        (equal.add if name in {"EQUAL", "IN"} else ranges.append)(item.field.field_path)
    ordered = [(order.field.field_path, order.direction.name) for order in query.order_by]
    known = {field for field, _ in ordered}
    ordered += [(field, "ASCENDING") for field in sorted(set(ranges)) if field not in known]
    return query.from_[0].collection_id, equal, tuple(item for item in ordered if item[0] != NAME)


def _serving(
    indexes: list[tuple[str, tuple[Field, ...]]], collection: str, equal: set[str], ordered: tuple[Field, ...]
) -> set[int]:
    """Indexes that serve it: one, or several of the same order whose equalities Google merges."""
    exact: set[int] = set()
    parts: dict[int, set[str]] = {}
    for number, (group, fields) in enumerate(indexes):
        cut = len(fields) - len(ordered)
        if group != collection or cut < 0 or fields[cut:] != ordered:
            continue
        names = {field for field, _ in fields[:cut]}
        if names == equal:
            exact.add(number)
        elif names < equal:
            parts[number] = names
    return exact or (set(parts) if set().union(*parts.values()) == equal else set())


async def _use_everything(store: FirestoreStore) -> None:
    await store.require_indexes()
    written = await store.commit(accept(channel(waiting_since=NOW), notification(1), notification(2)), NOW)
    await store.claim_due(NOW, "a", MINUTE, 5)
    await store.claim_waiting(tuple(Classification), NOW, "a", MINUTE, 5)
    await store.waiting(NOW)
    await store.history(written.content_id, 5)
    await store.on_ome()
    await store.placements("a")
    await store.seats()
    await store.drained()
    await store.count_by_status()
    for status, kind, tenant in product(("ready", None), ("reel", None), ("t", None)):
        await store.list(ChannelQuery(status=status, classification=kind, tenant_id=tenant, q=tenant))
    await store.claim_deliveries(NOW, "a", MINUTE, 5, tuple(Endpoint))
    await store.record([Tried(notification(1).id, attempt(), DeliveryState.PENDING, NOW)])
    await store.resend(notification(1).id, NOW)
    await store.backlog()
    for state, endpoint, of in product(("dead", None), ("bigquery", None), (content_id(1), None)):
        await store.list_deliveries(DeliveryQuery(state=state, endpoint=endpoint, content_id=of, limit=1))
    await store.add_dead_letter(letter(1))
    await store.add_dead_letter(letter(2))
    _, cursor = await store.list_dead_letters(1, None)
    await store.list_dead_letters(1, cursor)
    await store.count_dead_letters()
