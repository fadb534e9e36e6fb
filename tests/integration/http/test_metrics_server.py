"""What a worker without the API tells about itself, over real HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from streaming_service import __version__
from streaming_service.configuration import load
from streaming_service.domain.statistics import ChannelReading, OriginReading
from streaming_service.entrypoints.http.metrics_server import serve_worker_http
from streaming_service.errors import ConfigurationError
from streaming_service.settings import Settings
from streaming_service.telemetry import Metrics
from tests.fakes import NOW
from tests.integration.http.harness import CONTENT, METRICS_TOKEN, SERVICE_TOKEN, FallibleStore

pytestmark = pytest.mark.anyio
SCRAPER = {"authorization": f"Bearer {METRICS_TOKEN}"}


@dataclass(frozen=True)
class Worker:
    """What of a worker is told about."""

    settings: Settings
    metrics: Metrics
    store: FallibleStore
    scrapes: list[None] = field(default_factory=list[None])

    def scraped(self) -> None:
        self.scrapes.append(None)


def make_worker(token: str | None = METRICS_TOKEN) -> Worker:
    variables = {"APP_ENV": "test", "HTTP_HOST": "127.0.0.1"} | ({"METRICS_ACCESS_TOKEN": token} if token else {})
    return Worker(load(variables, env_file=None), Metrics(), FallibleStore())


@dataclass(frozen=True)
class Running:
    """One that runs, and its port."""

    worker: Worker
    port: int

    async def ask(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    worker = make_worker()
    async with serve_worker_http(worker, 0) as server:
        yield Running(worker, server.port)


@pytest.mark.parametrize("path", ["/health", "/livez"])
async def test_up_whatever_the_store_does(running: Running, path: str) -> None:
    running.worker.store.down = True

    assert await running.ask(path) == (200, f'{{"status":"ok","version":"{__version__}"}}')
    assert await running.ask(path, method="HEAD") == (200, "")


async def test_ready_while_the_store_answers(running: Running) -> None:
    assert await running.ask("/readyz") == (200, '{"status":"ready"}')
    running.worker.store.down = True
    status, body = await running.ask("/readyz")

    assert (status, "not_ready" in body, "planted" in body) == (503, True, False)


async def test_who_scrapes_is_noticed_and_who_may_not_is_not(running: Running) -> None:
    await running.ask("/metrics")
    assert running.worker.scrapes == []
    await running.ask("/metrics", {"authorization": f"Bearer {METRICS_TOKEN}"})
    assert running.worker.scrapes == [None]


async def test_metrics_are_for_whoever_has_the_token(running: Running) -> None:
    channel = ChannelReading(CONTENT, "ss-1", 7, 2500.0, 0)
    running.worker.metrics.statistics(
        [OriginReading(origin="ome-1", up=True, asked_since=NOW, read_at=NOW, channels=(channel,))]
    )

    status, text = await running.ask("/metrics", SCRAPER)
    assert status == 200
    assert f'streaming_channel_viewers{{content_id="{CONTENT}",origin="ome-1"}} 7.0' in text
    assert (await running.ask("/metrics"))[0] == 401
    assert (await running.ask("/metrics", {"authorization": f"Bearer {SERVICE_TOKEN}"}))[0] == 403


async def test_metrics_are_for_everybody_where_there_is_no_token() -> None:
    worker = make_worker(token=None)
    async with serve_worker_http(worker, 0) as server:
        assert (await Running(worker, server.port).ask("/metrics"))[0] == 200


@pytest.mark.parametrize(
    "path", ["/", f"/v1/streams/{CONTENT}/manifest", "/v1/admin/streams", "/internal/qos", "/openapi.json"]
)
async def test_nothing_else_is_there(running: Running, path: str) -> None:
    assert (await running.ask(path, {"authorization": f"Bearer {SERVICE_TOKEN}"}))[0] == 404


async def test_a_port_that_is_taken_is_named_by_its_variable(running: Running) -> None:
    with pytest.raises(ConfigurationError, match=f"WORKER_HTTP_PORT: port {running.port} on 127.0.0.1 is taken"):
        async with serve_worker_http(make_worker(), running.port):
            raise AssertionError("two listen on one port")
