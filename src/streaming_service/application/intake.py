"""Take upload messages and registrations in.

A message is acknowledged when its wish is durable, or when it is kept whole as a dead letter; never before. What may
work later is handed back.
"""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

import msgspec
import structlog

from streaming_service.application.ports import Ack, Catalog, Clock, DeadLetter, Message, Meter, Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.domain.event import parse_event
from streaming_service.domain.notification import Cause
from streaming_service.domain.upload import Ignored, ProvisionRequest, parse_registration
from streaming_service.domain.wish import Outcome
from streaming_service.errors import InvalidInput, StoreUnavailable, UpstreamError
from streaming_service.tracing import note, part_failed

log = structlog.get_logger(__name__)

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:dead-letter")
IDEMPOTENCY_KEPT = timedelta(hours=24)


class Accepting(Protocol):
    """Writes down what is wanted: Provisioning does, and Wishes by themselves."""

    async def accept(self, request: ProvisionRequest, cause: Cause) -> tuple[Channel, Outcome]: ...


class Intake:
    """Everything that arrives from upload pipelines."""

    def __init__(
        self,
        *,
        store: Store,
        wishes: Accepting,
        catalog: Catalog,
        catalog_patience: timedelta,
        clock: Clock,
        meter: Meter,
        wake_worker: Callable[[], None],
    ) -> None:
        self._store = store
        self._wishes = wishes
        self._catalog = catalog
        self._catalog_patience = catalog_patience
        self._clock = clock
        self._meter = meter
        self._wake_worker = wake_worker

    async def handle(self, message: Message, source: str, cause: Cause) -> Ack:
        """Never raises for what a message says, nor for a store or catalog that is down (nack)."""
        try:
            result = await self._understand(message, source, cause)
        except (StoreUnavailable, UpstreamError) as error:
            log.warning(
                "event handed back",
                message_id=message.message_id,
                delivery_attempt=message.delivery_attempt,
                reason=str(error),
            )
            self._meter.upload_event("retried")
            part_failed(type(error).__name__)
            return Ack.NACK
        self._meter.upload_event(result)
        note({"streaming.event.result": result})
        return Ack.NACK if result == "retried" else Ack.ACK

    async def _understand(self, message: Message, source: str, cause: Cause) -> str:
        try:
            request = parse_event(message.data, message.attributes)
            if isinstance(request, Ignored):
                log.info("event ignored", message_id=message.message_id, asset_type=request.asset_type)
                return "ignored"
            note({"streaming.content_id": request.content_id})
            known = await self._with_catalog(request, cause)
            if known is None:
                if self._clock.now() - (message.published_at or request.said_at) < self._catalog_patience:
                    return "retried"
                raise InvalidInput("contentId", "is not in the content catalog", code="not_in_catalog")
            _, outcome = await self._wishes.accept(known, cause)
            self._wake_worker()
        except InvalidInput as error:
            await self._store.add_dead_letter(self._dead_letter(message, source, error))
            log.warning("event kept as dead letter", message_id=message.message_id, reason=str(error))
            return "dead_letter"
        return outcome.value

    async def register(self, body: Any, idempotency_key: str | None, cause: Cause) -> Channel:
        """The admin route's way in. Raises InvalidInput; the same key with another body is one."""
        request = parse_registration(body, self._clock.now())
        if idempotency_key:
            fingerprint = sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()
            first = await self._store.remember(idempotency_key, fingerprint, self._clock.now(), IDEMPOTENCY_KEPT)
            if first != fingerprint:
                reason = "was already used for another registration: send a new key"
                raise InvalidInput("Idempotency-Key", reason, code="idempotency_key_reused")
        known = await self._with_catalog(request, cause)
        if known is None:
            raise InvalidInput("contentId", "is not in the content catalog", code="not_in_catalog")
        channel, outcome = await self._wishes.accept(known, cause)
        self._wake_worker()
        self._meter.upload_event(outcome.value)
        return channel

    async def replay_dead_letter(self, letter: DeadLetter, cause: Cause) -> bool:
        """Try a dead letter again; True when it was understood, and then it is gone. Raises InvalidInput if not."""
        request = parse_event(letter.data, letter.attributes)
        if not isinstance(request, Ignored):
            known = await self._with_catalog(request, cause)
            if known is None:
                raise InvalidInput("contentId", "is not in the content catalog", code="not_in_catalog")
            await self._wishes.accept(known, cause)
            self._wake_worker()
        return await self._store.delete_dead_letter(letter.id)

    async def _with_catalog(self, request: ProvisionRequest, cause: Cause) -> ProvisionRequest | None:
        entry = await self._catalog.find(request.content_id, cause.correlation_id)
        if entry is None:
            return None
        window: AvailabilityWindow | None = entry.availability
        if window and request.availability is None:
            return msgspec.structs.replace(request, availability=window)
        return request

    def _dead_letter(self, message: Message, source: str, error: InvalidInput) -> DeadLetter:
        # Derived from the content: a message that is delivered twice is one dead letter.
        identity = sha256(message.data + b"\0" + msgspec.json.encode(message.attributes, order="sorted")).hexdigest()
        return DeadLetter(
            id=str(uuid5(_NAMESPACE, identity)),
            received_at=self._clock.now(),
            source=source,
            message_id=message.message_id,
            reason=error.reason,
            field=error.field,
            data=message.data,
            attributes=message.attributes,
        )
