"""Every answer names its request."""

from streaming_service.context import accept_correlation_id, correlation_id

HEADER = "x-correlation-id"


def correlate(offered: str | None) -> str:
    """The caller's id or a new one, for everything that this request causes from here on."""
    accepted = accept_correlation_id(offered)
    correlation_id.set(accepted)
    return accepted
