"""Auth, envelope and routes."""

import base64

import pytest

from streaming_service.devkit.ome.rest import (
    ApiError,
    Call,
    ConfigError,
    Reply,
    Router,
    check_credential,
    created,
    envelope,
    many,
    ok,
    refusal,
)

TOKEN = "key:secret"


def test_right_credential() -> None:
    check_credential("Basic " + base64.b64encode(TOKEN.encode()).decode(), TOKEN)


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic a2V5Ondyb25n", "Bearer key", f"Basic {TOKEN}"])
def test_wrong_credential(header: str | None) -> None:
    with pytest.raises(ApiError) as refused:
        check_credential(header, TOKEN)

    assert refused.value.status == 401


def test_router_takes_parameters_as_they_are() -> None:
    router = Router()
    router.add("GET", "/v1/vhosts/{vhost}/apps/{app}", lambda call: ok(list(call.params)))

    handler, params = router.find("HEAD", "/v1/vhosts/a%20b/apps/")

    assert handler(Call(params)) == ok(["a%20b", ""])


@pytest.mark.parametrize("path", ["/v1/vhosts/a/apps", "/v1/vhosts/a/apps/b/", "/v1xvhosts/a/apps/b"])
def test_router_matches_whole_paths(path: str) -> None:
    router = Router()
    router.add("GET", "/v1/vhosts/{vhost}/apps/{app}", lambda _: ok())

    with pytest.raises(ApiError, match="Controller not found"):
        router.find("GET", path)
    with pytest.raises(ApiError, match="Controller not found"):
        router.find("PUT", "/v1/vhosts/a/apps/b")


def test_envelopes() -> None:
    assert created() == Reply(201, {"statusCode": 201, "message": "Created"})
    assert ok([]).body == {"statusCode": 200, "message": "OK", "response": []}
    assert refusal(ApiError(404, "gone")).body == {"statusCode": 404, "message": "[HTTP] gone (404)"}
    assert refusal(ConfigError("bad")).body == {"statusCode": 400, "message": "[Config] bad"}


@pytest.mark.parametrize(
    ("statuses", "whole"), [([], 200), ([200], 200), ([409, 409], 409), ([409, 200], 207), ([200, 409], 207)]
)
def test_status_of_a_batch(statuses: list[int], whole: int) -> None:
    assert many([envelope(status, "") for status in statuses]).status == whole


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1,"])
def test_malformed_body(content: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        _ = Call((), content).body

    assert refused.value.status == 400
