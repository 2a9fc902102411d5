"""The Grafana overview cannot rot: its expressions parse, name what exists, and every panel explains itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.promql import TARGET_LABELS, names, problems

FILE = Path(__file__).parents[2] / "dashboards" / "grafana" / "overview.json"
TEXT = FILE.read_text()
BOARD: dict[str, Any] = json.loads(TEXT)
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [(title, target["expr"]) for title, target in TARGETS] + [
    (note["name"], note["expr"]) for note in BOARD["annotations"]["list"]
]


def filled(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m").replace("$model", "m")


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_a_panel_names_only_metrics_and_labels_of_the_catalogue(title: str, expression: str) -> None:
    assert problems(filled(expression)) == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)")
def test_every_expression_parses(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{at}", "expr": filled(expression)} for at, (_, expression) in enumerate(EXPRESSIONS)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("title", "target"), TARGETS)
def test_a_legend_uses_labels_that_the_expression_keeps(title: str, target: dict[str, Any]) -> None:
    wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    kept = names(target["expr"]).kept or TARGET_LABELS
    assert wanted <= kept


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_title_description_unit_and_the_chosen_data_source(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    for target in (panel, *panel["targets"]):
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_data_source_is_a_variable_and_nothing_else_is_bound() -> None:
    """A provisioned dashboard with __inputs shows 'datasource ${DS_PROMETHEUS} was not found'."""
    variables = BOARD["templating"]["list"]
    assert (variables[0]["name"], variables[0]["label"], variables[0]["type"]) == (
        "datasource",
        "Data Source",
        "datasource",
    )
    assert all(variable.get("refresh") in (1, 2) for variable in variables)
    assert "__inputs" not in BOARD
    assert "DS_" not in TEXT


def test_it_can_be_provisioned() -> None:
    assert BOARD["id"] is None
    assert re.fullmatch(r"[a-z-]{1,40}", BOARD["uid"])
    assert BOARD["schemaVersion"] == 39
    assert BOARD["editable"] is False


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
