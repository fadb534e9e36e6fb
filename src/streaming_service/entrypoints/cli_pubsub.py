"""`streaming-service pubsub`: its commands."""

from pathlib import Path
from typing import Annotated

import typer

pubsub_app = typer.Typer(help="Set Google Pub/Sub up, and replay from it.", no_args_is_help=True)

EnvFile = Annotated[Path, typer.Option("--env-file", help="File with variables that the environment does not set.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Subscription = Annotated[str | None, typer.Option(help="Name or full path; PUBSUB_UPLOAD_SUBSCRIPTION if not given.")]
_ENV = Path(".env")


@pubsub_app.command("bootstrap")
def bootstrap(
    project: Annotated[str | None, typer.Option(help="Google Cloud project.")] = None,
    topic: Annotated[str, typer.Option(help="Where uploads are told of: name or full path.")] = "media.uploaded",
    subscription: Subscription = None,
    dead_letter_topic: Annotated[str | None, typer.Option(help="TOPIC.dead-letter if not given.")] = None,
    push_endpoint: Annotated[str | None, typer.Option(help="URL of /internal/events/pubsub; else we pull.")] = None,
    push_service_account: Annotated[str | None, typer.Option(help="E-mail that pushes are signed as.")] = None,
    push_audience: Annotated[str | None, typer.Option(help="PUBSUB_PUSH_AUDIENCE, or the endpoint.")] = None,
    service_account: Annotated[str, typer.Option(help="E-mail of the account that runs the service.")] = "",
    project_number: Annotated[str, typer.Option(help="Lets grants to Google's own account be made here.")] = "",
    exactly_once: Annotated[bool, typer.Option("--exactly-once", help="Acks that are confirmed.")] = False,
    ordered: Annotated[bool, typer.Option(help="In order per ordering key; chosen once.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Json = False,
    env_file: EnvFile = _ENV,
) -> None:
    """Create topic, subscription and dead-letter topic, or correct them. Again: changes nothing."""
    from streaming_service.entrypoints import pubsub

    options = pubsub.Options(
        project=project,
        topic=topic,
        subscription=subscription,
        dead_letter_topic=dead_letter_topic,
        push_endpoint=push_endpoint,
        push_service_account=push_service_account,
        push_audience=push_audience,
        service_account=service_account,
        project_number=project_number,
        exactly_once=exactly_once,
        ordered=ordered,
        dry_run=dry_run,
    )
    pubsub.bootstrap(env_file, options, as_json=as_json)


@pubsub_app.command("seek")
def seek(
    to: Annotated[str | None, typer.Option(help="Everything since this moment: 2026-01-02T03:04:05Z")] = None,
    snapshot: Annotated[str | None, typer.Option(help="What was unacked at this snapshot.")] = None,
    subscription: Subscription = None,
    env_file: EnvFile = _ENV,
) -> None:
    """Replay: have messages delivered again."""
    from streaming_service.entrypoints import pubsub

    pubsub.seek(env_file, subscription, to, snapshot)


@pubsub_app.command("status")
def status(subscription: Subscription = None, as_json: Json = False, env_file: EnvFile = _ENV) -> None:
    """How the subscription is set up."""
    from streaming_service.entrypoints import pubsub

    pubsub.status(env_file, subscription, as_json=as_json)
