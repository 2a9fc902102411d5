"""``python -m benchmarks.detection``: the false-alarm budget and the delay, environment by environment.

A permutation that is on disk for this very code is not run again, so an interrupted run goes on where it was. Writes
``build/budget.json`` and benchmarks/detection.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.detection import page
from benchmarks.detection.cases import ROOT, Case, made, permutation, summary

CASES = (
    Case("iid", 15, 50, features=5),
    Case("season", 15, 50, features=5),
    Case("ar", 15, 50, features=5),
    Case("full", 15, 50, features=5),
    Case("full", 15, 50, features=50),
    Case("flights.all", 15, 50),
    Case("flights", 15, 50),
    Case("power", 15, 50),
)
FULL = (
    *CASES,
    Case("iid", 1, 50, features=5),
    Case("full", 1, 50, features=5),
    Case("flights.all", 1, 50),
    Case("flights", 1, 50),
    Case("power", 1, 50),
    Case("full", 15, 50, features=250, weeks=12),
)


def main() -> int:
    """Run the cases that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long cases too")
    parser.add_argument("--only", help="cases whose name begins so, such as flights")
    parser.add_argument("--seeds", type=int, help="so many permutations instead of 50")
    asked = parser.parse_args()
    results = {}
    for case in FULL if asked.full else CASES:
        if asked.only is None or case.key.startswith(asked.only):
            results[case.key] = run(replace(case, seeds=asked.seeds or case.seeds))
    if asked.only is None:
        page.write(results)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "budget.json").write_text(json.dumps(report(results), indent=1))
    return 0


def run(case: Case) -> dict[str, Any]:
    """Run all permutations of a case on two cores; the environment is made once and shared."""
    say(f"{case.key}: making the environment")
    made(case)
    rows: list[dict[str, Any]] = []
    begun = time.monotonic()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for row in pool.imap(partial(permutation, case), range(case.seeds)):
            rows.append(row)
            found = summary(rows)["budget"]["1.0"]
            left = (time.monotonic() - begun) / len(rows) * (case.seeds - len(rows))
            rate = found["alarms"] / found["weeks"]
            say(f"\r{case.key}: {len(rows)} of {case.seeds}, {rate:.2f} a week at b = 1, {left:.0f} s left ", end="")
    say("")
    return summary(rows) | {"name": case.name, "minutes": case.minutes}


def report(results: dict[str, Any]) -> dict[str, Any]:
    """Return what ``build/budget.json`` holds: a row for each environment and budget, and for each size of a step."""
    budget, delay = [], []
    for item in results.values():
        where = {"environment": item["name"], "pane_minutes": item["minutes"], "K": item["K"]}
        for b, row in item["budget"].items():
            mean, lower, upper, keeps = page.verdict(row, float(b))
            budget.append(where | {"b": float(b), **row, "mean": mean, "lower": lower, "upper": upper, "pass": keeps})
        realised = item["budget"]["1.0"]["alarms"] / item["budget"]["1.0"]["weeks"]
        for size, row in item["delay"].items():
            delay.append(where | {"method": "streamgauge", "shift": float(size), **row, "realised": realised})
    return {"budget": budget, "delay": delay, "cost": {}}


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
