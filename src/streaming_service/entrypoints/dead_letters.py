"""Commands about messages that could not be understood. They work on the store; a running worker does what follows."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from streaming_service.application.administration import Administration
from streaming_service.application.ports import ListedDeadLetter
from streaming_service.bootstrap import open_administration
from streaming_service.configuration import load
from streaming_service.domain.clock import to_wire
from streaming_service.entrypoints.dead_letter_view import printable, view
from streaming_service.entrypoints.terminal import cause, document, say
from streaming_service.errors import InvalidInput, NotFound, StreamingServiceError, UpstreamError

_PAGE = 100


async def list_letters(env_file: Path, limit: int, *, as_json: bool) -> None:
    """A table in a terminal, or one JSON document."""
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        found, following = await administration.dead_letters(limit, None)
    if as_json:
        return say(document([view(letter) for letter in found]))
    if not found:
        return say("no dead letters")
    whole = [Column(name, no_wrap=True) for name in ("id", "received")]
    table = Table(*whole, "from", "bytes", "field", "reason", box=None)
    for letter in found:
        cells = (letter.id, to_wire(letter.received_at), letter.source, str(letter.size), letter.field, letter.reason)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console().print(table)
    if following:
        say(f"the newest {limit}; more with --limit")
    return None


async def show_letter(env_file: Path, letter_id: str, *, raw: bool, as_json: bool) -> None:
    """One, whole; `raw` writes its bytes and nothing else."""
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        letter = await administration.dead_letter(letter_id)
    if raw:
        sys.stdout.buffer.write(letter.data)
        return None
    shown = view(letter)
    if as_json:
        return say(document(shown))
    say(f"{shown.id}: {shown.field} {shown.reason}")
    say(f"received {shown.received_at} from {shown.source}, message {shown.message_id}, {shown.size_bytes} bytes")
    for name, value in shown.attributes.items():
        say(f"{name}: {value}")
    return say(f"\n{shown.text}" if shown.text is not None else "\nno text: look at the bytes with --raw")


async def replay_letters(env_file: Path, letter_ids: Sequence[str], *, everything: bool) -> None:
    """Each by itself. Raises StreamingServiceError at the end when any stays."""
    if bool(letter_ids) == everything:
        raise InvalidInput("ID", "or --all: one of them")
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        wanted = [letter.id for letter in await _all(administration)] if everything else letter_ids
        closed = [letter_id for letter_id in wanted if await _replayed(administration, letter_id)]
    if everything and not wanted:
        say("no dead letters")
    if len(closed) < len(wanted):
        left = len(wanted) - len(closed)
        raise StreamingServiceError(f"{left} of {len(wanted)} could not be replayed, for the reasons above")


async def delete_letters(env_file: Path, letter_ids: Sequence[str]) -> None:
    """Raises NotFound at the first that does not exist; those before it are gone."""
    async with open_administration(load(env_file=env_file, roles=["store"])) as administration:
        for letter_id in letter_ids:
            await administration.delete_dead_letter(letter_id, cause())
            say(f"{letter_id} deleted")


async def _all(administration: Administration) -> list[ListedDeadLetter]:
    """The oldest first, as their senders meant them."""
    found: list[ListedDeadLetter] = []
    cursor: str | None = None
    while True:
        page, cursor = await administration.dead_letters(_PAGE, cursor)
        found += page
        if cursor is None:
            return found[::-1]


async def _replayed(administration: Administration, letter_id: str) -> bool:
    """Whether it is closed."""
    try:
        await administration.replay_dead_letter(letter_id, cause())
    except (InvalidInput, NotFound, UpstreamError) as refusal:
        say(f"{letter_id} stays: {printable(str(refusal))}")
        return False
    say(f"{letter_id} understood, and closed")
    return True
