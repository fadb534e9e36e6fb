"""Pub/Sub's own administration, over Google's clients; they go to `PUBSUB_EMULATOR_HOST` when that is set.

Every method blocks, and raises PubSubRefused for what Google's client raises.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from google.api_core.exceptions import AlreadyExists, GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import pubsub_v1

from streaming_service.adapters.pubsub_plan import Binding, Difference, Subscription
from streaming_service.errors import StreamingServiceError

_TIMEOUT = 20.0
# Our name → the field of Google's, for the update mask.
_FIELDS = {
    "ack_deadline": "ack_deadline_seconds",
    "min_backoff": "retry_policy",
    "max_backoff": "retry_policy",
    "dead_letter_topic": "dead_letter_policy",
    "max_attempts": "dead_letter_policy",
    "exactly_once": "enable_exactly_once_delivery",
    "kept_seconds": "message_retention_duration",
    "retain_acked": "retain_acked_messages",
    "expires_after": "expiration_policy",
    "push_endpoint": "push_config",
    "push_account": "push_config",
    "push_audience": "push_config",
}


class PubSubRefused(StreamingServiceError):
    """Pub/Sub did not do it."""


class GoogleAdmin:
    """Topics, subscriptions and who may use them. All names are full paths."""

    def __init__(self) -> None:
        with _sentences("connecting to Pub/Sub"):
            self._topics = cast("Any", pubsub_v1.PublisherClient())
            self._subscriptions = cast("Any", pubsub_v1.SubscriberClient())

    def has_topic(self, path: str) -> bool:
        with _sentences(path):
            try:
                self._topics.get_topic(request={"topic": path}, timeout=_TIMEOUT)
            except NotFound:
                return False
        return True

    def create_topic(self, path: str) -> None:
        """One that exists already stays as it is."""
        with _sentences(path):
            try:
                self._topics.create_topic(request={"name": path}, timeout=_TIMEOUT)
            except AlreadyExists:
                return

    def subscription(self, path: str) -> Subscription | None:
        """None when there is none."""
        with _sentences(path):
            try:
                found = self._subscriptions.get_subscription(request={"subscription": path}, timeout=_TIMEOUT)
            except NotFound:
                return None
        return _ours(found)

    def create_subscription(self, path: str, wanted: Subscription) -> None:
        request = {"name": path, "topic": wanted.topic, "enable_message_ordering": wanted.ordered, **_theirs(wanted)}
        with _sentences(path):
            self._subscriptions.create_subscription(request=request, timeout=_TIMEOUT)

    def update_subscription(self, path: str, wanted: Subscription, changes: tuple[Difference, ...]) -> None:
        """Only the fields of `changes`."""
        fields = sorted({_FIELDS[change.name] for change in changes})
        values = {name: value for name, value in _theirs(wanted).items() if name in fields}
        request = {"subscription": {"name": path, **values}, "update_mask": {"paths": fields}}
        with _sentences(path):
            self._subscriptions.update_subscription(request=request, timeout=_TIMEOUT)

    def seek(self, path: str, *, to: datetime | None = None, snapshot: str | None = None) -> None:
        """Unacked from here on is what came since `to`, or was unacked at the snapshot."""
        target = {"snapshot": snapshot} if snapshot else {"time": to}
        with _sentences(path):
            self._subscriptions.seek(request={"subscription": path, **target}, timeout=_TIMEOUT)

    def grant(self, binding: Binding) -> bool:
        """False when it was granted already."""
        client = self._topics if "/topics/" in binding.resource else self._subscriptions
        with _sentences(binding.resource):
            policy = client.get_iam_policy(request={"resource": binding.resource}, timeout=_TIMEOUT)
            for granted in policy.bindings:
                if granted.role == binding.role and not granted.condition.expression:
                    if binding.member in granted.members:
                        return False
                    granted.members.append(binding.member)
                    break
            else:
                policy.bindings.add(role=binding.role, members=[binding.member])
            # It carries the etag that was read: somebody else's change is refused, not undone.
            client.set_iam_policy(request={"resource": binding.resource, "policy": policy}, timeout=_TIMEOUT)
        return True

    def close(self) -> None:
        self._topics.stop()
        self._topics.transport.close()
        self._subscriptions.close()


@contextmanager
def _sentences(about: str) -> Generator[None]:
    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise PubSubRefused(f"{about}: {' '.join(str(error).split())[:300]}") from error


def _theirs(wanted: Subscription) -> dict[str, Any]:
    """The fields that can be changed, as Google wants them; None unsets one."""
    seconds = {name: timedelta(seconds=value) for name, value in _durations(wanted).items()}
    push: dict[str, Any] = {"push_endpoint": wanted.push_endpoint} if wanted.push_endpoint else {}
    if wanted.push_account:
        push["oidc_token"] = {"service_account_email": wanted.push_account, "audience": wanted.push_audience}
    return {
        "ack_deadline_seconds": wanted.ack_deadline,
        "retry_policy": (
            {"minimum_backoff": seconds["min"], "maximum_backoff": seconds["max"]} if wanted.max_backoff else None
        ),
        "dead_letter_policy": (
            {"dead_letter_topic": wanted.dead_letter_topic, "max_delivery_attempts": wanted.max_attempts}
            if wanted.dead_letter_topic
            else None
        ),
        "enable_exactly_once_delivery": wanted.exactly_once,
        "message_retention_duration": seconds["kept"],
        "retain_acked_messages": wanted.retain_acked,
        # Present and empty means never; absent would mean after 31 days without use.
        "expiration_policy": {"ttl": seconds["expires"]} if wanted.expires_after else {},
        "push_config": push,
    }


def _durations(wanted: Subscription) -> dict[str, int]:
    return {
        "min": wanted.min_backoff,
        "max": wanted.max_backoff,
        "kept": wanted.kept_seconds,
        "expires": wanted.expires_after,
    }


def _ours(found: Any) -> Subscription:
    push = found.push_config
    return Subscription(
        topic=found.topic,
        ack_deadline=found.ack_deadline_seconds,
        min_backoff=_seconds(found.retry_policy.minimum_backoff),
        max_backoff=_seconds(found.retry_policy.maximum_backoff),
        dead_letter_topic=found.dead_letter_policy.dead_letter_topic,
        max_attempts=found.dead_letter_policy.max_delivery_attempts,
        ordered=found.enable_message_ordering,
        exactly_once=found.enable_exactly_once_delivery,
        kept_seconds=_seconds(found.message_retention_duration),
        retain_acked=found.retain_acked_messages,
        expires_after=_seconds(found.expiration_policy.ttl),
        push_endpoint=push.push_endpoint,
        push_account=push.oidc_token.service_account_email,
        push_audience=push.oidc_token.audience,
    )


def _seconds(duration: timedelta | None) -> int:
    return int(duration.total_seconds()) if duration else 0
