"""The API of a process, from the moment that it is told to stop."""

import asyncio

import aiohttp
import pytest

from streaming_service.application.ports import DeliveryQuery
from streaming_service.bootstrap import open_service
from streaming_service.configuration import load
from streaming_service.entrypoints.serving import serve_http

pytestmark = pytest.mark.anyio


async def test_a_stopping_process_says_so_to_balancers_and_still_answers() -> None:
    settings = load(
        {
            "APP_ENV": "test",
            "EVENT_SOURCE": "push",
            "CHANNEL_REPOSITORY_BACKEND": "memory",
            "DRY_RUN_PROVISIONING": "true",
            "CDN_BASE_URL": "https://cdn.example",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "HTTP_LINGER_SECONDS": "2",
        },
        env_file=None,
    )
    async with open_service(settings) as service, aiohttp.ClientSession() as session:
        serving = serve_http(service)
        server = await serving.__aenter__()
        url = f"http://127.0.0.1:{server.port}"
        assert (await session.get(f"{url}/readyz")).status == 200

        leaving = asyncio.create_task(serving.__aexit__(None, None, None))
        while not server.closing:
            await asyncio.sleep(0)
        ready = await session.get(f"{url}/readyz")
        assert (ready.status, (await ready.json())["code"]) == (503, "not_ready")
        assert (await session.get(f"{url}/livez")).status == 200
        await leaving
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/livez")


async def test_a_stopping_process_still_tells_how_long_its_last_requests_took() -> None:
    settings = load(
        {
            "APP_ENV": "test",
            "EVENT_SOURCE": "push",
            "CHANNEL_REPOSITORY_BACKEND": "memory",
            "DRY_RUN_PROVISIONING": "true",
            "CDN_BASE_URL": "https://cdn.example",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "HTTP_LINGER_SECONDS": "0",
            "BIGQUERY_EXPORT_URL": "http://analytics.example/envelopes",
        },
        env_file=None,
    )
    async with open_service(settings) as service:
        async with serve_http(service) as server, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{server.port}/v1/streams/9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11/manifest"
            assert (await session.get(url)).status == 401
        page = await service.store.list_deliveries(DeliveryQuery())
    (owed,) = (item.notification for item in page.items)
    assert (owed.topic, owed.facts["requests"]) == ("stream.manifest.latency", 1)
    assert owed.facts["results"] == {"no_token": 1}
