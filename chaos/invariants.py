"""What must hold when everything has come to rest, whatever happened before."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from chaos.child import CAUSE, open_database, state_of
from chaos.world import CDN, LEASE_SECONDS, World
from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.store.tables import channels, deliveries
from streaming_service.application.ports import Delivery, DeliveryQuery, DeliveryState
from streaming_service.bootstrap.stores import store_dsn
from streaming_service.configuration import load
from streaming_service.devkit.platform.inbox import Received
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import HistoryEntry
from streaming_service.domain.notification import Endpoint, Notification, Notifier, is_about_content
from streaming_service.domain.rendering import SignedManifest, render_body
from streaming_service.domain.state import Status

# The audit topic is no HTTP receiver, and is not configured here. What is owed to CDN_WARMUP is work, nobody is told.
_PATHS = {
    Endpoint.CONTENT_CALLBACK: ("/content/callback",),
    Endpoint.GATEWAY_WARMUP: ("/gateway/warmup",),
    Endpoint.CDN_CONTROL: ("/cdn/purge", "/cdn/warmup", "/cdn/failover"),
    Endpoint.OBSERVABILITY: ("/observability",),
    Endpoint.BIGQUERY: ("/bigquery",),
}


class Found(Struct, frozen=True):
    """What is left when all is over: the store, and what receivers were sent."""

    channel: Channel
    history: tuple[HistoryEntry, ...]
    deliveries: tuple[Delivery, ...]
    seats: Mapping[str, int]
    placements: Mapping[str, frozenset[str]]
    leases: int


class Shape(Struct, frozen=True):
    """What two runs of one scenario have in common."""

    status: str
    phase: str
    serving: bool
    copied: bool
    checksum: str


async def find(world: World) -> Found:
    """Read the store, when nobody else does."""
    database = open_database(store_dsn(load(world.env, env_file=None)))
    try:
        leases = await database.read(_leases, datetime.now(UTC))
        if leases:  # of somebody who was killed just now, perhaps
            await asyncio.sleep(LEASE_SECONDS)
            leases = await database.read(_leases, datetime.now(UTC))
        store = SqlStore(database)
        state = await state_of(store)
        (channel,) = state.channels
        page = await store.list_deliveries(DeliveryQuery(limit=1000))
        return Found(
            channel=channel,
            history=tuple(reversed(await store.history(channel.content_id, 1000))),
            deliveries=tuple(item for item in reversed(page.items) if is_about_content(item.notification)),
            seats={origin: len(numbers) for origin, numbers in (await store.seats()).items()},
            placements={
                origin: frozenset(placed.stream for placed in await store.placements(origin))
                for origin in world.origins
            },
            leases=leases,
        )
    finally:
        await database.close()


def shape(channel: Channel) -> Shape:
    """Compared with that of a run that nobody disturbed."""
    serving = channel.serving
    return Shape(
        status=channel.status,
        phase=channel.phase,
        serving=serving is not None,
        copied=serving is not None and serving.copy is not None,
        checksum=serving.checksum if serving else "",
    )


def violations(world: World, found: Found) -> list[str]:
    """A sentence for everything that does not hold."""
    return [
        *_on_origins(world, found),
        *_copies(world, found),
        *_debts(found),
        *_receipts(world, found),
        *_order(world, found),
    ]


def _leases(connection: Connection, now: datetime) -> int:
    """Those that keep anybody from working; one that ran out with its holder does not."""
    held = select(func.count()).where(channels.c.lease_until > to_micros(now))
    claimed = select(func.count()).where(deliveries.c.claimed_by.is_not(None), deliveries.c.state == "pending")
    return connection.execute(held).scalar_one() + connection.execute(claimed).scalar_one()


def _on_origins(world: World, found: Found) -> Iterable[str]:
    serving = found.channel.serving
    wanted = {(serving.origin, serving.stream)} if serving and serving.on_ome else set[tuple[str, str]]()
    held = {(origin, stream) for origin in world.origins for stream in world.streams(origin)}
    if held != wanted:
        yield f"OME holds {sorted(held)} where {sorted(wanted)} is served"
    for origin in world.origins:
        placed, there = found.placements[origin], world.streams(origin)
        if set(placed) != there:
            yield f"{sorted(placed)} is placed on {origin}, which holds {sorted(there)}"
        if found.seats.get(origin, 0) != len(there):
            yield f"{found.seats.get(origin, 0)} seats of {origin} are taken, by {len(there)} streams"
    if found.leases:
        yield f"{found.leases} leases are left"


def _copies(world: World, found: Found) -> Iterable[str]:
    serving = found.channel.serving
    wanted = {serving.copy_prefix} if serving and serving.copy else set[str]()
    if world.copies != wanted:
        yield f"the bucket holds {sorted(world.copies)} where {sorted(wanted)} is served"


def _debts(found: Found) -> Iterable[str]:
    """Every change that owes something has its debts in the outbox: none was lost with the process."""
    notifier, channel = Notifier(frozenset({*_PATHS, Endpoint.CDN_WARMUP})), found.channel
    owed: dict[str, str] = {}
    for number in range(1, channel.announcements + 1):
        for item in notifier.ready(replace(channel, announcements=number), "", "", CAUSE):
            owed[item.id] = f"ready {number} to {item.endpoint}"
    if channel.status is Status.RETIRED:
        for item in notifier.retired(channel, (), CAUSE):
            owed[item.id] = f"retired to {item.endpoint}"
    known = {item.notification.id for item in found.deliveries}
    for identity, what in owed.items():
        if identity not in known:
            yield f"nobody was owed {what}"
    rotations = sum(entry.action == "ingest-rotated" for entry in found.history)
    told = sum(item.notification.topic == "stream.ingest.rotated" for item in found.deliveries)
    if told != 2 * rotations:
        yield f"{rotations} rotations of a key made {told} debts"


def _receipts(world: World, found: Found) -> Iterable[str]:
    """Delivered at least once under its one id, always with the same facts; a purge perhaps by another of its path."""
    received: dict[str, list[Received]] = {}
    for endpoint in _PATHS:
        for item in _inbox(world, endpoint):
            received.setdefault(item.headers.get("idempotency-key", ""), []).append(item)
    for delivery in found.deliveries:
        notification = delivery.notification
        what = f"{notification.topic} to {notification.endpoint}"
        copies = received.get(notification.id, [])
        if delivery.state is not DeliveryState.DELIVERED:
            yield f"{what} is {delivery.state}"
        if notification.endpoint is Endpoint.CDN_WARMUP:
            continue
        if not any(map(_taken, copies)) and not _done_by_another(notification, received.values()):
            yield f"{what} was never received"
        body = _unsigned(render_body(notification, lambda path, base: SignedManifest(f"{base or CDN}{path}", "")))
        if any(_unsigned(item.body) != body for item in copies):
            yield f"{what} was received with other facts: {[_unsigned(item.body) for item in copies]}, not {body}"


def _taken(item: Received) -> bool:
    return item.status is not None and 200 <= item.status < 300


def _done_by_another(notification: Notification, received: Iterable[Sequence[Received]]) -> bool:
    """What a purge of the same path has done after the debt was made, is not sent again."""
    if notification.topic != "cdn.purge":
        return False
    wanted = {"path": notification.facts["path"]}
    copies = (item for items in received for item in items if item.body == wanted and _taken(item))
    return any(item.at >= notification.occurred_at.timestamp() for item in copies)


def _order(world: World, found: Found) -> Iterable[str]:
    """To each endpoint in the order in which it was owed."""
    for endpoint in _PATHS:
        owed = [item.notification.id for item in found.deliveries if item.notification.endpoint == endpoint]
        first = list(dict.fromkeys(item.headers.get("idempotency-key", "") for item in _inbox(world, endpoint)))
        seen = [identity for identity in first if identity in set(owed)]
        if seen != [identity for identity in owed if identity in set(seen)]:
            yield f"{endpoint} was told in another order"


def _inbox(world: World, endpoint: Endpoint) -> list[Received]:
    found = [item for path in _PATHS[endpoint] for item in world.platform.received(path)]
    return sorted(found, key=lambda item: item.at)


def _unsigned(value: Any) -> Any:
    """Without what is signed anew each time."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _unsigned(inner) for name, inner in fields.items() if name != "expiresAt"}
    if isinstance(value, list):
        return [_unsigned(inner) for inner in cast("list[Any]", value)]
    return value.partition("?")[0] if isinstance(value, str) else value
