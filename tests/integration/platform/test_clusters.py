"""HttpClusterControl against the stand-in CDN control."""

import pytest

from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.cdn_control import HttpClusterControl
from streaming_service.adapters.http import Request, Response
from streaming_service.application.ports import Clock
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def control(caller: ResilientCaller, platform: StandInPlatform, clock: Clock) -> HttpClusterControl:
    return HttpClusterControl(caller, f"{platform.url}/cdn/", "cdn-key", timeout=2, clock=clock)


async def test_it_is_validated(control: HttpClusterControl, clock: Clock) -> None:
    report = await control.validate()
    assert (report.cluster, report.healthy) == ("stand-in", True)
    assert abs((report.validated_at - clock.now()).total_seconds()) < 60


async def test_trouble(control: HttpClusterControl, platform: StandInPlatform) -> None:
    platform.fail("/cdn/traffic-director", 500)
    with pytest.raises(UpstreamUnavailable):
        await control.validate()
    platform.fail("/cdn/traffic-director", 403)
    with pytest.raises(UpstreamRejected):
        await control.validate()


async def test_a_wrong_key_is_refused(caller: ResilientCaller, platform: StandInPlatform, clock: Clock) -> None:
    with pytest.raises(UpstreamRejected):
        await HttpClusterControl(caller, f"{platform.url}/cdn", "wrong", timeout=2, clock=clock).validate()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"cluster": "a", "healthy": "yes", "validatedAt": "2026-01-01T00:00:00.000Z"}',
        b'{"cluster": "a", "healthy": true, "validatedAt": "soon"}',
        b'{"cluster": "", "healthy": true, "validatedAt": "2026-01-01T00:00:00.000Z"}',
    ],
)
async def test_an_answer_without_sense_is_none(body: bytes, clock: Clock) -> None:
    class Senseless:
        async def call(self, request: Request, *, retry: bool = False) -> Response:
            del request, retry
            return Response(200, {"content-type": "application/json"}, body)

    with pytest.raises(UpstreamRejected, match="without sense"):
        await HttpClusterControl(Senseless(), "http://cdn", None, timeout=2, clock=clock).validate()
