"""Commands for the people who run the service; they work on the store directly."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast, get_args

from rich.console import Console
from rich.table import Column, Table

from streaming_service.application.channel_operations import ChannelOperations
from streaming_service.application.ports import ChannelQuery
from streaming_service.bootstrap import notifier_of, open_clock, open_ingest_keys, open_store, spec_policy
from streaming_service.configuration import Role, load, origins, require
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.content import parse_content_id
from streaming_service.domain.history import HistoryEntry
from streaming_service.domain.state import Status
from streaming_service.entrypoints.terminal import cause, document, say
from streaming_service.errors import InvalidInput, StreamingServiceError

_POLL_SECONDS = 0.25


@asynccontextmanager
async def _channels(env_file: Path) -> AsyncGenerator[ChannelOperations]:
    """These commands look, or ask a worker to look."""
    settings = load(env_file=env_file, roles=["store"])
    async with open_store(settings) as store:
        yield ChannelOperations(
            store=store,
            notifier=notifier_of(settings),
            specs=spec_policy(settings),
            clock=await open_clock(store),
            changed=lambda _: None,
        )


async def replay_content(env_file: Path, content_id: str, wait: float) -> None:
    """Ask for a replay; with `wait` > 0 seconds follow it, and fail when it does not end as ready in that time."""
    content_id = parse_content_id(content_id)
    async with _channels(env_file) as channels:
        channel = await channels.replay(content_id, cause())
        say(f"replay of {content_id} requested: generation {channel.generation}, version {channel.version}")
        deadline = time.monotonic() + wait
        shown = ""
        while time.monotonic() < deadline:
            channel = await channels.get(content_id)
            if channel.phase_reason != shown:
                shown = channel.phase_reason
                say(f"{channel.status}/{channel.phase}: {shown}")
            if channel.status is Status.READY and not channel.announce and channel.building is None:
                return
            if channel.status is Status.FAILED:
                raise StreamingServiceError(f"{content_id} failed: {shown}")
            await asyncio.sleep(_POLL_SECONDS)
        if wait:
            raise StreamingServiceError(f"{content_id} is {channel.status} after {wait:g} s: does a worker run?")


async def list_channels(env_file: Path, status: str | None, q: str | None, limit: int, *, as_json: bool) -> None:
    """A table in a terminal, or one JSON document."""
    if status is not None and status not in set(Status):
        raise InvalidInput("--status", f"is not one of {', '.join(Status)}")
    async with _channels(env_file) as channels:
        page = await channels.list(ChannelQuery(status=status, q=q, limit=limit))
    if as_json:
        return say(document([_summary(channel) for channel in page.items]))
    table = Table(
        Column("content", no_wrap=True),
        "class",
        "status",
        "phase",
        "gen",
        "inc",
        "retries",
        Column("updated", no_wrap=True),
        "reason",
        box=None,
    )
    for channel in page.items:
        table.add_row(*(str(value) for value in _summary(channel).values()))
    Console().print(table)
    if page.next:
        say(f"the first {limit}; more with --limit")
    elif not page.items:
        say("no channels match")
    return None


async def show_channel(env_file: Path, content_id: str, *, as_json: bool) -> None:
    """One channel: everything we know, and what happened to it, newest last."""
    content_id = parse_content_id(content_id)
    async with _channels(env_file) as channels:
        channel = await channels.get(content_id)
        history = await channels.history(content_id)
    if as_json:
        return say(document({"channel": channel, "history": history}))
    console = Console()
    details = Table(box=None, show_header=False)
    for name, value in _details(channel).items():
        details.add_row(f"[dim]{name}", value)
    console.print(details)
    console.print(_timeline(history))
    return None


async def rotate_ingest(env_file: Path, content_id: str, *, as_json: bool) -> None:
    """A new ingest key, on standard output and nowhere else. Worker and API take it from the store."""
    content_id = parse_content_id(content_id)
    settings = load(env_file=env_file, roles=["store"])
    async with open_store(settings) as store:
        keys = open_ingest_keys(settings, store, await open_clock(store))
        made = await keys.rotate(content_id, cause())
    until = made.previous_key_valid_until
    shown = {
        "url": made.addresses.rtmp,
        "streamKey": made.key,
        "previousKeyValidUntil": until and to_wire(until),
        "srtUrl": made.addresses.srt,
        "whipUrl": made.addresses.whip,
    }
    if as_json:
        return say(document({name: value for name, value in shown.items() if value or not name.endswith("pUrl")}))
    for name, value in shown.items():
        if value:
            say(f"{name}: {value}")
    return say("note the key down: it is not shown again")


def check_configuration(env_file: Path, roles: list[str], *, as_json: bool) -> None:
    """Print every variable; raises ConfigurationError afterwards when something is wrong."""
    for role in roles:
        if role not in get_args(Role):
            raise InvalidInput("--role", f"is not one of {', '.join(get_args(Role))}")
    settings = load(env_file=env_file)
    rows = origins(settings, env_file=env_file)
    if as_json:
        say(document([row._asdict() for row in rows]))
    else:
        table = Table("variable", "value", "from", "meaning", box=None)
        for row in rows:
            table.add_row(row.name, row.value, f"[dim]{row.source}", f"[dim]{row.description}")
        Console().print(table)
    require(settings, *cast("list[Role]", roles))
    if not as_json:
        say(f"\nvalid for: {', '.join(roles)}")


def _summary(channel: Channel) -> dict[str, Any]:
    return {
        "contentId": channel.content_id,
        "classification": channel.spec.classification.value,
        "status": channel.status.value,
        "phase": channel.phase.value,
        "generation": channel.generation,
        "incarnation": channel.incarnation,
        "retries": channel.retries,
        "updatedAt": to_wire(channel.updated_at),
        "reason": channel.phase_reason,
    }


def _details(channel: Channel) -> dict[str, str]:
    placement = channel.serving or channel.building
    failure = channel.failure
    return {
        "content": channel.content_id,
        "status": f"{channel.status} / {channel.phase}: {channel.phase_reason}",
        "source": channel.spec.source_uri,
        "checksum": channel.spec.checksum,
        "generation": f"{channel.generation} ({channel.spec_hash[:12]})",
        "ladder": ", ".join(f"{rung.name} {rung.bitrate_kbps} kbit/s" for rung in channel.spec.rungs),
        "ingest": _ingest(channel),
        "stream": f"{placement.stream} on {placement.origin}, application {placement.application}" if placement else "",
        "draining": ", ".join(item.placement.stream for item in channel.draining),
        "failure": f"{failure.code}: {failure.detail}" if failure else "",
        "ready": to_wire(channel.ready_at) if channel.ready_at else "",
    }


def _ingest(channel: Channel) -> str:
    if not channel.spec.live:
        return ""
    publisher = channel.publishers[-1] if channel.publishers else None
    who = f"pushed from {publisher.address} since {to_wire(publisher.since)}" if publisher else "nobody pushes"
    return f"{len(channel.ingest)} keys, {who}"


def _timeline(history: tuple[HistoryEntry, ...]) -> Table:
    table = Table("at", "actor", "action", "status", "phase", "reason", box=None)
    for entry in reversed(history):
        table.add_row(to_wire(entry.at), entry.actor, entry.action, entry.status, entry.phase, entry.reason)
    return table
