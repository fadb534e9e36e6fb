"""What travels with a request through every layer: its correlation id."""

from contextvars import ContextVar
from uuid import uuid4

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")

_MAX_LENGTH = 128


def new_correlation_id() -> str:
    return str(uuid4())


def accept_correlation_id(offered: str | None) -> str:
    """The caller's id when it is one we would like to see in a log line, a new one otherwise."""
    if offered and len(offered) <= _MAX_LENGTH and offered.isascii() and offered.replace("-", "").isalnum():
        return offered
    return new_correlation_id()
