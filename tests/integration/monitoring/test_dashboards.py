"""Grafana's dashboards are what the table says, and ask for nothing that does not exist."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.monitoring.conftest import DASHBOARDS, ROOT, Promtool, Question, recorded
from tests.integration.monitoring.questions import complaints, for_prometheus
from tests.metrics_catalogue import catalogue


def panels(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))["panels"]


QUESTIONS = [
    Question(f"{file.stem}: {panel['title']}", target["expr"])
    for file in DASHBOARDS
    for panel in panels(file)
    for target in panel["targets"]
]


def test_there_are_some() -> None:
    assert len(DASHBOARDS) == 4
    assert len(QUESTIONS) > 40


def test_the_files_are_what_the_table_makes() -> None:
    command = [sys.executable, str(ROOT / "scripts/dashboards.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.where)
def test_every_panel_asks_for_what_there_is(question: Question) -> None:
    assert list(complaints(question.text, catalogue(), recorded())) == []


def test_prometheus_understands_every_question(promtool: Promtool, tmp_path: Path) -> None:
    asked = [{"record": f"q:{number}", "expr": for_prometheus(item.text)} for number, item in enumerate(QUESTIONS)]
    file = tmp_path / "questions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": asked}]}), encoding="utf-8")
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_one_that_grafana_takes(file: Path) -> None:
    model = json.loads(file.read_text(encoding="utf-8"))
    assert model["uid"] == file.stem
    taken: set[tuple[int, int]] = set()
    for panel in model["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        across, down = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in across for y in down}
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        assert panel["description"]
    assert len({panel["id"] for panel in model["panels"]}) == len(model["panels"])


def test_every_metric_of_ours_is_on_a_dashboard() -> None:
    shown = " ".join(question.text for question in QUESTIONS)
    ours = {re.sub("_(bucket|count|sum)$", "", name) for name in catalogue() if name.startswith("streaming_")}
    assert {name for name in ours if name not in shown} == set()
