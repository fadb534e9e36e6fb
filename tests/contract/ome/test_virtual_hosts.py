"""Virtual hosts, applications and profiles made through the API, from creation to deletion."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.ome.exchange import load, replay
from tests.contract.ome.target import Target

pytestmark = pytest.mark.anyio


@pytest.fixture
async def names(ome: Target) -> AsyncIterator[dict[str, str]]:
    """Two virtual hosts of our own; deleting one deletes its applications."""
    names = {"vhost1": ome.unique(), "vhost2": ome.unique()}
    yield names
    for name in names.values():
        await ome.ask("DELETE", f"/v1/vhosts/{name}")
    assert not set(names.values()) & set((await ome.ask("GET", "/v1/vhosts")).response)


async def test_recorded_story(ome: Target, names: dict[str, str]) -> None:
    for exchange in load("virtual_hosts.json"):
        await replay(ome, exchange, names)

    # The batch with a configuration error was answered with one 400, yet what came before the error is there.
    applications = (await ome.ask("GET", f"/v1/vhosts/{names['vhost1']}/apps")).response
    assert {"mini", "full", "b1", "b3"} <= set(applications)
    assert not {"b2", "b4", "b5"} & set(applications)


async def test_playlist_option_has_one_spelling(ome: Target, names: dict[str, str]) -> None:
    """0.20 knows `hLSChunklistPathDepth` and 0.21 `hlsChunklistPathDepth`; each refuses the other's."""
    await ome.ask("POST", "/v1/vhosts", [{"name": names["vhost1"], "host": {"names": ["contract.invalid"]}}])

    statuses: list[int] = []
    for spelling in ("hLSChunklistPathDepth", "hlsChunklistPathDepth"):
        application = {"name": spelling, "type": "live", "outputProfiles": {"outputProfile": [_profile(spelling)]}}
        statuses.append((await ome.ask("POST", f"/v1/vhosts/{names['vhost1']}/apps", [application])).status)

    assert sorted(statuses) == [200, 400]
    assert not ome.stand_in or statuses == [400, 200]


async def test_application_without_schedule_provider(ome: Target, names: dict[str, str]) -> None:
    await ome.ask("POST", "/v1/vhosts", [{"name": names["vhost1"], "host": {"names": ["contract.invalid"]}}])
    path = f"/v1/vhosts/{names['vhost1']}/apps"
    await ome.ask("POST", path, [{"name": "plain", "type": "live"}])

    answer = await ome.ask("POST", f"{path}/plain/scheduledChannels", {"stream": {"name": "channel"}})

    assert answer.status == 403


def _profile(option: str) -> dict[str, object]:
    renditions = [{"name": "source", "video": "video", "audio": "audio"}]
    return {
        "name": "profile",
        "outputStreamName": "${OriginStreamName}",
        "encodes": {
            "videos": [{"name": "video", "bypass": True}],
            "audios": [{"name": "audio", "bypass": True}],
        },
        "playlists": [{"name": "list", "fileName": "list", "options": {option: 0}, "renditions": renditions}],
    }
