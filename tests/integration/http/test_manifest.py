"""The hot route: every answer it can give."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streaming_service.domain.content import AvailabilityWindow, Drm, GeoRestrictions
from streaming_service.errors import StoreUnavailable, UpstreamRejected, UpstreamUnavailable
from tests.integration.http.harness import CDN, CONTENT, UNKNOWN, VIEWER_TOKEN, Harness, playable, viewer, waiting

pytestmark = pytest.mark.anyio


async def test_a_viewer_gets_a_signed_url_and_exactly_the_promised_headers(running: Harness) -> None:
    await running.add(playable())
    answer = await running.watch()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, max-age=30, stale-while-revalidate=30"
    assert answer.headers["cdn-cache-control"] == "private, max-age=30"
    assert answer.headers["edge-control"] == "cache-maxage=30"
    assert answer.headers["x-correlation-id"]
    body = answer.json
    assert set(body) == {"manifestUrl", "expiresAt", "cdn", "entitlements", "policy"}
    url, _, query = body["manifestUrl"].partition("?")
    assert url == f"{CDN}/reels/ss-{CONTENT.replace('-', '')}-1/master.m3u8"
    assert [part.partition("=")[0] for part in query.split("&")] == ["URLPrefix", "Expires", "KeyName", "Signature"]
    assert body["policy"] == {
        "cacheControl": "private, max-age=30, stale-while-revalidate=30",
        "ttlSeconds": 300,
        "failover": False,
    }
    assert body["cdn"] == "cdn.test"
    assert datetime.strptime(body["expiresAt"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) > datetime.now(UTC)


async def test_drm_and_availability_are_told_when_set(running: Harness) -> None:
    window = AvailabilityWindow(datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC), None)
    await running.add(playable(drm=Drm("key-1", "https://drm.test/"), availability=window))
    body = (await running.watch()).json
    assert body["drm"] == {"keyId": "key-1", "licenseServer": "https://drm.test/"}
    assert body["availability"] == {"startsAt": "2026-01-02T03:04:05.678Z"}


@pytest.mark.parametrize(
    ("query", "playlist"),
    [("", "master"), ("?quality=auto", "master"), ("?quality=480p", "max-480p"), ("?quality=1080p", "master")],
)
async def test_quality_is_a_cap(running: Harness, query: str, playlist: str) -> None:
    await running.add(playable())
    url = (await running.watch(query=query)).json["manifestUrl"].partition("?")[0]
    assert url.rpartition("/")[2] == f"{playlist}.m3u8"


async def test_unknown_parameters_and_every_known_one_are_taken(running: Harness) -> None:
    await running.add(playable())
    query = "?device=tv&geo=at&session=9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d99&utm=1&utm=2&quality=%61uto"
    assert (await running.watch(query=query)).status == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?quality=4k", "quality"),
        ("?quality=", "quality"),
        ("?quality=auto&quality=auto", "quality"),
        ("?device=fridge", "device"),
        ("?geo=AUT", "geo"),
        ("?geo=%C3%84T", "geo"),
        ("?session=1", "session"),
        ("?session=%ff", "session"),
    ],
)
async def test_a_wrong_parameter_is_named(running: Harness, query: str, field: str) -> None:
    await running.add(playable())
    answer = await running.watch(query=query)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["errors"][0]["field"] == field
    assert answer.json["code"] == "invalid_parameter"


async def test_a_content_id_is_a_uuid_in_any_case(running: Harness) -> None:
    await running.add(playable())
    assert (await running.watch(CONTENT.upper())).status == 200
    for wrong in ("clip", f"{{{CONTENT}}}", CONTENT.replace("-", ""), CONTENT + "0"):
        answer = await running.watch(wrong)
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, "contentId")


REFUSALS: list[tuple[str, Any, Any, int, str, dict[str, str]]] = [
    ("no token", None, playable(), 401, "no_token", {"www-authenticate": "Bearer"}),
    ("inactive", "somebody", playable(), 401, "inactive_token", {"www-authenticate": 'Bearer error="invalid_token"'}),
    ("scope", viewer(scopes=frozenset({"other"})), playable(), 403, "missing_scope", {}),
    ("entitlement", viewer(entitlements=("x",)), playable(), 403, "not_entitled", {}),
    ("unknown", viewer(), None, 404, "unknown_content", {}),
    ("not ready", viewer(), waiting(), 409, "not_ready", {"retry-after": "2"}),
    ("retired", viewer(), playable().retired(datetime.now(UTC)), 410, "retired", {}),
    (
        "over",
        viewer(),
        playable(availability=AvailabilityWindow(None, datetime(2020, 1, 1, tzinfo=UTC))),
        410,
        "no_longer_available",
        {},
    ),
    (
        "country",
        viewer(country="DE"),
        playable(geo=GeoRestrictions(deny=("DE",))),
        451,
        "country_blocked",
        {},
    ),
    (
        "refused",
        UpstreamRejected("auth", "planted-detail"),
        playable(),
        502,
        "token_service_failed",
        {"retry-after": "2"},
    ),
    (
        "down",
        UpstreamUnavailable("auth", "planted-detail", retry_after=7),
        playable(),
        503,
        "token_service_unavailable",
        {"retry-after": "7"},
    ),
]


@pytest.mark.parametrize(
    ("who", "channel", "status", "code", "headers"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
async def test_every_refusal(
    running: Harness, who: Any, channel: Any, status: int, code: str, headers: dict[str, str]
) -> None:
    if channel is not None:
        await running.add(channel)
    token: str | None = VIEWER_TOKEN
    if who is None or isinstance(who, str):
        token = who
    else:
        running.viewers.known[VIEWER_TOKEN] = who
    answer = await running.watch(token=token)
    assert (answer.status, answer.json["code"], answer.json["status"]) == (status, code, status)
    assert set(answer.json) == {"type", "title", "status", "detail", "instance", "code"}
    assert answer.json["instance"] == f"/v1/streams/{CONTENT}/manifest"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert "cdn-cache-control" not in answer.headers
    assert {name: answer.headers.get(name) for name in headers} == headers
    assert b"planted" not in answer.body


async def test_not_yet_available_says_how_long_to_wait(running: Harness) -> None:
    opens = datetime.now(UTC) + timedelta(seconds=90)
    await running.add(playable(availability=AvailabilityWindow(opens, None)))
    answer = await running.watch()
    assert (answer.status, answer.json["code"]) == (409, "not_yet_available")
    assert 85 <= int(answer.headers["retry-after"]) <= 91


async def test_a_token_beats_the_claimed_country(running: Harness) -> None:
    await running.add(playable(geo=GeoRestrictions(allow=("AT",))))
    assert (await running.watch(query="?geo=AT")).status == 200
    running.viewers.known["german"] = viewer(country="DE")
    assert (await running.watch(query="?geo=AT", token="german")).status == 451


async def test_the_store_may_be_down_for_what_is_known_only(running: Harness) -> None:
    await running.add(playable())
    assert (await running.watch()).status == 200
    running.store.down = True
    assert (await running.watch()).status == 200
    answer = await running.watch(UNKNOWN)
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "store_unavailable", "2")


async def test_a_fault_of_ours_tells_nothing_and_is_counted(running: Harness) -> None:
    running.viewers.known[VIEWER_TOKEN] = ValueError("planted-detail")
    answer = await running.watch()
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert b"planted" not in answer.body
    assert running.api.metrics.registry.get_sample_value(
        "streaming_manifest_requests_total", {"result": "internal_error"}
    )


async def test_head_is_get_without_a_body(running: Harness) -> None:
    await running.add(playable())
    headers = {"authorization": f"Bearer {VIEWER_TOKEN}"}
    path = f"/v1/streams/{CONTENT}/manifest"
    whole = await running.ask("GET", path, headers=headers)
    answer = await running.ask("HEAD", path, headers=headers)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(whole.body))
    assert answer.headers["cache-control"] == whole.headers["cache-control"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(running: Harness, method: str) -> None:
    answer = await running.ask(method, f"/v1/streams/{CONTENT}/manifest")
    assert (answer.status, answer.headers["allow"], answer.json["code"]) == (405, "GET, HEAD", "method_not_allowed")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_may_be_written_in_any_case(running: Harness, scheme: str) -> None:
    await running.add(playable())
    headers = {"authorization": f"{scheme} {VIEWER_TOKEN}"}
    assert (await running.ask("GET", f"/v1/streams/{CONTENT}/manifest", headers=headers)).status == 200


@pytest.mark.parametrize("authorization", ["Basic dTpw", "Bearer", "Bearer ", "Bearer " + "x" * 20_000])
async def test_what_is_no_bearer_token_is_no_token(running: Harness, authorization: str) -> None:
    headers = {"authorization": authorization}
    answer = await running.ask("GET", f"/v1/streams/{CONTENT}/manifest", headers=headers)
    assert (answer.status, answer.json["code"]) == (401, "no_token")
    assert running.viewers.asked == []


async def test_the_correlation_id_reaches_the_token_service(running: Harness) -> None:
    headers = {"authorization": f"Bearer {VIEWER_TOKEN}", "x-correlation-id": "abc-123"}
    answer = await running.ask("GET", f"/v1/streams/{CONTENT}/manifest", headers=headers)
    assert answer.headers["x-correlation-id"] == "abc-123"
    assert running.viewers.asked == [(VIEWER_TOKEN, "abc-123")]


async def test_every_answer_is_counted(running: Harness) -> None:
    await running.add(playable())
    await running.watch()
    await running.watch(query="?quality=4k")
    await running.watch(token=None)

    def counted(result: str) -> float | None:
        return running.api.metrics.registry.get_sample_value("streaming_manifest_requests_total", {"result": result})

    assert [counted(result) for result in ("ok", "invalid_parameter", "no_token")] == [1, 1, 1]
    assert running.api.metrics.registry.get_sample_value("streaming_manifest_latency_ms_count") == 3


async def test_store_errors_of_any_kind_are_answered(running: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: str) -> None:
        raise StoreUnavailable("planted-dsn")

    monkeypatch.setattr(running.store, "get", broken)
    answer = await running.watch()
    assert answer.status == 503
    assert b"planted" not in answer.body
