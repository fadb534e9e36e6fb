"""Questions that change nothing: auth, envelope, routing, lookups, statistics, read-only virtual hosts."""

from datetime import UTC, datetime

import pytest

from tests.contract.ome.exchange import Exchange, load, replay
from tests.contract.ome.target import APP, VHOST, Target, moment

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("exchange", load("api.json"), ids=lambda exchange: exchange.name)
async def test_recorded_exchange(ome: Target, exchange: Exchange) -> None:
    if exchange.guarded:
        # Creating nothing is refused by a read-only virtual host, and creates nothing on another.
        probe = await ome.ask("POST", f"/v1/vhosts/{VHOST}/apps", [])
        if probe.status != 403 and not ome.stand_in:
            pytest.skip(f"virtual host {VHOST} of this server is not known to be read-only")
    await replay(ome, exchange)


@pytest.mark.parametrize("exchange", load("scheduled_refused.json"), ids=lambda exchange: exchange.name)
async def test_refused_channel(ome: Target, exchange: Exchange) -> None:
    name = ome.unique()

    await replay(ome, exchange, {"unique": name, "file": "contract-no-such-file.mp4", "now": moment(datetime.now(UTC))})

    # Made after the refused one, so once it is listed the other would be too.
    await ome.create_listed()
    assert name not in (await ome.ask("GET", ome.channels())).response


async def test_preflight_needs_no_credential(ome: Target) -> None:
    answer = await ome.ask("OPTIONS", "/v1/vhosts", authorization="")

    assert answer.status in {200, 204}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_path_parameters_are_not_percent_decoded(ome: Target) -> None:
    """`%72eels` is `reels` to everybody but OME."""
    assert (await ome.ask("GET", f"/v1/vhosts/{VHOST}/apps/{APP}")).status == 200

    assert (await ome.ask("GET", f"/v1/vhosts/{VHOST}/apps/%{ord(APP[0]):x}{APP[1:]}")).status == 404


async def test_chunked_body_is_refused(ome: Target) -> None:
    answer = await ome.ask_chunked("POST", ome.channels(), b'{"stream": {"name": "chunked"}}')

    assert answer.status == 400
    assert answer.json["statusCode"] == 400


async def test_the_server_has_the_applications(ome: Target) -> None:
    names = (await ome.ask("GET", f"/v1/vhosts/{VHOST}/apps")).response

    assert {"reels", "series"} <= set(names)
