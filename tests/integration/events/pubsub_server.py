"""A topic with one subscription on the emulator, driven with Google's own clients."""

import asyncio
import itertools
from typing import Any, cast

from google.cloud import pubsub_v1
from google.pubsub_v1.types import PullRequest

_numbers = itertools.count(1)
PROJECT = "streaming-test"
# The emulator feeds a stream that was closed once more before it notices: one empty answer proves nothing.
_ROUNDS = 5


class Topic:
    """`subscription` is its full path. Made for one test; `PUBSUB_EMULATOR_HOST` must be set."""

    def __init__(self, name: str | None = None, *, ordered: bool = False, exactly_once: bool = False) -> None:
        self._publisher = cast(
            "Any",
            pubsub_v1.PublisherClient(
                publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=ordered)
            ),
        )
        self._subscriber = cast("Any", pubsub_v1.SubscriberClient())
        self._settings = {"enable_message_ordering": ordered, "enable_exactly_once_delivery": exactly_once}
        self.name = name or f"uploads-{next(_numbers)}"
        self._topic = f"projects/{PROJECT}/topics/{self.name}"
        self.subscription = f"projects/{PROJECT}/subscriptions/{self.name}"

    async def create(self) -> None:
        """Make topic and subscription."""
        await asyncio.to_thread(self._create)

    async def publish(self, *bodies: bytes, key: str = "", **attributes: str) -> list[str]:
        """Publish in this order; the message ids, once Pub/Sub has them all."""
        futures = [self._publisher.publish(self._topic, body, ordering_key=key, **attributes) for body in bodies]
        return [await asyncio.to_thread(future.result, 10) for future in futures]

    async def snapshot(self) -> str:
        """Remember what is unacked at this moment; the snapshot's name."""
        name = f"projects/{PROJECT}/snapshots/{self.name}-{next(_numbers)}"
        await asyncio.to_thread(self._subscriber.create_snapshot, name=name, subscription=self.subscription)
        return name

    async def unacked(self, snapshot: str | None = None) -> list[bytes]:
        """What the subscription owes to somebody, now or at the snapshot. Resets all leases: nobody may be pulling."""
        return await asyncio.to_thread(self._pull_from, snapshot or await self.snapshot())

    async def pull(self, *, at_once: bool = False) -> list[Any]:
        """What waits, or comes soon unless `at_once`: each with `data`, `attributes` and `ordering_key`."""
        request = PullRequest(subscription=self.subscription, max_messages=100, return_immediately=at_once)
        answer = await asyncio.to_thread(self._subscriber.transport.pull, request, timeout=10)
        return [item.message for item in answer.received_messages]

    def close(self) -> None:
        self._publisher.stop()
        self._publisher.transport.close()
        self._subscriber.close()

    def _create(self) -> None:
        self._publisher.create_topic(name=self._topic)
        self._subscriber.create_subscription(
            request={
                "name": self.subscription,
                "topic": self._topic,
                "ack_deadline_seconds": 10,
                **self._settings,
            }
        )

    def _pull_from(self, snapshot: str) -> list[bytes]:
        # Through the transport, because the client itself warns of return_immediately.
        request = PullRequest(subscription=self.subscription, max_messages=100, return_immediately=True)
        for _ in range(_ROUNDS):
            self._subscriber.seek(request={"subscription": self.subscription, "snapshot": snapshot})
            if received := self._subscriber.transport.pull(request, timeout=10).received_messages:
                return sorted(item.message.data for item in received)
        return []
