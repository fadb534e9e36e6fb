"""The source inside the process."""

import asyncio

import pytest

from streaming_service.adapters.events.embedded import EmbeddedSource
from streaming_service.application.ports import Ack, EventSource, Message
from streaming_service.errors import UpstreamUnavailable
from tests.unit.adapters.events.handlers import Gate, Recorder, until

pytestmark = pytest.mark.anyio
MESSAGE = Message(b"{}", {"ce-type": "media.uploaded"}, "1")


async def test_the_publisher_gets_the_handlers_answer() -> None:
    source: EventSource = (embedded := EmbeddedSource())
    recorder = Recorder(lambda message: Ack.ACK if message.data == b"{}" else Ack.NACK)

    async with source.consume(recorder):
        assert await embedded.publish(MESSAGE) is Ack.ACK
        assert await embedded.publish(Message(b"other")) is Ack.NACK

    assert recorder.seen == [MESSAGE, Message(b"other")]


async def test_publishing_waits_until_the_handler_is_done() -> None:
    source, gate = EmbeddedSource(), Gate()

    async with source.consume(gate):
        publishing = asyncio.create_task(source.publish(MESSAGE))
        await until(lambda: gate.entered == 1)
        assert not publishing.done()
        gate.open.set()
        assert await publishing is Ack.ACK


async def test_a_handler_that_raises_is_a_nack() -> None:
    async def fail(message: Message) -> Ack:
        raise ValueError(message)

    source = EmbeddedSource()
    async with source.consume(fail):
        assert await source.publish(MESSAGE) is Ack.NACK


async def test_without_a_consumer_there_is_nobody_to_publish_to() -> None:
    source = EmbeddedSource()
    assert not source.alive

    with pytest.raises(UpstreamUnavailable, match="nobody consumes"):
        await source.publish(MESSAGE)


async def test_it_is_alive_while_somebody_consumes() -> None:
    source = EmbeddedSource()
    async with source.consume(Recorder()):
        assert source.alive
    assert not source.alive


async def test_not_more_than_allowed_are_handled_at_once() -> None:
    source, gate = EmbeddedSource(max_messages=3), Gate()

    async with source.consume(gate), asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(source.publish(MESSAGE))
        await until(lambda: gate.entered == 3)
        await asyncio.sleep(0)
        gate.open.set()

    assert (gate.most_inside, gate.finished) == (3, 10)


async def test_leaving_waits_for_what_is_in_hand_and_takes_nothing_new() -> None:
    source, gate = EmbeddedSource(max_messages=1), Gate()
    leave = asyncio.Event()

    async def consume() -> None:
        async with source.consume(gate):
            await leave.wait()

    consuming = asyncio.create_task(consume())
    await until(lambda: source.alive)
    publishing = [asyncio.create_task(source.publish(MESSAGE)) for _ in range(2)]
    await until(lambda: gate.entered == 1)
    leave.set()
    await until(lambda: not source.alive)
    with pytest.raises(UpstreamUnavailable):
        await source.publish(MESSAGE)
    assert not consuming.done()
    gate.open.set()
    await consuming

    assert await asyncio.gather(*publishing) == [Ack.ACK, Ack.ACK]


async def test_what_does_not_end_in_time_is_cut_off_and_its_publisher_told() -> None:
    source, gate = EmbeddedSource(drain_seconds=0.01), Gate()

    async with source.consume(gate):
        publishing = asyncio.create_task(source.publish(MESSAGE))
        await until(lambda: gate.entered == 1)

    with pytest.raises(UpstreamUnavailable, match="shutting down"):
        await publishing
    assert gate.cancelled == 1


async def test_a_publisher_that_goes_away_does_not_stop_the_handler() -> None:
    source, gate = EmbeddedSource(), Gate()

    async with source.consume(gate):
        publishing = asyncio.create_task(source.publish(MESSAGE))
        await until(lambda: gate.entered == 1)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        gate.open.set()

    assert (gate.finished, gate.cancelled) == (1, 0)


async def test_there_is_one_consumer_at_a_time_and_another_afterwards() -> None:
    source, recorder = EmbeddedSource(), Recorder()

    async with source.consume(recorder):
        with pytest.raises(RuntimeError, match="consumer already"):
            async with source.consume(recorder):
                pass
        assert source.alive
    async with source.consume(recorder):
        assert await source.publish(MESSAGE) is Ack.ACK
