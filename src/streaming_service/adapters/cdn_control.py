"""The CDN control service: which of its routes does what."""

CDN_ROUTES = {
    "cdn.purge": "/purge",
    "cdn.warmup": "/warmup",
    "cdn.failover": "/failover",
}


def cdn_control_url(base_url: str, topic: str) -> str | None:
    """Where a notification of this topic goes; None when CDN control has no such action."""
    route = CDN_ROUTES.get(topic)
    return base_url.rstrip("/") + route if route else None
