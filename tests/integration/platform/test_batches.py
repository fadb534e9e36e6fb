"""Many envelopes in one request: each has a receipt of its own, whatever the receiver does."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from streaming_service.adapters.batches import MOST_BYTES, BatchCourier
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.adapters.webhooks import Route
from streaming_service.application.ports import Clock, Item, Receipt
from streaming_service.devkit.platform import Signed, StandInPlatform
from streaming_service.domain.notification import Endpoint, Notification
from tests.analytics import day

pytestmark = pytest.mark.anyio

SECRET = "whsec_c2VjcmV0LW9mLXRoZS1iYXRjaC10ZXN0LTMy"
DAY = day()
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def item(number: int, **body: Any) -> Item:
    key = str(UUID(int=number))
    notification = Notification(key, Endpoint.BIGQUERY, "cdn.purge", f"content-{number}", MOMENT, {})
    return notification, {"id": key, **body}


class Receiver:
    """Answers as it is told; keeps every body, line by line."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self.headers: list[Any] = []
        self.raw: list[bytes] = []
        self.url = ""
        self.answer: Callable[[list[dict[str, Any]]], tuple[int, Any]] = lambda lines: (202, None)

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        lines = [msgspec.json.decode(line) for line in raw.splitlines()]
        self.requests.append(lines)
        self.headers.append(request.headers)
        self.raw.append(raw)
        status, body = self.answer(lines)
        return web.Response(status=status, body=b"" if body is None else msgspec.json.encode(body))


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def courier(
    transport: AiohttpTransport, url: str, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic
) -> BatchCourier:
    return BatchCourier(transport, Route(url), clock=clock, monotonic=monotonic, secrets=(SECRET,), timeout=5.0)


def outcomes(receipts: Any) -> list[bool]:
    return [receipt.ok for receipt in receipts]


async def test_all_of_them_are_one_signed_request_of_one_line_each(transport: AiohttpTransport, clock: Clock) -> None:
    async with receiving() as receiver:
        items = [item(number, text="ä\nb") for number in range(3)]
        first, again = [await courier(transport, receiver.url, clock).deliver_together(items) for _ in range(2)]
    assert outcomes(first) == outcomes(again) == [True, True, True]
    assert receiver.requests[0] == [body for _, body in items]
    headers = receiver.headers[0]
    assert headers["content-type"] == "application/x-ndjson"
    assert headers["webhook-id"] == headers["idempotency-key"] == receiver.headers[1]["webhook-id"]
    Webhook(SECRET).verify(receiver.raw[0], dict(headers), json_parse=False)  # raises when it does not fit


async def test_what_the_answer_names_is_not_taken_and_the_others_are(transport: AiohttpTransport, clock: Clock) -> None:
    async with receiving() as receiver:
        failed = {"failed": [{"id": str(UUID(int=1)), "reason": "no such\ncolumn"}], "more": 1}
        receiver.answer = lambda lines: (200, failed)
        receipts = await courier(transport, receiver.url, clock).deliver_together([item(n) for n in range(3)])
    assert outcomes(receipts) == [True, False, True]
    assert receipts[1].detail == "answered 200 to a batch of 3, but did not take it: no such column"


@pytest.mark.parametrize(
    "answer",
    [{"failed": 3}, {"failed": [{"reason": "?"}]}, {"failed": [{"id": "somebody-else"}]}, {"failed": {"id": "x"}}],
)
async def test_nothing_counts_as_taken_when_nobody_can_tell(
    transport: AiohttpTransport, clock: Clock, answer: Any
) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda lines: (200, answer)
        receipts = await courier(transport, receiver.url, clock).deliver_together([item(n) for n in range(2)])
    assert outcomes(receipts) == [False, False]
    assert "nobody knows what it took" in receipts[0].detail


@pytest.mark.parametrize("answer", [None, "fine", {"status": "accepted"}, {"failed": []}, ["failed"]])
async def test_other_answers_take_everything(transport: AiohttpTransport, clock: Clock, answer: Any) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda lines: (200, answer)
        receipts = await courier(transport, receiver.url, clock).deliver_together([item(n) for n in range(2)])
    assert outcomes(receipts) == [answer != ["failed"]] * 2


async def test_one_that_cannot_be_taken_holds_up_none_of_the_others(transport: AiohttpTransport, clock: Clock) -> None:
    def answer(lines: list[dict[str, Any]]) -> tuple[int, Any]:
        return (400, {"message": "poison"}) if any(line.get("poison") for line in lines) else (202, None)

    async with receiving() as receiver:
        receiver.answer = answer
        items = [item(number, poison=number in {13, 77}) for number in range(100)]
        receipts = await courier(transport, receiver.url, clock).deliver_together(items)
    refused = [number for number, receipt in enumerate(receipts) if not receipt.ok]
    assert refused == [13, 77]
    assert receipts[13].status == 400
    assert "poison" in receipts[13].detail
    taken = [line["id"] for lines in receiver.requests if answer(lines)[0] == 202 for line in lines]
    assert len(taken) == len(set(taken)) == 98
    assert len(receiver.requests) < 40


async def test_halving_ends_when_its_time_is_over(transport: AiohttpTransport, clock: Clock) -> None:
    moments = iter(range(0, 1000, 2))  # each look at the clock is two seconds later
    async with receiving() as receiver:
        receiver.answer = lambda lines: (400, None)
        bounded = courier(transport, receiver.url, clock, monotonic=lambda: float(next(moments)))
        receipts = await bounded.deliver_together([item(n) for n in range(64)])
    assert outcomes(receipts) == [False] * 64
    assert len(receiver.requests) < 10


@pytest.mark.parametrize("status", [401, 404, 415, 429, 500, 503])
async def test_what_is_about_the_receiver_is_not_asked_again_in_halves(
    transport: AiohttpTransport, clock: Clock, status: int
) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda lines: (status, None)
        receipts = await courier(transport, receiver.url, clock).deliver_together([item(n) for n in range(8)])
    assert len(receiver.requests) == 1
    assert {(receipt.ok, receipt.status) for receipt in receipts} == {(False, status)}


async def test_a_receiver_that_is_not_there_took_nothing(transport: AiohttpTransport, clock: Clock) -> None:
    async with receiving() as receiver:
        gone = receiver.url
    receipts = await courier(transport, gone, clock).deliver_together([item(n) for n in range(3)])
    assert [(receipt.ok, receipt.status) for receipt in receipts] == [(False, None)] * 3


async def test_no_request_is_larger_than_a_receiver_takes(transport: AiohttpTransport, clock: Clock) -> None:
    async with receiving() as receiver:
        items = [item(number, text="x" * 200_000) for number in range(10)]
        receipts = await courier(transport, receiver.url, clock).deliver_together(items)
    assert outcomes(receipts) == [True] * 10
    assert len(receiver.requests) == 3
    assert all(len(raw) <= MOST_BYTES for raw in receiver.raw)
    assert sorted(line["id"] for lines in receiver.requests for line in lines) == [item.id for item, _ in items]


async def test_the_stand_in_takes_a_whole_day_and_names_what_is_of_no_shape(
    transport: AiohttpTransport, platform: StandInPlatform, clock: Clock
) -> None:
    bodies = list(DAY)
    bodies[5] = bodies[5] | {"event": "stream.unheard.of"}
    items = [(item(number)[0], body) for number, body in enumerate(bodies)]
    named = [(_renamed(notification, body["id"]), body) for notification, body in items]
    sent: list[Receipt] = [*await courier(transport, f"{platform.url}/bigquery", clock).deliver_together(named)]
    assert [number for number, receipt in enumerate(sent) if not receipt.ok] == [5]
    assert "stream.unheard.of" in sent[5].detail
    received = platform.received("/bigquery")
    assert [line.body for line in received] == bodies
    assert [line.status for line in received].count(202) == len(bodies) - 1
    assert received[0].signature is not Signed.MISSING


def _renamed(notification: Notification, key: str) -> Notification:
    return msgspec.structs.replace(notification, id=key)
