"""Who may do what; every route is asked."""

import pytest

from tests.integration.http.harness import (
    CONTENT,
    METRICS_TOKEN,
    OTHER_SERVICE_TOKEN,
    SERVICE_TOKEN,
    VIEWER_TOKEN,
    Harness,
    serving,
)

pytestmark = pytest.mark.anyio

GUARDED = [
    ("POST", "/v1/admin/streams/register"),
    ("GET", "/v1/admin/streams"),
    ("GET", f"/v1/admin/streams/{CONTENT}"),
    ("GET", f"/v1/admin/streams/{CONTENT}/events"),
    ("DELETE", f"/v1/admin/streams/{CONTENT}"),
    ("POST", f"/v1/admin/streams/{CONTENT}/purge"),
    ("POST", f"/v1/admin/streams/{CONTENT}/replay"),
    ("GET", "/v1/admin/dead-letters"),
    ("GET", "/v1/admin/dead-letters/x"),
    ("POST", "/v1/admin/dead-letters/x/replay"),
    ("DELETE", "/v1/admin/dead-letters/x"),
    ("GET", "/v1/admin/origins"),
    ("POST", "/v1/admin/origins/x/drain"),
    ("DELETE", "/v1/admin/origins/x/drain"),
    ("GET", "/v1/admin/deliveries"),
    ("POST", "/v1/admin/deliveries/x/resend"),
    ("GET", f"/internal/playback/{CONTENT}"),
    ("POST", "/internal/events/pubsub"),
    ("GET", "/internal/qos"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_a_token_401_with_a_wrong_one_403(running: Harness, method: str, path: str) -> None:
    missing = await running.ask(method, path)
    assert (missing.status, missing.json["code"], missing.headers["www-authenticate"]) == (
        401,
        "missing_service_token",
        "Bearer",
    )
    for wrong in (
        VIEWER_TOKEN,
        METRICS_TOKEN,
        SERVICE_TOKEN[:-1],
        SERVICE_TOKEN + "x",
        f"{SERVICE_TOKEN},{OTHER_SERVICE_TOKEN}",
    ):
        for headers in ({"authorization": f"Bearer {wrong}"}, {"x-service-token": wrong}):
            refused = await running.ask(method, path, headers=headers)
            assert (refused.status, refused.json["code"]) == (403, "wrong_service_token")
            assert wrong.encode() not in refused.body
    assert running.published == []


@pytest.mark.parametrize("token", [SERVICE_TOKEN, OTHER_SERVICE_TOKEN])
async def test_each_of_several_tokens_opens(running: Harness, token: str) -> None:
    assert (await running.ask("GET", "/v1/admin/streams", headers={"authorization": f"bearer {token}"})).status == 200
    assert (await running.ask("GET", "/v1/admin/streams", headers={"x-service-token": token})).status == 200


async def test_without_tokens_everybody_is_a_service() -> None:
    async with serving(service_tokens=(), metrics_token=None) as running:
        assert (await running.ask("GET", "/v1/admin/streams")).status == 200
        assert (await running.ask("GET", "/metrics")).status == 200


async def test_metrics_have_their_own_token(running: Harness) -> None:
    missing = await running.ask("GET", "/metrics")
    assert (missing.status, missing.json["code"]) == (401, "missing_metrics_token")
    wrong = await running.admin("GET", "/metrics")
    assert (wrong.status, wrong.json["code"]) == (403, "wrong_metrics_token")
    assert (await running.ask("GET", "/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})).status == 200
