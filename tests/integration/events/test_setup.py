"""Setting up, replaying and the audit log, against Google's emulator."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from streaming_service.adapters.audit import AuditTopic, GoogleTopic
from streaming_service.adapters.events.pubsub import PubSubSource
from streaming_service.adapters.pubsub_admin import GoogleAdmin, PubSubRefused
from streaming_service.adapters.pubsub_plan import Binding, Subscription, Wanted, differences
from streaming_service.application.ports import Ack
from streaming_service.bootstrap import open_service
from streaming_service.configuration import load
from streaming_service.devkit.emulators import PubSubEmulator, free_port
from streaming_service.domain.notification import Cause, Endpoint, Notification
from streaming_service.entrypoints import pubsub
from streaming_service.entrypoints.pubsub import Options, plan, set_up
from streaming_service.errors import StreamingServiceError
from tests.integration.events.conftest import MakeTopic
from tests.integration.events.pubsub_server import PROJECT
from tests.integration.events.test_pubsub import WAIT, source_of
from tests.unit.adapters.events.handlers import Recorder, until

pytestmark = [pytest.mark.anyio, pytest.mark.pubsub]
_numbers = count(1)


@pytest.fixture
def admin(emulator: PubSubEmulator) -> Iterator[GoogleAdmin]:
    del emulator
    with closing(GoogleAdmin()) as made:
        yield made


def wanted(options: Options | None = None, **variables: str) -> Wanted:
    number = next(_numbers)
    made = options or Options(topic=f"setup-{number}", subscription=f"setup-{number}", project=PROJECT)
    return plan(load(variables, env_file=None), made)


def test_it_is_set_up_once_and_can_be_changed(admin: GoogleAdmin) -> None:
    first = wanted()
    assert {step.did for step in set_up(admin, first, dry_run=False)} == {"created"}
    assert {step.did for step in set_up(admin, first, dry_run=False)} == {"left"}
    for path, subscription in first.subscriptions.items():
        found = admin.subscription(path)
        assert found is not None
        assert differences(found, subscription) == ()

    short = first.topic.rpartition("/")[2]
    options = Options(topic=short, subscription=short, project=PROJECT)
    second = plan(load({"UPLOAD_EVENT_ACK_DEADLINE_SECONDS": "30"}, env_file=None), options)
    assert [step.did for step in set_up(admin, second, dry_run=False)] == ["left", "left", "changed", "left"]
    assert admin.subscription(first.name) == second.subscription


def test_a_push_subscription_is_signed(admin: GoogleAdmin) -> None:
    number = next(_numbers)
    options = Options(
        project=PROJECT,
        topic=f"pushed-{number}",
        subscription=f"pushed-{number}",
        push_endpoint=f"http://127.0.0.1:{free_port()}/internal/events/pubsub",
        push_service_account="pusher@project.iam.gserviceaccount.com",
        push_audience="https://streaming.test",
    )
    made = wanted(options)
    set_up(admin, made, dry_run=False)

    assert admin.subscription(made.name) == made.subscription


def test_what_the_emulator_cannot_do_is_a_refusal(admin: GoogleAdmin) -> None:
    with pytest.raises(PubSubRefused):
        admin.grant(Binding(f"projects/{PROJECT}/topics/none", "roles/pubsub.publisher", "serviceAccount:a@b.c"))
    with pytest.raises(PubSubRefused):
        admin.seek(f"projects/{PROJECT}/subscriptions/none", to=datetime.now(UTC))
    assert admin.subscription(f"projects/{PROJECT}/subscriptions/none") is None


def test_the_commands(
    emulator: PubSubEmulator, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del emulator
    number = next(_numbers)
    path = f"projects/{PROJECT}/subscriptions/commands-{number}"
    monkeypatch.setenv("PUBSUB_UPLOAD_SUBSCRIPTION", path)
    env, options = tmp_path / "none.env", Options(topic=f"commands-{number}")

    with pytest.raises(StreamingServiceError, match="bootstrap creates it"):
        pubsub.status(env, None, as_json=True)
    pubsub.bootstrap(env, options, as_json=False)
    assert f"created  {path}" in capsys.readouterr().out
    pubsub.bootstrap(env, options, as_json=True)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {step["did"] for step in told["steps"]} == {"left"}
    assert any("gcp-sa-pubsub" in command for command in told["commands"])
    pubsub.status(env, None, as_json=True)
    assert json.loads(capsys.readouterr().out)["max_attempts"] == 100
    with pytest.raises(PubSubRefused, match="501"):  # the emulator goes back to snapshots only
        pubsub.seek(env, None, "2026-01-02T03:04:05Z", None)


async def test_a_replay_delivers_what_was_acked_once_more(admin: GoogleAdmin, make_topic: MakeTopic) -> None:
    topic = await make_topic()
    recorder = Recorder()
    await topic.publish(b"1", b"2")
    kept_at = await topic.snapshot()
    async with source_of(topic).consume(recorder):
        await until(lambda: len(recorder.seen) == 2, WAIT)
    assert await topic.unacked() == []

    # More than once: the emulator feeds a stream that was closed once more before it notices.
    seen: set[bytes] = set()
    for _ in range(5):
        await asyncio.to_thread(admin.seek, topic.subscription, snapshot=kept_at)
        seen |= {message.data for message in await topic.pull(at_once=True)}
    assert seen == {b"1", b"2"}


async def test_what_fails_too_often_waits_among_the_dead_letters(admin: GoogleAdmin, make_topic: MakeTopic) -> None:
    dead = await make_topic()
    number = next(_numbers)
    name, topic = f"projects/{PROJECT}/subscriptions/failing-{number}", f"projects/{PROJECT}/topics/failing-{number}"
    subscription = Subscription(
        topic=topic, ack_deadline=10, dead_letter_topic=f"projects/{PROJECT}/topics/{dead.name}", max_attempts=5
    )
    await asyncio.to_thread(admin.create_topic, topic)
    await asyncio.to_thread(admin.create_subscription, name, subscription)
    recorder = Recorder(lambda _: Ack.NACK)

    with closing(GoogleTopic(topic)) as uploads:
        async with PubSubSource(name, 10, backoff=lambda _: 0.05).consume(recorder):
            await asyncio.to_thread(uploads.publish, b"1", {}, "", 10)
            await until(lambda: len(recorder.seen) >= 5, 2 * WAIT)

    assert [message.delivery_attempt for message in recorder.seen[:5]] == [1, 2, 3, 4, 5]
    (letter,) = await dead.pull()
    assert letter.data == b"1"


async def test_the_audit_log_arrives_in_order_with_its_key(make_topic: MakeTopic) -> None:
    topic = await make_topic(ordered=True)
    audit = AuditTopic(lambda: GoogleTopic(f"projects/{PROJECT}/topics/{topic.name}"), timeout=10)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    with closing(audit):
        for number in range(5):
            entry = Notification(f"n-{number}", Endpoint.AUDIT, "admin.purge", "content-1", at, {}, "c-1")
            receipt = await audit.deliver(entry, {"id": entry.id, "contentId": "content-1"})
            assert receipt.ok, receipt.detail

    pulled = await topic.pull()
    assert [json.loads(message.data)["id"] for message in pulled] == [f"n-{number}" for number in range(5)]
    assert {message.ordering_key for message in pulled} == {"content-1"}
    assert pulled[0].attributes["x-correlation-id"] == "c-1"


async def test_a_service_pays_its_audit_log(make_topic: MakeTopic) -> None:
    topic = await make_topic(ordered=True)
    variables = {
        "APP_ENV": "test",
        "CHANNEL_REPOSITORY_BACKEND": "memory",
        "EVENT_SOURCE": "embedded",
        "DRY_RUN_PROVISIONING": "true",
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "CDN_BASE_URL": "https://cdn.test",
        "CDN_SIGNING_SECRET": "AAECAwQFBgcICQoLDA0ODw==",
        "AUDIT_LOG_TOPIC": f"projects/{PROJECT}/topics/{topic.name}",
    }
    registration: dict[str, Any] = {
        "contentId": "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11",
        "tenantId": "t",
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/a.mp4",
        "checksum": "sha256:1",
        "durationSeconds": 10,
        "ingestRegion": "iad",
    }
    cause = Cause("admin-api", "c-1")
    async with open_service(load(variables, env_file=None, roles=["worker"])) as service:
        paying = asyncio.create_task(service.delivery.run())
        await service.intake.register(registration, None, cause)
        await service.administration.purge(registration["contentId"], cause)
        await service.administration.retire(registration["contentId"], cause)
        async with asyncio.timeout(WAIT):
            while (await service.store.backlog()).pending.get(Endpoint.AUDIT, 0):
                await asyncio.sleep(0.02)
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)

    entries = [json.loads(message.data) for message in await topic.pull()]
    assert [entry["action"] for entry in entries] == ["accepted", "purge", "retired"]
    assert {(entry["actor"], entry["contentId"], entry["correlationId"]) for entry in entries} == {
        ("admin-api", registration["contentId"], "c-1")
    }


async def test_a_topic_that_does_not_exist_is_told_and_owed(emulator: PubSubEmulator) -> None:
    del emulator
    audit = AuditTopic(lambda: GoogleTopic(f"projects/{PROJECT}/topics/nowhere"), timeout=5)
    with closing(audit):
        receipt = await audit.deliver(
            Notification("n-1", Endpoint.AUDIT, "t", "content-1", datetime(2026, 1, 2, tzinfo=UTC), {}), {}
        )

    assert (receipt.ok, receipt.status) == (False, 404)
