"""The files of `infra/prometheus` and `infra/grafana`, and Prometheus's own tool to judge them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import require_component

ROOT = Path(__file__).resolve().parents[3]
RULES = sorted((ROOT / "infra/prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((ROOT / "infra/prometheus/tests").glob("*.yml"))
DASHBOARDS = sorted((ROOT / "infra/grafana").glob("*.json"))


class Promtool:
    """Prometheus's tool."""

    def __init__(self, program: str) -> None:
        self._program = program

    def __call__(self, *arguments: str | Path, said: str = "") -> "subprocess.CompletedProcess[str]":
        """Run it with these arguments, and this on its standard input."""
        command = [self._program, *map(str, arguments)]
        return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=300)


class Question(NamedTuple):
    """A piece of PromQL, and where it stands."""

    where: str
    text: str


@pytest.fixture
def promtool() -> Promtool:
    program = shutil.which("promtool")
    require_component(program is not None, "promtool", "Install it, on Debian with: apt-get install prometheus")
    return Promtool(program or "")


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file, with `record` or `alert`."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def recorded() -> frozenset[str]:
    """What recording rules add to the metrics."""
    return frozenset(rule["record"] for rule in rules() if "record" in rule)
