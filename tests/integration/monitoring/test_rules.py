"""Prometheus's rules: its own tool says that they are right, their own tests say what they do."""

import re
from pathlib import Path

import pytest
import yaml

from streaming_service.domain.access import HTTP_STATUS
from tests.integration.monitoring.conftest import ROOT, RULE_TESTS, RULES, Promtool, recorded, rules
from tests.integration.monitoring.questions import complaints
from tests.metrics_catalogue import catalogue

ALERTS = [rule for rule in rules() if "alert" in rule]


def test_prometheus_understands_them(promtool: Promtool) -> None:
    checked = promtool("check", "rules", *RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    example = promtool("check", "config", "--syntax-only", ROOT / "infra/prometheus/prometheus.yml")
    assert example.returncode == 0, example.stdout + example.stderr


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.name)
def test_they_fire_when_they_should(promtool: Promtool, file: Path) -> None:
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_seen_to_fire() -> None:
    seen: set[str] = set()
    for file in RULE_TESTS:
        for case in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            for expected in case["promql_expr_test"]:
                labels = " ".join(sample["labels"] for sample in expected["exp_samples"])
                seen |= set(re.findall(r'alertname="(\w+)"', labels))
    assert {rule["alert"] for rule in ALERTS} - seen == set()


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule.get("alert") or rule["record"])
def test_they_ask_for_what_there_is(rule: dict[str, str]) -> None:
    assert list(complaints(rule["expr"], catalogue(), recorded())) == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_whoever_is_woken_is_told_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    told = rule["annotations"]
    assert told.keys() == {"summary", "description", "runbook_url"}
    assert told["summary"].endswith(".")
    assert told["description"].endswith(".")
    runbook = ROOT / told["runbook_url"]
    assert re.fullmatch(r"docs/runbooks/[a-z-]+\.md", told["runbook_url"])
    assert f"`{rule['alert']}`" in runbook.read_text(encoding="utf-8"), f"{runbook.name} does not say what it means"


def test_the_names_of_alerts_and_records_are_nobody_elses() -> None:
    names = [rule.get("alert") or rule["record"] for rule in rules()]
    assert len(names) == len(set(names))


def test_an_error_is_what_is_answered_5xx() -> None:
    errors = {refusal.value for refusal, status in HTTP_STATUS.items() if status >= 500} | {"internal_error"}
    found = [
        re.search(r'result=~"([^"]+)"', rule["expr"])
        for rule in rules()
        if "manifest_errors:ratio" in rule.get("record", "")
    ]
    assert len(found) == 7
    assert all(match and set(match.group(1).split("|")) == errors for match in found)


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        ('sum(rate(streaming_probe_total{target="primary"}[5m]))', ""),
        ("sum(rate(streaming_probes_total[5m]))", "streaming_probes_total does not exist"),
        ('streaming_probe_total{regoin="iad"}', "streaming_probe_total has no label regoin"),
        ("sum by (status) (streaming_probe_total)", "nothing of it has a label status"),
        ("streaming:nothing:ratio", "streaming:nothing:ratio does not exist"),
        ("vector(1)", "asks for nothing of ours"),
    ],
)
def test_the_check_of_questions_finds_what_it_is_for(question: str, complaint: str) -> None:
    assert list(complaints(question, catalogue(), recorded())) == ([complaint] if complaint else [])
