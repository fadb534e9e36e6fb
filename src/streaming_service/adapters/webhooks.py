"""Deliveries: one signed POST, one receipt. The retries are the outbox's (domain/notification.py), so there is no
breaker here: failing fast would only use attempts up."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from streaming_service.adapters.caller import with_context
from streaming_service.adapters.cdn_control import cdn_control_url
from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.adapters.retry_after import retry_after_seconds
from streaming_service.adapters.sealing import Sealer
from streaming_service.application.ports import Clock, Receipt
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.errors import UpstreamUnavailable

_EXCERPT = 160


class Route(Struct, frozen=True):
    """Where an endpoint's deliveries go; for `cdn-control` the base URL. `token` is sent as bearer."""

    url: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Route(url={self.url!r})"


class HttpCourier:
    """Courier over HTTP: a JSON POST by Standard Webhooks (https://www.standardwebhooks.com).

    secrets   each signs, so that a receiver can move from one to the next (`whsec_` and base64); empty: unsigned
    timeout   seconds for a whole delivery (the standard recommends 15 to 30)
    context   headers of the job at hand; the notification's own correlation id wins
    """

    def __init__(
        self,
        transport: Transport,
        routes: Mapping[Endpoint, Route],
        *,
        clock: Clock,
        secrets: Sequence[str] = (),
        timeout: float = 15.0,
        context: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._transport = transport
        self._routes = routes
        self._clock = clock
        self._sealer = Sealer(secrets, "WEBHOOK_SIGNING_SECRET")
        self._timeout = timeout
        self._context = context

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        """One attempt. Only 2xx is ok; a redirect is a failure, 410 means never again."""
        route = self._routes.get(notification.endpoint)
        url = _address(route, notification) if route else None
        if route is None or url is None:
            return Receipt(False, None, f"no receiver is configured for {notification.endpoint} {notification.topic}")
        data = msgspec.json.encode(body)
        headers = self._headers(route, notification, data, self._clock.now())
        try:
            response = await self._transport.send(
                Request("POST", url, headers, data, timeout=self._timeout, peer=notification.endpoint)
            )
        except UpstreamUnavailable as error:
            return Receipt(False, None, str(error))
        return Receipt(
            ok=response.ok,
            status=response.status,
            detail=f"answered {response.status}{excerpt(response, route)}",
            retry_after=retry_after_seconds(response.headers, self._clock.now()),
            gone=response.status == 410,
        )

    def _headers(self, route: Route, notification: Notification, data: bytes, now: datetime) -> dict[str, str]:
        own = {
            "content-type": "application/json",
            "accept": "application/json",
            "idempotency-key": notification.id,
        }
        if route.token:
            own["authorization"] = f"Bearer {route.token}"
        own |= self._sealer.headers(notification.id, data, now)
        context = dict(self._context())
        if notification.correlation_id:
            context["x-correlation-id"] = notification.correlation_id
        return with_context(own, context)


def _address(route: Route, notification: Notification) -> str | None:
    if notification.endpoint is Endpoint.CDN_CONTROL:
        return cdn_control_url(route.url, notification.topic)
    return route.url


def excerpt(response: Response, route: Route) -> str:
    """The start of a refusal, for the delivery log; without queries (they may be signed) and without our token."""
    if response.ok or not response.body:
        return ""
    text = response.body[: 4 * _EXCERPT].decode(errors="replace")
    if route.token:
        text = text.replace(route.token, "…")
    text = re.sub(r"\?[^\s\"'<>]+", "?…", text)
    text = "".join(character if character.isprintable() else " " for character in text)
    return f": {' '.join(text.split())[:_EXCERPT]}"
