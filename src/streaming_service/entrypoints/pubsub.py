"""Commands that set Pub/Sub up and look at it. Running one again changes only what is not as it should be."""

import os
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import asdict

from streaming_service.adapters.pubsub_plan import (
    MAX_ATTEMPTS,
    MAX_BACKOFF,
    MIN_BACKOFF,
    Binding,
    Difference,
    Subscription,
    Wanted,
    bindings,
    commands,
    differences,
    full_path,
)
from streaming_service.configuration import load
from streaming_service.entrypoints.terminal import document, say
from streaming_service.errors import InvalidInput, StreamingServiceError
from streaming_service.settings import Settings


class Admin(Protocol):
    """What is asked of Pub/Sub; `adapters.pubsub_admin` says what each does."""

    def has_topic(self, path: str) -> bool: ...
    def create_topic(self, path: str) -> None: ...
    def subscription(self, path: str) -> Subscription | None: ...
    def create_subscription(self, path: str, wanted: Subscription) -> None: ...
    def update_subscription(self, path: str, wanted: Subscription, changes: tuple[Difference, ...]) -> None: ...
    def grant(self, binding: Binding) -> bool: ...


class Options(Struct, frozen=True, kw_only=True):
    """What was asked for on the command line; None and empty: what the settings or our habits say."""

    project: str | None = None
    topic: str = "media.uploaded"
    subscription: str | None = None
    dead_letter_topic: str | None = None
    push_endpoint: str | None = None
    push_service_account: str | None = None
    push_audience: str | None = None
    service_account: str = ""
    project_number: str = ""
    exactly_once: bool = False
    ordered: bool = True
    dry_run: bool = False


class Step(Struct, frozen=True):
    """What became of one thing: `created`, `changed`, `left`, or `granted`."""

    did: str
    what: str
    detail: str = ""


def bootstrap(env_file: Path, options: Options, *, as_json: bool) -> None:
    """Create and correct; print what was done, and the grants that a person still has to make."""
    from streaming_service.adapters.pubsub_admin import GoogleAdmin

    settings = load(env_file=env_file)
    wanted = plan(settings, options)
    with closing(GoogleAdmin()) as admin:
        steps = set_up(admin, wanted, dry_run=options.dry_run)
        granted, left = grant(admin, bindings(wanted, options.project_number), dry_run=options.dry_run)
    todo = commands(left, wanted)
    if as_json:
        return say(document({"dryRun": options.dry_run, "steps": (*steps, *granted), "commands": todo}))
    for step in (*steps, *granted):
        say(f"{'would have ' if options.dry_run and step.did != 'left' else ''}{step.did:8} {step.what} {step.detail}")
    say(f"PUBSUB_UPLOAD_SUBSCRIPTION={wanted.name}")
    if todo:
        say("\nstill to be granted, by somebody who may:\n")
    for line in todo:
        say(line)
    return None


def seek(env_file: Path, subscription: str | None, to: str | None, snapshot: str | None) -> None:
    """Have Pub/Sub deliver again what came since a moment, or what was unacked at a snapshot."""
    from streaming_service.adapters.pubsub_admin import GoogleAdmin

    if (to is None) == (snapshot is None):
        raise InvalidInput("--to", "or --snapshot: one of them")
    path = _subscription_path(load(env_file=env_file), subscription)
    moment = None if to is None else _moment(to, datetime.now(UTC))
    kept_at = snapshot and full_path("snapshots", snapshot, path.split("/")[1], "--snapshot")
    with closing(GoogleAdmin()) as admin:
        admin.seek(path, to=moment, snapshot=kept_at)
    say(f"{path}: delivered again from {to or kept_at}; what is known already changes nothing")


def status(env_file: Path, subscription: str | None, *, as_json: bool) -> None:
    """How the subscription is set up. How much waits in it only Cloud Monitoring knows."""
    from streaming_service.adapters.pubsub_admin import GoogleAdmin

    path = _subscription_path(load(env_file=env_file), subscription)
    with closing(GoogleAdmin()) as admin:
        found = admin.subscription(path)
    if found is None:
        raise StreamingServiceError(f"{path} does not exist: streaming-service pubsub bootstrap creates it")
    if as_json:
        return say(document({"subscription": path, **asdict(found)}))
    say(path)
    for name, value in asdict(found).items():
        say(f"  {name.replace('_', ' '):18} {value}")
    return None


def plan(settings: Settings, options: Options) -> Wanted:
    """What is to be there. Raises InvalidInput."""
    if options.push_endpoint and options.exactly_once:
        raise InvalidInput("--exactly-once", "is not for push: Pub/Sub has it for pulling only")
    known = settings.pubsub_upload_subscription or ""
    project = options.project or (known.split("/")[1] if known else os.environ.get("GOOGLE_CLOUD_PROJECT"))
    topic = full_path("topics", options.topic, project, "--topic")
    short = topic.rpartition("/")[2]
    name = full_path("subscriptions", options.subscription or known or f"{short}-streaming", project, "--subscription")
    dead = full_path("topics", options.dead_letter_topic or f"{short}.dead-letter", project, "--dead-letter-topic")
    account = options.push_service_account or settings.pubsub_push_service_account or ""
    audience = options.push_audience or settings.pubsub_push_audience or options.push_endpoint or ""
    if options.push_endpoint and not account:
        raise InvalidInput("--push-service-account", "is needed: pushes are signed as it")
    pushed = bool(options.push_endpoint)
    return Wanted(
        topic=topic,
        name=name,
        dead_letter_topic=dead,
        held=f"{dead.replace('/topics/', '/subscriptions/')}-held",
        audit_topic=settings.audit_log_topic or "",
        account=options.service_account,
        subscription=Subscription(
            topic=topic,
            ack_deadline=settings.upload_event_ack_deadline_seconds,
            min_backoff=MIN_BACKOFF,
            max_backoff=MAX_BACKOFF,
            dead_letter_topic=dead,
            max_attempts=MAX_ATTEMPTS,
            ordered=options.ordered,
            exactly_once=options.exactly_once,
            retain_acked=True,
            push_endpoint=options.push_endpoint or "",
            push_account=account if pushed else "",
            push_audience=audience if pushed else "",
        ),
    )


def set_up(admin: Admin, wanted: Wanted, *, dry_run: bool) -> tuple[Step, ...]:
    """Topics first, then subscriptions. Raises StreamingServiceError for a subscription of another topic."""
    steps = [_topic(admin, path, dry_run=dry_run) for path in wanted.topics]
    for path, subscription in wanted.subscriptions.items():
        steps += _subscription(admin, path, subscription, dry_run=dry_run)
    return tuple(steps)


def grant(admin: Admin, needed: Sequence[Binding], *, dry_run: bool) -> tuple[tuple[Step, ...], tuple[Binding, ...]]:
    """What could be granted, and what is left to somebody who may."""
    steps: list[Step] = []
    left: list[Binding] = []
    for binding in needed:
        if dry_run or not binding.told:
            left.append(binding)
            continue
        try:
            did = "granted" if admin.grant(binding) else "left"
        except StreamingServiceError:
            left.append(binding)  # we may not, or it is the emulator: the command is printed instead
        else:
            steps.append(Step(did, binding.resource, f"{binding.role} to {binding.member}"))
    return tuple(steps), tuple(left)


def _topic(admin: Admin, path: str, *, dry_run: bool) -> Step:
    if admin.has_topic(path):
        return Step("left", path)
    if not dry_run:
        admin.create_topic(path)
    return Step("created", path)


def _subscription(admin: Admin, path: str, wanted: Subscription, *, dry_run: bool) -> list[Step]:
    found = admin.subscription(path)
    if found is None:
        if not dry_run:
            admin.create_subscription(path, wanted)
        return [Step("created", path)]
    if found.topic != wanted.topic:
        raise StreamingServiceError(f"{path} belongs to {found.topic}: name another with --subscription, or delete it")
    differ = differences(found, wanted)
    changes = tuple(item for item in differ if item.can_change)
    if changes and not dry_run:
        admin.update_subscription(path, wanted, changes)
    fixed = [
        Step("left", path, f"{item.name} stays {item.before}: it is chosen when a subscription is created")
        for item in differ
        if not item.can_change
    ]
    if changes:
        return [Step("changed", path, ", ".join(f"{it.name}: {it.before} → {it.after}" for it in changes)), *fixed]
    return fixed or [Step("left", path)]


def _subscription_path(settings: Settings, name: str | None) -> str:
    known = settings.pubsub_upload_subscription or ""
    if not name and not known:
        raise InvalidInput("--subscription", "is needed: PUBSUB_UPLOAD_SUBSCRIPTION is not set")
    project = known.split("/")[1] if known else os.environ.get("GOOGLE_CLOUD_PROJECT")
    return full_path("subscriptions", name or known, project, "--subscription")


def _moment(text: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("--to", "is no moment such as 2026-01-02T03:04:05Z") from error
    if moment.tzinfo is None:
        raise InvalidInput("--to", "names no time zone: end it with Z")
    if moment > now:
        raise InvalidInput("--to", "is to come: Pub/Sub would drop everything that waits")
    return moment
