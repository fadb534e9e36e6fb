"""How the origins fare, and emptying them, over HTTP."""

import pytest

from tests.integration.http.harness import Harness, playable

pytestmark = pytest.mark.anyio
ORIGINS = "/v1/admin/origins"


async def test_origins_are_listed_with_those_that_left(running: Harness) -> None:
    await running.add(playable())
    answer = await running.admin("GET", ORIGINS)

    assert answer.status == 200
    gone, well, down = answer.json["items"]
    assert (gone["name"], gone["state"], gone["channels"]) == ("default", "gone", 1)
    assert (well["name"], well["state"], well["capacity"]) == ("ome-1", "up", 5)
    assert "reason" not in well
    assert down["reason"] == "cannot be reached"


async def test_an_origin_is_drained_and_used_again(running: Harness) -> None:
    for _ in range(2):
        answer = await running.admin("POST", f"{ORIGINS}/ome-1/drain")
        assert (answer.status, answer.json["drained"], answer.json["allowed"]) == (202, True, 0)
    assert await running.store.drained() == {"ome-1"}

    answer = await running.admin("DELETE", f"{ORIGINS}/ome-1/drain")
    assert (answer.status, answer.json["drained"]) == (200, False)
    assert await running.store.drained() == frozenset()


async def test_an_origin_that_does_not_exist_is_not_found(running: Harness) -> None:
    for method in ("POST", "DELETE"):
        answer = await running.admin(method, f"{ORIGINS}/nobody/drain")
        assert (answer.status, answer.json["code"]) == (404, "not_found")
