"""`streaming-service failover`: its commands."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

failover_app = typer.Typer(help="Look where viewers are sent, and send them elsewhere.", no_args_is_help=True)

EnvFile = Annotated[Path, typer.Option("--env-file", help="File with variables that the environment does not set.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="`cdn` for all contents, or a content id.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
_ENV = Path(".env")


@failover_app.command("list")
def list_failovers(as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """List the whole CDN, and every content that is not simply on the primary."""
    from streaming_service.entrypoints import failover

    asyncio.run(failover.list_failovers(env_file, as_json=as_json))


@failover_app.command("promote")
def promote(subject: Subject, reason: Reason = "", as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Send viewers to the failover, whatever probes say, until they are demoted."""
    _order("promote", subject, reason, env_file, as_json=as_json)


@failover_app.command("demote")
def demote(subject: Subject, reason: Reason = "", as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Take viewers back to the primary over the ramp; a second time at once."""
    _order("demote", subject, reason, env_file, as_json=as_json)


@failover_app.command("freeze")
def freeze(subject: Subject, reason: Reason = "", as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Let nothing change by itself; orders are still obeyed."""
    _order("freeze", subject, reason, env_file, as_json=as_json)


@failover_app.command("unfreeze")
def unfreeze(subject: Subject, reason: Reason = "", as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Let probes decide again."""
    _order("unfreeze", subject, reason, env_file, as_json=as_json)


def _order(name: str, subject: str, reason: str, env_file: Path, *, as_json: bool) -> None:
    from streaming_service.entrypoints import failover

    asyncio.run(failover.give_order(env_file, failover.Order(name), subject, reason, as_json=as_json))
