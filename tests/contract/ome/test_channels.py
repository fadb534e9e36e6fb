"""Scheduled channels: what they do over time. No media needed: a channel is listed without its file too."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.ome.exchange import load, replay
from tests.contract.ome.target import NO_FILE, Json, Target, channel, moment, program

pytestmark = pytest.mark.anyio


async def test_created_then_listed_everywhere(ome: Target) -> None:
    name = ome.unique()
    assert (await ome.ask("GET", ome.channels(name))).status == 404

    answer = await ome.create(name)

    assert answer.status == 201
    assert "response" not in answer.json
    shown = await ome.until(lambda: ome.ask("GET", ome.channels(name)), lambda found: found.status == 200)
    assert shown.response["stream"]["name"] == name
    assert name in (await ome.ask("GET", ome.channels())).response
    assert name in (await ome.ask("GET", ome.streams())).response
    stream = (await ome.ask("GET", ome.streams(name))).response
    assert (stream["name"], stream["input"]["sourceType"]) == (name, "Scheduled")


async def test_recorded_exchanges_with_a_channel(ome: Target) -> None:
    fallback = {"items": [{"url": NO_FILE, "start": 0, "duration": -1}]}
    name = await ome.create_listed(fallbackProgram=fallback)

    for exchange in load("scheduled_existing.json"):
        names = {"channel": name, "file": "contract-no-such-file.mp4", "now": moment(datetime.now(UTC))}
        answer = await replay(ome, exchange, names)
        if exchange.shape == "list":
            assert name in answer.response

    # Had DELETE of the stream done anything, this would be answered 500.
    assert (await ome.delete(name)).status == 200


async def test_delete_lingers(ome: Target) -> None:
    name = await ome.create_listed()

    assert (await ome.delete(name)).status == 200

    # The file is gone, the stream is not yet.
    assert (await ome.delete(name)).status == 500
    assert (await ome.create(name)).status == 409
    assert (await ome.ask("GET", ome.channels(name))).status == 200
    again = await ome.until(lambda: ome.ask("DELETE", ome.channels(name)), lambda found: found.status != 500)
    assert again.status == 404
    assert name not in (await ome.ask("GET", ome.channels())).response
    assert name not in (await ome.ask("GET", ome.streams())).response


async def test_name_is_free_again_after_delete(ome: Target) -> None:
    name = await ome.create_listed()
    await ome.delete(name)
    await ome.until(lambda: ome.ask("GET", ome.channels(name)), lambda found: found.status == 404)

    assert (await ome.create(name)).status == 201


async def test_two_posts_within_a_tick_last_wins(ome: Target) -> None:
    for _ in range(10):
        name = ome.unique()
        assert (await ome.create(name, "file://contract-first.mp4")).status == 201
        if (await ome.create(name, "file://contract-second.mp4")).status == 201:
            break
        # OME looked into its folder between the two: try again.
    else:
        pytest.fail("ten times in a row the second POST was refused")

    shown = await ome.until(lambda: ome.ask("GET", ome.channels(name)), lambda found: found.status == 200)

    assert shown.response["programs"][0]["items"][0]["url"] == "file://contract-second.mp4"


async def test_delete_before_it_is_listed_does_not_stop_it(ome: Target) -> None:
    """A channel that OME has not noticed yet cannot be deleted: whoever crashed after a POST must look again."""
    for _ in range(10):
        name = ome.unique()
        await ome.create(name)
        if (await ome.delete(name)).status == 404:
            break
    else:
        pytest.skip("this server lists channels too fast to see it")

    await ome.until(lambda: ome.ask("GET", ome.channels(name)), lambda found: found.status == 200)


async def test_missing_file_is_off_air(ome: Target) -> None:
    name = await ome.create_listed()

    current = (await ome.ask("GET", ome.channels(name))).response["currentProgram"]

    assert current["state"] == "offair"
    assert current["name"] == "p1"
    assert "currentItem" not in current


@pytest.mark.parametrize("hours", [None, 1], ids=["none", "future"])
async def test_no_program_on_now(ome: Target, hours: int | None) -> None:
    begins = datetime.now(UTC) + timedelta(hours=hours or 0)
    name = await ome.create_listed(programs=[program(NO_FILE, begins=begins)] if hours else None)

    assert (await ome.ask("GET", ome.channels(name))).response["currentProgram"] == {"state": "offair"}


async def test_only_a_name_is_needed(ome: Target) -> None:
    name = ome.unique()

    assert (await ome.create(name, stream={"name": name}, programs=None, unknownField=1)).status == 201

    shown = await ome.until(lambda: ome.ask("GET", ome.channels(name)), lambda found: found.status == 200)

    assert shown.response["stream"]["audioTrack"] is True


async def test_stored_as_sent(ome: Target) -> None:
    name = ome.unique()
    sent = channel(name, NO_FILE)
    sent["stream"] |= {"audioTrack": False}

    await ome.create(name, stream=sent["stream"], programs=sent["programs"])

    shown = await ome.until(lambda: ome.ask("GET", ome.channels(name)), lambda found: found.status == 200)
    assert _contains(shown.response["stream"], sent["stream"])
    assert _contains(shown.response["programs"][0]["items"][0], sent["programs"][0]["items"][0])
    assert datetime.fromisoformat(shown.response["programs"][0]["scheduled"]) == datetime.fromisoformat(
        sent["programs"][0]["scheduled"]
    )


async def test_patch_replaces_programs_and_keeps_the_rest(ome: Target) -> None:
    name = await ome.create_listed(fallbackProgram={"items": [{"url": NO_FILE}]})
    body = {"programs": [program("file://contract-patched.mp4", name="patched")]}

    shown = await patched(ome, name, body)

    assert [item["name"] for item in shown["programs"]] == ["patched"]
    assert shown["fallbackProgram"]["items"][0]["url"] == NO_FILE


async def patched(ome: Target, name: str, body: Json) -> Json:
    """PATCH until GET shows it: a change within a second of the last one is answered 201 and may be lost."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + ome.patience
    while True:
        assert (await ome.ask("PATCH", ome.channels(name), body)).status == 201
        again = clock() + 1.2
        while clock() < again:
            shown = (await ome.ask("GET", ome.channels(name))).response
            if [item["name"] for item in shown["programs"]] == ["patched"]:
                return shown
            await asyncio.sleep(0.05)
        assert clock() < deadline, "the PATCH never arrived"


def _contains(shown: dict[str, object], sent: dict[str, object]) -> bool:
    return json.dumps({key: shown.get(key) for key in sent}, sort_keys=True) == json.dumps(sent, sort_keys=True)
