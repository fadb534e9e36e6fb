"""What `pubsub bootstrap` wants, does and leaves to somebody who may, against a Pub/Sub in memory."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming_service.adapters.pubsub_plan import (
    MAX_ATTEMPTS,
    Binding,
    Difference,
    Subscription,
    Wanted,
    bindings,
    commands,
    full_path,
)
from streaming_service.configuration import load
from streaming_service.entrypoints.pubsub import Options, Step, grant, plan, seek, set_up
from streaming_service.errors import InvalidInput, StreamingServiceError

SUBSCRIPTION = "projects/p/subscriptions/media-in"
NAMES = (
    "projects/p/topics/media.uploaded",
    "projects/p/topics/media.uploaded.dead-letter",
    SUBSCRIPTION,
    "projects/p/subscriptions/media.uploaded.dead-letter-held",
)


class Cloud:
    """Topics, subscriptions and grants; `refuses` says why nothing may be granted."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.subscriptions: dict[str, Subscription] = {}
        self.granted: set[Binding] = set()
        self.refuses: str | None = None
        self.writes = 0

    def has_topic(self, path: str) -> bool:
        return path in self.topics

    def create_topic(self, path: str) -> None:
        self.writes += 1
        self.topics.add(path)

    def subscription(self, path: str) -> Subscription | None:
        return self.subscriptions.get(path)

    def create_subscription(self, path: str, wanted: Subscription) -> None:
        self.writes += 1
        assert wanted.topic in self.topics
        self.subscriptions[path] = wanted

    def update_subscription(self, path: str, wanted: Subscription, changes: tuple[Difference, ...]) -> None:
        self.writes += 1
        self.subscriptions[path] = replace(self.subscriptions[path], **{item.name: item.after for item in changes})

    def grant(self, binding: Binding) -> bool:
        if self.refuses:
            raise StreamingServiceError(self.refuses)
        fresh = binding not in self.granted
        self.granted.add(binding)
        return fresh


def wanted(options: Options | None = None, **variables: str) -> Wanted:
    values = {"PUBSUB_UPLOAD_SUBSCRIPTION": SUBSCRIPTION, **variables}
    return plan(load(values, env_file=None), options or Options())


def did(steps: tuple[Step, ...]) -> dict[str, str]:
    return {step.what: step.did for step in steps}


def test_everything_is_created_and_the_second_time_nothing_is() -> None:
    cloud = Cloud()
    assert did(set_up(cloud, wanted(), dry_run=False)) == dict.fromkeys(NAMES, "created")
    writes = cloud.writes

    assert did(set_up(cloud, wanted(), dry_run=False)) == dict.fromkeys(NAMES, "left")
    assert cloud.writes == writes


def test_a_subscription_keeps_what_waits_and_what_was_acked() -> None:
    made = wanted(UPLOAD_EVENT_ACK_DEADLINE_SECONDS="90").subscription

    assert (made.ack_deadline, made.ordered, made.exactly_once, made.expires_after) == (90, True, False, 0)
    assert (made.max_attempts, made.min_backoff, made.max_backoff) == (MAX_ATTEMPTS, 10, 600)
    assert made.retain_acked, "otherwise nothing that was acked could be replayed"
    # A store that is down for half a day makes no dead letter: pauses double from 10 s to 600 s.
    assert sum(min(600, 10 * 2**attempt) for attempt in range(MAX_ATTEMPTS - 1)) > 15 * 3600


def test_dead_letters_are_held_by_a_subscription_of_their_own() -> None:
    held = wanted().subscriptions[NAMES[3]]

    assert (held.topic, held.dead_letter_topic, held.expires_after) == (NAMES[1], "", 0)


def test_only_what_differs_is_changed() -> None:
    cloud = Cloud()
    set_up(cloud, wanted(), dry_run=False)
    (step,) = [
        item
        for item in set_up(
            cloud, wanted(Options(exactly_once=True), UPLOAD_EVENT_ACK_DEADLINE_SECONDS="30"), dry_run=False
        )
        if item.did != "left"
    ]

    assert step == Step("changed", SUBSCRIPTION, "ack_deadline: 60 → 30, exactly_once: False → True")
    assert cloud.subscriptions[SUBSCRIPTION].exactly_once


def test_what_is_chosen_once_stays_and_is_told() -> None:
    cloud = Cloud()
    set_up(cloud, wanted(Options(ordered=False)), dry_run=False)
    steps = set_up(cloud, wanted(), dry_run=False)

    assert Step("left", SUBSCRIPTION, "ordered stays False: it is chosen when a subscription is created") in steps
    assert not cloud.subscriptions[SUBSCRIPTION].ordered


def test_what_is_kept_longer_is_not_cut_short() -> None:
    cloud = Cloud()
    set_up(cloud, wanted(), dry_run=False)
    cloud.subscriptions[NAMES[3]] = replace(cloud.subscriptions[NAMES[3]], kept_seconds=31 * 24 * 3600)

    assert did(set_up(cloud, wanted(), dry_run=False)) == dict.fromkeys(NAMES, "left")


def test_a_subscription_of_another_topic_is_not_touched() -> None:
    cloud = Cloud()
    cloud.subscriptions[SUBSCRIPTION] = Subscription(topic="projects/p/topics/other")
    with pytest.raises(StreamingServiceError, match=r"belongs to projects/p/topics/other"):
        set_up(cloud, wanted(), dry_run=False)
    assert cloud.subscriptions[SUBSCRIPTION] == Subscription(topic="projects/p/topics/other")


def test_a_dry_run_writes_nothing() -> None:
    cloud = Cloud()
    assert set(did(set_up(cloud, wanted(), dry_run=True)).values()) == {"created"}
    needed = bindings(wanted(), "42")
    assert grant(cloud, needed, dry_run=True) == ((), needed)
    assert (cloud.writes, cloud.granted) == (0, set())


def test_push_and_pull_can_be_changed_into_each_other() -> None:
    cloud = Cloud()
    pushed = wanted(Options(push_endpoint="https://s.test/internal/events/pubsub", push_service_account="a@b.c"))
    assert pushed.subscription.push_audience == "https://s.test/internal/events/pubsub"
    set_up(cloud, wanted(), dry_run=False)
    set_up(cloud, pushed, dry_run=False)
    assert cloud.subscriptions[SUBSCRIPTION] == pushed.subscription
    set_up(cloud, wanted(), dry_run=False)
    assert cloud.subscriptions[SUBSCRIPTION] == wanted().subscription


def test_the_audit_topic_is_made_too() -> None:
    cloud = Cloud()
    set_up(cloud, wanted(AUDIT_LOG_TOPIC="projects/q/topics/audit"), dry_run=False)
    assert "projects/q/topics/audit" in cloud.topics


def test_what_may_be_granted_is_and_the_rest_is_printed() -> None:
    cloud = Cloud()
    needed = bindings(wanted(Options(service_account="svc@p.iam")))
    granted, left = grant(cloud, needed, dry_run=False)
    assert [step.detail for step in granted] == ["roles/pubsub.subscriber to serviceAccount:svc@p.iam"]
    assert len(left) == 2, "Google's own account has the project's number in its name"

    agent = "serviceAccount:service-$PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com"
    add = "gcloud pubsub {} add-iam-policy-binding {} --project p --member " + f'"{agent}" --role roles/pubsub.'
    assert commands(left, wanted()) == [
        "PROJECT_NUMBER=$(gcloud projects describe p --format='value(projectNumber)')",
        add.format("topics", "media.uploaded.dead-letter") + "publisher",
        add.format("subscriptions", "media-in") + "subscriber",
    ]
    cloud.refuses = "403"
    assert grant(cloud, needed, dry_run=False) == ((), needed)


def test_with_the_projects_number_everything_can_be_granted_here() -> None:
    cloud = Cloud()
    needed = bindings(wanted(), "42")
    granted, left = grant(cloud, needed, dry_run=False)

    assert ([step.did for step in granted], left) == (["granted", "granted"], ())
    assert [step.did for step in grant(cloud, needed, dry_run=False)[0]] == ["left", "left"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (Options(topic="a/b"), "--topic"),
        (Options(topic=""), "--topic"),
        (Options(topic="projects/p/subscriptions/x"), "--topic"),
        (Options(subscription="projects//subscriptions/x"), "--subscription"),
        (Options(push_endpoint="https://s.test"), "--push-service-account"),
        (Options(push_endpoint="https://s.test", push_service_account="a@b.c", exactly_once=True), "--exactly-once"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: Options, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        wanted(options)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("to", "snapshot", "reason"),
    [
        (None, None, "one of them"),
        ("2026-01-02T03:04:05Z", "s", "one of them"),
        ("yesterday", None, "no moment"),
        ("2026-01-02T03:04:05", None, "time zone"),
        ("2999-01-02T03:04:05Z", None, "to come"),
    ],
)
def test_a_replay_begins_at_one_moment_of_the_past(
    tmp_path: Path, to: str | None, snapshot: str | None, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        seek(tmp_path / "none.env", SUBSCRIPTION, to, snapshot)


@pytest.mark.parametrize("name", ["t", "projects/p/topics/t"])
def test_names_may_be_short(name: str) -> None:
    assert full_path("topics", name, "p", "--topic") == "projects/p/topics/t"


def test_without_a_project_a_short_name_says_nothing() -> None:
    with pytest.raises(InvalidInput, match="--project"):
        full_path("topics", "t", None, "--topic")
