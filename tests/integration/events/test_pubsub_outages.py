"""What happens when Pub/Sub is away, refuses, forgets or falls silent."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from streaming_service.adapters.events.pubsub import PubSubSource
from streaming_service.devkit.emulators import PubSubEmulator, free_port
from tests.integration.events.conftest import started
from tests.integration.events.pubsub_server import PROJECT, Topic
from tests.unit.adapters.events.handlers import Gate, Recorder, until
from tests.unit.adapters.events.test_dispatch import Lost

pytestmark = [pytest.mark.anyio, pytest.mark.pubsub]
WAIT = 30.0
GOOGLES_THREADS = {"pubsub-close", "Thread-ConsumeBidirectionalStream", "Thread-LeaseMaintainer", "Thread-Heartbeater"}


def source_of(subscription: str, max_silence_seconds: float = 900.0) -> PubSubSource:
    return PubSubSource(subscription, 10, max_silence_seconds=max_silence_seconds, backoff=lambda _: 0.05)


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """Google's threads may outlive their stream by the 10 s they sleep before they reconnect, and no longer.

    Waiting for them also keeps their random numbers out of the property tests that come later.
    """
    yield
    deadline = time.monotonic() + 20
    while left := [thread.name for thread in threading.enumerate() if thread.name in GOOGLES_THREADS]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def streams_opened(logs: Sequence[Mapping[str, Any]]) -> int:
    return sum(line["event"] == "event stream open" for line in logs)


@pytest.fixture
def mortal_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubEmulator]:
    """One of its own, because it is stopped on the way; it comes back on the same port."""
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    emulator = started(PubSubEmulator(free_port()))
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    yield emulator
    emulator.stop()


async def test_after_a_restart_of_pubsub_events_flow_again(mortal_emulator: PubSubEmulator) -> None:
    first, recorder = Topic("restarted"), Recorder()
    await first.create()
    source = source_of(first.subscription)

    async with source.consume(recorder):
        await first.publish(b"before")
        await until(lambda: len(recorder.seen) == 1, WAIT)
        assert source.alive
        first.close()

        await asyncio.to_thread(mortal_emulator.stop)
        await until(lambda: not source.alive, WAIT)

        # It kept everything in memory: the subscription is gone too, until somebody makes it anew.
        await asyncio.to_thread(mortal_emulator.start)
        second = Topic("restarted")
        await second.create()
        await second.publish(b"after")
        await until(lambda: len(recorder.seen) == 2, WAIT)
        await until(lambda: source.alive, WAIT)

    assert [message.data for message in recorder.seen] == [b"before", b"after"]
    assert await second.unacked() == []
    second.close()


async def test_leaving_while_pubsub_is_away_does_not_hang(mortal_emulator: PubSubEmulator) -> None:
    topic = Topic("leaving")
    await topic.create()
    source = source_of(topic.subscription)

    async with source.consume(Recorder()):
        await until(lambda: source.alive, WAIT)
        await asyncio.to_thread(mortal_emulator.stop)
        await until(lambda: not source.alive, WAIT)
        left_at = time.monotonic()
    topic.close()

    assert time.monotonic() - left_at < 10


async def test_a_service_starts_while_pubsub_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    source = source_of(f"projects/{PROJECT}/subscriptions/nobody")

    async with source.consume(Recorder()):
        with pytest.raises(TimeoutError):
            await until(lambda: source.alive, 2.0)


async def test_a_stream_without_a_connection_is_given_up_and_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    meter = Lost()
    source = PubSubSource(
        f"projects/{PROJECT}/subscriptions/nobody", 10, max_away_seconds=0.3, backoff=lambda _: 0.05, meter=meter
    )
    assert source.state == 0

    async with source.consume(Recorder()):
        await until(lambda: meter.reopened.count("away") >= 2, WAIT)
        assert source.state == 1
    assert source.state == 0


@pytest.mark.usefixtures("emulator")
async def test_a_subscription_that_does_not_exist_yet_is_asked_for_until_it_does() -> None:
    topic, recorder = Topic(), Recorder()
    source = source_of(topic.subscription)

    with capture_logs() as logs:
        async with source.consume(recorder):
            await until(lambda: sum(line["event"] == "event stream ended" for line in logs) >= 3, WAIT)
            assert not source.alive
            await topic.create()
            await topic.publish(b"1")
            await until(lambda: len(recorder.seen) == 1, WAIT)
    topic.close()

    ended = next(line for line in logs if line["event"] == "event stream ended")
    assert ended["log_level"] == "warning"
    assert ended["subscription"] == topic.subscription
    assert "does not exist" in ended["error"]


async def test_a_silent_stream_is_replaced_by_one_that_works(topic: Topic) -> None:
    source, recorder = source_of(topic.subscription, max_silence_seconds=0.5), Recorder()

    with capture_logs() as logs:
        async with source.consume(recorder):
            await until(lambda: streams_opened(logs) >= 2, WAIT)
            async with asyncio.timeout(WAIT):
                while not recorder.seen:
                    # More than one: the emulator notices only by writing to it that the first stream is gone.
                    await topic.publish(b"1")
                    await asyncio.sleep(0.05)

    assert [line["log_level"] for line in logs if line["log_level"] != "info"] == []


async def test_a_stream_with_something_in_hand_is_not_silent(topic: Topic) -> None:
    source, gate = source_of(topic.subscription, max_silence_seconds=0.3), Gate()

    with capture_logs() as logs:
        async with source.consume(gate):
            await topic.publish(b"1")
            await until(lambda: gate.entered == 1, WAIT)
            opened = streams_opened(logs)
            with pytest.raises(TimeoutError):
                await until(lambda: gate.cancelled > 0 or streams_opened(logs) > opened, 1.0)
            gate.open.set()

    assert gate.finished == 1
