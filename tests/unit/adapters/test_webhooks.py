"""One delivery: what is sent, and what is made of each answer."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import pytest
from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from streaming_service.adapters.cdn_control import cdn_control_url
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.adapters.webhooks import HttpCourier, Route
from streaming_service.application.ports import Receipt
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.errors import ConfigurationError
from tests.unit.adapters.servers import Converse, ManualClock, Serve

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + b64encode(b"first secret of 24 bytes").decode()
NEXT_SECRET = "whsec_" + b64encode(b"other secret of 24 bytes").decode()
BODY = {"manifestUrl": "https://cdn.example/m?Signature=abc", "note": "ü"}


def owed(endpoint: Endpoint = Endpoint.CONTENT_CALLBACK, topic: str = "stream.provisioned") -> Notification:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return Notification("n-1", endpoint, topic, "content", moment, {}, "c-1")


class Receiver:
    """Answers one thing and keeps what it got."""

    def __init__(self, status: int = 202, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.answer = (status, text, headers or {})
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    async def __call__(self, request: web.Request) -> web.Response:
        self.got.append((request.path, request.headers, await request.read()))
        status, text, headers = self.answer
        return web.Response(status=status, text=text, headers=headers)


Deliver = Callable[..., Awaitable[Receipt]]


@pytest.fixture
def deliver(transport: AiohttpTransport, serve: Serve, clock: ManualClock) -> Deliver:
    async def _deliver(receiver: Receiver, notification: Notification | None = None, **options: object) -> Receipt:
        base = await serve(receiver)
        route = Route(f"{base}/hook", "hush-token")
        courier = HttpCourier(
            transport,
            {Endpoint.CONTENT_CALLBACK: route, Endpoint.CDN_CONTROL: Route(f"{base}/cdn/", "cdn-key")},
            clock=clock,
            **options,  # pyright: ignore[reportArgumentType]
        )
        return await courier.deliver(notification or owed(), BODY)

    return _deliver


async def test_what_a_receiver_gets(deliver: Deliver) -> None:
    receiver = Receiver()
    receipt = await deliver(receiver, context=lambda: {"traceparent": "00-a-b-01", "x-correlation-id": "job"})

    ((path, headers, body),) = receiver.got
    assert receipt == Receipt(True, 202, "answered 202")
    assert path == "/hook"
    assert json.loads(body) == BODY
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer hush-token"
    assert headers["idempotency-key"] == "n-1"
    assert headers["x-correlation-id"] == "c-1"
    assert headers["traceparent"] == "00-a-b-01"
    assert not any(name.lower().startswith("webhook-") for name in headers)


async def test_signatures_stand_the_standards_own_check(transport: AiohttpTransport, serve: Serve) -> None:
    class RealClock(ManualClock):
        def now(self) -> datetime:
            return datetime.now(UTC)

    receiver = Receiver()
    courier = HttpCourier(
        transport,
        {Endpoint.CONTENT_CALLBACK: Route(await serve(receiver))},
        clock=RealClock(),
        secrets=[SECRET, NEXT_SECRET],
    )
    await courier.deliver(owed(), BODY)

    ((_, headers, body),) = receiver.got
    assert headers["webhook-id"] == "n-1"
    for secret in (SECRET, NEXT_SECRET, SECRET.removeprefix("whsec_")):
        assert Webhook(secret).verify(body, dict(headers)) == BODY
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, {**headers, "webhook-id": "n-2"})


@pytest.mark.parametrize(
    ("topic", "path"), [("cdn.purge", "purge"), ("cdn.warmup", "warmup"), ("cdn.failover", "failover")]
)
async def test_cdn_control_has_a_route_for_each_topic(deliver: Deliver, topic: str, path: str) -> None:
    receiver = Receiver()
    await deliver(receiver, owed(Endpoint.CDN_CONTROL, topic))

    ((asked, headers, _),) = receiver.got
    assert asked == f"/cdn/{path}"
    assert headers["authorization"] == "Bearer cdn-key"


def test_cdn_control_knows_no_other_topic() -> None:
    assert cdn_control_url("http://cdn.test", "stream.retired") is None


@pytest.mark.parametrize(
    "notification", [owed(Endpoint.BIGQUERY), owed(Endpoint.CDN_CONTROL, "cdn.unheard-of")], ids=["endpoint", "topic"]
)
async def test_a_debt_to_nobody_is_a_failure_and_not_a_crash(deliver: Deliver, notification: Notification) -> None:
    receiver = Receiver()
    receipt = await deliver(receiver, notification)

    assert (receipt.ok, receipt.status) == (False, None)
    assert "no receiver is configured" in receipt.detail
    assert receiver.got == []


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_ok(deliver: Deliver, status: int) -> None:
    assert (await deliver(Receiver(status))).ok


@pytest.mark.parametrize("status", [301, 302, 304, 307, 400, 401, 404, 409, 422, 429, 500, 503])
async def test_nothing_else_is(deliver: Deliver, status: int) -> None:
    receiver = Receiver(status, headers={"location": "/elsewhere"})
    receipt = await deliver(receiver)

    assert (receipt.ok, receipt.status, receipt.gone) == (False, status, False)
    assert len(receiver.got) == 1


async def test_410_is_gone(deliver: Deliver) -> None:
    receipt = await deliver(Receiver(410))

    assert (receipt.ok, receipt.gone) == (False, True)


@pytest.mark.parametrize(("value", "seconds"), [("30", 30), ("Fri, 02 Jan 2026 03:05:05 GMT", 60), ("later", None)])
async def test_retry_after(deliver: Deliver, value: str, seconds: float | None) -> None:
    assert (await deliver(Receiver(503, headers={"retry-after": value}))).retry_after == seconds


async def test_the_log_says_why_but_not_what_is_secret(deliver: Deliver) -> None:
    text = 'no\n\x1b[31m "https://cdn.example/m?Signature=abc" for hush-token ' + "x" * 500
    receipt = await deliver(Receiver(422, text))

    assert receipt.detail.startswith('answered 422: no [31m "https://cdn.example/m?…" for …')
    assert len(receipt.detail) < 200


async def test_no_answer_is_a_receipt(transport: AiohttpTransport, converse: Converse, clock: ManualClock) -> None:
    async def hang_up(reader: object, writer: object) -> None:
        pass

    courier = HttpCourier(transport, {Endpoint.BIGQUERY: Route(await converse(hang_up))}, clock=clock)
    receipt = await courier.deliver(owed(Endpoint.BIGQUERY), BODY)

    assert (receipt.ok, receipt.status, receipt.gone) == (False, None, False)
    assert "without an answer" in receipt.detail


async def test_a_hostile_correlation_id_does_not_stop_a_delivery(deliver: Deliver) -> None:
    receiver = Receiver()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    hostile = Notification("n-1", Endpoint.CONTENT_CALLBACK, "t", "c", moment, {}, "a\r\nx-evil: 1")

    assert (await deliver(receiver, hostile)).ok
    assert "x-evil" not in receiver.got[0][1]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "ümlaut"])
async def test_a_secret_that_cannot_sign_is_refused_at_the_start(
    transport: AiohttpTransport, clock: ManualClock, secret: str
) -> None:
    with pytest.raises(ConfigurationError, match="WEBHOOK_SIGNING_SECRET"):
        HttpCourier(transport, {}, clock=clock, secrets=[secret])


def test_a_route_does_not_print_its_token() -> None:
    assert "hush" not in repr(Route("http://x", "hush"))
