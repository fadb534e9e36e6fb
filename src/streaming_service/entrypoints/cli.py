"""`streaming-service`: every command, what it does, and how it ends.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage or configuration.
"""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from streaming_service import __version__
from streaming_service.entrypoints.cli_dead_letters import dead_letters_app
from streaming_service.entrypoints.cli_deliveries import deliveries_app
from streaming_service.entrypoints.cli_failover import failover_app
from streaming_service.entrypoints.cli_pubsub import pubsub_app
from streaming_service.errors import ConfigurationError, InvalidInput, StreamingServiceError
from streaming_service.telemetry import configure_logging

app = typer.Typer(
    help="The playback control plane for OvenMediaEngine.", no_args_is_help=True, pretty_exceptions_enable=False
)
worker_app = typer.Typer(help="The worker: events in, channels converged, notifications out.")
origins_app = typer.Typer(help="Look at origins, and empty them.", no_args_is_help=True)
channels_app = typer.Typer(help="Look at channels, and make ingest keys.", no_args_is_help=True)
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
db_app = typer.Typer(help="The store: its schema, and what to do after a restore.", no_args_is_help=True)
app.add_typer(worker_app, name="worker")
app.add_typer(channels_app, name="channels")
app.add_typer(origins_app, name="origins")
app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(deliveries_app, name="deliveries")
app.add_typer(failover_app, name="failover")
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")
app.add_typer(pubsub_app, name="pubsub")

EnvFile = Annotated[Path, typer.Option("--env-file", help="File with variables that the environment does not set.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
_ENV = Path(".env")


def main() -> None:
    """Turn our errors into one clear message and an exit code."""
    # Until a command knows better: standard output is for its answer alone.
    configure_logging("warning")
    try:
        app()
    except ConfigurationError as error:
        _fail("wrong configuration", error.problems, 2)
    except InvalidInput as error:
        _fail("wrong usage", (str(error),), 2)
    except StreamingServiceError as error:
        _fail("failed", (str(error),), 1)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve(
    env_file: EnvFile = _ENV,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run the worker in the same process.")] = False,
) -> None:
    """Run the API (and, with --with-worker, everything) until SIGTERM."""
    from streaming_service.entrypoints.running import run_process

    _run(run_process(env_file, api=True, worker=with_worker))


@app.command("probe-agent")
def probe_agent(env_file: EnvFile = _ENV) -> None:
    """Look at manifests from this region whenever the service asks, until SIGTERM."""
    from streaming_service.entrypoints.probe_agent import run_probe_agent

    _run(run_probe_agent(env_file))


@worker_app.callback(invoke_without_command=True)
def worker(context: typer.Context, env_file: EnvFile = _ENV) -> None:
    """Run the worker until SIGTERM."""
    if context.invoked_subcommand is None:
        from streaming_service.entrypoints.running import run_process

        _run(run_process(env_file, api=False, worker=True))


@worker_app.command()
def replay(
    content_id: Annotated[str, typer.Option("--content-id", "--contentId", help="The content to converge again.")],
    wait: Annotated[float, typer.Option(help="Follow it for so many seconds; 0 only asks for it.")] = 0.0,
    env_file: EnvFile = _ENV,
) -> None:
    """Converge a content again from its stored spec; a running worker does it at once."""
    from streaming_service.entrypoints.operating import replay_content

    _run(replay_content(env_file, content_id, wait))


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="The API's; the stand-ins take the four after it.")] = 4900,
    directory: Annotated[Path, typer.Option(help="State of the stack.")] = Path("var/dev"),
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the state of the last run.")] = False,
    signing: Annotated[
        str, typer.Option(help="How URLs are signed: cloud-cdn, cloud-cdn-cookie, media-cdn, ome or hmac.")
    ] = "cloud-cdn",
) -> None:
    """Run the service and stand-ins for everything around it on loopback, and show a sample upload."""
    from streaming_service.entrypoints.dev.command import run_dev

    _run(run_dev(port, directory, keep=keep, scheme=signing))


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="An MP4.")],
    content_id: Annotated[str | None, typer.Option("--content-id", help="A content to replace.")] = None,
    classification: Annotated[str, typer.Option(help="REEL or EPISODE.")] = "REEL",
    directory: Annotated[Path, typer.Option(help="The stack to publish to.")] = Path("var/dev"),
) -> None:
    """Upload a video to a running `dev` stack and print its signed manifest URL when it plays."""
    from streaming_service.entrypoints.dev.command import run_publish

    _run(run_publish(file, directory, content_id, classification.upper()))


@app.command()
def sign(
    url: Annotated[str, typer.Argument(help="What to sign: an absolute URL, or a path below CDN_BASE_URL.")],
    prefix: Annotated[str | None, typer.Option(help="Grant all below it; the folder of URL if not given.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Grant this URL alone, where the scheme can.")] = False,
    ttl: Annotated[
        int | None, typer.Option(min=1, max=31_536_000, help="Seconds; SIGNED_URL_TTL_SECONDS if not given.")
    ] = None,
    session: Annotated[str, typer.Option(help="Grant it to this session alone, where the scheme can.")] = "",
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Sign a URL as the service does, with the active key."""
    from streaming_service.entrypoints.signing import sign_url

    sign_url(env_file, url, prefix=prefix, ttl=ttl, session=session, exact=exact, as_json=as_json)


@app.command()
def verify(
    url: Annotated[str, typer.Argument(help="A whole URL, in quotes.")],
    cookie: Annotated[str, typer.Option(help="The Cookie header, for cloud-cdn-cookie: name=value.")] = "",
    at: Annotated[str | None, typer.Option(help="As of this moment, 2026-01-02T03:04:05Z; now if not given.")] = None,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Say what an edge with our keys finds out about a URL; exit code 0 only if it would serve it."""
    from streaming_service.entrypoints.signing import verify_url

    if not verify_url(env_file, url, cookies=cookie, at=at, as_json=as_json):
        raise typer.Exit(1)


@channels_app.command("list")
def channels_list(
    status: Annotated[str | None, typer.Option(help="provisioning, ready, failed or retired.")] = None,
    q: Annotated[str | None, typer.Option(help="Start of a content id, or part of a source.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """List channels."""
    from streaming_service.entrypoints.operating import list_channels

    _run(list_channels(env_file, status, q, limit, as_json=as_json))


@channels_app.command("show")
def channels_show(content_id: str, as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Show one channel with its history."""
    from streaming_service.entrypoints.operating import show_channel

    _run(show_channel(env_file, content_id, as_json=as_json))


@channels_app.command("rotate-ingest")
def channels_rotate_ingest(content_id: str, as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Make a new ingest key and show it, once; the one before is good for INGEST_KEY_GRACE_SECONDS."""
    from streaming_service.entrypoints.operating import rotate_ingest

    _run(rotate_ingest(env_file, content_id, as_json=as_json))


@origins_app.command("list")
def origins_list(as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Probe every origin once, and list them."""
    from streaming_service.entrypoints.origins import list_origins

    _run(list_origins(env_file, as_json=as_json))


@origins_app.command("drain")
def origins_drain(
    name: str,
    wait: Annotated[float, typer.Option(help="Follow it for so many seconds; 0 only asks for it.")] = 0.0,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Empty an origin without a gap for viewers; a running worker does it."""
    from streaming_service.entrypoints.origins import drain_origin

    _run(drain_origin(env_file, name, wait, as_json=as_json))


@origins_app.command("undrain")
def origins_undrain(name: str, as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """Use an origin again."""
    from streaming_service.entrypoints.origins import undrain_origin

    _run(undrain_origin(env_file, name, as_json=as_json))


@config_app.command("check")
def config_check(
    role: Annotated[
        list[str] | None, typer.Option(help="Check what api, worker or probe-agent needs; the first two if not given.")
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Print every variable, where it came from (secrets masked), and everything that is wrong."""
    from streaming_service.entrypoints.operating import check_configuration

    check_configuration(env_file, role or ["api", "worker"], as_json=as_json)


@db_app.command()
def migrate(env_file: EnvFile = _ENV) -> None:
    """Bring the store's schema to this release. All or nothing, and safe to repeat."""
    from streaming_service.entrypoints.store import migrate_store

    migrate_store(env_file)


@db_app.command("status")
def db_status(env_file: EnvFile = _ENV) -> None:
    """Say which revision the store's schema is at, and what `db migrate` would apply."""
    from streaming_service.entrypoints.store import show_status

    show_status(env_file)


@db_app.command()
def downgrade(env_file: EnvFile = _ENV) -> None:
    """Refused, with what to do instead."""
    from streaming_service.entrypoints.store import refuse_downgrade

    refuse_downgrade(env_file)


@db_app.command()
def restored(env_file: EnvFile = _ENV) -> None:
    """Say that the store was just restored from a backup: before anything else runs on it."""
    from streaming_service.entrypoints.store import tell_restored

    _run(tell_restored(env_file))


def _run(job: Coroutine[Any, Any, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(job)


def _fail(headline: str, reasons: tuple[str, ...], code: int) -> None:
    sys.stderr.write(f"streaming-service: {headline}\n")
    for reason in reasons:
        sys.stderr.write(f"  {reason}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
