"""What OME is answered, also while the store is down, and what becomes of its alerts."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from streaming_service.application.admission import ClosedGate, Verdict
from streaming_service.domain.history import Change, change
from streaming_service.domain.ome_webhook import sign
from streaming_service.domain.placement import ingest_name, stream_name
from streaming_service.domain.rendering import render_body
from streaming_service.errors import InvalidInput, StoreUnavailable
from tests.fakes import NOW
from tests.unit.application.door import (
    CAUSE,
    CONTENT,
    STREAM,
    Door,
    admission_body,
    alert_body,
    unsigned,
    videos,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def door() -> Door:
    return Door()


# -- transcode --------------------------------------------------------------------------------------------------------


async def test_a_known_stream_gets_its_own_ladder_fitted_to_its_source(door: Door) -> None:
    await door.channel()
    await door.directory.refresh()
    door.store.down = StoreUnavailable("down")
    answer = await door.asks(size=(1080, 1920))
    assert answer["allowed"] is True
    assert videos(answer) == [("video_1080p", 1080, 1920), ("video_240p", 240, 428)]
    (video, _) = answer["outputProfiles"]["outputProfile"][0]["encodes"]["videos"]
    assert (video["framerate"], video["keyFrameInterval"]) == (25.0, 25)
    assert door.results == {"transcode ladder": 1}
    assert door.store.reads == 0


async def test_a_stream_that_is_new_to_us_is_looked_up_once(door: Door) -> None:
    await door.channel()
    assert videos(await door.asks())[1] == ("video_240p", 428, 240)
    assert videos(await door.asks(at=NOW + timedelta(seconds=1)))[1] == ("video_240p", 428, 240)
    assert door.store.reads == 1


async def test_while_the_store_is_down_it_gets_the_default_at_once(door: Door) -> None:
    await door.channel()
    door.store.down = StoreUnavailable("down")
    assert [name for name, *_ in videos(await door.asks())] == ["video_720p", "video_480p", "video_360p"]
    # The store is left alone for a while, then asked again.
    await door.asks(at=NOW + timedelta(seconds=1))
    assert door.store.reads == 1
    door.store.down, door.seconds = None, 2.5
    assert videos(await door.asks(at=NOW + timedelta(seconds=2)))[0][0] == "video_1080p"
    assert door.results == {"transcode default": 2, "transcode ladder": 1}


async def test_a_store_that_hangs_is_waited_for_only_shortly(door: Door) -> None:
    await door.channel()
    door.store.gate = asyncio.Event()
    async with asyncio.timeout(1):
        assert videos(await door.asks())[0][0] == "video_720p"
    door.store.gate.set()
    await asyncio.sleep(0.01)
    door.seconds = 2.5
    assert videos(await door.asks(at=NOW + timedelta(seconds=1)))[0][0] == "video_1080p"


async def test_a_failing_refresh_keeps_what_is_known(door: Door) -> None:
    await door.channel()
    await door.directory.refresh()
    door.store.down = StoreUnavailable("down")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await door.directory.keep_fresh(2.0, sleep)
    assert (pauses, len(door.directory)) == ([2.0] * 3, 1)


async def test_a_refresh_forgets_what_is_gone_from_ome(door: Door) -> None:
    made = await door.channel()
    await door.directory.refresh()
    gone = made.abandoned(NOW)
    written = await door.store.commit(change(gone, "test", CAUSE), None)
    await door.directory.refresh()
    assert len(door.directory) == 1, "a draining stream may still be asked about"
    await door.store.commit(change(written.drained(written.draining[0], NOW), "test", CAUSE), None)
    await door.directory.refresh()
    assert len(door.directory) == 0


async def test_streams_that_are_not_ours_get_the_default_of_their_application(door: Door) -> None:
    assert videos(await door.asks("by-hand", size=(640, 360))) == [("video_360p", 640, 360)]
    assert door.store.reads == 0


@pytest.mark.parametrize("changes", [{"source": "Rtmp"}, {"source": "Ovt"}, {"application": "elsewhere"}])
async def test_ingest_and_foreign_applications_are_passed_on_as_they_are(door: Door, changes: dict[str, Any]) -> None:
    answer = await door.asks(**changes)
    (profile,) = answer["outputProfiles"]["outputProfile"]
    assert answer["allowed"] is True
    assert profile["encodes"]["videos"] == [{"name": "bypass_video", "bypass": True}]


@pytest.mark.parametrize(
    ("tracks", "wanted", "sound"),
    [(("Video", "Audio"), False, True), (("Video", "Data"), True, False), ((), True, True), ((), False, False)],
)
async def test_sound_is_what_ome_hears(door: Door, tracks: tuple[str, ...], wanted: bool, sound: bool) -> None:
    await door.channel(audio=wanted)
    answer = await door.asks(tracks=tracks)
    assert ("audios" in answer["outputProfiles"]["outputProfile"][0]["encodes"]) is sound


async def test_old_and_repeated_questions_are_refused(door: Door) -> None:
    assert (await door.asks())["allowed"] is True
    assert await door.asks() == {"allowed": False, "reason": "repeated request"}
    for minutes in (-11, 11):
        assert (await door.asks(at=NOW + timedelta(minutes=minutes)))["reason"] == "stale request"
    # A file that was late: OME asks when it sees the first frames.
    assert (await door.asks(at=NOW - timedelta(minutes=9)))["allowed"] is True


@pytest.mark.parametrize("known", [True, False])
async def test_a_live_channel_gets_every_rung_whatever_its_slate_is(door: Door, known: bool) -> None:
    await door.channel(live=True)
    if known:
        await door.directory.refresh()
    answer = await door.asks(size=(320, 180))
    assert videos(answer) == [("video_1080p", 1920, 1080), ("video_240p", 426, 240)]
    (profile,) = answer["outputProfiles"]["outputProfile"]
    assert "framerate" not in profile["encodes"]["videos"][0], "nor at the slate's rate"


# -- admission --------------------------------------------------------------------------------------------------------


async def test_the_gate_decides_about_publishers(door: Door) -> None:
    assert await door.knocks() == {"allowed": True, "new_url": "rtmp://h/reels/channel"}
    assert await door.knocks(url="rtmp://h/reels/guess") == {"allowed": False, "reason": "unknown key"}
    assert door.results == {"admission allowed": 1, "admission denied": 1}


async def test_the_closed_gate_lets_nobody_in(door: Door) -> None:
    hooks = door.made(door.store, gate=ClosedGate())
    assert (await hooks.admission(admission_body()))["allowed"] is False
    assert await hooks.admission(admission_body(status="closing")) == {}


async def test_a_lifetime_is_told_in_milliseconds() -> None:
    assert Verdict(allowed=True, lifetime_ms=3000).answer() == {"allowed": True, "lifetime": 3000}


async def test_a_goodbye_is_always_understood(door: Door) -> None:
    old = NOW - timedelta(hours=1)
    for _ in range(2):
        assert await door.knocks(status="closing", at=old) == {}
    assert await door.knocks(status="closing", direction="outgoing") == {}
    assert len(door.gate.gone) == 2


async def test_old_and_repeated_knocks_are_refused(door: Door) -> None:
    assert (await door.knocks())["allowed"] is True
    assert await door.knocks() == {"allowed": False, "reason": "repeated request"}
    assert (await door.knocks(port=4712))["allowed"] is True
    door.clock.advance(59)
    assert await door.knocks() == {"allowed": False, "reason": "repeated request"}
    door.clock.advance(2)
    assert await door.knocks() == {"allowed": False, "reason": "stale request"}
    door.clock.advance(120)
    assert (await door.knocks())["reason"] == "stale request", "long enough for the guard to have forgotten it"


async def test_a_repetition_is_remembered_for_as_long_as_it_is_fresh(door: Door) -> None:
    ahead = NOW + timedelta(seconds=59)
    assert (await door.knocks(at=ahead))["allowed"] is True
    door.clock.advance(118)
    assert (await door.knocks(at=ahead))["reason"] == "repeated request"


@pytest.mark.parametrize(
    ("address", "allowed"), [("10.2.3.4", True), ("::1", True), ("192.0.2.1", False), ("nonsense", False), ("", False)]
)
async def test_only_the_cdn_plays_directly(door: Door, address: str, allowed: bool) -> None:
    answer = await door.knocks(direction="outgoing", address=address)
    assert answer["allowed"] is allowed


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://ome:3333/reels/{STREAM}/master.m3u8?token=viewer", None),
        (f"http://ome:3333/reels/{STREAM}/master.m3u8?a=b&access_token=viewer", None),
        (f"http://ome:3333/reels/{STREAM}/master.m3u8", "no_token"),
        (f"http://ome:3333/reels/{STREAM}/master.m3u8?token=other", "inactive_token"),
        ("http://ome:3333/reels/by-hand/master.m3u8?token=viewer", "is no content"),
        ("http://[::1/reels", "is no content"),
    ],
)
async def test_who_would_get_a_manifest_plays_directly_where_that_is_wanted(url: str, reason: str | None) -> None:
    door = Door(cdn_only=False)
    answer = await door.knocks(direction="outgoing", url=url)

    assert (answer["allowed"], answer.get("reason")) == (reason is None, reason)
    assert all(country is None for _, _, country in door.box_office.asked), "a viewer may not choose where it is"
    assert (await door.knocks(direction="outgoing", address="10.1.1.1", url=url))["allowed"] is True


async def test_admission_never_asks_the_store(door: Door) -> None:
    door.store.down = StoreUnavailable("down")
    assert (await door.knocks())["allowed"] is True
    assert door.store.reads == 0


# -- alert ------------------------------------------------------------------------------------------------------------


async def test_an_alert_goes_into_the_history_and_to_the_platform(door: Door) -> None:
    await door.channel()
    await door.hooks.alert(alert_body(), "correlation-2")
    (entry, *_) = await door.store.history(CONTENT, 9)
    assert (entry.actor, entry.action, entry.reason) == ("ome", "ome-alert", "INGRESS_BITRATE_LOW: it is 1")
    assert entry.correlation_id == "correlation-2"
    observed, exported = door.store.everything_owed()
    alert = render_body(observed, unsigned)
    assert (alert["event"], alert["severity"], alert["auditTopic"]) == ("ome.alert", "warning", "audit")
    envelope = render_body(exported, unsigned)
    assert envelope["event"] == "ome.alert"
    assert envelope["payload"]["codes"] == ["INGRESS_BITRATE_LOW"]
    assert door.changed == [CONTENT]


async def test_the_same_trouble_is_told_once_in_five_minutes(door: Door) -> None:
    await door.channel()
    for number in range(3):
        await door.hooks.alert(alert_body(number=number), "c")
    await door.hooks.alert(alert_body(STREAM, "INGRESS_FRAMERATE_LOW"), "c")
    assert len(door.store.everything_owed()) == 4
    door.clock.advance(301)
    await door.hooks.alert(alert_body(), "c")
    assert len({item.id for item in door.store.everything_owed()}) == 6
    assert door.results == {"alert recorded": 3, "alert repeated": 2}


async def test_what_every_stream_goes_through_is_no_alert(door: Door) -> None:
    await door.channel()
    for what in ("CREATED", "PREPARED", "DELETED"):
        await door.hooks.alert(alert_body(STREAM, f"INGRESS_STREAM_{what}"), "c")
    assert door.store.everything_owed() == []
    assert door.results == {"alert life": 3}


@pytest.mark.parametrize(
    ("codes", "severity"),
    [
        (("INGRESS_STREAM_CREATION_FAILED_DUPLICATE_NAME",), "critical"),
        (("INTERNAL_QUEUE_CONGESTION", "OK"), "critical"),
        (("OK",), "info"),
        (("SOMETHING_NEW",), "warning"),
    ],
)
async def test_severities(door: Door, codes: tuple[str, ...], severity: str) -> None:
    await door.channel()
    await door.hooks.alert(alert_body(STREAM, *codes), "c")
    assert door.store.everything_owed()[0].facts["severity"] == severity


@pytest.mark.parametrize("stream", ["by-hand", stream_name("ss-", str(UUID(int=2, version=4)), 1)])
async def test_an_alert_about_nothing_of_ours_is_put_to_its_origin(door: Door, stream: str) -> None:
    await door.hooks.alert(alert_body(stream), "correlation-3")
    assert door.results == {"alert no_channel": 1}
    observed, exported = door.store.everything_owed()
    assert (observed.content_id, observed.correlation_id) == ("origin:o-1", "correlation-3")
    envelope = render_body(exported, unsigned)
    assert (envelope["event"], envelope["payload"]["sourceUri"]) == ("ome.alert", f"#default#reels/{stream}")
    door.clock.advance(301)
    await door.hooks.alert(alert_body(stream), "c")
    assert len({item.id for item in door.store.everything_owed()}) == 4


async def test_trouble_with_what_is_pushed_is_an_ingest_failure_too(door: Door) -> None:
    await door.channel(live=True)
    await door.hooks.alert(alert_body(ingest_name("ss-", CONTENT)), "c")
    owed = [(item.endpoint, item.topic, item.content_id) for item in door.store.everything_owed()]
    assert owed == [
        (endpoint, topic, CONTENT)
        for topic in ("ome.alert", "stream.ingest.failure")
        for endpoint in ("observability", "bigquery")
    ]
    assert len({item.id for item in door.store.everything_owed()}) == 4
    assert door.results == {"alert recorded": 1}


@pytest.mark.parametrize(
    ("stream", "code", "live"),
    [
        (STREAM, "INGRESS_HAS_BFRAME", True),
        (ingest_name("ss-", CONTENT), "EGRESS_LLHLS_READY", True),
        (ingest_name("ss-", CONTENT), "INGRESS_BITRATE_LOW", False),
    ],
)
async def test_other_trouble_is_none_of_the_ingest(door: Door, stream: str, code: str, live: bool) -> None:
    await door.channel(live=live)
    await door.hooks.alert(alert_body(stream, code), "c")
    assert {item.topic for item in door.store.everything_owed()} == {"ome.alert"}


async def test_an_alert_that_could_not_be_kept_is_taken_again(door: Door) -> None:
    await door.channel()
    door.store.down = StoreUnavailable("down")
    with pytest.raises(StoreUnavailable):
        await door.hooks.alert(alert_body(), "c")
    door.store.down = None
    await door.hooks.alert(alert_body(), "c")
    assert len(door.store.everything_owed()) == 2


async def test_whoever_loses_a_race_writes_again(door: Door) -> None:
    made = await door.channel()

    async def meddle(_: Change) -> None:
        await door.store.commit(change(made.started(NOW), "test", CAUSE), None)

    door.store.before_commit = meddle
    await door.hooks.alert(alert_body(), "c")
    assert [entry.action for entry in await door.store.history(CONTENT, 9)].count("ome-alert") == 1
    current = await door.store.get(CONTENT)
    assert current is not None
    assert current.phase == "created"


# -- everything -------------------------------------------------------------------------------------------------------


async def test_only_ome_is_authentic(door: Door) -> None:
    for secret, good in (("new", True), ("old", True), ("older", False)):
        assert door.hooks.authentic("alert", b"{}", sign(b"{}", secret)) is good
    assert door.results == {"alert bad_signature": 1}


async def test_malformed_bodies_are_counted(door: Door) -> None:
    for ask in (door.hooks.admission, door.hooks.transcode):
        with pytest.raises(InvalidInput):
            await ask(b"{}")
    with pytest.raises(InvalidInput):
        await door.hooks.alert(b"{}", "c")
    assert sum(door.results.values()) == 3


async def test_a_slate_that_needs_few_bits_is_no_trouble(door: Door) -> None:
    written = await door.channel(live=True)
    for codes in (("INGRESS_BITRATE_LOW",), ("OK",)):
        await door.hooks.alert(alert_body(STREAM, *codes), "c")
    assert await door.store.get(CONTENT) == written
    assert door.store.everything_owed() == []

    await door.hooks.alert(alert_body(STREAM, "INGRESS_HAS_BFRAME"), "c")
    await door.hooks.alert(alert_body(ingest_name("ss-", CONTENT), "INGRESS_BITRATE_LOW"), "c")
    assert {item.topic for item in door.store.everything_owed()} == {"ome.alert", "stream.ingest.failure"}
