"""`streaming-service dead-letters`: its commands."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

dead_letters_app = typer.Typer(help="Messages that could not be understood.", no_args_is_help=True)

EnvFile = Annotated[Path, typer.Option("--env-file", help="File with variables that the environment does not set.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="As `list` shows them.")]
_ENV = Path(".env")


@dead_letters_app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """List them, the newest first."""
    from streaming_service.entrypoints import dead_letters

    asyncio.run(dead_letters.list_letters(env_file, limit, as_json=as_json))


@dead_letters_app.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="The message alone, byte for byte.")] = False,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Show one, whole."""
    from streaming_service.entrypoints import dead_letters

    asyncio.run(dead_letters.show_letter(env_file, letter_id, raw=raw, as_json=as_json))


@dead_letters_app.command("replay")
def replay(
    letter_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="As `list` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one there is.")] = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Try to understand them again: those that are understood now are closed, the others stay."""
    from streaming_service.entrypoints import dead_letters

    asyncio.run(dead_letters.replay_letters(env_file, letter_ids or [], everything=everything))


@dead_letters_app.command("delete")
def delete(letter_ids: Ids, env_file: EnvFile = _ENV) -> None:
    """Give them up, for good."""
    from streaming_service.entrypoints import dead_letters

    asyncio.run(dead_letters.delete_letters(env_file, letter_ids))
