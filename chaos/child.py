"""The process that is killed: the real worker, with a kill switch at each of its seams.

It does what its parent tells it over a socket, one JSON line an order and one an answer. When the parent hangs up it
stops as on SIGTERM.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from msgspec import Struct

from chaos.switch import KillingBucket, KillingDatabase, KillingTransport, KillSwitch
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.database import Database
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.postgres import PostgresDatabase
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.store.sqlite import SqliteDatabase
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import ChannelQuery, Message
from streaming_service.bootstrap import Service, wire
from streaming_service.bootstrap.bucket import open_bucket
from streaming_service.bootstrap.stores import store_dsn
from streaming_service.configuration import load
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause
from streaming_service.entrypoints.worker import run_worker
from streaming_service.errors import StreamingServiceError
from streaming_service.telemetry import configure_logging

CAUSE = Cause("chaos", "chaos")


class Order(Struct, frozen=True):
    """What a child is born with. `env` is the service's configuration, `folder` takes its log."""

    env: dict[str, str]
    folder: str
    kill_at: int | None


class State(Struct, frozen=True):
    """What the store holds: every channel, how many deliveries and dead letters wait."""

    channels: tuple[Channel, ...]
    pending: int
    dead_letters: int


class Answer(Struct, frozen=True):
    """To every order but a look. `refusal` is an error that may be gone the next time."""

    value: Any = None
    refusal: str | None = None


def socket_of(folder: Path) -> Path:
    """Where the parent listens."""
    return folder / "orders"


def open_database(dsn: str) -> Database:
    """The database itself, without anything of ours in between."""
    url = parse_dsn(dsn)
    return SqliteDatabase(url) if url.get_backend_name() == "sqlite" else PostgresDatabase(url)


async def state_of(store: SqlStore) -> State:
    """Raises StoreUnavailable."""
    page = await store.list(ChannelQuery(limit=200))
    backlog = await store.backlog()
    return State(page.items, sum(backlog.pending.values()), await store.count_dead_letters())


def main(order: Order) -> None:
    """The child's whole life."""
    log = os.open(Path(order.folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    uvloop.run(_live(order))


async def _live(order: Order) -> None:
    folder = Path(order.folder)
    settings = load(order.env, env_file=None)
    configure_logging("info", "json")
    switch = KillSwitch(order.kill_at, folder / "epitaph")
    database = open_database(store_dsn(settings))
    async with AiohttpTransport() as transport:
        with open_bucket(settings) as bucket:
            service = wire(
                settings,
                SqlStore(KillingDatabase(database, switch)),
                KillingTransport(transport, switch),
                NullMediaLibrary(),
                KillingBucket(bucket, switch) if bucket else None,
            )
            stop = asyncio.Event()
            worker = asyncio.create_task(run_worker(service, stop), name="worker")
            obeying = asyncio.create_task(_obey(service, SqlStore(database), switch, socket_of(folder)), name="obey")
            await asyncio.wait([worker, obeying], return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            await worker
            await obeying
    await database.close()


async def _obey(service: Service, store: SqlStore, switch: KillSwitch, path: Path) -> None:
    while service.embedded is None or not service.embedded.alive:
        await asyncio.sleep(0.005)
    reader, writer = await asyncio.open_unix_connection(path)
    while line := await reader.readline():
        order = msgspec.json.decode(line)
        try:
            answer = await state_of(store) if order["do"] == "look" else await _carry_out(order, service, switch)
        except StreamingServiceError as error:
            answer = Answer(refusal=f"{type(error).__name__}: {error}")
        writer.write(msgspec.json.encode(answer) + b"\n")
        await writer.drain()
    writer.close()


async def _carry_out(order: Mapping[str, Any], service: Service, switch: KillSwitch) -> Answer:
    return Answer(switch.passed if order["do"] == "trace" else await _do(order, service))


async def _do(order: Mapping[str, Any], service: Service) -> Any:
    match order["do"]:
        case "publish" if service.embedded:
            return await service.embedded.publish(Message(msgspec.json.encode(order["event"])))
        case "register":
            return (await service.ingest.register(order["body"], None, CAUSE)).channel.content_id
        case "rotate":
            return (await service.ingest.rotate(order["content_id"], CAUSE)).key
        case "retire":
            return (await service.administration.retire(order["content_id"], CAUSE)).status
        case "replay":
            return (await service.administration.replay(order["content_id"], CAUSE)).status
        case "drain":
            return (await service.origins.drain(order["origin"], CAUSE)).name
        case "replay-dead-letters":
            letters, _ = await service.administration.dead_letters(50, None)
            for letter in letters:
                await service.administration.replay_dead_letter(letter.id, CAUSE)
            return len(letters)
        case unknown:
            raise ValueError(f"no such order: {unknown}")
