"""Every move of a channel, every move it refuses, and what holds whatever the order of moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.ladder import Rung
from streaming_service.domain.placement import Draining, owner_of, stream_name
from streaming_service.domain.spec import ChannelSpec, Said
from streaming_service.domain.state import Failure, Phase, Status
from streaming_service.errors import IllegalTransition
from tests.placements import placed as put

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
DRAIN = timedelta(minutes=5)
SETTLE = timedelta(seconds=2)
CONTENT = "0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11"
FAILURE = Failure("not_playable", "it does not play", NOW)


def spec(checksum: str = "sum-1", **changes: Any) -> ChannelSpec:
    wanted = ChannelSpec(
        content_id=CONTENT,
        classification=Classification.REEL,
        source_uri=f"gs://uploads/{checksum}.mp4",
        media_path=f"uploads/{checksum}.mp4",
        checksum=checksum,
        application="reels",
        protocol=Protocol.LL_HLS,
        rungs=(Rung("360p", 640, 360, 900),),
    )
    return replace(wanted, **changes)


def new() -> Channel:
    return accepted(spec(), NOW, NOW)


def placed(channel: Channel | None = None) -> Channel:
    channel = channel or new()
    return put(channel, LATER)


def created(channel: Channel | None = None) -> Channel:
    return placed(channel).started(LATER)


def playing(channel: Channel | None = None) -> Channel:
    return created(channel).playable(LATER, drain_after=DRAIN)


def swapping() -> Channel:
    """Serves the old media and builds the new."""
    return created(playing().revised(spec("sum-2"), LATER, LATER))


def failed(channel: Channel | None = None, *, final: bool = False) -> Channel:
    return (channel or created()).attempt_failed(FAILURE, LATER, retry_at=LATER + DRAIN, final=final)


def _gone() -> Draining:
    return failed().draining[0]


def test_a_new_channel_is_due_at_once() -> None:
    channel = new()

    assert (channel.status, channel.phase, channel.generation) == (Status.PROVISIONING, Phase.ACCEPTED, 1)
    assert channel.due_at(NOW) is None
    assert (channel.queue_at, channel.queue_rank) == (NOW, NOW), "it waits for a place"


def test_placing_claims_the_next_incarnation_of_what_is_wanted() -> None:
    channel = placed()

    assert channel.building is not None
    assert (channel.incarnation, channel.building.incarnation, channel.phase) == (1, 1, Phase.PLACED)
    assert channel.building.media_hash == channel.spec.media_hash
    assert channel.building.path == "/reels/ss-1/"


def test_starting_says_when() -> None:
    channel = created()

    assert channel.building is not None
    assert (channel.phase, channel.building.started_at) == (Phase.CREATED, LATER)


def test_what_plays_is_served_and_announced_once() -> None:
    channel = playing()

    assert (channel.status, channel.phase, channel.announcements) == (Status.READY, Phase.PLAYABLE, 1)
    assert channel.serving is not None
    assert channel.building is None
    assert channel.ready_at == LATER
    assert channel.due_at(LATER) is None


def test_a_replacement_drains_what_was_served_for_as_long_as_urls_live() -> None:
    channel = swapping().playable(LATER, drain_after=DRAIN)

    assert channel.serving is not None
    assert channel.serving.stream == "ss-2"
    assert [(item.placement.stream, item.not_before) for item in channel.draining] == [("ss-1", LATER + DRAIN)]
    assert channel.due_at(LATER) == LATER + DRAIN


def test_viewers_keep_what_they_have_while_the_new_media_is_built() -> None:
    channel = swapping()

    assert channel.status is Status.READY
    assert channel.serving is not None
    assert channel.serving.stream == "ss-1"


def test_a_failed_attempt_is_given_up_and_waits() -> None:
    channel = failed()

    assert (channel.status, channel.phase, channel.retries) == (Status.PROVISIONING, Phase.ACCEPTED, 1)
    assert channel.building is None
    # OME may not have seen the new channel yet: deleted too early, it would come up all the same.
    assert [item.not_before for item in channel.draining] == [LATER + SETTLE]
    assert channel.retry_at == LATER + DRAIN


def test_after_the_final_attempt_a_channel_rests_as_failed() -> None:
    channel = failed(final=True)

    assert (channel.status, channel.retries, channel.failure) == (Status.FAILED, 0, FAILURE)


def test_a_channel_that_still_serves_does_not_fail() -> None:
    channel = failed(swapping(), final=True)

    assert (channel.status, channel.phase) == (Status.READY, Phase.ACCEPTED)
    assert channel.failure == FAILURE


def test_what_it_took_stays_known_when_it_plays_and_the_failure_does_not() -> None:
    channel = playing(failed())

    assert (channel.retries, channel.failure) == (1, None)


AGAIN: dict[str, Callable[[Channel], Channel]] = {
    "revised": lambda channel: channel.revised(spec("sum-2"), LATER, LATER),
    "lost": lambda channel: channel.lost("gone", LATER),
    "replayed": lambda channel: channel.replayed(LATER),
}


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_whatever_makes_another_start_necessary_counts_from_zero(again: Callable[[Channel], Channel]) -> None:
    assert again(playing(failed())).retries == 0


def test_a_start_that_is_no_longer_wanted_is_taken_down() -> None:
    channel = swapping().abandoned(LATER)

    assert channel.building is None
    assert [item.placement.stream for item in channel.draining] == ["ss-2"]
    assert channel.phase is Phase.ACCEPTED


def test_a_lost_stream_is_looked_for_no_more_and_another_is_due() -> None:
    channel = playing().lost("gone from OME", LATER)

    assert (channel.status, channel.phase, channel.serving) == (Status.PROVISIONING, Phase.ACCEPTED, None)
    assert [item.placement.stream for item in channel.draining] == ["ss-1"]
    assert channel.queue_at == LATER, "and need not wait for the retry"


def test_losing_the_old_does_not_disturb_the_new() -> None:
    channel = swapping().lost("gone from OME", LATER)

    assert channel.phase is Phase.CREATED
    assert channel.building is not None


def test_what_is_drained_is_forgotten() -> None:
    assert failed().drained(_gone(), LATER).draining == ()


def test_retiring_takes_everything_down_at_once() -> None:
    channel = playing(playing().revised(spec("sum-2"), LATER, LATER))
    channel = created(channel.revised(spec("sum-3"), LATER, LATER)).retired(LATER)

    assert (channel.status, channel.serving, channel.building) == (Status.RETIRED, None, None)
    assert sorted(item.placement.stream for item in channel.draining) == ["ss-1", "ss-2", "ss-3"]
    drains = {item.placement.stream: item.not_before for item in channel.draining}
    assert drains == {"ss-1": LATER + SETTLE, "ss-2": LATER, "ss-3": LATER + SETTLE}


def test_a_revision_is_a_new_generation_without_the_old_failure() -> None:
    channel = failed(final=True).revised(spec("sum-2"), LATER, LATER)

    assert (channel.generation, channel.status, channel.failure) == (2, Status.PROVISIONING, None)
    assert channel.queue_at == LATER, "and need not wait for the retry"


def test_metadata_changes_leave_the_stream_alone() -> None:
    channel = playing().revised(spec(tenant_id="tenant"), LATER, LATER)

    assert channel.status is Status.READY
    assert channel.due_at(LATER) is None


def test_a_retired_content_comes_back_under_a_fresh_name() -> None:
    channel = playing(playing().retired(LATER).revised(spec(), LATER, LATER))

    assert (channel.status, channel.retired_at, channel.incarnation) == (Status.READY, None, 2)


def test_a_replay_of_what_plays_is_announced_again() -> None:
    channel = playing().replayed(LATER)
    assert channel.due_at(LATER) == LATER

    again = channel.announced(LATER)

    assert (again.announcements, again.announce) == (2, False)
    assert again.due_at(LATER) is None


def test_a_replay_of_what_failed_begins_again() -> None:
    channel = failed(final=True).replayed(LATER)

    assert (channel.status, channel.retry_at, channel.failure) == (Status.PROVISIONING, None, None)
    assert not channel.announce


def test_a_confirmation_changes_nothing_but_what_comes_too_late() -> None:
    channel = playing()
    said = Said({"tenant_id": LATER})

    confirmed = channel.confirmed(LATER, LATER, said)

    assert confirmed == replace(channel, said_at=LATER, said=said, updated_at=LATER)


ILLEGAL: dict[str, Callable[[], object]] = {
    "revised to the same": lambda: new().revised(spec(), LATER, LATER),
    "placed while building": lambda: placed(placed()),
    "placed when retired": lambda: placed(new().retired(LATER)),
    "started before placed": lambda: new().started(LATER),
    "started twice": lambda: created().started(LATER),
    "playable before started": lambda: placed().playable(LATER, drain_after=DRAIN),
    "playable twice": lambda: playing().playable(LATER, drain_after=DRAIN),
    "announced without a replay": lambda: playing().announced(LATER),
    "announced while outdated": lambda: playing().replayed(LATER).revised(spec("sum-2"), LATER, LATER).announced(LATER),
    "failed when retired": lambda: failed(new().retired(LATER)),
    "abandoned without a start": lambda: new().abandoned(LATER),
    "lost without serving": lambda: created().lost("gone", LATER),
    "drained twice": lambda: failed().drained(_gone(), LATER).drained(_gone(), LATER),
    "drained while serving": lambda: playing().drained(_gone(), LATER),
    "retired twice": lambda: new().retired(LATER).retired(LATER),
    "replayed when retired": lambda: new().retired(LATER).replayed(LATER),
    "confirmed when retired": lambda: new().retired(LATER).confirmed(LATER, LATER, Said()),
}


@pytest.mark.parametrize("move", ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_move_raises(move: Callable[[], object]) -> None:
    with pytest.raises(IllegalTransition, match=CONTENT):
        move()


def test_equal_specs_have_equal_hashes_and_any_change_another() -> None:
    assert spec().hash == spec().hash
    assert spec().hash != spec(tenant_id="tenant").hash


def test_metadata_is_no_media() -> None:
    assert spec().media_hash == spec(tenant_id="tenant", base_url="https://cdn.example").media_hash


def test_the_same_bytes_under_another_address_are_the_same_media() -> None:
    assert spec().media_hash == spec(source_uri="gs://elsewhere/b.mp4", media_path="b.mp4").media_hash


@pytest.mark.parametrize(
    "change",
    [{"checksum": "b"}, {"application": "b"}, {"rungs": ()}],
    ids=lambda change: next(iter(change)),
)
def test_all_that_ome_plays_is_media(change: dict[str, Any]) -> None:
    assert spec().media_hash != spec(**change).media_hash


def test_the_channel_id_depends_on_the_content_alone() -> None:
    assert new().channel_id == replace(playing(), spec=spec("sum-2")).channel_id


@given(prefix=st.from_regex(r"[A-Za-z0-9_-]{0,32}", fullmatch=True), content=st.uuids(), number=st.integers(1, 10**9))
def test_the_owner_of_our_names_is_known(prefix: str, content: Any, number: int) -> None:
    assert owner_of(prefix, stream_name(prefix, str(content), number)) == str(content)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "live1",
        "ss-",
        "ss-1",
        f"ss-{'0' * 32}",
        f"ss-{'0' * 32}-",
        f"ss-{'0' * 32}-0",
        f"ss-{'0' * 32}-01",
        f"ss-{'0' * 32}-1x",
        f"ss-{'0' * 32}-\u0661",
        f"ss-{'0' * 31}-1",
        f"ss-{'A' * 32}-1",
        f"ss-{'g' * 32}-1",
        f"ss-x-{'0' * 32}-1",
        f"other-{'0' * 32}-1",
        f"ss-{{{'0' * 30}}}-1",
    ],
)
def test_names_that_we_did_not_make_have_no_owner(name: str) -> None:
    assert owner_of("ss-", name) is None
