"""A delivery as people are shown it, over HTTP and on the command line."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from streaming_service.application.ports import Attempt, Delivery, DeliveryState
from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint
from streaming_service.entrypoints.http.moments import Moment, moment


class AttemptView(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One try; `status` is left out when there was no answer."""

    at: Moment
    status: int | None = None
    detail: str
    duration_ms: float


class DeliveryView(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A notification on its way. `facts` are what its body is made from when it is sent."""

    id: str
    endpoint: Endpoint
    topic: str
    content_id: str
    occurred_at: Moment
    correlation_id: str | None = None
    state: DeliveryState
    tries: Annotated[int, Meta(description="Since it was owed, or owed again.")]
    next_attempt_at: Moment | None = None
    facts: Mapping[str, Any]
    attempts: Annotated[Sequence[AttemptView], Meta(description="The last 20.")]


def view(delivery: Delivery) -> DeliveryView:
    """With all its facts and attempts."""
    notification = delivery.notification
    return DeliveryView(
        id=notification.id,
        endpoint=notification.endpoint,
        topic=notification.topic,
        content_id=notification.content_id,
        occurred_at=to_wire(notification.occurred_at),
        correlation_id=notification.correlation_id,
        state=delivery.state,
        tries=delivery.tries,
        next_attempt_at=moment(delivery.next_attempt_at),
        facts=notification.facts,
        attempts=[_attempt(attempt) for attempt in delivery.attempts],
    )


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        at=to_wire(attempt.at), status=attempt.status, detail=attempt.detail, duration_ms=attempt.duration_ms
    )
