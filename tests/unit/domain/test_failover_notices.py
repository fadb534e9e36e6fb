"""Who is told what when viewers are sent elsewhere."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from streaming_service.domain.failover import WHOLE, Mode, Standing, new_standing
from streaming_service.domain.failover_notices import FailoverNotices
from streaming_service.domain.notification import Cause, Endpoint, Notification
from streaming_service.domain.rendering import SignedManifest, render_body
from tests.fakes import NOW

CAUSE = Cause("failover", "correlation-1")
EVERYBODY = FailoverNotices(frozenset(Endpoint), "projects/p/topics/audit")
CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"


def moved(subject: str = CONTENT, **changes: Any) -> tuple[Standing, Standing]:
    before = new_standing(subject, NOW)
    known = {"mode": Mode.PROMOTED, "reason": "3 of 3 regions fail on the primary", "promotions": 1}
    return before, replace(before, **{**known, **changes})


def owed(before: Standing, after: Standing, notices: FailoverNotices = EVERYBODY) -> Mapping[Endpoint, Notification]:
    made = notices.of(before, after, "/reels/s-1/*", "iad", CAUSE)
    assert len({item.id for item in made}) == len(made)
    return {item.endpoint: item for item in made}


def body(notification: Notification) -> dict[str, Any]:
    return render_body(notification, lambda path, base: SignedManifest("never", "never"))


def test_a_promotion_is_told_to_the_cdn_the_analytics_and_people() -> None:
    told = owed(*moved())

    people = {Endpoint.CDN_CONTROL, Endpoint.BIGQUERY, Endpoint.OBSERVABILITY, Endpoint.AUDIT}
    assert set(told) == {*people, Endpoint.CDN_WARMUP}
    assert {told[item].topic for item in people} == {"cdn.failover"}
    assert body(told[Endpoint.CDN_CONTROL]) == {"path": "/reels/s-1/*", "ingestRegion": "iad", "target": "failover"}
    envelope = body(told[Endpoint.BIGQUERY])
    assert envelope["event"] == "cdn.failover"
    assert envelope["payload"]["contentId"] == CONTENT
    assert (envelope["payload"]["trigger"], envelope["payload"]["promoted"]) == ("probes", True)
    alert = body(told[Endpoint.OBSERVABILITY])
    assert alert["severity"] == "warning"
    assert alert["description"] == f"Viewers of {CONTENT} go to the failover: 3 of 3 regions fail on the primary"
    assert body(told[Endpoint.AUDIT])["actor"] == "failover"


def test_the_failover_is_warmed_for_a_content_that_goes_there() -> None:
    warm_up = owed(*moved())[Endpoint.CDN_WARMUP]

    assert (warm_up.topic, warm_up.content_id) == ("cdn.warmup", CONTENT)
    assert body(warm_up) == {"manifestPath": None, "target": "failover"}
    assert Endpoint.CDN_WARMUP not in owed(*moved(WHOLE))
    back = owed(replace(moved()[1], version=3), replace(moved()[1], mode=Mode.RETURNING))
    assert Endpoint.CDN_WARMUP not in back


def test_the_whole_cdn_is_no_content() -> None:
    told = owed(*moved(WHOLE))

    assert "contentId" not in body(told[Endpoint.BIGQUERY])["payload"]
    assert body(told[Endpoint.AUDIT])["subject"] == "failover:cdn"
    assert body(told[Endpoint.OBSERVABILITY])["severity"] == "critical"


@pytest.mark.parametrize("mode", [Mode.RETURNING, Mode.PRIMARY])
def test_a_cdn_that_knows_promotions_only_is_not_told_of_the_return(mode: Mode) -> None:
    _, promoted = moved()
    told = owed(promoted, replace(promoted, mode=mode, reason="clear"))

    assert set(told) == {Endpoint.BIGQUERY, Endpoint.OBSERVABILITY, Endpoint.AUDIT}
    assert body(told[Endpoint.BIGQUERY])["payload"]["promoted"] is False
    knowing = FailoverNotices(frozenset(Endpoint), tell_return=True)
    again = owed(promoted, replace(promoted, mode=mode), knowing)
    assert body(again[Endpoint.CDN_CONTROL])["target"] == "primary"


def test_what_sends_nobody_elsewhere_owes_nothing() -> None:
    before, promoted = moved()
    assert owed(before, replace(before, frozen_at=NOW)) == {}
    assert owed(promoted, replace(promoted, manual=True)) == {}
    returning = replace(promoted, mode=Mode.RETURNING)
    assert owed(returning, replace(returning, mode=Mode.PRIMARY)) == {}


def test_an_operators_order_is_audited_as_such_and_not_again() -> None:
    told = owed(*moved(manual=True, actor="admin-api"))

    assert Endpoint.AUDIT not in told
    assert body(told[Endpoint.BIGQUERY])["payload"]["trigger"] == "operator"


def test_only_what_is_configured_is_owed_anything() -> None:
    assert owed(*moved(), FailoverNotices(frozenset())) == {}


def test_the_same_debt_is_never_two_and_another_has_another_id() -> None:
    before, after = moved()
    first, again = owed(before, after), owed(before, after)
    assert first == again
    later = owed(replace(before, version=2), after)
    assert {item.id for item in later.values()}.isdisjoint({item.id for item in first.values()})
