"""Commands about the failover: an order is written into the store, and every process follows within a second."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from streaming_service.application.failover_operations import FailoverStatus
from streaming_service.bootstrap import open_failover
from streaming_service.configuration import load
from streaming_service.domain.clock import to_wire
from streaming_service.domain.failover import Mode
from streaming_service.entrypoints.terminal import cause, document, say


class Order(StrEnum):
    """What may be ordered."""

    PROMOTE = "promote"
    DEMOTE = "demote"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


async def list_failovers(env_file: Path, *, as_json: bool) -> None:
    """A table in a terminal, or one JSON document."""
    async with open_failover(load(env_file=env_file, roles=["store"])) as operations:
        found = await operations.list()
    if as_json:
        return say(document([_row(item) for item in found]))
    return _print_table(found)


async def give_order(env_file: Path, order: Order, subject: str, reason: str, *, as_json: bool) -> None:
    """Write it down, and say how it stands then."""
    async with open_failover(load(env_file=env_file, roles=["store"])) as operations:
        orders = {
            Order.PROMOTE: operations.promote,
            Order.DEMOTE: operations.demote,
            Order.FREEZE: operations.freeze,
            Order.UNFREEZE: operations.unfreeze,
        }
        status = await orders[order](subject, cause(), reason)
    say(document(_row(status)) if as_json else f"{status.standing.subject}: {_words(status)}")


def _print_table(found: Sequence[FailoverStatus]) -> None:
    table = Table(Column("subject", no_wrap=True), "viewers", "frozen", "since", "by", "reason", box=None)
    for item in found:
        standing = item.standing
        cells = (
            standing.subject,
            _viewers(item),
            "yes" if standing.frozen_at else "",
            to_wire(standing.since) if standing.version else "",
            standing.actor if standing.version else "",
            standing.reason,
        )
        table.add_row(*map(Text, cells))
    Console().print(table)


def _row(status: FailoverStatus) -> dict[str, object]:
    standing = status.standing
    return {
        "subject": standing.subject,
        "state": standing.mode.value,
        "reason": standing.reason,
        "actor": standing.actor,
        "since": to_wire(standing.since) if standing.version else None,
        "share": round(status.share, 3),
        "manual": standing.manual,
        "frozen": standing.frozen_at is not None,
        "promotions": standing.promotions,
        "heldUntil": to_wire(standing.held_until) if standing.held_until else None,
    }


def _words(status: FailoverStatus) -> str:
    frozen = ", frozen" if status.standing.frozen_at else ""
    return f"viewers are {_viewers(status)}{frozen}"


def _viewers(status: FailoverStatus) -> str:
    match status.standing.mode:
        case Mode.PROMOTED:
            return "on the failover"
        case Mode.RETURNING if status.share > 0:
            return f"returning, {status.share:.0%} on the failover"
        case _:
            return "on the primary"
