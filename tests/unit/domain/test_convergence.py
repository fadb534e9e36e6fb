"""The next step for a channel, and that steps lead from anywhere to what is wanted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.convergence import (
    Abandon,
    Announce,
    AwaitPlayable,
    Place,
    Queue,
    Record,
    Remove,
    Rest,
    Revoke,
    Start,
    Step,
    next_step,
)
from streaming_service.domain.ladder import Rung
from streaming_service.domain.placement import Copy, stream_name
from streaming_service.domain.spec import ChannelSpec
from streaming_service.domain.state import Failure, Phase, Status
from tests.placements import placed as put

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DRAIN = timedelta(minutes=5)
PAUSE = timedelta(minutes=1)
RELEASE = timedelta(seconds=30)


def spec(checksum: str = "sum-0", tenant: str | None = None) -> ChannelSpec:
    return ChannelSpec(
        content_id="0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11",
        classification=Classification.REEL,
        source_uri=f"gs://uploads/{checksum}.mp4",
        media_path=f"uploads/{checksum}.mp4",
        checksum=checksum,
        application="reels",
        protocol=Protocol.LL_HLS,
        rungs=(Rung("360p", 640, 360, 900),),
        tenant_id=tenant,
    )


def new() -> Channel:
    return accepted(spec(), NOW, NOW)


def take(channel: Channel, step: Step, now: datetime, *, publish: bool = False) -> Channel:
    """The step on an OME that does everything at once, but plays a minute for its minute."""
    match step:
        case Place():
            name = stream_name("ss-", channel.content_id, channel.incarnation + 1)
            return put(channel, now, stream=name, publish=publish, duration=60.0)
        case Record(placement):
            if placement.ends_at and placement.ends_at > now:
                return channel
            return channel.published(Copy(now, 60.0, 9, 900), now, drain_after=DRAIN, release_after=RELEASE)
        case Start():
            return channel.started(now)
        case AwaitPlayable():
            return channel.playable(now, drain_after=DRAIN)
        case Abandon():
            return channel.abandoned(now)
        case Announce():
            return channel.announced(now)
        case Remove(item):
            return channel.drained(item, now)
        case Rest() | Revoke() | Queue():
            return channel


def converged(channel: Channel, now: datetime) -> Channel:
    while not isinstance(step := next_step(channel, now), Rest):
        channel = take(channel, step, now)
    return channel


def test_a_new_channel_goes_through_place_start_and_watch() -> None:
    channel, steps = new(), list[str]()
    while not isinstance(step := next_step(channel, NOW), Rest):
        steps.append(type(step).__name__)
        channel = take(channel, step, NOW)

    assert steps == ["Place", "Start", "AwaitPlayable"]
    assert next_step(channel, NOW) == Rest(None)


def test_nothing_is_built_before_the_retry_is_due() -> None:
    failed = new().attempt_failed(Failure("c", "d", NOW), NOW, retry_at=NOW + PAUSE, final=False)

    assert next_step(failed, NOW) == Rest(None)
    assert failed.queue_at == NOW + PAUSE
    assert next_step(failed, NOW + PAUSE) == Place()
    assert next_step(failed, NOW + PAUSE, may_place=False) == Rest(None), "it is not its turn"


def test_what_is_given_up_is_removed_while_the_retry_waits() -> None:
    started = put(new(), NOW).started(NOW)
    failed = started.attempt_failed(Failure("c", "d", NOW), NOW, retry_at=NOW + PAUSE, final=True)

    assert isinstance(next_step(failed, NOW), Rest), "OME may not have seen it yet"
    assert isinstance(next_step(failed, NOW + timedelta(seconds=2)), Remove)


def test_a_start_of_outdated_media_is_abandoned() -> None:
    outdated = put(new(), NOW).revised(spec("sum-1"), NOW, NOW)

    assert next_step(outdated, NOW) == Abandon()


def test_the_new_is_built_before_the_old_is_removed() -> None:
    lost = converged(new(), NOW).lost("gone", NOW)

    assert next_step(lost, NOW) == Place()


def test_the_old_stays_until_its_last_url_has_expired() -> None:
    channel = converged(converged(new(), NOW).revised(spec("sum-1"), NOW, NOW), NOW)

    assert next_step(channel, NOW) == Rest(NOW + DRAIN)
    assert isinstance(next_step(channel, NOW + DRAIN), Remove)


def test_a_wish_that_returns_to_what_is_served_only_drops_the_start() -> None:
    channel = converged(new(), NOW).revised(spec("sum-1"), NOW, NOW)
    channel = take(channel, next_step(channel, NOW), NOW).revised(spec(), NOW, NOW)

    settled = converged(channel, NOW)

    assert settled.serving == channel.serving
    assert settled.incarnation == 2


def test_a_retired_channel_only_cleans_up() -> None:
    retired = converged(new(), NOW).replayed(NOW).retired(NOW)

    assert isinstance(next_step(retired, NOW), Remove)
    assert next_step(converged(retired, NOW), NOW) == Rest(None)


class ChannelLife(RuleBasedStateMachine):
    """Any moves in any order, carried out on an OME that is remembered beside the channel."""

    channel: Channel
    now: datetime

    @initialize()
    def upload(self) -> None:
        self.now = NOW
        self.channel = new()
        self.ever_placed: dict[str, str] = {}
        self.ever_recorded: set[str] = set()
        self.drained: set[str] = set()
        self.removed: set[str] = set()
        self.publishing = False

    def move(self, channel: Channel) -> None:
        before = self.channel
        self.channel = channel
        if channel.building and channel.building.stream not in self.ever_placed:
            assert channel.incarnation == before.incarnation + 1
            self.ever_placed[channel.building.stream] = channel.spec.media_hash
            if channel.building.publish:
                self.ever_recorded.add(channel.building.stream)

    def carry_out(self, step: Step) -> None:
        if isinstance(step, Remove):
            item = step.item
            used = [held for held in (self.channel.serving, self.channel.building) if held]
            assert item.placement.stream not in {held.stream for held in used if item.copy or held.on_ome}
            (self.removed if item.copy else self.drained).add(item.placement.stream)
        self.move(take(self.channel, step, self.now, publish=self.publishing))

    @rule(publishing=st.booleans())
    def a_bucket_is_there_or_not(self, publishing: bool) -> None:
        self.publishing = publishing

    @precondition(lambda self: self.channel.serving is not None and self.channel.serving.on_ome)
    @rule()
    def renew(self) -> None:
        self.move(self.channel.renewed("its origin is to be emptied", self.now))

    @rule(seconds=st.sampled_from([1, 59, 300, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(media=st.integers(0, 3), tenant=st.sampled_from([None, "a", "b"]), protocol=st.sampled_from(Protocol))
    def wish(self, media: int, tenant: str | None, protocol: Protocol) -> None:
        wanted = replace(spec(f"sum-{media}", tenant), protocol=protocol)
        if wanted.hash != self.channel.spec_hash or self.channel.status is Status.RETIRED:
            self.move(self.channel.revised(wanted, self.now, self.now))

    @precondition(lambda self: self.channel.status is not Status.RETIRED)
    @rule()
    def retire(self) -> None:
        self.move(self.channel.retired(self.now))

    @precondition(lambda self: self.channel.status is not Status.RETIRED)
    @rule()
    def replay(self) -> None:
        self.move(self.channel.replayed(self.now))

    @precondition(lambda self: self.channel.serving is not None and self.channel.serving.on_ome)
    @rule()
    def lose(self) -> None:
        self.move(self.channel.lost("gone", self.now))

    @precondition(lambda self: self.channel.status is not Status.RETIRED)
    @rule(final=st.booleans())
    def fail(self, final: bool) -> None:
        failure = Failure("not_playable", "it does not play", self.now)
        self.move(self.channel.attempt_failed(failure, self.now, retry_at=self.now + PAUSE, final=final))

    @rule(steps=st.integers(1, 4))
    def step(self, steps: int) -> None:
        for _ in range(steps):
            self.carry_out(next_step(self.channel, self.now))

    @rule()
    def settle(self) -> None:
        wanted = self.channel.spec
        for _ in range(200):
            step = next_step(self.channel, self.now)
            if isinstance(step, Record) and step.placement.ends_at and step.placement.ends_at > self.now:
                step = next_step(self.channel, self.now, watch=False)
            if isinstance(step, Rest):
                moments = [moment for moment in (step.until, self.channel.queue_at) if moment]
                if recording := self.channel.recording:
                    assert recording.ends_at
                    moments.append(recording.ends_at)
                if not moments:
                    break
                assert min(moments) > self.now
                self.now = min(moments)
            self.carry_out(step)
        else:
            raise AssertionError("it never rests")
        assert self.channel.draining == ()
        assert self.channel.building is None
        if self.channel.status is Status.RETIRED:
            assert self.channel.serving is None
        else:
            assert self.channel.status is Status.READY
            assert self.channel.serving is not None
            assert self.channel.serving.media_hash == wanted.media_hash
            assert not self.channel.announce

    @invariant()
    def ready_means_serving(self) -> None:
        assert (self.channel.status is Status.READY) == (self.channel.serving is not None)

    @invariant()
    def nothing_that_was_placed_is_forgotten_before_it_is_drained(self) -> None:
        held = [item.stream for item in self.channel.on_ome]
        assert sorted(held) == sorted(set(self.ever_placed) - self.drained)
        copies = [item.stream for item in (self.channel.serving, self.channel.building) if item and item.publish]
        copies += [item.placement.stream for item in self.channel.draining if item.copy]
        assert sorted(copies) == sorted(self.ever_recorded - self.removed)

    @invariant()
    def a_placement_plays_what_was_wanted_when_it_was_placed(self) -> None:
        for item in (self.channel.serving, self.channel.building):
            assert item is None or self.ever_placed[item.stream] == item.media_hash

    @invariant()
    def building_is_placed_or_created(self) -> None:
        if self.channel.building:
            recorded = self.channel.building.recording and self.channel.phase is Phase.PLAYABLE
            assert recorded or self.channel.phase in {Phase.PLACED, Phase.CREATED}
            assert self.channel.status is not Status.RETIRED

    @invariant()
    def a_channel_is_due_exactly_when_there_is_a_step(self) -> None:
        step = next_step(self.channel, self.now, watch=False)
        due = self.channel.due_at(self.now)
        if self.channel.recording and isinstance(step, Rest):
            assert due is not None
            return
        if isinstance(step, Rest):
            assert step.until == due
            assert due is None or due > self.now
        elif isinstance(step, Place):
            assert self.channel.queue_at is not None
            assert self.channel.queue_at <= self.now
        else:
            assert due is not None
            assert due <= self.now

    @invariant()
    def it_can_be_written_and_read(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(self.channel), type=Channel) == self.channel


TestChannelLife: Any = ChannelLife.TestCase
TestChannelLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
