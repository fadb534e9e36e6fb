"""The audit log: entries of the outbox, published to a Pub/Sub topic."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, cast

import msgspec

from streaming_service.application.ports import Courier, Receipt
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.tracing import current

# Each delivery holds a thread until Pub/Sub answered. The outbox sends one entry of a content at a time.
_THREADS = 8


class Publishing(Protocol):
    """Publishes one message and waits for its id; raises what Google's client raises."""

    def publish(self, data: bytes, attributes: Mapping[str, str], ordering_key: str, timeout: float | None) -> str: ...

    def close(self) -> None: ...


class AuditTopic:
    """Courier of the audit log. Nothing is imported or connected before the first entry.

    The retries are the outbox's, and so is the order: that of Google's publisher would keep a message that it could
    not send in memory for ever, and every attempt of ours would add another. `timeout` in seconds is for one attempt.
    """

    def __init__(self, connect: Callable[[], Publishing], *, timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._publishing: Publishing | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="audit")
        self._connecting = asyncio.Lock()

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        """One attempt; its ordering key is the content id, its `id` attribute the same in every attempt."""
        attributes = {"id": notification.id, "event": notification.topic, "content-type": "application/json"}
        if notification.correlation_id:
            attributes["x-correlation-id"] = notification.correlation_id
        if span := current():
            attributes["traceparent"] = span.context.traceparent
        loop, data = asyncio.get_running_loop(), msgspec.json.encode(body)
        try:
            async with asyncio.timeout(2 * self._timeout):  # the client is asked to be done in half of it
                topic = await self._connected()
                message_id = await loop.run_in_executor(
                    self._threads, topic.publish, data, attributes, notification.content_id, self._timeout
                )
        except Exception as error:  # noqa: BLE001 - whatever it was, the entry is still owed
            return Receipt(ok=False, status=_status(error), detail=_sentence(error))
        return Receipt(ok=True, status=200, detail=f"published as {message_id}")

    def close(self) -> None:
        """An attempt under way ends by itself; nobody waits for it."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._publishing is not None:
            self._publishing.close()

    async def _connected(self) -> Publishing:
        async with self._connecting:
            if self._publishing is not None:
                return self._publishing
            made = await asyncio.get_running_loop().run_in_executor(self._threads, self._connect)
            self._publishing = made
            return made


class GoogleTopic:
    """`topic` (`projects/P/topics/T`) at Google, or at `PUBSUB_EMULATOR_HOST`. Making one takes half a second."""

    def __init__(self, topic: str) -> None:
        from google.cloud import pubsub_v1  # noqa: PLC0415 - half a second that start-up need not wait for
        from google.pubsub_v1.services import publisher  # noqa: PLC0415

        self._topic = topic
        self._client = cast("Any", pubsub_v1.PublisherClient())
        # The call below the batches: one request, one answer.
        self._publish = cast("Any", publisher).PublisherClient.publish

    def publish(self, data: bytes, attributes: Mapping[str, str], ordering_key: str, timeout: float | None) -> str:
        """See Publishing."""
        message = {"data": data, "attributes": dict(attributes), "ordering_key": ordering_key}
        request = {"topic": self._topic, "messages": [message]}
        answer = self._publish(self._client, request=request, retry=None, timeout=timeout)
        return answer.message_ids[0]

    def close(self) -> None:
        self._client.stop()
        self._client.transport.close()


class Couriers:
    """Courier that hands each endpoint's deliveries to its own one, and the others' to `otherwise`."""

    def __init__(self, otherwise: Courier, own: Mapping[Endpoint, Courier]) -> None:
        self._otherwise = otherwise
        self._own = own

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        return await self._own.get(notification.endpoint, self._otherwise).deliver(notification, body)


def _status(error: Exception) -> int | None:
    """Google's errors know which HTTP status they stand for; None: there was no answer."""
    code = getattr(error, "code", None)
    return int(code) if isinstance(code, int) and code not in {503, 504} else None


def _sentence(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "Pub/Sub did not answer in time"
    return f"Pub/Sub: {' '.join(str(error).split())[:160] or type(error).__name__}"
