"""One running API per test, and what it logs."""

import logging
from collections.abc import AsyncIterator, Iterator
from io import StringIO

import pytest
import structlog

from streaming_service.telemetry import configure_logging
from tests.integration.http.harness import Harness, serving


@pytest.fixture(autouse=True)
def log() -> Iterator[StringIO]:
    """What production would log, at its most talkative."""
    stream = StringIO()
    config, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("debug", "json", stream)
    yield stream
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def running() -> AsyncIterator[Harness]:
    async with serving() as harness:
        yield harness
