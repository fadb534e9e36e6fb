"""What answers look like, for the API's description. Tests hold them to the types they stand for."""

from typing import Any

_CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
_NOW, _LATER = "2026-01-02T03:04:05.678Z", "2026-01-02T03:09:05.000Z"
_PATH = "/reels/ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1/master.m3u8"
_SIGNED = (
    "https://cdn.example/reels/ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1/master.m3u8?URLPrefix=aHR0cHM6Ly9jZG4uZXhhbXBsZS8"
    "&Expires=1767323345&KeyName=primary&Signature=Zm9yIGV4YW1wbGUgb25seQ=="
)
_CHANNEL: dict[str, Any] = {
    "contentId": _CONTENT,
    "channelId": "9584166e-c6bd-56a5-9b85-38321f96b655",
    "classification": "reel",
    "tenantId": "tenant-1",
    "manifestPath": _PATH,
    "playbackUrl": f"https://origin.example{_PATH}",
    "originEndpoint": "https://origin.example",
    "cacheKey": "a02bc7594facdd461272549f0506d200e5c7850d272ed8b0e7f9f390046faddc",
    "checksum": "sha256:6f1c3b5a",
    "status": "ready",
    "phase": "playable",
    "phaseAt": _NOW,
    "phaseReason": "ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1 plays every rung",
    "retries": 0,
    "sourceAssetUri": "gs://uploads/videos/clip.mp4",
    "omeApplication": "reels",
    "protocol": "ll-hls",
    "readyAt": _NOW,
    "lastProvisionedAt": _NOW,
    "ingestRegion": "us-east1",
    "geoRestrictions": {"deny": ["KP"]},
    "generation": 1,
    "specHash": "5b1f0c6d3d7f2f2c7f9a6c5c1a6f7b0e8d9c4b3a291807f6e5d4c3b2a1908f7e",
    "incarnation": 1,
    "createdAt": _NOW,
    "updatedAt": _NOW,
}
_ORIGIN: dict[str, Any] = {
    "name": "ome-1",
    "pools": ["ome-reels-ingest"],
    "state": "up",
    "since": _NOW,
    "channels": 4,
    "capacity": 5,
    "allowed": 5,
    "drained": False,
    "overloaded": False,
}
_FAILOVER: dict[str, Any] = {
    "subject": "cdn",
    "state": "promoted",
    "reason": "214 of 220 contents fail on the primary",
    "actor": "failover",
    "since": _NOW,
    "share": 1.0,
    "manual": False,
    "frozen": False,
    "promotions": 1,
}

EXAMPLES: dict[str, Any] = {
    "ManifestAnswer": {
        "manifestUrl": _SIGNED,
        "expiresAt": _LATER,
        "cdn": "cdn.example",
        "entitlements": [_CONTENT],
        "policy": {
            "cacheControl": "private, max-age=30, stale-while-revalidate=30",
            "ttlSeconds": 300,
            "failover": False,
        },
    },
    "SignedPlayback": {"playbackUrl": _SIGNED, "expiresAt": _LATER, "cdn": "cdn.example"},
    "SignedCookie": {
        "name": "Cloud-CDN-Cookie",
        "value": "URLPrefix=aHR0cHM6Ly9jZG4uZXhhbXBsZS8=:Expires=1767323345:KeyName=primary:Signature=Zm9yIGV4YW1wbGU=",
        "domain": "cdn.example",
        "path": "/reels/ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1/",
        "expires": _LATER,
    },
    "ChannelView": _CHANNEL,
    "ChannelList": {"items": [_CHANNEL], "next": None},
    "HistoryView": {
        "contentId": _CONTENT,
        "at": _NOW,
        "actor": "admin-api",
        "action": "purge",
        "reason": "CDN purge requested",
        "status": "ready",
        "phase": "playable",
        "generation": 1,
        "incarnation": 1,
        "correlationId": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
    },
    "DeadLetterView": {
        "id": "1d4b6c86-0f0e-5d0c-8c3e-3a5a1f2f7a10",
        "receivedAt": _NOW,
        "source": "pubsub",
        "messageId": "1234567890",
        "reason": "is not a UUID",
        "field": "contentId",
        "attributes": {},
        "sizeBytes": 16,
        "data": "eyJjb250ZW50SWQiOiAxfQ==",
        "text": '{"contentId": 1}',
    },
    "DeliveryView": {
        "id": "6f7a8c9d-1b2c-5d3e-8f4a-5b6c7d8e9f0a",
        "endpoint": "cdn-control",
        "topic": "cdn.purge",
        "contentId": _CONTENT,
        "occurredAt": _NOW,
        "correlationId": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "state": "delivered",
        "tries": 1,
        "facts": {"path": "/reels/ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1/*", "occurredAt": _NOW},
        "attempts": [{"at": _NOW, "status": 200, "detail": "", "durationMs": 12.5}],
    },
    "Requested": {"status": "purge-requested"},
    "RotationRequested": {
        "status": "rotation-requested",
        "ingest": {
            "url": "rtmp://ome.example:1935/reels",
            "streamKey": "9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-Zm9yLWV4YW1wbGUtb25seS1ub3QtYS1r",
            "previousKeyValidUntil": _LATER,
        },
    },
    "IngestView": {
        "url": "rtmp://ome.example:1935/reels",
        "keys": [
            {"id": "5b1f0c6d3d7f", "madeAt": _NOW, "validUntil": _LATER},
            {"id": "a02bc7594fac", "madeAt": _NOW},
        ],
        "publisher": {"address": "192.0.2.7", "port": 51024, "protocol": "rtmp", "since": _NOW},
    },
    "Qos": {
        "channels": {"provisioning": 1, "ready": 240, "failed": 1, "retired": 12},
        "outbox": {"pending": {"cdn-control": 2}, "dead": 0, "oldestSeconds": 1.5},
        "deadLetters": 0,
        "lastFailures": [
            {
                "contentId": _CONTENT,
                "failure": {"code": "not_playable", "detail": "rung 360p is missing", "at": _NOW},
            }
        ],
        "origins": [_ORIGIN],
        "failovers": [_FAILOVER],
        "waiting": {"reel": 0, "series": 2},
    },
    "ProbeResults": {
        "results": [
            {
                "region": "iad",
                "target": "primary",
                "success": True,
                "verdict": "ok",
                "statusCode": 200,
                "latencyMs": 184.2,
                "detail": "",
            },
            {
                "region": "sfo",
                "target": "primary",
                "success": False,
                "verdict": "incomplete",
                "statusCode": 200,
                "latencyMs": 61.7,
                "detail": "the manifest lacks 480p",
            },
        ],
        "unknown": [{"region": "ams", "target": "primary"}],
        "failover": {"state": "primary", "reason": ""},
    },
    "FailoverEntry": _FAILOVER,
    "FailoverList": {"items": [_FAILOVER]},
    "OriginEntry": _ORIGIN,
    "OriginList": {"items": [_ORIGIN]},
    "Health": {"status": "ok", "version": "0.1.0"},
    "Readiness": {"status": "ready"},
}
