"""The client against an OME over real HTTP."""

import asyncio
from pathlib import Path

import pytest

from streaming_service.adapters.http import Request
from streaming_service.adapters.ome import AlreadyExists, Forbidden, OmeError
from streaming_service.adapters.ome.models import (
    HlsDump,
    HostNames,
    Program,
    ProgramItem,
    ScheduledChannel,
    ScheduledStream,
    VirtualHost,
)
from streaming_service.errors import NotFound, UpstreamUnavailable
from tests.integration.ome.conftest import REAL, Ome, until

pytestmark = pytest.mark.anyio
only_stand_in = pytest.mark.skipif(REAL, reason="a real OME is not changed beyond its channels")


def channel(name: str) -> ScheduledChannel:
    program = Program("main", "2026-01-02T03:04:05.000+00:00", repeat=True, items=[ProgramItem("file://test.mp4")])
    return ScheduledChannel(ScheduledStream(name), [program])


async def test_an_ome_tells_its_version_and_applications(ome: Ome) -> None:
    assert (await ome.client.version()).version
    assert {"reels", "series"} <= set(await ome.client.applications())


async def test_what_was_made_is_listed_and_can_be_looked_at(ome: Ome) -> None:
    placement = await ome.started()
    state = await ome.client.scheduled_channel("reels", placement.stream)
    stream = await ome.client.stream("reels", placement.stream)

    assert state.stream is not None
    assert state.stream.name == placement.stream
    assert state.programs[0].items[0].url == "file://test.mp4"
    assert state.current_program is not None
    assert state.current_program.state == "onair"
    assert stream.input is not None
    assert stream.input.source_type == "Scheduled"
    assert placement.stream in await ome.client.streams("reels")


async def test_outputs_tell_the_playlists_that_there_are(ome: Ome) -> None:
    placement = await ome.playing()
    stream = await ome.client.stream("reels", placement.stream)

    assert {"master", "max-480p", "max-360p"} <= {
        playlist.file_name for output in stream.outputs for playlist in output.playlists
    }


async def test_a_wrong_token_is_refused(ome: Ome) -> None:
    with pytest.raises(OmeError, match="check OME_API_KEY") as caught:
        await ome.client_with("wrong:token").applications()
    assert caught.value.status == 401


@only_stand_in
async def test_an_application_without_schedules_is_forbidden(ome: Ome) -> None:
    headers = {"authorization": "Basic a2V5OnNlY3JldA==", "content-type": "application/json"}
    for path, body in (
        ("vhosts", b'[{"name": "dyn", "host": {"names": ["dyn.example"]}}]'),
        ("vhosts/dyn/apps", b'[{"name": "plain", "type": "live"}]'),
    ):
        made = await ome._transport.send(Request("POST", f"{ome.api_url}/v1/{path}", headers, body))
        assert made.ok, made.body

    with pytest.raises(Forbidden):
        await ome.client_with("key:secret", vhost="dyn").create_scheduled_channel("plain", channel("a"))


async def test_an_unknown_application_is_not_found(ome: Ome) -> None:
    with pytest.raises(NotFound, match="Could not find the application"):
        await ome.client.scheduled_channels("nothing")


async def test_an_unknown_stream_is_not_found(ome: Ome) -> None:
    with pytest.raises(NotFound):
        await ome.client.scheduled_channel("reels", f"{ome.prefix}none")
    with pytest.raises(NotFound):
        await ome.client.stream("reels", f"{ome.prefix}none")
    with pytest.raises(NotFound):
        await ome.client.delete_scheduled_channel("reels", f"{ome.prefix}none")


async def test_each_of_several_items_has_its_own_answer(ome: Ome) -> None:
    first, second = (VirtualHost(f"{ome.prefix}{name}", HostNames([f"{name}.example"])) for name in ("one", "two"))
    try:
        assert [item.status for item in await ome.client.create_virtual_hosts(first)] == [200]
        answers = await ome.client.create_virtual_hosts(first, second)
        assert [(item.status, item.ok) for item in answers] == [(409, False), (200, True)]
    finally:
        for host in (first, second):
            await ome.client.delete_virtual_host(host.name)
    with pytest.raises(NotFound):
        await ome.client.delete_virtual_host(first.name)


async def test_what_server_xml_declares_is_not_deleted(ome: Ome) -> None:
    with pytest.raises(Forbidden):
        await ome.client.delete_virtual_host("default")


async def test_a_name_is_taken_once(ome: Ome) -> None:
    placement = await ome.started()

    with pytest.raises(AlreadyExists):
        await ome.client.create_scheduled_channel("reels", channel(placement.stream))


async def test_a_repeated_deletion_is_only_early_and_then_it_is_gone(ome: Ome) -> None:
    placement = await ome.started()
    await ome.client.delete_scheduled_channel("reels", placement.stream)
    await ome.client.delete_scheduled_channel("reels", placement.stream)

    async def gone() -> bool:
        try:
            await ome.client.delete_scheduled_channel("reels", placement.stream)
        except NotFound:
            return True
        return False

    await until(gone)


@only_stand_in
async def test_a_copy_is_made_with_the_client_alone(ome: Ome, tmp_path: Path) -> None:
    """Against a real one, `tests/contract/ome/test_dumps.py` does it."""
    placement = await ome.playing()
    where = ("reels", placement.stream)
    dump = HlsDump("d1", str(tmp_path / "copy"), ["master.m3u8"], info_file=str(tmp_path / "copy.xml"))

    await ome.client.start_hls_dump(*where, dump)
    with pytest.raises(OmeError) as refused:
        await ome.client.start_hls_dump(*where, dump)
    assert refused.value.status == 500
    (state,) = await ome.client.hls_dumps(*where)
    assert (state.id, state.enabled, state.output_path) == ("d1", True, dump.output_path)

    for _ in range(2):
        await ome.client.conclude_hls_live(*where)
    await asyncio.sleep(0.2)
    for _ in range(2):
        await ome.client.stop_hls_dump(*where, "d1")
    assert [each.enabled for each in await ome.client.hls_dumps(*where)] == [False]
    assert (tmp_path / "copy" / "master.m3u8").is_file()


async def test_dumps_of_an_unknown_stream_are_not_found(ome: Ome) -> None:
    where = ("reels", f"{ome.prefix}none")
    for asked in (
        ome.client.start_hls_dump(*where, HlsDump("d1", "/nowhere", ["master.m3u8"])),
        ome.client.hls_dumps(*where),
        ome.client.stop_hls_dump(*where, "d1"),
        ome.client.conclude_hls_live(*where),
    ):
        with pytest.raises(NotFound):
            await asked


async def test_the_playback_port_is_not_the_api(ome: Ome) -> None:
    with pytest.raises(UpstreamUnavailable, match=r"is this OME's API port\?"):
        await ome.client_with(ome.token, url=ome.playback_url).version()
