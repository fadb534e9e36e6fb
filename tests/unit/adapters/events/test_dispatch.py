"""The bridge from Google's threads to the event loop, without Google."""

import asyncio
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_service.adapters.events.dispatch import Dispatch
from streaming_service.adapters.events.pubsub import jittered_backoff
from streaming_service.application.ports import Ack, EventHandler, Message
from tests.unit.adapters.events.handlers import Gate, Recorder, until

pytestmark = pytest.mark.anyio


class Pulled:
    """A message as Google's client hands it out; remembers how it was answered."""

    def __init__(self, message_id: str = "1", refused: Exception | None = None, key: str = "") -> None:
        self.message_id = message_id
        self.data = b"{}"
        self.attributes = {"a": "b"}
        self.publish_time = datetime(2026, 1, 2, tzinfo=UTC)
        self.ordering_key = key
        self.delivery_attempt = 3
        self.answers: list[str] = []
        self._refused = refused

    def nack(self) -> None:
        self.answers.append("nack")

    def ack_with_response(self) -> "Future[Any]":
        self.answers.append("ack")
        return self._confirmation()

    def nack_with_response(self) -> "Future[Any]":
        self.answers.append("nack")
        return self._confirmation()

    def _confirmation(self) -> "Future[Any]":
        future: Future[Any] = Future()
        if self._refused:
            future.set_exception(self._refused)
        else:
            future.set_result("SUCCESS")
        return future


class Lost:
    """Counts what a source counts."""

    def __init__(self) -> None:
        self.reopened: list[str] = []
        self.lost: list[str] = []

    def stream_reopened(self, reason: str) -> None:
        self.reopened.append(reason)

    def answer_lost(self, answer: str) -> None:
        self.lost.append(answer)


def dispatch_to(handler: EventHandler, drain_seconds: float = 5.0, **options: Any) -> Dispatch:
    return Dispatch(asyncio.get_running_loop(), handler, drain_seconds, **options)


async def hand_out(dispatch: Dispatch, *messages: Pulled) -> None:
    """As Google's client does it: on another thread."""
    for message in messages:
        await asyncio.to_thread(dispatch.schedule, dispatch.take, message)


async def test_a_message_is_handled_on_the_event_loop_and_acked_afterwards() -> None:
    threads: list[threading.Thread] = []
    pulled = Pulled()

    async def handler(message: Message) -> Ack:
        threads.append(threading.current_thread())
        assert message == Message(b"{}", {"a": "b"}, "1", datetime(2026, 1, 2, tzinfo=UTC), 3)
        assert pulled.answers == []
        return Ack.ACK

    dispatch = dispatch_to(handler)
    await hand_out(dispatch, pulled)
    await until(lambda: dispatch.in_hand == 0)

    assert pulled.answers == ["ack"]
    assert threads == [threading.main_thread()]


async def test_nack_and_failure_give_the_message_back() -> None:
    async def fail(message: Message) -> Ack:
        raise ValueError(message)

    for handler in (Recorder(lambda _: Ack.NACK), fail):
        dispatch, pulled = dispatch_to(handler), Pulled()
        await hand_out(dispatch, pulled)
        await until(lambda dispatch=dispatch: dispatch.in_hand == 0)

        assert pulled.answers == ["nack"]


async def test_an_ack_that_pubsub_does_not_take_is_no_disaster() -> None:
    meter = Lost()
    dispatch, pulled = dispatch_to(Recorder(), meter=meter), Pulled(refused=ValueError("INVALID_ACK_ID"))
    await hand_out(dispatch, pulled)

    await until(lambda: dispatch.in_hand == 0)
    assert meter.lost == ["ack"]


async def test_what_takes_too_long_is_cancelled_and_given_back() -> None:
    gate, pulled = Gate(), Pulled()
    dispatch = dispatch_to(gate, handle_seconds=0.01)
    await hand_out(dispatch, pulled)

    await until(lambda: dispatch.in_hand == 0)
    assert (pulled.answers, gate.cancelled) == (["nack"], 1)


async def test_after_a_nack_later_messages_of_the_key_are_not_handled_before_it() -> None:
    recorder = Recorder(lambda message: Ack.NACK if len(recorder.seen) == 1 else Ack.ACK)
    dispatch = dispatch_to(recorder)
    first, second, other = Pulled("1", key="a"), Pulled("2", key="a"), Pulled("3", key="b")
    for pulled in (first, second, other):  # Google's client waits for the answer before it hands out the next of a key
        await hand_out(dispatch, pulled)
        await until(lambda: dispatch.in_hand == 0)
    assert [pulled.answers for pulled in (first, second, other)] == [["nack"], ["nack"], ["ack"]]

    for pulled in (again := [Pulled("1", key="a"), Pulled("2", key="a")]):
        await hand_out(dispatch, pulled)
        await until(lambda: dispatch.in_hand == 0)
    assert [pulled.answers for pulled in again] == [["ack"], ["ack"]]
    assert [message.message_id for message in recorder.seen] == ["1", "3", "1", "2"]


async def test_shutdown_waits_for_what_is_in_hand_and_gives_back_what_still_comes() -> None:
    gate, held, late = Gate(), Pulled("held"), Pulled("late")
    dispatch = dispatch_to(gate)
    await hand_out(dispatch, held)
    await until(lambda: gate.entered == 1)

    closing = asyncio.create_task(asyncio.to_thread(dispatch.shutdown))
    await until(lambda: dispatch.closed)
    await hand_out(dispatch, late)
    assert late.answers == ["nack"]
    assert not closing.done()
    gate.open.set()

    assert await closing == []
    assert held.answers == ["ack"]


async def test_what_does_not_end_in_time_is_cut_off_and_given_back() -> None:
    gate, pulled = Gate(), Pulled()
    dispatch = dispatch_to(gate, drain_seconds=0.01)
    await hand_out(dispatch, pulled)
    await until(lambda: gate.entered == 1)

    await asyncio.to_thread(dispatch.shutdown)

    assert pulled.answers == ["nack"]
    await until(lambda: gate.cancelled == 1)


async def test_it_is_silent_only_when_nothing_is_in_hand() -> None:
    gate = Gate()
    dispatch = dispatch_to(gate)
    await until(lambda: dispatch.silent_for() > 0)
    await hand_out(dispatch, Pulled())
    assert dispatch.silent_for() == 0
    gate.open.set()
    await until(lambda: dispatch.silent_for() > 0)


def test_backoff_grows_to_its_limit_and_is_spread() -> None:
    for failures in range(2000):
        assert 0.25 <= jittered_backoff(failures) <= 30
    assert jittered_backoff(0) <= 0.5
    assert jittered_backoff(9) >= 15
    assert len({jittered_backoff(9) for _ in range(9)}) > 1
