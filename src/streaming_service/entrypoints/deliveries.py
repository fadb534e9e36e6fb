"""Commands about what receivers are told. They work on the store; a running worker sends what is owed again."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from streaming_service.application.administration import Administration
from streaming_service.application.channel_operations import MAX_PAGE
from streaming_service.application.ports import Delivery, DeliveryQuery
from streaming_service.bootstrap import open_administration
from streaming_service.configuration import load
from streaming_service.domain.clock import to_wire
from streaming_service.entrypoints.delivery_view import view
from streaming_service.entrypoints.terminal import cause, document, say
from streaming_service.errors import InvalidInput


async def list_deliveries(env_file: Path, query: DeliveryQuery, *, as_json: bool) -> None:
    """A table in a terminal, or one JSON document."""
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        page = await administration.deliveries(query)
    if as_json:
        return say(document([view(delivery) for delivery in page.items]))
    if not page.items:
        return say("no deliveries")
    table = Table(*(Column(name, no_wrap=True) for name in ("id", "owed", "to", "state", "tries")), "about", box=None)
    for delivery in page.items:
        owed = delivery.notification
        cells = (owed.id, to_wire(owed.occurred_at), owed.endpoint, delivery.state, str(delivery.tries))
        table.add_row(*(Text(cell) for cell in (*cells, f"{owed.topic} {owed.content_id}")))
    Console().print(table)
    if page.next:
        say(f"the newest {query.limit}; more with --limit")
    return None


async def show_delivery(env_file: Path, delivery_id: str, *, as_json: bool) -> None:
    """One with its attempts."""
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        shown = view(await administration.delivery(delivery_id))
    if as_json:
        return say(document(shown))
    say(f"{shown.id}: {shown.topic} to {shown.endpoint}, {shown.state}")
    say(f"owed {shown.occurred_at} for {shown.content_id}")
    if shown.next_attempt_at:
        say(f"next attempt {shown.next_attempt_at}")
    for attempt in shown.attempts:
        say(f"{attempt.at}  {attempt.duration_ms:6.0f} ms  {attempt.detail}")
    return say(f"\n{document(shown.facts)}")


async def resend(env_file: Path, delivery_ids: Sequence[str], query: DeliveryQuery | None) -> None:
    """These, or all that a query finds. Raises NotFound at the first that does not exist; those before it are owed."""
    if bool(delivery_ids) == (query is not None):
        raise InvalidInput("ID", "or --all: one of them")
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        for delivery_id in delivery_ids:
            await administration.resend(delivery_id, cause())
            say(f"{delivery_id} is owed again")
        if query is not None:
            await _resend_all(administration, query)


async def _resend_all(administration: Administration, query: DeliveryQuery) -> None:
    number = 0
    async for page in _pages(administration, query):
        for delivery in page:
            await administration.resend(delivery.notification.id, cause())
        number += len(page)
        say(f"{number} are owed again")
    if not number:
        say("no deliveries")


async def _pages(administration: Administration, query: DeliveryQuery) -> AsyncGenerator[Sequence[Delivery]]:
    cursor: str | None = None
    while True:
        page = await administration.deliveries(replace(query, limit=MAX_PAGE, cursor=cursor))
        if page.items:
            yield page.items
        cursor = page.next
        if cursor is None:
            return
