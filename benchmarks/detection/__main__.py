"""``python -m benchmarks.detection``: the false-alarm budget and the delay, environment by environment.

A permutation that is on disk for this very code is not run again, so an interrupted run goes on where it was, and the
long cases stay on the page of a short run. Writes ``build/budget.json`` and benchmarks/detection.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.detection import broken, cost, first_weeks, page
from benchmarks.detection.cases import Case, best_threshold, hindsight, made, permutation, summary
from benchmarks.detection.kept import ROOT, done, kept

Row = dict[str, Any]

CASES = (
    Case("iid", 5, 50, features=5),
    Case("season", 5, 50, features=5),
    Case("ar", 5, 50, features=5),
    Case("full", 5, 50, features=5),
    Case("full", 5, 50, features=50, weeks=12),
    Case("full", 5, 50, features=200, weeks=12),
    Case("flights.all", 5, 50),
    Case("flights", 5, 50),
    Case("flights", 15, 50),
    Case("power", 5, 50),
)
LONG = (
    Case("iid", 1, 50, features=5),
    Case("full", 1, 50, features=5),
    Case("flights.all", 1, 50),
    Case("flights", 1, 50),
)
FIRST_WEEKS = (
    Case("flights", 15, 32),
    Case("power", 15, 32),
    Case("power", 15, 32, near=True),
    Case("full", 15, 32, features=5),
)
BROKEN_MINUTES, BROKEN_SEEDS = 5, 8


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long cases too")
    parser.add_argument("--quick", action="store_true", help="two cases, a few permutations: a minute or two")
    asked = parser.parse_args()
    cases = [*CASES, *(case for case in LONG if asked.full or done(case.key, case.seeds))]
    if asked.quick:
        cases = [replace(case, seeds=4, minutes=15) for case in CASES if case.name in ("iid-5", "full-5")]
    results: dict[str, Any] = {"cases": {}, "first_weeks": {}, "faults": {}}
    for case in cases:
        counted = partial(made, case)
        rows = run(case.key, counted, partial(permutation, case), case.seeds)
        threshold = best_threshold(rows)
        again = run(f"{case.key}-hindsight-{threshold:g}", counted, partial(hindsight, case, threshold), case.seeds)
        where = {"name": case.name, "minutes": case.minutes, "command": "budget-full" if case in LONG else "budget"}
        results["cases"][case.key] = where | summary(rows, again)
    if not asked.quick:
        for case in FIRST_WEEKS:
            live = partial(first_weeks.permutation, case)
            rows = run(f"first-weeks-{case.key}", partial(made, case), live, case.seeds)
            results["first_weeks"][case.key] = first_weeks.summary(rows)
        make, one = partial(broken.counted, BROKEN_MINUTES), partial(broken.permutation, BROKEN_MINUTES)
        results["faults"] = broken.summary(run(f"faults-{BROKEN_MINUTES}min", make, one, BROKEN_SEEDS))
        say("cost: one pane, and learning from eight weeks")
        results["cost"] = {
            "pane_ms": cost.pane_ms(),
            "learn_100_s": cost.learn_s(100),
            "learn_1000_s": cost.learn_s(1000),
        }
        page.write(results)
        (ROOT / "build").mkdir(exist_ok=True)
        (ROOT / "build" / "budget.json").write_text(json.dumps(report(results), indent=1))
    else:
        for line in (*page.budget_rows(results["cases"]), *page.delay_rows(results["cases"])):
            say(" ".join(map(str, line)))
    return 0


def run(key: str, make: Callable[[], Any], one: Callable[[int], Row], seeds: int) -> list[Row]:
    """Run all permutations of an experiment on two cores.

    ``make`` is called here for what it leaves in its cache: processes that are forked afterwards find it there.
    """
    if not done(key, seeds):
        say(f"{key}: making the panes")
        make()
    rows: list[Row] = []
    begun = time.monotonic()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for row in pool.imap(partial(_kept, key, one), range(seeds)):
            rows.append(row)
            left = (time.monotonic() - begun) / len(rows) * (seeds - len(rows))
            say(f"\r{key}: {len(rows)} of {seeds} permutations, {left:.0f} s left  ", end="")
    say("")
    return rows


def _kept(key: str, one: Callable[[int], Row], seed: int) -> Row:
    return kept(key, seed, partial(one, seed))


def report(results: dict[str, Any]) -> dict[str, Any]:
    """Return what ``build/budget.json`` holds: a row for each environment and budget, and for each size of a step.

    The rows of ``delay`` are of steps: ours, and of method ``hindsight`` those of the same monitor with a threshold that was
    chosen on the weeks themselves. ``ramp``: ours, of ramps of a day.
    """
    budget, delay, ramp = [], [], []
    for item in results["cases"].values():
        where = {"environment": item["name"], "pane_minutes": item["minutes"], "K": item["K"]}
        for b, row in item["budget"].items():
            mean, lower, upper, keeps = page.verdict(row, float(b))
            budget.append(where | {"b": float(b), **row, "mean": mean, "lower": lower, "upper": upper, "pass": keeps})
        ours = where | {"method": "streamgauge", "realised": page.rate(item["budget"]["1.0"])}
        best = where | {"method": "hindsight", "realised": page.rate(item["hindsight"])}
        delay += [ours | {"shift": float(size), **row} for size, row in item["delay"].items()]
        delay += [best | {"shift": float(size), **row} for size, row in item["hindsight"]["delay"].items()]
        ramp += [ours | {"shift": float(size), **row} for size, row in item["ramp"].items()]
    told = {name: results[name] for name in ("first_weeks", "faults", "cost")}
    return {"budget": budget, "delay": delay, "ramp": ramp, "missed": page.missed(results), **told}


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
