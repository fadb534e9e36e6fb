"""What the API of one process makes of its service."""

from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.bootstrap import Service, wire
from streaming_service.configuration import load
from streaming_service.domain.notification import Cause
from streaming_service.domain.upload import parse_registration
from streaming_service.entrypoints.serving import api_context
from streaming_service.errors import ConfigurationError, StoreUnavailable

pytestmark = pytest.mark.anyio

CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"


class Silence:
    """A transport that nothing may be sent over."""

    async def send(self, request: Request) -> Response:
        raise AssertionError(request.url)


class DownStore(MemoryStore):
    async def check(self) -> None:
        raise StoreUnavailable("down")


def service(store: MemoryStore, **changes: str) -> Service:
    variables = {
        "APP_ENV": "test",
        "CHANNEL_REPOSITORY_BACKEND": "memory",
        "EVENT_SOURCE": "push",
        "DRY_RUN_PROVISIONING": "true",
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "CDN_BASE_URL": "https://cdn.example",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        "AUTH_SERVICE_BASE_URL": "http://auth.example",
    }
    return wire(load(variables | changes, env_file=None), store, Silence(), NullMediaLibrary())


def registration() -> dict[str, Any]:
    return {
        "contentId": CONTENT,
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/clip.mp4",
        "checksum": "sha256:1",
    }


async def test_it_is_ready_when_the_store_answers() -> None:
    await api_context(service(MemoryStore())).check_ready()


async def test_without_a_store_it_is_ready_only_while_it_knows_something_to_sign() -> None:
    down = service(DownStore())
    ready = api_context(down).check_ready
    with pytest.raises(StoreUnavailable):
        await ready()

    await down.provisioning.accept(parse_registration(registration(), datetime.now(UTC)), Cause("test", "test"))
    await down.playback.internal(CONTENT)

    await ready()


@pytest.mark.parametrize(
    ("changes", "scheduled"),
    [
        ({}, True),
        ({"PROBES_PER_SECOND": "0"}, False),
        ({"CDN_PROBE_REGIONS": ","}, False),
        ({"DRY_RUN_PROVISIONING": "true"}, False),
    ],
)
async def test_probes_have_a_schedule_where_there_is_something_to_probe(
    changes: dict[str, str], scheduled: bool
) -> None:
    plays = {"DRY_RUN_PROVISIONING": "false", "OME_API_BASE_URL": "http://ome.example:8081"}
    wired = service(MemoryStore(), **(plays | changes))
    assert (wired.probes.watch is not None) is scheduled
    assert api_context(wired).probing is wired.probes.on_demand


async def test_a_probe_secret_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="PROBE_AGENT_SECRET: expected whsec_"):
        service(MemoryStore(), PROBE_AGENT_SECRET="planted!")


async def test_several_service_tokens_are_accepted_while_one_is_rotated() -> None:
    context = api_context(service(MemoryStore(), SERVICE_AUTH_TOKEN="old, new,"))
    assert context.service_tokens == ("old", "new")
