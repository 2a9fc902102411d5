"""The report has every figure with the target that was stated, and its arithmetic is right. Nothing here is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import memory, page, scaling, throughput
from benchmarks.figures import CATALOGUE, FLAT, Figure, Report

STATED = {
    "throughput_ratio": (0.9, "higher"),
    "two_workers_cpu_ratio": (0.85, "higher"),
    "judge_pane": (2.0, "lower"),
    "judge_core_share": (20.0, "lower"),
    "metrics_page": (100.0, "lower"),
    "metrics_loop_gap": (5.0, "lower"),
    "alert_latency_p99": (2.0, "lower"),
    "ledger_share": (0.005, "lower"),
    "rss_growth": (FLAT, "lower"),
    "rss_records": (5.0, "higher"),
    "day_rss_growth": (FLAT, "lower"),
    "day_descriptors_growth": (0.0, "lower"),
    "soak_rss_growth": (FLAT, "lower"),
    "soak_descriptors_growth": (0.0, "lower"),
    "soak_minutes": (20.0, "higher"),
}
"""Every target there is. A change here is a change of what was promised."""


def reading(cpu_s: float, records: int = 1000, wall_s: float = 1.0) -> dict[str, float]:
    return {"cpu_s": cpu_s, "wall_s": wall_s, "records": records}


def test_targets_are_those_that_were_stated() -> None:
    targets = {item.name: (item.target, item.better) for item in CATALOGUE if item.target is not None}
    assert targets == STATED


def test_every_group_is_measured_by_a_module_or_the_soak() -> None:
    assert {item.group for item in CATALOGUE} == {*command.GROUPS, "soak"} == set(page.GROUPS)


def test_a_report_has_every_figure_and_what_was_not_measured_has_no_value(tmp_path: Path) -> None:
    report = Report()
    report.add("throughput", {"throughput_ratio": 0.5})
    report.save(tmp_path / "bench.json")
    tree = json.loads((tmp_path / "bench.json").read_text())
    assert [row["name"] for row in tree["figures"]] == [item.name for item in CATALOGUE]
    assert all(row.keys() == {"name", "value", "unit", "target", "better"} for row in tree["figures"])
    assert {row["name"]: row["value"] for row in tree["figures"] if row["value"] is not None} == {
        "throughput_ratio": 0.5
    }
    assert "python" in tree["environment"]


def test_a_new_run_forgets_everything_but_the_soak(tmp_path: Path) -> None:
    report = Report()
    report.add("throughput", {"throughput_ratio": 0.5}, {"rounds": 3})
    report.add("soak", {"soak_minutes": 20.0}, {"samples": []})
    report.save(tmp_path / "bench.json")
    command.forget(tmp_path / "bench.json")
    kept = Report.load(tmp_path / "bench.json")
    assert kept.values == {"soak_minutes": 20.0}
    assert list(kept.details) == ["soak"]


def test_a_group_cannot_report_what_is_not_its_own() -> None:
    with pytest.raises(KeyError, match="judging has no figures named"):
        Report().add("judging", {"throughput_ratio": 1.0})


def test_a_miss_is_shown() -> None:
    report = Report()
    report.add("judging", {"judge_pane": 2.01})
    assert any("judge_pane " in line and "MISSED" in line for line in report.lines(["judging"]))
    assert "| 2.01 | at most 2 (missed) |" in page.text(report.to_dict())


def test_a_target_is_met_at_its_very_value() -> None:
    assert Figure("x", "g", "", 0.85, "higher").met(0.85)
    assert Figure("x", "g", "", 0.0, "lower").met(0.0)


def test_ratios_are_events_per_cpu_second_of_streamgauge_over_the_other() -> None:
    """Half the CPU per event is twice the events per CPU-second; the number of records each has read does not matter."""
    row = {"bare": reading(2.0), "confluent": reading(1.0), "streamgauge": reading(2.0, records=500)}
    assert throughput.ratio(row, "bare") == 0.5
    figures = throughput.summary([row, row | {"streamgauge": reading(4.0)}, row | {"streamgauge": reading(8.0)}])
    assert figures["throughput_ratio"] == 0.5
    assert figures["throughput_ratio_to_confluent"] == 0.25
    assert figures["bare_cpu"] == 2000.0


def test_the_ratio_is_taken_round_by_round() -> None:
    """A slow round slows both; the median of ratios is not the ratio of medians."""
    rounds = [(1.0, 2.0), (10.0, 10.0), (2.0, 1.0)]
    rows = [{"bare": reading(bare), "streamgauge": reading(ours)} for bare, ours in rounds]
    assert throughput.summary(rows)["throughput_ratio"] == 1.0


def test_two_workers_are_charged_the_cpu_of_both() -> None:
    row = {"1": [reading(4.0, wall_s=4.0)], "2": [reading(2.5, wall_s=2.0), reading(2.5, wall_s=2.5)]}
    assert scaling.cpu_ratio(row) == 0.8
    assert scaling.wall_ratio(row) == 1.6


def test_growth_compares_the_end_with_the_part_after_the_start() -> None:
    """What is allocated in the first fifth is start-up, not growth."""
    samples: list[memory.Sample] = [(i, 50.0 if i < 10 else 100.0, 20) for i in range(101)]
    assert memory.median_rss(memory.part(samples, 0.8, 1.0)) == memory.median_rss(memory.part(samples, 0.2, 0.4)) == 100
    assert abs(memory.slope(memory.part(samples, 0.2, 1.0))) < 1e-9
