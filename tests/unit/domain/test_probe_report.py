"""How probes are told."""

from typing import Any

from streaming_service.domain.notification import Cause, Endpoint, Notification
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.domain.probe_ledger import Turn
from streaming_service.domain.probe_report import SCHEDULE, failure, results
from streaming_service.domain.rendering import SignedManifest, render_body
from tests.fakes import NOW

CAUSE = Cause("prober", "correlation-1")
CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
EVERYBODY = frozenset(Endpoint)


def observed(region: str = "iad", verdict: ProbeVerdict = ProbeVerdict.OK) -> Observation:
    return Observation(CONTENT, region, Target.PRIMARY, verdict, NOW, 12.5, 200, "" if verdict == "ok" else "broken")


def body(notification: Notification) -> dict[str, Any]:
    def sign(path: str, base_url: str | None) -> SignedManifest:
        raise AssertionError(f"nothing is signed: {path} {base_url}")

    return render_body(notification, sign)


def turn(failing: dict[str, ProbeVerdict], known: int = 3, target: Target = Target.PRIMARY) -> Turn:
    return Turn(CONTENT, target, failing, {"iad": ProbeVerdict.GAP}, known)


def test_results_of_the_schedule_are_one_envelope_about_no_content() -> None:
    (owed,) = results([observed(), observed("sfo", ProbeVerdict.GAP)], SCHEDULE, NOW, CAUSE, EVERYBODY)
    told = body(owed)
    assert (told["event"], told["emittedAt"]) == ("stream.probe.results", "2026-11-22T12:00:00.000Z")
    payload = told["payload"]
    assert "contentId" not in payload
    assert (payload["trigger"], payload["part"], payload["parts"]) == ("schedule", 1, 1)
    assert payload["results"][1] == {
        "contentId": CONTENT,
        "region": "sfo",
        "target": "primary",
        "verdict": "gap",
        "success": False,
        "statusCode": 200,
        "latencyMs": 12.5,
        "detail": "broken",
        "at": "2026-11-22T12:00:00.000Z",
    }


def test_results_on_demand_are_about_their_content() -> None:
    (owed,) = results([observed()], CONTENT, NOW, CAUSE, EVERYBODY)
    assert (body(owed)["payload"]["contentId"], body(owed)["payload"]["trigger"]) == (CONTENT, "on-demand")


def test_many_results_are_several_envelopes_with_ids_of_their_own() -> None:
    many = [observed(f"r{number}") for number in range(450)]
    owed = results(many, SCHEDULE, NOW, CAUSE, EVERYBODY)
    assert [len(item.facts["results"]) for item in owed] == [200, 200, 50]
    assert len({item.id for item in owed}) == 3
    assert [item.id for item in results(many, SCHEDULE, NOW, CAUSE, EVERYBODY)] == [item.id for item in owed]


def test_nobody_is_told_who_is_not_configured() -> None:
    assert results([observed()], SCHEDULE, NOW, CAUSE, {Endpoint.OBSERVABILITY}) == ()
    assert results([], SCHEDULE, NOW, CAUSE, EVERYBODY) == ()
    assert failure(turn({}), [], NOW, CAUSE, {Endpoint.CDN_CONTROL}, None) == ()


def test_a_failure_is_an_alert_a_row_and_an_entry_of_the_audit_log() -> None:
    failing = {"iad": ProbeVerdict.GAP}
    owed = failure(turn(failing), [observed("iad", ProbeVerdict.GAP)], NOW, CAUSE, EVERYBODY, "projects/p/topics/t")
    alert, row, audit = (body(item) for item in owed)
    assert len({item.id for item in owed}) == 3
    assert (alert["event"], alert["severity"], alert["auditTopic"]) == (
        "stream.probe.failure",
        "warning",
        "projects/p/topics/t",
    )
    assert alert["description"] == f"{CONTENT} does not play from the primary in 1 of 3 regions: iad (gap)"
    assert alert["metadata"]["contentId"] == CONTENT
    assert row["payload"]["failing"] == [{"region": "iad", "verdict": "gap", "statusCode": 200, "detail": "broken"}]
    assert (row["payload"]["resolved"], row["payload"]["knownRegions"]) == (False, 3)
    assert (audit["contentId"], audit["actor"], audit["action"]) == (CONTENT, "prober", "stream.probe.failure")


def test_how_bad_it_is() -> None:
    def severity(found: Turn) -> str:
        return body(failure(found, [], NOW, CAUSE, {Endpoint.OBSERVABILITY}, None)[0])["severity"]

    one, two = {"iad": ProbeVerdict.GAP}, {"iad": ProbeVerdict.GAP, "sfo": ProbeVerdict.STALE}
    assert severity(turn(one)) == "warning"
    assert severity(turn(two)) == "critical"
    assert severity(turn(one, known=2)) == "critical", "half of them"
    assert severity(turn(two, target=Target.FAILOVER)) == "warning"
    assert severity(turn({})) == "info"


def test_a_recovery_says_so() -> None:
    (alert,) = failure(turn({}), [observed()], NOW, CAUSE, {Endpoint.OBSERVABILITY}, None)
    assert body(alert)["metadata"]["resolved"] is True
    assert "plays again" in body(alert)["description"]
