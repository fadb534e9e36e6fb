"""The description is complete: every route, every status it was seen to answer."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from streaming_service.domain.access import HTTP_STATUS
from streaming_service.entrypoints.http.app import build_rest
from tests.integration.http.harness import Harness, serving

pytestmark = pytest.mark.anyio

INTERFACE = {
    ("get", "/v1/streams/{contentId}/manifest"),
    ("post", "/v1/admin/streams/register"),
    ("get", "/v1/admin/streams"),
    ("get", "/v1/admin/streams/{contentId}"),
    ("get", "/v1/admin/streams/{contentId}/events"),
    ("delete", "/v1/admin/streams/{contentId}"),
    ("post", "/v1/admin/streams/{contentId}/purge"),
    ("post", "/v1/admin/streams/{contentId}/rotate-ingest"),
    ("post", "/v1/admin/streams/{contentId}/replay"),
    ("get", "/v1/admin/dead-letters"),
    ("get", "/v1/admin/dead-letters/{id}"),
    ("post", "/v1/admin/dead-letters/{id}/replay"),
    ("delete", "/v1/admin/dead-letters/{id}"),
    ("get", "/v1/admin/deliveries"),
    ("post", "/v1/admin/deliveries/{id}/resend"),
    ("get", "/v1/admin/origins"),
    ("post", "/v1/admin/origins/{name}/drain"),
    ("delete", "/v1/admin/origins/{name}/drain"),
    ("get", "/v1/admin/failover"),
    ("post", "/v1/admin/failover/{subject}/promote"),
    ("post", "/v1/admin/failover/{subject}/demote"),
    ("post", "/v1/admin/failover/{subject}/freeze"),
    ("delete", "/v1/admin/failover/{subject}/freeze"),
    ("get", "/internal/playback/{contentId}"),
    ("post", "/internal/events/pubsub"),
    ("get", "/internal/qos"),
    ("post", "/internal/probes/manifest"),
    ("get", "/metrics"),
    ("get", "/health"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/openapi.json"),
    ("get", "/docs"),
}


async def document(running: Harness) -> dict[str, Any]:
    answer = await running.ask("GET", "/openapi.json")
    assert answer.status == 200
    return answer.json


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


async def test_it_holds_the_interface_and_nothing_else(running: Harness) -> None:
    described = await document(running)
    assert described["openapi"].startswith("3.1")
    assert {(method, path) for method, path, _ in operations(described)} == INTERFACE


async def test_every_route_that_is_served_is_described(running: Harness) -> None:
    described = await document(running)
    served = {
        (method.lower(), re.sub(r":\w+}", "}", route.path_format))
        for route in build_rest(running.api).routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    assert served < {(method, path) for method, path, _ in operations(described)}


async def test_every_refusal_is_a_problem_with_an_example(running: Harness) -> None:
    described = await document(running)
    for method, path, operation in operations(described):
        for status, response in operation["responses"].items():
            assert response["description"]
            assert response["headers"]["x-correlation-id"]
            if int(status) < 400:
                continue
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (method, path, status)
            for example in content["examples"].values():
                assert example["value"]["status"] == int(status)
            if status == "503":
                assert response["headers"]["retry-after"]
            if status == "401":
                assert response["headers"]["www-authenticate"]


async def test_the_manifest_route_tells_all_of_its_refusals(running: Harness) -> None:
    responses = (await document(running))["paths"]["/v1/streams/{contentId}/manifest"]["get"]["responses"]
    assert {int(status) for status in responses} == {200, 400, 405, 429, 500, *HTTP_STATUS.values()}
    codes = {
        example["value"]["code"]
        for status, response in responses.items()
        if int(status) >= 400
        for example in response["content"]["application/problem+json"]["examples"].values()
    }
    assert codes >= {refusal.value for refusal in HTTP_STATUS}


async def test_guarded_routes_name_their_scheme(running: Harness) -> None:
    described = await document(running)
    schemes = described["components"]["securitySchemes"]
    for _, path, operation in operations(described):
        needs = {name for scheme in operation.get("security", ()) for name in scheme}
        assert needs <= set(schemes)
        assert bool(needs) == ("401" in operation["responses"]), path
        if path.startswith(("/v1/admin", "/internal")):
            own = {"googlePush"} if path == "/internal/events/pubsub" else set[str]()
            assert needs == {"serviceToken", "serviceTokenHeader"} | own


async def test_every_operation_is_told_in_words_and_has_its_own_id(running: Harness) -> None:
    described = await document(running)
    found = [operation for _, _, operation in operations(described)]
    assert all(operation["summary"] and operation["description"] and operation["tags"] for operation in found)
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)


async def test_every_reference_leads_somewhere(running: Harness) -> None:
    described = await document(running)

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for reference in set(references(described)):
        place: Any = described
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


async def test_bodies_are_described_with_examples_that_are_accepted(running: Harness) -> None:
    body = (await document(running))["paths"]["/v1/admin/streams/register"]["post"]["requestBody"]
    examples = body["content"]["application/json"]["examples"]
    assert set(examples) == {"gateway", "ready-for-stream", "live"}
    for example in examples.values():
        answer = await running.admin("POST", "/v1/admin/streams/register", json=example["value"])
        assert answer.status == 202, answer.json


async def test_the_page_loads_nothing_from_elsewhere(running: Harness) -> None:
    answer = await running.ask("GET", "/docs")
    page = answer.body.decode()
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!/|#)', page)
    assert "/v1/streams/{contentId}/manifest" in page


async def test_it_can_be_switched_off() -> None:
    async with serving(openapi=False) as running:
        assert (await running.ask("GET", "/openapi.json")).status == 404
        assert (await running.ask("GET", "/docs")).status == 404


async def test_no_admin_action_is_new_to_the_audit_log(running: Harness) -> None:
    """Whoever adds one puts it on record, and tests that in tests/unit/application/test_audit_log.py."""
    acting = {
        operation["operationId"]
        for method, path, operation in operations(await document(running))
        if path.startswith("/v1/admin") and method != "get"
    }
    assert acting == {
        "registerStream",
        "retireStream",
        "purgeStream",
        "rotateIngest",
        "replayStream",
        "replayDeadLetter",
        "deleteDeadLetter",
        "resendDelivery",
        "drainOrigin",
        "undrainOrigin",
        "promoteFailover",
        "demoteFailover",
        "freezeFailover",
        "unfreezeFailover",
    }
