"""Grafana's dashboards: `python scripts/dashboards.py` rewrites `infra/grafana/*.json` from `dashboard_panels.py`.

The JSON is committed and what Grafana reads; with `--check` this says whether it is still what the table makes.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dashboard_panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path(__file__).resolve().parent.parent / "infra" / "grafana"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_PROMETHEUS = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
_COLUMNS = 24
_COLOURS = ("green", "orange", "red")


def rendered(dashboard: Dashboard) -> str:
    """The file's text."""
    model = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["streaming-service"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "links": [{"type": "dashboards", "tags": ["streaming-service"], "title": "Streaming", "asDropdown": True}],
        "panels": list(_panels(dashboard.panels)),
    }
    return json.dumps(model, indent=2, ensure_ascii=False) + "\n"


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """From left to right, and on to the next row when one is full."""
    across = down = 0
    for number, panel in enumerate(panels, 1):
        if across + panel.width > _COLUMNS:
            across, down = 0, down + panels[number - 2].height
        yield _panel(number, panel, {"x": across, "y": down, "w": panel.width, "h": panel.height})
        across += panel.width


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps = [{"color": colour, "value": value} for colour, value in zip(_COLOURS, (None, *panel.limits), strict=False)]
    lined = panel.limits and panel.kind == "timeseries"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                **({"custom": {"thresholdsStyle": {"mode": "line"}}} if lined else {}),
            },
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.kind == "stat" else {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": line.question,
                "legendFormat": line.legend or "__auto",
            }
            for index, line in enumerate(panel.lines)
        ],
    }


def main(arguments: Sequence[str]) -> int:
    """Write every file, and remove those that no dashboard stands for any more; with `--check` only say what would."""
    wanted = {f"{dashboard.uid}.json": rendered(dashboard) for dashboard in DASHBOARDS}
    there = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    if "--check" in arguments:
        for name in sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name)):
            sys.stderr.write(f"{name} is not what scripts/dashboards.py makes: run it\n")
        return int(wanted != there)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for name in there.keys() - wanted.keys():
        (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
