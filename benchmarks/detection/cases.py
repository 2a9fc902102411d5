"""The environments in which the budget is tested, and one permutation of one of them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.environments import environment
from benchmarks.detection.null import Environment, monitored_maxima, split
from benchmarks.detection.panes import MINUTE_MS, series
from benchmarks.detection.steps import SIZES, delays, deviations, drawn
from detectors.risk_control import calibrate, openings

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "detection" / "results"
BUDGETS = (0.5, 1.0, 2.0)
INJECTIONS = 25
"""Steps of each size in each permutation."""


@dataclass(frozen=True)
class Case:
    """One environment at one length of panes.

    Attributes:
        source: of `benchmarks.detection.panes.series`. features, weeks: of a synthetic one.
        minutes: length of a pane. seeds: permutations; each has four monitored weeks.
    """

    source: str
    minutes: int
    seeds: int
    features: int = 0
    weeks: int = 24

    @property
    def name(self) -> str:
        return f"{self.source}{f'-{self.features}' if self.features else ''}"

    @property
    def key(self) -> str:
        return f"{self.name}-{self.minutes}min"

    def make(self) -> Environment:
        """Count the source (or read what was counted) and make contrasts of it."""
        origin = self.source.partition(".")[0]
        made = series(origin, features=self.features, weeks=self.weeks) if self.features else series(origin)
        streams = [item for item in made if self.source in (origin, item.name)]
        return environment(self.name, streams, self.minutes * MINUTE_MS)


@lru_cache(maxsize=1)
def made(case: Case) -> tuple[Environment, Any]:
    """Return the environment of a case and the unit of its steps; the last one is kept."""
    result = case.make()
    return result, deviations(result)


def permutation(case: Case, seed: int) -> dict[str, Any]:
    """Run one permutation, or return what is kept of it for this very code."""
    kept = RESULTS / f"{case.key}-{code()}" / f"{seed}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    world, unit = made(case)
    part = split(world, seed)
    maxima = monitored_maxima(world, part)
    thresholds = {budget: calibrate(part.learned.scored, budget) for budget in BUDGETS}
    steps = drawn(world, seed, INJECTIONS)
    hours = delays(world, part, steps, unit, part.learned.limit(1.0))
    row = {
        "K": len(world.names),
        "openings": {str(budget): openings(maxima, threshold) for budget, threshold in thresholds.items()},
        "thresholds": {str(budget): threshold for budget, threshold in thresholds.items()},
        "delays_h": {str(size): [_json(value) for value in hours[steps.size == size].tolist()] for size in SIZES},
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(row))
    return row


def _json(hours: float) -> float | str | None:
    """Return hours; ``missed`` for infinite ones and null for an injection that says nothing."""
    return None if math.isnan(hours) else "missed" if math.isinf(hours) else round(hours, 3)


@lru_cache(maxsize=1)
def code() -> str:
    """Return a digest of the code that the results depend on."""
    paths = [*ROOT.glob("detectors/*.py"), *Path(__file__).parent.glob("*.py"), ROOT / "stream" / "contrasts.py"]
    skip = {"page.py", "__main__.py", "checks.py", "evaluate.py"}
    texts = [path.read_bytes() for path in sorted(paths) if path.name not in skip]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what all permutations of a case say together.

    ``budget``: by b, the realised openings per week, their sd over permutations, and the openings themselves. ``delay``: by size,
    median and mean of the hours (missed ones count as two weeks in the mean), and the share missed.
    """
    weeks = 4 * len(rows)
    budget = {}
    for name in map(str, BUDGETS):
        counts = np.array([row["openings"][name] for row in rows])
        budget[name] = {"alarms": int(counts.sum()), "weeks": weeks, "sd": float(np.std(counts / 4))}
    delay = {}
    for size in map(str, SIZES):
        found = [value for row in rows for value in row["delays_h"][size] if value is not None]
        hours = np.array([math.inf if value == "missed" else value for value in found])
        delay[size] = {
            "median_h": float(np.median(hours)),
            "missed": float(np.isinf(hours).mean()),
            "restricted_mean_h": float(np.minimum(hours, 336).mean()),
            "injections": len(hours),
        }
    return {"K": rows[0]["K"], "budget": budget, "delay": delay}
