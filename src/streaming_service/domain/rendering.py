"""The body of each notification, made when it is sent: receivers already speak exactly these shapes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint, Notification, is_about_content
from streaming_service.domain.probe import Target
from streaming_service.domain.signing.scheme import SignedCookie


class SignedManifest(NamedTuple):
    """A manifest's signed URL, its expiry on the wire, and the cookies that it needs, if the scheme has any."""

    url: str
    expires_at: str
    cookies: tuple[SignedCookie, ...] = ()

    @property
    def extras(self) -> dict[str, Any]:
        """What a body says beside the URL: nothing, where the URL is all that is needed."""
        return {"cookies": [msgspec.to_builtins(cookie) for cookie in self.cookies]} if self.cookies else {}


# Manifest path and the channel's own base URL (None: the configured one) → the signed manifest.
Sign = Callable[[str, str | None], SignedManifest]


def render_body(notification: Notification, sign: Sign) -> dict[str, Any]:
    """The JSON object that the notification's endpoint expects. Raises KeyError when a fact is missing."""
    facts = notification.facts
    match notification.endpoint:
        case Endpoint.CONTENT_CALLBACK:
            return _content_callback(notification, sign)
        case Endpoint.GATEWAY_WARMUP:
            manifest = _signed(facts, sign)
            return {"manifestUrl": manifest.url, "cacheKey": facts["cacheKey"], **manifest.extras}
        case Endpoint.CDN_CONTROL:
            return _cdn_control(notification, sign)
        case Endpoint.CDN_WARMUP:
            # Of what went to the failover whatever is served there is warmed.
            return {"manifestPath": facts.get("manifestPath"), "target": facts.get("target", Target.PRIMARY)}
        case Endpoint.OBSERVABILITY:
            return _alert(notification) if "severity" in facts else _progress(notification)
        case Endpoint.BIGQUERY:
            return {
                "id": notification.id,
                "event": notification.topic,
                "payload": {**_about(notification), **facts},
                "emittedAt": to_wire(notification.occurred_at),
            }
        case Endpoint.AUDIT:
            return _audit(notification)


def _content_callback(notification: Notification, sign: Sign) -> dict[str, Any]:
    facts = notification.facts
    manifest = _signed(facts, sign)
    return {
        "contentId": notification.content_id,
        "manifestUrl": manifest.url,
        "channelId": facts["channelId"],
        "expiresAt": manifest.expires_at,
        "checksum": facts["checksum"],
        **manifest.extras,
    }


def _cdn_control(notification: Notification, sign: Sign) -> dict[str, Any]:
    facts = notification.facts
    match notification.topic:
        case "cdn.warmup":
            manifest = _signed(facts, sign)
            return {"url": manifest.url, **manifest.extras}
        case "cdn.failover":
            said = {"target": facts["target"]} if "target" in facts else {}
            return {"path": facts["path"], "ingestRegion": facts["ingestRegion"], **said}
        case _:
            return {"path": facts["path"]}


def _progress(notification: Notification) -> dict[str, Any]:
    facts = notification.facts
    return {
        "event": notification.topic,
        "contentId": notification.content_id,
        "manifestPath": facts.get("manifestPath") or next(iter(facts.get("paths", ())), None),
        "retries": facts.get("retries", 0),
        "occurredAt": to_wire(notification.occurred_at),
    }


def _alert(notification: Notification) -> dict[str, Any]:
    facts = notification.facts
    named = {"severity", "description", "auditTopic"}
    return {
        "event": notification.topic,
        "severity": facts["severity"],
        "description": facts["description"],
        "metadata": {
            **_about(notification),
            **{name: fact for name, fact in facts.items() if name not in named},
        },
        "auditTopic": facts.get("auditTopic"),
    }


def _audit(notification: Notification) -> dict[str, Any]:
    """What is about no content, such as an origin or a dead letter, has a `subject` instead."""
    facts = notification.facts
    named = {"action", "actor", "reason", "severity", "description", "auditTopic", "occurredAt"}
    about, of_content = notification.content_id, is_about_content(notification)
    return {
        "id": notification.id,
        "action": facts.get("action", notification.topic),
        "actor": facts["actor"],
        "contentId": about if of_content else None,
        "subject": None if of_content else about,
        "reason": facts.get("reason") or facts.get("description", ""),
        "severity": facts.get("severity"),
        "occurredAt": to_wire(notification.occurred_at),
        "correlationId": notification.correlation_id,
        "metadata": {name: fact for name, fact in facts.items() if name not in named},
    }


def _about(notification: Notification) -> dict[str, Any]:
    """The content that it is about; anything else is named by its facts."""
    return {"contentId": notification.content_id} if is_about_content(notification) else {}


def _signed(facts: Mapping[str, Any], sign: Sign) -> SignedManifest:
    return sign(facts["manifestPath"], facts.get("baseUrl"))
