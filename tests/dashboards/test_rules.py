"""The rules of Prometheus: valid, tested, documented, and naming only what exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.judging.findings import CHECKS
from tests.dashboards.promql import problems

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
PROMETHEUS = DASHBOARDS / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "streamgauge.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
TESTS = yaml.safe_load((PROMETHEUS / "streamgauge.rules.test.yml").read_text())["tests"]
HEADINGS = {
    re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
    for heading in re.findall(r"^## (.+)$", (DASHBOARDS / "runbooks.md").read_text(), re.MULTILINE)
}
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)"
)
amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed (Debian package prometheus-alertmanager)"
)
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def tool(*command: str, at: Path = PROMETHEUS) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_the_rules_are_valid() -> None:
    tool("promtool", "check", "rules", "--lint-fatal", "streamgauge.rules.yml")


@promtool
def test_every_rule_behaves_as_its_unit_tests_say() -> None:
    tool("promtool", "test", "rules", "streamgauge.rules.test.yml")


@promtool
def test_the_scrape_example_is_valid() -> None:
    tool("promtool", "check", "config", "prometheus.yml")


@amtool
def test_the_alertmanager_example_is_valid() -> None:
    tool("amtool", "check-config", "alertmanager.yml")


@amtool
@each_rule
def test_every_alert_has_a_receiver(rule: dict[str, Any]) -> None:
    severity = rule["labels"]["severity"]
    receiver = {"critical": "pager", "warning": "ticket", "none": "dead-mans-switch"}[severity]
    labels = (f"alertname={rule['alert']}", f"severity={severity}")
    tool(
        "amtool",
        "config",
        "routes",
        "test",
        "--config.file=alertmanager.yml",
        f"--verify.receivers={receiver}",
        *labels,
    )


@each_rule
def test_a_rule_names_only_metrics_and_labels_of_the_catalogue(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"]) == []
    queries = re.findall(r'printf "(max by [^`]+?\))" \$', rule["annotations"]["description"])
    assert bool(queries) == rule["alert"].startswith("StreamgaugeIncident")
    assert [problem for query in queries for problem in problems(query.replace('\\"', '"').replace("%q", '"x"'))] == []


@each_rule
def test_a_rule_has_a_static_summary_and_what_a_person_needs(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in notes["summary"]
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert "$value" not in str(rule["labels"])


@each_rule
def test_a_rule_has_a_runbook(rule: dict[str, Any]) -> None:
    anchor = rule["annotations"]["runbook_url"].partition("#")[2]
    wanted = {f"check-{check}" for check in CHECKS} if "{{" in anchor else {anchor}
    assert wanted <= HEADINGS
    assert rule["alert"].lower() in HEADINGS


@each_rule
def test_the_links_lead_to_what_is_there(rule: dict[str, Any]) -> None:
    """Relative as shipped: a file of this repository, and the overview by its uid on any Grafana."""
    assert (DASHBOARDS.parent / rule["annotations"]["runbook_url"].partition("#")[0]).is_file()
    board = json.loads((DASHBOARDS / "grafana" / "overview.json").read_text())
    assert rule["annotations"]["dashboard_url"].partition("?")[0] == f"/d/{board['uid']}"


@promtool
def test_the_commands_of_the_readme_make_the_links_absolute_and_keep_the_tests_green(tmp_path: Path) -> None:
    commands = re.findall(r"^sed .+$", (DASHBOARDS / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    shutil.copytree(DASHBOARDS, tmp_path / "dashboards")
    for command in commands:
        subprocess.run(["bash", "-euc", command], cwd=tmp_path, check=True, timeout=60)
    prometheus = tmp_path / "dashboards" / "prometheus"
    links = re.findall(r"(?:runbook|dashboard)_url: (.+)", (prometheus / "streamgauge.rules.yml").read_text())
    assert len(links) == 2 * len(RULES)
    assert all(link.startswith("https://") for link in links)
    tool("promtool", "test", "rules", "streamgauge.rules.test.yml", at=prometheus)


def test_the_readme_names_every_file_and_every_group() -> None:
    text = (DASHBOARDS / "README.md").read_text()
    files = {str(path.relative_to(DASHBOARDS)) for path in DASHBOARDS.rglob("*") if path.is_file()} - {"README.md"}
    assert {name for name in files if f"| `{name}` |" not in text} == set()
    groups = yaml.safe_load((PROMETHEUS / "streamgauge.rules.yml").read_text())["groups"]
    assert all(f"`{group['name']}`" in text for group in groups)


def test_every_section_of_the_runbooks_says_the_six_things() -> None:
    sections = re.split(r"^## ", (DASHBOARDS / "runbooks.md").read_text(), flags=re.MULTILINE)[1:]
    for section in sections:
        for part in ("Meaning", "Impact", "Confirm", "First actions", "Escalate", "False positives"):
            assert f"**{part}" in section, f"{section.splitlines()[0]} lacks {part}"
        assert [step in section for step in ("1. ", "2. ", "3. ")] == [True] * 3, section.splitlines()[0]


@each_rule
def test_every_rule_has_a_silent_and_a_firing_case(rule: dict[str, Any]) -> None:
    """The Watchdog cannot be silent."""
    cases = [case for test in TESTS for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]]
    assert any(case["exp_alerts"] for case in cases)
    assert rule["alert"] == "Watchdog" or any(not case["exp_alerts"] for case in cases)


def test_only_two_rules_look_at_models_and_they_only_forward() -> None:
    """One detector, one pager: a second detection in PromQL would page twice for one problem."""
    looking = [
        rule["alert"]
        for rule in RULES
        if re.search(r"streamgauge_(incident|feature|records|watermark|newest)", rule["expr"])
    ]
    assert looking == ["StreamgaugeIncidentPage", "StreamgaugeIncidentTicket"]


def test_the_limits_of_the_scrape_lie_above_those_of_the_page() -> None:
    from stream.serving.exposition import MAX_LABEL_BYTES, Registry
    from stream.serving.metrics import CATALOGUE

    job = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]
    assert job["job_name"] == "streamgauge"
    assert job["sample_limit"] > Registry().max_series + len(CATALOGUE)
    assert job["label_value_length_limit"] > MAX_LABEL_BYTES
    assert job["label_limit"] > max(len(metric.labels) for metric in CATALOGUE) + 3
