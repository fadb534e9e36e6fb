"""Where viewers are sent: the rules one by one. What holds whatever happens: test_failover_invariants.py."""

from datetime import timedelta

import pytest

from streaming_service.domain.failover import Mode, Standing, new_standing
from streaming_service.domain.failover_orders import demote, freeze, promote, unfreeze
from streaming_service.domain.failover_policy import FAILOVER_POLICY, FailoverPolicy
from streaming_service.domain.probe import ProbeVerdict, Target
from tests.fakes import NOW
from tests.unit.domain.failover_run import REGIONS, Run

BAD, OK, REJECTED = ProbeVerdict.UNREACHABLE, ProbeVerdict.OK, ProbeVerdict.SIGNATURE_REJECTED


def down(run: Run, failing: int = 3) -> None:
    """Probe until the primary's failure in so many regions is certain."""
    for _ in range(3):
        run.probe([BAD] * failing + [OK] * (len(REGIONS) - failing))
        run.wait(2)


def promoted() -> Run:
    run = Run()
    down(run)
    assert run.mode is Mode.PROMOTED
    return run


def returning() -> Run:
    run = promoted()
    run.clear_for(306)
    assert run.mode is Mode.RETURNING
    return run


# -- promotion --------------------------------------------------------------------------------------------------------


def test_half_of_the_regions_for_certain_promote_the_failover() -> None:
    run = Run(regions=("iad", "sfo"))
    for _ in range(3):
        assert run.mode is Mode.PRIMARY
        run.probe([BAD, OK])
        run.wait(2)

    assert run.mode is Mode.PROMOTED
    assert run.standing.reason == "1 of 2 regions fail on the primary"
    assert (run.standing.promotions, run.standing.bad) == (1, Target.PRIMARY)


def test_less_than_half_do_not() -> None:
    run = Run()
    down(run, failing=1)

    assert run.mode is Mode.PRIMARY


def test_a_failure_is_to_be_confirmed_by_quick_probes() -> None:
    run = Run()
    decision = run.probe([BAD, BAD, OK])

    assert (decision.standing, decision.probe_in) == (None, 2.0)
    assert decision.thought == "2 of 3 regions fail on the primary: to be confirmed"
    run.wait(2)
    run.probe([OK, BAD, OK])
    run.wait(2)
    run.probe([OK, OK, OK])
    assert run.mode is Mode.PRIMARY


def test_probes_of_the_same_moment_confirm_nothing() -> None:
    run = Run()
    for _ in range(10):
        run.probe([BAD] * 3)

    assert run.mode is Mode.PRIMARY


def test_a_refused_signature_is_no_failure_of_the_origin() -> None:
    run = Run()
    for _ in range(50):
        run.probe([REJECTED, REJECTED, BAD])
        run.wait(2)

    assert run.mode is Mode.PRIMARY


def test_a_silent_region_is_unknown_and_does_not_vote() -> None:
    run = Run()
    run.probe([OK, OK, OK])
    run.wait(91)
    for _ in range(3):
        run.probe([BAD, None, None])
        run.wait(2)

    assert run.mode is Mode.PROMOTED, "it is the only one that is known"


def test_silence_alone_changes_nothing() -> None:
    run = Run()
    run.probe([OK, OK, OK])
    run.wait(3600)

    assert run.probe([None, None, None]).standing is None
    assert run.mode is Mode.PRIMARY


@pytest.mark.parametrize("verdict", [BAD, REJECTED, None])
def test_nobody_is_sent_to_a_failover_that_is_not_known_to_be_well(verdict: ProbeVerdict | None) -> None:
    run = Run()
    for _ in range(20):
        run.probe([BAD] * 3, [verdict] * 3)
        run.wait(2)

    assert run.mode is Mode.PRIMARY
    assert "failover" in run.thought


# -- on the failover --------------------------------------------------------------------------------------------------


def test_viewers_stay_for_the_dwell_whatever_happens() -> None:
    run = promoted()
    run.clear_for(55, failover=BAD)

    assert run.mode is Mode.PROMOTED


def test_five_clear_minutes_bring_them_back_over_a_ramp() -> None:
    run = promoted()
    run.clear_for(295)
    assert run.mode is Mode.PROMOTED
    run.clear_for(20)
    assert run.mode is Mode.RETURNING
    assert run.standing.share(run.now) == pytest.approx(1.0, abs=0.2)

    run.wait(FAILOVER_POLICY.ramp / 2)
    assert run.standing.share(run.now) == pytest.approx(0.5, abs=0.1)
    run.clear_for(FAILOVER_POLICY.ramp)
    assert (run.mode, run.standing.share(run.now)) == (Mode.PRIMARY, 0.0)


def test_a_relapse_begins_the_five_minutes_anew() -> None:
    run = promoted()
    run.clear_for(280)
    run.probe([BAD] * 3)
    run.clear_for(280)

    assert run.mode is Mode.PROMOTED


def test_not_having_heard_anything_is_not_clear() -> None:
    run = promoted()
    run.clear_for(30)
    run.wait(1000)
    run.clear_for(200)

    assert run.mode is Mode.PROMOTED


def test_a_failover_that_fails_is_left_for_a_primary_that_is_clear_for_the_hold_down() -> None:
    run = promoted()
    run.clear_for(62)
    for _ in range(3):
        run.wait(2)
        run.probe([OK] * 3, [BAD] * 3)

    assert (run.mode, run.standing.bad) == (Mode.PRIMARY, Target.FAILOVER)


def test_a_failover_that_fails_beside_a_primary_that_fails_is_kept() -> None:
    run = promoted()
    for _ in range(100):
        run.wait(2)
        run.probe([BAD] * 3, [BAD] * 3)

    assert run.mode is Mode.PROMOTED


def test_the_last_bad_origin_gets_nobody_before_it_was_clear_for_long() -> None:
    run = promoted()
    run.clear_for(62)
    for _ in range(3):
        run.wait(2)
        run.probe([OK] * 3, [BAD] * 3)
    assert run.mode is Mode.PRIMARY
    run.wait(60)
    down(run)
    assert run.mode is Mode.PRIMARY
    assert "failed last" in run.thought

    for _ in range(21):
        run.wait(15)
        run.probe([BAD] * 3)
    assert run.mode is Mode.PROMOTED, "it has been clear for five minutes"


# -- after the return -------------------------------------------------------------------------------------------------


def test_a_relapse_within_the_ramp_ends_it() -> None:
    run = returning()
    down(run)

    assert run.mode is Mode.PROMOTED
    assert run.standing.promotions == 2


def test_a_failover_that_fails_within_the_ramp_ends_it_too() -> None:
    run = returning()
    for _ in range(3):
        run.wait(2)
        run.probe([OK] * 3, [BAD] * 3)

    assert (run.mode, run.standing.share(run.now)) == (Mode.PRIMARY, 0.0)


def test_there_is_no_promotion_for_a_while_after_the_return() -> None:
    run = returning()
    run.clear_for(FAILOVER_POLICY.ramp + 1)
    assert run.mode is Mode.PRIMARY
    down(run)
    assert run.mode is Mode.PRIMARY
    assert "no promotion for another" in run.thought

    run.wait(FAILOVER_POLICY.hold_down)
    down(run)
    assert run.mode is Mode.PROMOTED


def test_the_hold_down_grows_up_to_five_minutes() -> None:
    assert [FAILOVER_POLICY.hold_down_of(number) for number in (0, 1, 2, 9, 10, 11, 500)] == [
        30, 30, 60, 270, 300, 300, 300,
    ]  # fmt: skip


def test_promotions_are_forgotten_after_an_hour_on_the_primary() -> None:
    run = returning()
    run.clear_for(FAILOVER_POLICY.ramp + 3500)
    assert run.standing.promotions == 1
    run.clear_for(200)

    assert (run.standing.promotions, run.standing.held_until, run.standing.active) == (0, None, False)


# -- viewers ----------------------------------------------------------------------------------------------------------


def test_in_a_ramp_each_viewer_goes_back_once() -> None:
    run = returning()
    viewers = [f"session-{number}" for number in range(500)]
    begun, away = run.standing.since, set(viewers)
    for second in range(0, 121, 5):
        moment = begun + timedelta(seconds=second)
        still = {viewer for viewer in viewers if run.standing.leads_away(viewer, moment)}
        assert still <= away
        assert len(still) / 500 == pytest.approx(run.standing.share(moment), abs=0.08)
        away = still
    assert not away


# -- operators --------------------------------------------------------------------------------------------------------


def test_what_an_operator_promoted_stays() -> None:
    run = Run()
    run.standing = promote(new_standing("cdn", NOW), "ada", "drill", NOW)
    run.clear_for(2000)

    assert (run.mode, run.standing.actor, run.standing.reason) == (Mode.PROMOTED, "ada", "drill")
    assert promote(run.standing, "bob", "again", run.now) is run.standing


def test_an_operator_takes_over_what_the_machine_promoted() -> None:
    run = promoted()
    since = run.standing.since
    run.standing = promote(run.standing, "ada", "stay there", run.now)
    run.clear_for(1000)

    assert (run.mode, run.standing.since) == (Mode.PROMOTED, since)


def test_demoted_viewers_return_over_the_ramp_and_the_second_time_at_once() -> None:
    run = promoted()
    run.standing = demote(run.standing, "ada", "enough", run.now, FAILOVER_POLICY)
    assert (run.mode, run.standing.share(run.now)) == (Mode.RETURNING, 1.0)
    run.standing = demote(run.standing, "ada", "now", run.now, FAILOVER_POLICY)

    assert run.mode is Mode.PRIMARY
    assert demote(run.standing, "ada", "again", run.now, FAILOVER_POLICY) is run.standing


def test_after_a_demotion_the_machine_waits_before_it_promotes_again() -> None:
    run = promoted()
    run.standing = demote(run.standing, "ada", "enough", run.now, FAILOVER_POLICY)
    for _ in range(200):
        run.probe([BAD] * 3)
        run.wait(2)
    assert run.mode is not Mode.PROMOTED
    run.wait(30)
    down(run)
    assert run.mode is Mode.PROMOTED


def test_frozen_nothing_changes_by_itself() -> None:
    run = Run()
    run.standing = freeze(new_standing("cdn", NOW), "ada", "maintenance", NOW)
    down(run)

    assert (run.mode, run.thought) == (Mode.PRIMARY, "frozen by ada")
    run.standing = unfreeze(run.standing, "ada", "over", run.now)
    down(run)
    assert run.mode is Mode.PROMOTED


def test_a_ramp_stands_still_while_it_is_frozen() -> None:
    run = returning()
    run.wait(60)
    share = run.standing.share(run.now)
    run.standing = freeze(run.standing, "ada", "wait", run.now)
    run.clear_for(1000)
    assert run.standing.share(run.now) == share
    run.standing = unfreeze(run.standing, "ada", "go on", run.now)

    assert run.standing.share(run.now) == pytest.approx(share)
    run.clear_for(125)
    assert run.mode is Mode.PRIMARY


def test_who_is_demoted_while_frozen_returns_at_once_and_stays_frozen() -> None:
    run = promoted()
    run.standing = freeze(run.standing, "ada", "wait", run.now)
    run.standing = demote(run.standing, "ada", "home", run.now, FAILOVER_POLICY)

    assert run.mode is Mode.PRIMARY
    assert run.standing.frozen_at is not None


def test_freezing_and_unfreezing_twice_changes_nothing() -> None:
    standing = freeze(new_standing("cdn", NOW), "ada", "wait", NOW)

    assert freeze(standing, "bob", "too", NOW) is standing
    thawed = unfreeze(standing, "ada", "go", NOW)
    assert unfreeze(thawed, "bob", "too", NOW) is thawed


def test_without_a_ramp_all_return_at_once() -> None:
    run = promoted()
    run.standing = demote(run.standing, "ada", "enough", run.now, FailoverPolicy(ramp=0.0))

    assert run.standing.share(run.now) == 0.0
    assert not run.standing.leads_away("anybody", run.now)


def test_what_nobody_changed_is_not_worth_knowing() -> None:
    assert not new_standing("cdn", NOW).active
    assert Standing(subject="cdn", since=NOW, changed_at=NOW, bad=Target.FAILOVER).active
