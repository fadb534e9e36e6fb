"""What is counted of what probes say."""

from datetime import timedelta

import pytest

from streaming_service.domain.failover_evidence import Clearness, Evidence, Heard, Survey, Tally, tally_contents
from streaming_service.domain.failover_policy import FAILOVER_POLICY
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from tests.fakes import NOW

BAD, OK = ProbeVerdict.HTTP_ERROR, ProbeVerdict.OK
WELL, FAILS = Tally(3, 0, 0, 3, 2), Tally(3, 3, 3, 0, 2)


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def heard(*told: tuple[float, ProbeVerdict]) -> Heard:
    item = Heard(OK, NOW)
    for seconds, verdict in told:
        item = item.and_then(verdict, NOW + at(seconds), FAILOVER_POLICY)
    return item


@pytest.mark.parametrize(
    ("told", "failures"),
    [
        ([(1, BAD), (3, BAD), (5, BAD)], 3),
        ([(1, BAD), (1.5, BAD), (1.9, BAD)], 1),
        ([(1, BAD), (1.5, BAD), (2.1, BAD)], 2),
        ([(1, BAD), (3, OK), (5, BAD)], 1),
        ([(1, BAD), (3, ProbeVerdict.SIGNATURE_REJECTED), (5, BAD)], 1),
        ([(1, BAD), (100, BAD)], 1),
        ([(1, BAD), (80, BAD), (160, BAD)], 3),
        ([(5, BAD), (3, OK)], 1),
    ],
)
def test_failures_in_a_row_are_counted_a_moment_apart(told: list[tuple[float, ProbeVerdict]], failures: int) -> None:
    assert heard(*told).failures == failures


def test_what_is_said_to_come_from_later_is_taken_for_now() -> None:
    seen = Observation("c", "iad", Target.PRIMARY, OK, NOW + at(3600), 5.0)
    evidence = Evidence().with_observation(seen, NOW, FAILOVER_POLICY)

    assert evidence.heard[Target.PRIMARY, "iad"].at == NOW


def test_of_few_contents_nothing_is_known_about_the_whole_cdn() -> None:
    assert tally_contents([FAILS] * 4, FAILOVER_POLICY) == Tally()
    assert tally_contents([FAILS] * 5, FAILOVER_POLICY).fails


def test_most_contents_are_more_than_half_and_unknown_ones_do_not_count() -> None:
    assert not tally_contents([FAILS] * 4 + [WELL] * 4, FAILOVER_POLICY).fails
    assert tally_contents([FAILS] * 5 + [WELL] * 4 + [Tally()] * 20, FAILOVER_POLICY).fails


def test_clear_is_farther_from_failing_than_half() -> None:
    assert Tally(4, 1, 1, 3, 2).clear
    assert not Tally(3, 1, 1, 2, 2).clear
    assert Tally(3, 1, 1, 2, 2).usable
    assert not Tally().clear
    assert not Tally().usable


def test_clear_times_end_with_what_is_not_clear_and_with_silence() -> None:
    clear = Clearness()
    for seconds in (0, 60, 120):
        clear = clear.looked_at(True, NOW + at(seconds), FAILOVER_POLICY)
    assert clear.seconds == 120
    assert clear.looked_at(False, NOW + at(130), FAILOVER_POLICY).seconds == 0
    assert clear.looked_at(True, NOW + at(250), FAILOVER_POLICY).seconds == 0


def test_a_survey_keeps_how_long_all_is_clear() -> None:
    survey = Survey()
    for seconds in (0, 50):
        survey, reading = survey.read([WELL] * 6, [WELL] * 6, NOW + at(seconds), FAILOVER_POLICY)

    assert (reading.primary_clear, reading.failover_clear, reading.what) == (50, 50, "contents")
