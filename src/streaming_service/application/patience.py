"""How patient provisioning is."""

from msgspec import Struct


class ConvergencePolicy(Struct, frozen=True):
    """How patient we are. All in seconds, except `max_retries`.

    `window` is how long a channel rests as `failed` before it is taken up again; `drain_after` how long a replaced
    stream stays for viewers who still hold a URL of it; `release_after` how long one stays whose copy is published.
    """

    stream_prefix: str
    playlist: str
    max_retries: int
    window: float
    drain_after: float
    playable_timeout: float
    release_after: float = 30.0
    poll_interval: float = 0.25
    starvation_check_after: float = 5.0
    absence_check_after: float = 3.0
    retry_base: float = 1.0
    retry_cap: float = 60.0
    unavailable_pause: float = 2.0
