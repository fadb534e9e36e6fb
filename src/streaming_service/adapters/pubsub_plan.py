"""What the service needs at Pub/Sub, how that differs from what is there, and who has to be let do what. Pure."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from streaming_service.errors import InvalidInput

# What only waits for our store must not be taken from us: with these pauses a message is tried for 15 hours and more
# before it becomes a dead letter. What cannot be understood never gets there, it is kept in our own store at once.
MAX_ATTEMPTS = 100  # the most that Pub/Sub allows
MIN_BACKOFF = 10
MAX_BACKOFF = 600
KEPT_SECONDS = 7 * 24 * 3600  # Google keeps messages for up to 31 days, its emulator for 7
_AGENT = "service-{}@gcp-sa-pubsub.iam.gserviceaccount.com"
_NUMBER = "$PROJECT_NUMBER"
# Chosen when a subscription is created, and never again.
_FIXED = frozenset({"topic", "ordered"})


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription, in our words. `topic` and `dead_letter_topic` are full paths; seconds; empty and 0: none.

    `retain_acked` keeps what was acked for `kept_seconds`, so that it can be replayed. `expires_after` 0: never.
    """

    topic: str
    ack_deadline: int = 60
    min_backoff: int = 0
    max_backoff: int = 0
    dead_letter_topic: str = ""
    max_attempts: int = 0
    ordered: bool = False
    exactly_once: bool = False
    kept_seconds: int = KEPT_SECONDS
    retain_acked: bool = False
    expires_after: int = 0
    push_endpoint: str = ""
    push_account: str = ""
    push_audience: str = ""


class Wanted(Struct, frozen=True, kw_only=True):
    """Everything that is set up, as full paths. `account` is who runs the service; empty: not told."""

    topic: str
    name: str
    subscription: Subscription
    dead_letter_topic: str
    held: str
    audit_topic: str = ""
    account: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.topic, self.dead_letter_topic, self.audit_topic)))

    @property
    def subscriptions(self) -> dict[str, Subscription]:
        """With the one that holds dead letters: a topic without any forgets them at once."""
        held = Subscription(topic=self.dead_letter_topic, ordered=self.subscription.ordered)
        return {self.name: self.subscription, self.held: held}


class Difference(Struct, frozen=True):
    """One property of a subscription that is not as it should be."""

    name: str
    before: Any
    after: Any

    @property
    def can_change(self) -> bool:
        return self.name not in _FIXED


class Binding(Struct, frozen=True):
    """`member` needs `role` on `resource`, a full path."""

    resource: str
    role: str
    member: str

    @property
    def told(self) -> bool:
        """Every part of it is known; otherwise the shell fills in the project's number."""
        return _NUMBER not in self.member


def differences(before: Subscription, after: Subscription) -> tuple[Difference, ...]:
    """What has to be changed. Who keeps messages longer than asked for may go on."""
    old, new = asdict(before), asdict(after)
    new["kept_seconds"] = max(before.kept_seconds, after.kept_seconds)
    return tuple(Difference(name, old[name], value) for name, value in new.items() if old[name] != value)


def bindings(wanted: Wanted, project_number: str = "") -> tuple[Binding, ...]:
    """Without them dead letters stay where they are, and pushes come unsigned."""
    agent = f"serviceAccount:{_AGENT.format(project_number or _NUMBER)}"
    needed = [
        Binding(wanted.dead_letter_topic, "roles/pubsub.publisher", agent),
        Binding(wanted.name, "roles/pubsub.subscriber", agent),
    ]
    if account := wanted.account and f"serviceAccount:{wanted.account}":
        if not wanted.subscription.push_endpoint:
            needed.append(Binding(wanted.name, "roles/pubsub.subscriber", account))
        if wanted.audit_topic:
            needed.append(Binding(wanted.audit_topic, "roles/pubsub.publisher", account))
    return tuple(needed)


def commands(left: Sequence[Binding], wanted: Wanted) -> list[str]:
    """The bindings as `gcloud` commands, for a person who may."""
    project = wanted.topic.split("/")[1]
    lines = [_command(binding) for binding in left]
    if push := wanted.subscription.push_account:
        lines.append(
            f"gcloud iam service-accounts add-iam-policy-binding {push} --project {project} "
            f'--member "serviceAccount:{_AGENT.format(_NUMBER)}" --role roles/iam.serviceAccountTokenCreator'
        )
    if any(_NUMBER in line for line in lines):
        lines.insert(0, f"PROJECT_NUMBER=$(gcloud projects describe {project} --format='value(projectNumber)')")
    return lines


def full_path(kind: str, name: str, project: str | None, option: str) -> str:
    """`projects/P/topics/T` of either that or `T`. Raises InvalidInput."""
    if name.startswith("projects/"):
        parts = name.split("/")
        if len(parts) != 4 or parts[2] != kind or not all(parts):
            raise InvalidInput(option, f"is neither a name nor projects/PROJECT/{kind}/NAME")
        return name
    if not project:
        raise InvalidInput("--project", "is needed: PUBSUB_UPLOAD_SUBSCRIPTION does not tell it")
    if not name or "/" in name:
        raise InvalidInput(option, f"is neither a name nor projects/PROJECT/{kind}/NAME")
    return f"projects/{project}/{kind}/{name}"


def _command(binding: Binding) -> str:
    _, project, kind, name = binding.resource.split("/")
    return (
        f"gcloud pubsub {kind} add-iam-policy-binding {name} --project {project} "
        f'--member "{binding.member}" --role {binding.role}'
    )
