"""The exact bodies that receivers speak."""

from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_service.domain.notification import Endpoint, Notification, Severity, about_origin
from streaming_service.domain.rendering import SignedManifest, render_body
from streaming_service.domain.signing.scheme import SignedCookie

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
READY = {
    "manifestPath": "/reels/sid-1/master.m3u8",
    "baseUrl": "https://cdn.example",
    "channelId": "ch-1",
    "cacheKey": "key",
    "checksum": "sum",
    "retries": 2,
    "occurredAt": "2026-01-02T03:04:05.678Z",
}


def sign(path: str, base: str | None) -> SignedManifest:
    return SignedManifest(f"{base or 'https://default.example'}{path}?signed", "2026-01-02T03:09:05.678Z")


def render(endpoint: Endpoint, topic: str, facts: dict[str, Any]) -> dict[str, Any]:
    return render_body(Notification("n-1", endpoint, topic, "content-1", MOMENT, facts), sign)


def test_content_callback() -> None:
    assert render(Endpoint.CONTENT_CALLBACK, "stream.provisioned", READY) == {
        "contentId": "content-1",
        "manifestUrl": "https://cdn.example/reels/sid-1/master.m3u8?signed",
        "channelId": "ch-1",
        "expiresAt": "2026-01-02T03:09:05.678Z",
        "checksum": "sum",
    }


def test_a_channel_without_its_own_base_url_is_signed_for_the_configured_one() -> None:
    body = render(Endpoint.CONTENT_CALLBACK, "stream.provisioned", {**READY, "baseUrl": None})

    assert body["manifestUrl"].startswith("https://default.example/")


def test_gateway_warmup() -> None:
    assert render(Endpoint.GATEWAY_WARMUP, "stream.provisioned", READY) == {
        "manifestUrl": "https://cdn.example/reels/sid-1/master.m3u8?signed",
        "cacheKey": "key",
    }


@pytest.mark.parametrize(
    ("endpoint", "topic"),
    [
        (Endpoint.CONTENT_CALLBACK, "stream.provisioned"),
        (Endpoint.GATEWAY_WARMUP, "stream.provisioned"),
        (Endpoint.CDN_CONTROL, "cdn.warmup"),
    ],
)
def test_who_is_given_a_url_is_given_the_cookies_that_it_needs(endpoint: Endpoint, topic: str) -> None:
    cookie = SignedCookie("Cloud-CDN-Cookie", "URLPrefix=…", "cdn.example", "/reels/sid-1/", "2026-01-02T03:09:05.678Z")

    def sign_by_cookie(path: str, base: str | None) -> SignedManifest:
        return SignedManifest(f"{base}{path}", cookie.expires, (cookie,))

    body = render_body(Notification("n-1", endpoint, topic, "content-1", MOMENT, READY), sign_by_cookie)
    assert body["cookies"] == [
        {
            "name": "Cloud-CDN-Cookie",
            "value": "URLPrefix=…",
            "domain": "cdn.example",
            "path": "/reels/sid-1/",
            "expires": "2026-01-02T03:09:05.678Z",
        }
    ]


@pytest.mark.parametrize(
    ("topic", "facts", "body"),
    [
        ("cdn.warmup", READY, {"url": "https://cdn.example/reels/sid-1/master.m3u8?signed"}),
        ("cdn.purge", {"path": "/reels/sid-1/*", "occurredAt": "…"}, {"path": "/reels/sid-1/*"}),
        (
            "cdn.failover",
            {"path": "/reels/sid-1/", "ingestRegion": "iad", "occurredAt": "…"},
            {"path": "/reels/sid-1/", "ingestRegion": "iad"},
        ),
        (
            "cdn.failover",
            {"path": "/*", "ingestRegion": None, "target": "primary", "reason": "…"},
            {"path": "/*", "ingestRegion": None, "target": "primary"},
        ),
    ],
)
def test_cdn_control(topic: str, facts: dict[str, Any], body: dict[str, Any]) -> None:
    assert render(Endpoint.CDN_CONTROL, topic, facts) == body


def test_a_warm_up_says_which_manifest_it_was_to_be() -> None:
    ready = render(Endpoint.CDN_WARMUP, "cdn.warmup", READY)
    promoted = render(Endpoint.CDN_WARMUP, "cdn.warmup", {"target": "failover"})

    assert ready == {"manifestPath": "/reels/sid-1/master.m3u8", "target": "primary"}
    assert promoted == {"manifestPath": None, "target": "failover"}


def test_observability() -> None:
    assert render(Endpoint.OBSERVABILITY, "stream.provisioned", READY) == {
        "event": "stream.provisioned",
        "contentId": "content-1",
        "manifestPath": "/reels/sid-1/master.m3u8",
        "retries": 2,
        "occurredAt": "2026-01-02T03:04:05.678Z",
    }


def test_observability_of_a_retirement_names_a_path() -> None:
    body = render(Endpoint.OBSERVABILITY, "stream.retired", {"paths": ["/a/", "/b/"]})

    assert (body["manifestPath"], body["retries"]) == ("/a/", 0)
    assert render(Endpoint.OBSERVABILITY, "stream.retired", {"paths": []})["manifestPath"] is None


def test_alerts() -> None:
    facts = {
        "severity": Severity.CRITICAL,
        "description": "Provisioning failed",
        "auditTopic": "audit",
        "code": "no_media",
        "retries": 5,
    }
    assert render(Endpoint.OBSERVABILITY, "stream.provisioning.failed", facts) == {
        "event": "stream.provisioning.failed",
        "severity": "critical",
        "description": "Provisioning failed",
        "metadata": {"contentId": "content-1", "code": "no_media", "retries": 5},
        "auditTopic": "audit",
    }


def test_the_audit_log_gets_who_did_what() -> None:
    facts = {"action": "retired", "actor": "admin-api", "reason": "retired", "generation": 2}

    assert render(Endpoint.AUDIT, "admin.retired", facts) == {
        "id": "n-1",
        "action": "retired",
        "actor": "admin-api",
        "contentId": "content-1",
        "subject": None,
        "reason": "retired",
        "severity": None,
        "occurredAt": "2026-01-02T03:04:05.678Z",
        "correlationId": None,
        "metadata": {"generation": 2},
    }


def test_the_audit_log_gets_alerts() -> None:
    facts = {"severity": Severity.CRITICAL, "description": "gone", "actor": "ome", "auditTopic": "a", "codes": ["X"]}
    body = render(Endpoint.AUDIT, "ome.alert", facts)

    assert (body["action"], body["severity"], body["reason"], body["metadata"]) == (
        "ome.alert",
        "critical",
        "gone",
        {"codes": ["X"]},
    )


def test_bigquery() -> None:
    assert render(Endpoint.BIGQUERY, "cdn.purge", {"path": "/a/"}) == {
        "id": "n-1",
        "event": "cdn.purge",
        "payload": {"contentId": "content-1", "path": "/a/"},
        "emittedAt": "2026-01-02T03:04:05.678Z",
    }


def test_what_is_about_an_origin_names_no_content() -> None:
    facts = {"origin": "ome-1", "severity": Severity.WARNING, "description": "is full"}

    def body(endpoint: Endpoint) -> dict[str, Any]:
        about = Notification("n-1", endpoint, "ome.realtime.stats", about_origin("ome-1"), MOMENT, facts)
        return render_body(about, sign)

    assert body(Endpoint.BIGQUERY)["payload"] == facts
    assert body(Endpoint.OBSERVABILITY)["metadata"] == {"origin": "ome-1"}


@pytest.mark.parametrize("endpoint", [Endpoint.CONTENT_CALLBACK, Endpoint.GATEWAY_WARMUP, Endpoint.CDN_CONTROL])
def test_a_missing_fact_is_a_mistake_of_ours(endpoint: Endpoint) -> None:
    with pytest.raises(KeyError):
        render(endpoint, "cdn.warmup", {})
