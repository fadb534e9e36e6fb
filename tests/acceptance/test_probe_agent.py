"""`streaming-service probe-agent`, from outside: it needs little, refuses strangers, and ends cleanly."""

from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.harness import fetch, free_ports, ready, running

pytestmark = pytest.mark.anyio

SECRET = "whsec_cHJvYmUgYWdlbnQgc2VjcmV0IHdpdGggYnl0ZXM="


async def test_it_runs_with_nothing_but_its_own_few_settings(tmp_path: Path) -> None:
    port = free_ports(1)
    variables = {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "PROBE_AGENT_REGION": "ams",
        "PROBE_AGENT_SECRET": SECRET,
        "METRICS_ACCESS_TOKEN": "metrics",
    }
    url = f"http://127.0.0.1:{port}"
    async with running("probe-agent", env=variables, cwd=tmp_path) as process:
        await ready(url)
        assert (await fetch(f"{url}/livez"))[0] == 200
        assert (await fetch(f"{url}/metrics"))[0] == 401
        assert (await fetch(f"{url}/metrics", {"authorization": "Bearer metrics"}))[0] == 200
        async with aiohttp.ClientSession() as session, session.post(f"{url}/probe", data=b"{}") as answer:
            assert answer.status == 401
        assert (await fetch(f"{url}/v1/admin/streams"))[0] == 404
        assert await process.stop() == 0
    assert not any(SECRET in line for line in process.lines)
    assert list(tmp_path.iterdir()) == [], "it keeps nothing"


async def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    async with running("probe-agent", cwd=tmp_path) as process:
        assert await process.child.wait() == 2
        await process.stop()
    output = "\n".join(process.lines)
    for name in ("PROBE_AGENT_REGION", "PROBE_AGENT_SECRET", "METRICS_ACCESS_TOKEN"):
        assert name in output
    assert "CDN_SIGNING_SECRET" not in output
