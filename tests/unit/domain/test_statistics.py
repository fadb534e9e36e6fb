"""What analytics is told of origins."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from streaming_service.domain.notification import Endpoint
from streaming_service.domain.rendering import SignedManifest, render_body
from streaming_service.domain.statistics import ChannelReading, OriginReading, envelopes
from tests.fakes import NOW

READING = OriginReading(
    origin="ome-1",
    up=True,
    asked_since=NOW - timedelta(hours=1),
    read_at=NOW - timedelta(seconds=2.5),
    channels=(
        ChannelReading("content-1", "ss-1-1", 3, 1500.0, 1000),
        ChannelReading("content-2", "ss-2-1", 4, 2500.0, 2000),
    ),
)


def bodies(reading: OriginReading) -> list[dict[str, Any]]:
    def sign(path: str, base: str | None) -> SignedManifest:
        raise NotImplementedError

    return [render_body(envelope, sign) for envelope in envelopes(reading, NOW, 60)]


def test_an_origin() -> None:
    (envelope,) = envelopes(READING, NOW, 60)
    (body,) = bodies(READING)

    assert (envelope.endpoint, envelope.content_id) == (Endpoint.BIGQUERY, "origin:ome-1")
    assert body == {
        "id": envelope.id,
        "event": "ome.realtime.stats",
        "payload": {
            "origin": "ome-1",
            "channels": [
                {"contentId": "content-1", "stream": "ss-1-1", "viewers": 3, "bitrateKbps": 1500.0, "bytesOut": 1000},
                {"contentId": "content-2", "stream": "ss-2-1", "viewers": 4, "bitrateKbps": 2500.0, "bytesOut": 2000},
            ],
            "totals": {"channels": 2, "viewers": 7, "bitrateKbps": 4000.0, "bytesOut": 3000},
            "up": True,
            "ageSeconds": 2.5,
            "part": 1,
            "parts": 1,
            "occurredAt": "2026-11-22T12:00:00.000Z",
        },
        "emittedAt": "2026-11-22T12:00:00.000Z",
    }


def test_an_idle_origin_is_told_of() -> None:
    (body,) = bodies(replace(READING, channels=()))

    assert body["payload"]["channels"] == []
    assert body["payload"]["totals"] == {"channels": 0, "viewers": 0, "bitrateKbps": 0, "bytesOut": 0}


def test_many_channels_take_several_with_the_totals_of_all() -> None:
    channels = tuple(ChannelReading(f"content-{n}", f"ss-{n}", 1, 1000.0, 0) for n in range(401))
    payloads = [body["payload"] for body in bodies(replace(READING, channels=channels))]

    assert [(payload["part"], payload["parts"], len(payload["channels"])) for payload in payloads] == [
        (1, 3, 200),
        (2, 3, 200),
        (3, 3, 1),
    ]
    assert [payload["totals"]["viewers"] for payload in payloads] == [401] * 3
    assert len({envelope.id for envelope in envelopes(replace(READING, channels=channels), NOW, 60)}) == 3


def test_an_interval_has_one_id_and_the_next_another() -> None:
    def id_at(seconds: float, origin: str = "ome-1") -> str:
        return envelopes(replace(READING, origin=origin), NOW + timedelta(seconds=seconds), 60)[0].id

    assert id_at(0) == id_at(59.9)
    assert len({id_at(0), id_at(60), id_at(0, "ome-2")}) == 3


def test_nothing_is_told_of_one_that_never_answered() -> None:
    assert envelopes(replace(READING, up=False, read_at=None, channels=()), NOW, 60) == ()
