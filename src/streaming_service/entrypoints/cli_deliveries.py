"""`streaming-service deliveries`: its commands."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streaming_service.application.ports import DeliveryState
from streaming_service.domain.notification import Endpoint

deliveries_app = typer.Typer(help="What receivers are told, and were told.", no_args_is_help=True)

EnvFile = Annotated[Path, typer.Option("--env-file", help="File with variables that the environment does not set.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
State = Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")]
To = Annotated[Endpoint | None, typer.Option("--endpoint", help="Only those to this receiver.")]
Of = Annotated[str | None, typer.Option("--content-id", help="Only this content's.")]
_ENV = Path(".env")


@deliveries_app.command("list")
def list_deliveries(
    state: State = None,
    endpoint: To = None,
    content_id: Of = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """List them, the newest first."""
    from streaming_service.application.ports import DeliveryQuery
    from streaming_service.entrypoints import deliveries

    query = DeliveryQuery(state, endpoint, content_id, limit)
    asyncio.run(deliveries.list_deliveries(env_file, query, as_json=as_json))


@deliveries_app.command("show")
def show(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Show one with its last 20 attempts."""
    from streaming_service.entrypoints import deliveries

    asyncio.run(deliveries.show_delivery(env_file, delivery_id, as_json=as_json))


@deliveries_app.command("resend")
def resend(
    delivery_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="As `list` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one that these options name.")] = False,
    state: State = DeliveryState.DEAD,
    endpoint: To = None,
    content_id: Of = None,
    env_file: EnvFile = _ENV,
) -> None:
    """Owe them again from now on. `--all` takes those that were given up, unless `--state` says others."""
    from streaming_service.application.ports import DeliveryQuery
    from streaming_service.entrypoints import deliveries

    query = DeliveryQuery(state, endpoint, content_id) if everything else None
    asyncio.run(deliveries.resend(env_file, delivery_ids or [], query))
