"""What holds of the failover whatever probes say and operators order, in whatever order and at whatever pace."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_service.domain.failover import Mode, Standing
from streaming_service.domain.failover_orders import demote, freeze, promote, unfreeze
from streaming_service.domain.failover_policy import FailoverPolicy
from streaming_service.domain.probe import ProbeVerdict, Target
from tests.unit.domain.failover_run import REGIONS, Run

# Short, so that a few dozen rounds are a long life.
POLICY = FailoverPolicy(
    silence=30.0, clear=20.0, ramp=8.0, dwell=18.0, hold_down=12.0, longest_hold_down=40.0, forgotten=200.0
)
WORST = [ProbeVerdict.UNREACHABLE, ProbeVerdict.STALE]
VERDICTS = st.sampled_from([ProbeVerdict.OK, *WORST, ProbeVerdict.SIGNATURE_REJECTED, None])
ROUND = st.lists(VERDICTS, min_size=len(REGIONS), max_size=len(REGIONS))
Phase: TypeAlias = tuple[list[ProbeVerdict | None], list[ProbeVerdict | None], int, float]
# Mostly all regions say the same, and for a while: verdicts drawn one by one hardly ever agree on anything.
ALL_WELL: list[ProbeVerdict | None] = [ProbeVerdict.OK] * len(REGIONS)
ALL_BAD: list[ProbeVerdict | None] = [ProbeVerdict.UNREACHABLE] * len(REGIONS)
WEATHER = st.sampled_from([(ALL_WELL, ALL_WELL), (ALL_BAD, ALL_WELL), (ALL_WELL, ALL_BAD)])
LENGTH, PAUSE = st.integers(3, 8), st.sampled_from([1.0, 2.0, 2.0, 3.0])
PLAIN = st.tuples(WEATHER, LENGTH, PAUSE).map(lambda it: (*it[0], it[1], it[2]))
PHASE = PLAIN | PLAIN | PLAIN | st.tuples(ROUND, ROUND, st.integers(1, 14), st.sampled_from([0.5, 2.0, 5.0, 40.0]))
LIFE = st.lists(PHASE, min_size=4, max_size=16)


def live(phases: list[Phase]) -> Run:
    run = Run(policy=POLICY)
    for primary, failover, rounds, pause in phases:
        for _ in range(rounds):
            run.probe(primary, failover)
            run.wait(pause)
    return run


def arrivals(run: Run, mode: Mode) -> list[tuple[datetime, Standing, Standing]]:
    return [
        (when, before, after)
        for when, before, after, _ in run.log
        if after.mode is mode and (before.mode is not mode or before.since != after.since)
    ]


@given(LIFE)
def test_every_promotion_was_asked_for_and_had_somewhere_to_go(
    phases: list[Phase],
) -> None:
    for _, before, after, reading in live(phases).log:
        if after.mode is Mode.PROMOTED and before.mode is not Mode.PROMOTED:
            assert 2 * reading.primary.sure >= reading.primary.known > 0
            assert 2 * reading.failover.well > reading.failover.known > 0 or reading.failover.known == 1
            assert reading.failover.well > 0


@settings(max_examples=300)
@given(LIFE)
def test_nobody_goes_back_to_what_failed_last_before_it_was_clear(
    phases: list[Phase],
) -> None:
    for _, before, after, reading in live(phases).log:
        if after.mode is Mode.PROMOTED and before.mode is not Mode.PROMOTED and before.bad is Target.FAILOVER:
            assert reading.failover_clear >= POLICY.clear
        if before.mode is Mode.PROMOTED and after.mode is not Mode.PROMOTED:
            assert reading.primary_clear >= min(POLICY.clear, POLICY.hold_down_of(before.promotions))


@settings(max_examples=300)
@given(LIFE)
def test_viewers_stay_where_they_were_sent_for_a_while(
    phases: list[Phase],
) -> None:
    run = live(phases)
    for when, before, after, _ in run.log:
        if before.mode is Mode.PROMOTED and after.mode is not Mode.PROMOTED:
            assert (when - before.since).total_seconds() >= POLICY.dwell
        if before.mode is Mode.PRIMARY and after.mode is Mode.PROMOTED and before.promotions:
            assert (when - before.since).total_seconds() >= POLICY.hold_down_of(before.promotions) - 1e-6
            assert after.promotions == before.promotions + 1


@given(LIFE)
def test_between_two_promotions_lies_the_dwell_and_what_has_to_be_clear(
    phases: list[Phase],
) -> None:
    promoted = arrivals(live(phases), Mode.PROMOTED)
    for (earlier, _, _), (later, _, _) in pairwise(promoted):
        assert (later - earlier).total_seconds() >= POLICY.dwell + POLICY.hold_down


@given(LIFE)
def test_a_change_is_written_once_and_only_forwards(
    phases: list[Phase],
) -> None:
    for when, before, after, _ in live(phases).log:
        assert after != before
        assert after.changed_at == when
        assert after.since >= before.since
        assert 0.0 <= after.share(when) <= 1.0
        assert (after.ends_at is not None) == (after.mode is Mode.RETURNING)


HARMLESS = st.lists(
    st.sampled_from([ProbeVerdict.OK, ProbeVerdict.SIGNATURE_REJECTED, None]),
    min_size=len(REGIONS),
    max_size=len(REGIONS),
)


@given(st.lists(st.tuples(HARMLESS, ROUND, st.integers(1, 14), st.sampled_from([0.5, 2.0, 40.0])), max_size=14))
def test_refused_signatures_and_silence_never_promote(
    phases: list[Phase],
) -> None:
    assert live(phases).log == []


@given(LIFE)
def test_after_a_long_outage_everybody_is_on_the_failover_and_after_a_long_peace_on_the_primary(
    phases: list[Phase],
) -> None:
    """Whatever was before: nothing gets stuck."""
    run, everywhere = live(phases), len(REGIONS)
    for _ in range(60):
        run.wait(2.0)
        run.probe([ProbeVerdict.UNREACHABLE] * everywhere)
    assert run.mode is Mode.PROMOTED
    for _ in range(60):
        run.wait(2.0)
        run.probe([ProbeVerdict.OK] * everywhere)
    assert run.mode is Mode.PRIMARY


ORDERS = st.sampled_from(["promote", "demote", "freeze", "unfreeze", "none"])


@settings(max_examples=200)
@given(st.lists(st.tuples(PHASE, ORDERS), min_size=1, max_size=10))
def test_the_machine_never_undoes_an_order(
    life: list[tuple[Phase, str]],
) -> None:
    run = Run(policy=POLICY)
    for (primary, failover, rounds, pause), order in life:
        run.standing = _ordered(run.standing, order, run.now)
        run.log.clear()
        for _ in range(rounds):
            before = run.standing
            run.probe(primary, failover)
            if before.frozen_at is not None or (before.manual and before.mode is Mode.PROMOTED):
                assert run.standing is before
            run.wait(pause)
        for when, before, after, _ in run.log:
            if before.manual and before.held_until and when < before.held_until:
                assert after.mode is not Mode.PROMOTED


def _ordered(standing: Standing, order: str, now: datetime) -> Standing:
    match order:
        case "promote":
            return promote(standing, "ada", "said so", now)
        case "demote":
            return demote(standing, "ada", "said so", now, POLICY)
        case "freeze":
            return freeze(standing, "ada", "said so", now)
        case "unfreeze":
            return unfreeze(standing, "ada", "said so", now)
        case _:
            return standing


@given(LIFE, st.text(min_size=1, max_size=40), st.floats(0.0, 60.0), st.floats(0.0, 60.0))
def test_in_a_ramp_nobody_goes_back_and_forth(
    phases: list[Phase],
    viewer: str,
    one: float,
    another: float,
) -> None:
    for _, _, after, _ in live(phases).log:
        earlier, later = sorted((one, another))
        if not after.leads_away(viewer, after.since + timedelta(seconds=earlier)):
            assert not after.leads_away(viewer, after.since + timedelta(seconds=later))
