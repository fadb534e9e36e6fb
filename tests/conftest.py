"""What every ring of tests shares."""

import os
from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def require_component(present: bool, what: str, install: str) -> None:
    """Skip a test whose component this machine lacks, saying how to get it; fail where nothing may be skipped."""
    if present:
        return
    _missing(f"{what} is not available here. {install}")


def _missing(reason: str) -> NoReturn:
    if os.environ.get("STREAMING_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
