"""StreamingPull over real gRPC against Google's emulator."""

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from streaming_service.adapters.events.pubsub import PubSubSource
from streaming_service.application.ports import Ack, EventSource, Message
from tests.integration.events.conftest import MakeTopic
from tests.integration.events.pubsub_server import Topic
from tests.unit.adapters.events.handlers import Gate, Recorder, until

pytestmark = [pytest.mark.anyio, pytest.mark.pubsub]
WAIT = 15.0


def source_of(topic: Topic, max_messages: int = 64, drain_seconds: float = 10.0) -> PubSubSource:
    return PubSubSource(topic.subscription, 10, max_messages, drain_seconds=drain_seconds, backoff=lambda _: 0.05)


async def test_a_message_arrives_with_all_that_belongs_to_it_and_is_acked(topic: Topic) -> None:
    source: EventSource = source_of(topic)
    recorder = Recorder()
    before = datetime.now(UTC)

    async with source.consume(recorder):
        (message_id,) = await topic.publish(b'{"uploadId": "1"}', **{"ce-type": "media.uploaded"})
        await until(lambda: len(recorder.seen) == 1, WAIT)

    (message,) = recorder.seen
    assert message.data == b'{"uploadId": "1"}'
    assert message.attributes == {"ce-type": "media.uploaded"}
    assert message.message_id == message_id
    assert message.published_at is not None
    assert abs(message.published_at - before) < timedelta(minutes=1)
    assert await topic.unacked() == []


async def test_a_message_is_not_acked_before_the_handler_is_done(topic: Topic) -> None:
    source, gate = source_of(topic), Gate()

    async with source.consume(gate):
        await topic.publish(b"1")
        await until(lambda: gate.entered == 1, WAIT)
        while_handled = await topic.snapshot()
        gate.open.set()

    assert await topic.unacked() == []
    assert await topic.unacked(while_handled) == [b"1"]


async def test_the_handler_runs_on_the_event_loop(topic: Topic) -> None:
    threads: set[threading.Thread] = set()

    async def handler(message: Message) -> Ack:
        del message
        threads.add(threading.current_thread())
        return Ack.ACK

    async with source_of(topic).consume(handler):
        await topic.publish(*[b"1"] * 20)
        await until(lambda: bool(threads), WAIT)

    assert threads == {threading.main_thread()}


async def test_what_was_nacked_comes_again(topic: Topic) -> None:
    recorder = Recorder(lambda _: Ack.NACK if len(recorder.seen) < 3 else Ack.ACK)

    async with source_of(topic).consume(recorder):
        await topic.publish(b"1")
        await until(lambda: len(recorder.seen) == 3, WAIT)

    assert {message.data for message in recorder.seen} == {b"1"}
    assert await topic.unacked() == []


async def test_a_handler_that_raises_gets_the_message_again(topic: Topic) -> None:
    tries: list[Message] = []

    async def handler(message: Message) -> Ack:
        tries.append(message)
        if len(tries) == 1:
            raise RuntimeError("the store fell over")
        return Ack.ACK

    async with source_of(topic).consume(handler):
        await topic.publish(b"1")
        await until(lambda: len(tries) == 2, WAIT)

    assert await topic.unacked() == []


@pytest.mark.parametrize("data", [b"\xff\x00 not json", b"x" * 1_000_000])
async def test_whatever_bytes_are_published_arrive_as_they_are(topic: Topic, data: bytes) -> None:
    recorder = Recorder()

    async with source_of(topic).consume(recorder):
        await topic.publish(data)
        await until(lambda: len(recorder.seen) == 1, WAIT)

    assert recorder.seen[0].data == data


async def test_a_message_without_data_arrives_empty(topic: Topic) -> None:
    recorder = Recorder()

    async with source_of(topic).consume(recorder):
        await topic.publish(b"", note="only attributes")
        await until(lambda: len(recorder.seen) == 1, WAIT)

    assert (recorder.seen[0].data, recorder.seen[0].attributes) == (b"", {"note": "only attributes"})


async def test_not_more_than_allowed_are_in_hand(topic: Topic) -> None:
    gate = Gate()

    async with source_of(topic, max_messages=5).consume(gate):
        await topic.publish(*[b"%d" % number for number in range(30)])
        await until(lambda: gate.inside == 5, WAIT)
        gate.open.set()
        await until(lambda: gate.finished == 30, WAIT)

    assert gate.most_inside == 5
    assert await topic.unacked() == []


async def test_leaving_waits_for_what_is_in_hand_and_gives_back_the_rest(topic: Topic) -> None:
    source, gate = source_of(topic, max_messages=3), Gate()
    leave = asyncio.Event()

    async def consume() -> None:
        async with source.consume(gate):
            await leave.wait()

    consuming = asyncio.create_task(consume())
    await topic.publish(*[b"%d" % number for number in range(10)])
    await until(lambda: gate.inside == 3, WAIT)
    leave.set()
    await until(lambda: not source.alive, WAIT)
    assert not consuming.done()
    gate.open.set()
    await consuming

    # What was handed out as the three were acked went straight back instead.
    assert gate.entered == gate.finished == 3
    assert len(await topic.unacked()) == 7


async def test_what_does_not_end_in_time_is_cut_off_and_not_acked(topic: Topic) -> None:
    gate = Gate()

    async with source_of(topic, drain_seconds=0.1).consume(gate):
        await topic.publish(b"1")
        await until(lambda: gate.entered == 1, WAIT)

    assert gate.cancelled == 1
    assert await topic.unacked() == [b"1"]


async def test_a_lease_is_extended_while_the_handler_works(topic: Topic) -> None:
    gate = Gate()

    async with source_of(topic).consume(gate):
        await topic.publish(b"1")
        await until(lambda: gate.entered == 1, WAIT)
        with pytest.raises(TimeoutError):  # the subscription's deadline is 10 s: nobody else gets it after that
            await until(lambda: gate.entered == 2, 12.0)
        gate.open.set()
        await until(lambda: gate.finished == 1, WAIT)

    assert await topic.unacked() == []


async def test_an_exactly_once_subscription_is_acked_for_good(make_topic: MakeTopic) -> None:
    topic = await make_topic(exactly_once=True)
    recorder = Recorder()

    async with source_of(topic).consume(recorder):
        await topic.publish(*[b"%d" % number for number in range(20)])
        await until(lambda: len(recorder.seen) >= 20, WAIT)

    assert Counter(message.data for message in recorder.seen) == {b"%d" % number: 1 for number in range(20)}
    assert await topic.unacked() == []


async def test_messages_of_one_key_come_one_after_the_other(make_topic: MakeTopic) -> None:
    topic = await make_topic(ordered=True)
    order: list[bytes] = []
    inside = 0

    async def handler(message: Message) -> Ack:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0)
        order.append(message.data)
        inside -= 1
        return Ack.ACK

    async with source_of(topic).consume(handler):
        await topic.publish(*[b"%d" % number for number in range(20)], key="content-1")
        await until(lambda: len(order) == 20, WAIT)

    assert order == [b"%d" % number for number in range(20)]


async def test_there_is_one_consumer_at_a_time_and_another_afterwards(topic: Topic) -> None:
    source, recorder = source_of(topic), Recorder()

    async with source.consume(recorder):
        with pytest.raises(RuntimeError, match="consumer already"):
            async with source.consume(recorder):
                pass
    async with source.consume(recorder):
        await topic.publish(b"1")
        await until(lambda: len(recorder.seen) == 1, WAIT)
