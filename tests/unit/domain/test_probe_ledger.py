"""What is told of failures, and when."""

import pytest

from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.domain.probe_ledger import Ledger
from tests.fakes import NOW

GAP, STALE, OK = ProbeVerdict.GAP, ProbeVerdict.STALE, ProbeVerdict.OK


def seen(*, target: Target = Target.PRIMARY, **verdicts: ProbeVerdict) -> list[Observation]:
    return [Observation("c", region, target, verdict, NOW, 1.0) for region, verdict in verdicts.items()]


def told(ledger: Ledger, *observations: Observation, silent: tuple[str, ...] = ()) -> list[dict[str, ProbeVerdict]]:
    turns, _ = ledger.note("c", observations, [(region, Target.PRIMARY) for region in silent])
    return [dict(turn.failing) for turn in turns]


def test_a_failure_is_told_once_when_a_second_probe_confirms_it() -> None:
    ledger = Ledger()
    turns, in_doubt = ledger.note("c", seen(iad=OK, sfo=GAP))
    assert (turns, in_doubt) == ([], True)
    turns, in_doubt = ledger.note("c", seen(iad=OK, sfo=GAP))
    assert not in_doubt
    (turn,) = turns
    assert (turn.failing, turn.before, turn.known) == ({"sfo": GAP}, {}, 2)
    assert [told(ledger, *seen(iad=OK, sfo=GAP)) for _ in range(3)] == [[], [], []]


def test_a_blip_is_not_told() -> None:
    ledger = Ledger()
    assert told(ledger, *seen(iad=GAP)) == []
    assert told(ledger, *seen(iad=OK)) == []
    assert len(ledger) == 0
    assert told(ledger, *seen(iad=GAP)) == [], "the next one is a first one again"


def test_changes_and_the_recovery_are_told() -> None:
    ledger = Ledger()
    told(ledger, *seen(iad=GAP, sfo=OK))
    assert told(ledger, *seen(iad=GAP, sfo=OK)) == [{"iad": GAP}]
    assert told(ledger, *seen(iad=STALE, sfo=OK)) == [{"iad": STALE}]
    assert told(ledger, *seen(iad=STALE, sfo=GAP)) == [{"iad": STALE, "sfo": GAP}]
    assert told(ledger, *seen(iad=OK, sfo=GAP)) == [{"sfo": GAP}]
    assert told(ledger, *seen(iad=OK, sfo=OK)) == [{}]
    assert len(ledger) == 0


def test_a_second_failure_for_another_reason_confirms_the_first() -> None:
    ledger = Ledger()
    assert told(ledger, *seen(iad=GAP)) == []
    assert told(ledger, *seen(iad=STALE)) == [{"iad": STALE}]


def test_a_region_that_falls_silent_does_not_fail_any_more() -> None:
    ledger = Ledger()
    told(ledger, *seen(iad=GAP, sfo=GAP))
    told(ledger, *seen(iad=GAP, sfo=GAP))
    assert told(ledger, *seen(iad=GAP), silent=("sfo",)) == [{"iad": GAP}]


def test_who_was_not_asked_keeps_its_verdict() -> None:
    ledger = Ledger()
    told(ledger, *seen(iad=GAP, sfo=OK))
    told(ledger, *seen(iad=GAP, sfo=OK))
    assert told(ledger, *seen(sfo=OK)) == []
    assert told(ledger, *seen(iad=OK)) == [{}]


def test_targets_are_told_apart() -> None:
    ledger = Ledger()
    both = [*seen(iad=OK), *seen(target=Target.FAILOVER, iad=GAP)]
    ledger.note("c", both)
    turns, _ = ledger.note("c", both)
    assert [(turn.target, turn.failing) for turn in turns] == [(Target.FAILOVER, {"iad": GAP})]


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_forgotten_is_told_anew(everything: bool) -> None:
    ledger = Ledger()
    told(ledger, *seen(iad=GAP))
    told(ledger, *seen(iad=GAP))
    if everything:
        ledger.clear()
    else:
        ledger.forget("c")
    assert told(ledger, *seen(iad=GAP)) == []
    assert told(ledger, *seen(iad=GAP)) == [{"iad": GAP}]


def test_it_does_not_grow_for_ever() -> None:
    ledger = Ledger(capacity=10)
    for number in range(50):
        ledger.note(str(number), [Observation(str(number), "iad", Target.PRIMARY, GAP, NOW, 1.0)])
    assert len(ledger) == 10
