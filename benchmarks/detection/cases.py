"""The environments in which the budget is tested, and one permutation of one of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.data import DAY_MS, MINUTE_MS
from benchmarks.detection.environments import environment
from benchmarks.detection.kept import remembered
from benchmarks.detection.null import MONITORED, Environment, Split, monitored_maxima, split
from benchmarks.detection.panes import series
from benchmarks.detection.steps import HORIZON_DAYS, SIZES, deviations, drawn, inject
from detectors.budget import weeks_of
from detectors.risk_control import calibrate, openings

BUDGETS = (0.5, 1.0, 2.0)
CHANCE = 0.0
"""A step of no size: what is found of it is found by chance, as it would be of any other."""

INJECTIONS = 25
"""Steps of each size in each permutation, and as many ramps of a day in the same places."""

LEVELS = np.arange(0.0, 80.0, 0.02)
"""Thresholds among which hindsight chooses; those that were learned lie between 3 and 30."""


@dataclass(frozen=True)
class Case:
    """One environment at one length of panes.

    Attributes:
        source: of `benchmarks.detection.panes.series`. features, weeks: of a synthetic one.
        minutes: length of a pane. seeds: permutations; each has four monitored weeks.
        near: the first weeks are of one season: six that follow each other, permuted among themselves.
    """

    source: str
    minutes: int
    seeds: int
    features: int = 0
    weeks: int = 24
    near: bool = False

    @property
    def name(self) -> str:
        return f"{self.source}{f'-{self.features}' if self.features else ''}"

    @property
    def key(self) -> str:
        return f"{self.name}-{self.minutes}min{f'-{self.weeks}w' if self.features else ''}{'-near' * self.near}"

    def make(self) -> Environment:
        """Count the source (or read what was counted) and make contrasts of it."""
        origin = self.source.partition(".")[0]
        made = series(origin, features=self.features, weeks=self.weeks) if self.features else series(origin)
        streams = [item for item in made if self.source in (origin, item.name)]
        return environment(self.name, streams, self.minutes * MINUTE_MS)


@lru_cache(maxsize=1)
def made(case: Case) -> tuple[Environment, NDArray[np.float64]]:
    """Return the environment of a case and the unit of its steps; the last one is kept."""
    result = case.make()
    return result, deviations(result)


def parted(case: Case, seed: int) -> Split:
    """Return a permutation; what it learned is kept, since hindsight comes back to it."""
    return split(made(case)[0], seed, partial(remembered, case.key, seed))


def permutation(case: Case, seed: int) -> dict[str, Any]:
    """Run one permutation: openings at three budgets, and steps and ramps at b = 1."""
    world, unit = made(case)
    part = parted(case, seed)
    thresholds = {budget: calibrate(part.learned.scored, budget) for budget in BUDGETS}
    maxima = {budget: monitored_maxima(world, part, threshold) for budget, threshold in thresholds.items()}
    steps = drawn(world, seed, INJECTIONS, (CHANCE, *SIZES))
    found = inject(world, part, steps, unit, thresholds[1.0], maxima[1.0])
    ramps = replace(steps, ramp=DAY_MS // world.series.pane_ms)
    crept = inject(world, part, ramps, unit, thresholds[1.0], maxima[1.0])
    return {
        "K": len(world.names),
        "weeks": len(weeks_of(world.series)),
        "openings": {str(budget): openings(maxima[budget], threshold) for budget, threshold in thresholds.items()},
        "openings_at": [openings(maxima[1.0], level) for level in LEVELS],
        "steps": {
            str(size): {
                "hours": hours_of(found.hours[steps.size == size]),
                "dated": found.dated[steps.size == size].tolist(),
                "error_h": hours_of(found.error[steps.size == size]),
                "width_h": hours_of(found.width[steps.size == size]),
                "rank": found.rank[steps.size == size].tolist(),
            }
            for size in (CHANCE, *SIZES)
        },
        "ramps": {str(size): hours_of(crept.hours[steps.size == size]) for size in SIZES},
    }


def best_threshold(rows: list[dict[str, Any]]) -> float:
    """Return the threshold that hindsight chooses for all permutations of a case at once.

    It is the largest one that opens at least as many false alarms as the learned thresholds did together: at the same
    rate, and where no threshold has exactly that one, at a higher one. All permutations are seen, the monitored weeks too.
    """
    learned = sum(row["openings"]["1.0"] for row in rows)
    enough = np.sum([row["openings_at"] for row in rows], axis=0) >= learned
    return round(float(LEVELS[np.flatnonzero(enough)[-1]]), 2)


def hindsight(case: Case, threshold: float, seed: int) -> dict[str, Any]:
    """Run the same monitor on the same weeks and the same steps once more, at a threshold that was chosen on them."""
    world, unit = made(case)
    part = parted(case, seed)
    maxima = monitored_maxima(world, part, threshold)
    steps = drawn(world, seed, INJECTIONS, (CHANCE, *SIZES))
    found = inject(world, part, steps, unit, threshold, maxima)
    return {
        "openings": openings(maxima, threshold),
        "hours": {str(size): hours_of(found.hours[steps.size == size]) for size in SIZES},
    }


def hours_of(values: NDArray[np.float64]) -> list[float | str | None]:
    """Return hours for JSON: ``missed`` where infinite, null where nothing is said."""
    return [
        None if math.isnan(value) else "missed" if math.isinf(value) else round(value, 3) for value in values.tolist()
    ]


def delays(rows: Iterable[Sequence[float | str | None]]) -> dict[str, Any]:
    """Return what delays say together; missed ones count as two weeks in the restricted mean.

    ``median_h`` is None where half are missed; ``in_alarm`` counts those that say nothing, as the stream was in alarm.

    >>> delays([[2.0, "missed"], [None, 4.0]])
    {'median_h': 4.0, 'missed': 0.333, 'restricted_mean_h': 114.0, 'in_alarm': 1, 'injections': 3}
    """
    every = [value for row in rows for value in row]
    hours = [math.inf if value == "missed" else float(value) for value in every if value is not None]
    told = {"in_alarm": every.count(None), "injections": len(hours)}
    if not hours:
        return {"median_h": None, "missed": None, "restricted_mean_h": None} | told
    middle = float(np.quantile(hours, 0.5, method="higher"))
    return {
        "median_h": None if math.isinf(middle) else middle,
        "missed": round(float(np.isinf(hours).mean()), 3),
        "restricted_mean_h": float(np.minimum(hours, 24 * HORIZON_DAYS).mean()),
    } | told


def summary(rows: list[dict[str, Any]], again: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what all permutations of a case say together.

    ``budget``: by b, the openings, and the sd of their rate over permutations. ``delay``: by size of the step, hours until
    it is found (missed ones count as two weeks in the mean), how well it is dated, and whether the series is named first.
    ``ramp``: the same hours for ramps of a day. ``hindsight``: openings and hours at the threshold of hindsight.

    Args:
        again: the rows of `hindsight`.
    """
    weeks = MONITORED * len(rows)
    delay = {str(size): _of_size(rows, str(size)) for size in (CHANCE, *SIZES)}
    budget = {}
    for name in map(str, BUDGETS):
        counts = np.array([row["openings"][name] for row in rows])
        budget[name] = {"alarms": int(counts.sum()), "weeks": weeks, "sd": float(np.std(counts / MONITORED))}
    return {
        "K": rows[0]["K"],
        "budget": budget,
        "distinct_weeks": rows[0]["weeks"],
        "delay": delay,
        "ramp": {str(size): delays(row["ramps"][str(size)] for row in rows) for size in SIZES},
        "hindsight": {
            "alarms": sum(row["openings"] for row in again),
            "weeks": weeks,
            "delay": {str(size): delays(row["hours"][str(size)] for row in again) for size in SIZES},
        },
    }


def _of_size(rows: list[dict[str, Any]], size: str) -> dict[str, Any]:
    """Return what all injections of a size say; those into a series that was in alarm already say nothing."""
    keys = ("hours", "dated", "error_h", "width_h", "rank")
    every = [
        dict(zip(keys, item, strict=True))
        for row in rows
        for item in zip(*(row["steps"][size][k] for k in keys), strict=True)
    ]
    found = [item for item in every if isinstance(item["hours"], float)]
    told = delays([[item["hours"] for item in every]])
    if not found:
        return told
    return told | {
        "onset_covered": float(np.mean([item["dated"] for item in found])),
        "onset_error_h": float(np.median([abs(item["error_h"]) for item in found])),
        "onset_width_h": float(np.median([item["width_h"] for item in found])),
        "top_1": float(np.mean([item["rank"] == 1 for item in found])),
        "top_3": float(np.mean([item["rank"] <= 3 for item in found])),
    }
