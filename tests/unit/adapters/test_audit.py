"""The audit log's courier, without Google."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from google.api_core.exceptions import NotFound, PermissionDenied, ServiceUnavailable

from streaming_service.adapters.audit import AuditTopic, Couriers, Publishing
from streaming_service.application.ports import Receipt
from streaming_service.domain.notification import Endpoint, Notification

pytestmark = pytest.mark.anyio
AT = datetime(2026, 1, 2, tzinfo=UTC)
ENTRY = Notification("n-1", Endpoint.AUDIT, "admin.retired", "content-1", AT, {}, "c-1")


class Topic:
    """A Publishing that is told how it ends."""

    def __init__(self) -> None:
        self.published: list[tuple[bytes, Mapping[str, str], str, float | None]] = []
        self.error: Exception | None = None
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.made = 0
        self.closed = False

    def connect(self) -> Publishing:
        self.made += 1
        return self

    def publish(self, data: bytes, attributes: Mapping[str, str], ordering_key: str, timeout: float | None) -> str:
        self.gate.wait(5)
        self.threads.add(threading.current_thread().name)
        if self.error:
            raise self.error
        self.published.append((data, attributes, ordering_key, timeout))
        return str(len(self.published))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def topic() -> Topic:
    return Topic()


async def test_an_entry_is_published_with_what_finds_it_again(topic: Topic) -> None:
    audit = AuditTopic(topic.connect, timeout=3)
    assert topic.made == 0, "nothing is connected before there is something to say"
    receipts = [await audit.deliver(ENTRY, {"id": "n-1"}) for _ in range(2)]
    audit.close()

    attributes = {"id": "n-1", "event": "admin.retired", "content-type": "application/json", "x-correlation-id": "c-1"}
    assert topic.published == [(b'{"id":"n-1"}', attributes, "content-1", 3)] * 2
    assert receipts == [Receipt(True, 200, "published as 1"), Receipt(True, 200, "published as 2")]
    assert (topic.made, topic.closed) == (1, True)
    assert all(name.startswith("audit") for name in topic.threads), "the event loop waits for nobody"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no such topic"), 404),
        (PermissionDenied("no"), 403),
        (ServiceUnavailable("away"), None),
        (TimeoutError(), None),
        (ValueError("odd"), None),
    ],
)
async def test_what_is_not_published_is_still_owed(topic: Topic, error: Exception, status: int | None) -> None:
    audit = AuditTopic(topic.connect, timeout=3)
    topic.error = error
    receipt = await audit.deliver(ENTRY, {})
    audit.close()

    assert (receipt.ok, receipt.status, receipt.gone) == (False, status, False)
    assert "Pub/Sub" in receipt.detail


async def test_pubsub_that_does_not_answer_is_not_waited_for(topic: Topic) -> None:
    audit = AuditTopic(topic.connect, timeout=0.02)
    topic.gate.clear()
    receipt = await audit.deliver(ENTRY, {})
    audit.close()
    topic.gate.set()

    assert receipt == Receipt(False, None, "Pub/Sub did not answer in time")


async def test_credentials_that_are_missing_are_a_failed_attempt() -> None:
    def connect() -> Publishing:
        raise OSError("no credentials")

    audit = AuditTopic(connect, timeout=1)
    receipt = await audit.deliver(ENTRY, {})
    audit.close()

    assert receipt == Receipt(False, None, "Pub/Sub: no credentials")


class Named:
    """A courier that says who it is."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def deliver(self, notification: Notification, body: object) -> Receipt:
        del notification, body
        return Receipt(True, 200, self.name)


async def test_each_endpoint_has_its_courier() -> None:
    couriers = Couriers(Named("http"), {Endpoint.AUDIT: Named("audit")})
    row = Notification("n-2", Endpoint.BIGQUERY, "t", "content-1", AT, {})

    assert (await couriers.deliver(ENTRY, {})).detail == "audit"
    assert (await couriers.deliver(row, {})).detail == "http"
