"""What every source does with one message: ask the handler, and take a failure for a no."""

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.application.ports import Ack, EventHandler, Message

log: FilteringBoundLogger = structlog.get_logger(__name__)


async def answer(handler: EventHandler, message: Message) -> Ack:
    """The handler's answer; NACK when it raises, because then nobody knows whether the wish is durable."""
    try:
        return await handler(message)
    except Exception:
        # Whatever it was, the message must get an answer, and the source go on with the next.
        log.exception("event handler failed", message_id=message.message_id, delivery_attempt=message.delivery_attempt)
        return Ack.NACK
