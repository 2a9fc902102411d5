"""The budget in short, in every run of the tests: the tap's own fold, permuted weeks, steps. `make budget` measures it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.detection import kept
from benchmarks.detection.cases import Case, best_threshold, hindsight, permutation, summary
from benchmarks.detection.kept import ROOT
from benchmarks.detection.page import verdict

SEEDS = 5


def test_the_budget_in_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five permutations, twenty null weeks: too few for an interval, enough to notice a budget that is off by a factor."""
    case = Case("iid", 15, SEEDS, features=2, weeks=12)
    monkeypatch.setattr(kept, "RESULTS", tmp_path)  # learned anew in every run of the tests
    found = [permutation(case, seed) for seed in range(SEEDS)]
    threshold = best_threshold(found)
    told = summary(found, [hindsight(case, threshold, seed) for seed in range(SEEDS)])
    rows = []
    for b, row in told["budget"].items():
        mean, lower, upper, keeps = verdict(row, float(b))
        where = {"environment": case.name, "K": told["K"], "b": float(b), **row}
        rows.append(where | {"mean": mean, "lower": lower, "upper": upper, "pass": keeps})
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "budget-short.json").write_text(json.dumps({"budget": rows, "delay": told["delay"]}, indent=1))
    for row in rows:
        assert row["lower"] <= row["b"], f"more false alarms than {row['b']} a week can explain: {row}"
    assert sum(row["alarms"] for row in rows) > 0, "a budget that is never used is power left lying"
    assert told["delay"]["5.0"]["missed"] == 0.0
    assert told["delay"]["5.0"]["median_h"] < 12
    assert told["hindsight"]["delay"]["2.0"]["median_h"] <= 2 * told["delay"]["2.0"]["median_h"]
    assert told["ramp"]["5.0"]["median_h"] > told["delay"]["5.0"]["median_h"]
    assert told["delay"]["1.0"]["median_h"] > told["delay"]["5.0"]["median_h"]
