"""The first weeks of a new deployment: what the provisional rule alarms falsely, and how soon it finds a step, by age.

Weeks are permuted as for the budget, or six neighbours among themselves: in a year a first week of June beside a second one of
December is a change, and no false alarm. Every night everything is learned anew from the days that may teach. A step is
part of what is learned from, as it would be: one that is older than the embargo becomes normal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.cases import Case, delays, hours_of, made
from benchmarks.detection.data import DAY_MS
from benchmarks.detection.null import Environment, renumbered
from benchmarks.detection.steps import HORIZON_DAYS, SIZES, Steps
from detectors.base import Ints
from detectors.budget import Series, day_maxima, weeks_of
from detectors.provisional import MOST_DAYS, nightly, threshold
from detectors.risk_control import DAYS
from detectors.shiryaev_roberts import ShiryaevRoberts
from stream.contrasts import FAMILIES, MISSING

AGES = ((2, 3), (4, 7), (8, 14), (15, 28))
"""Days since the first record, both ends included."""
WEEKS = 6
INJECTIONS = 50
"""Of each size in each permutation."""


def life(
    environment: Environment, seed: int, steps: Steps, unit: NDArray[np.float64], budget: float, near: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Live through six permuted weeks.

    Args:
        steps: onsets are panes from the first record on. near: see `Case`.

    Returns:
        int64[4], false openings by age. float64[I], hours from onset to alarm; inf where it is missed, nan where the
        stream was in alarm before.
    """
    weeks = weeks_of(environment.series)
    # (seed, 13) gave the permutations on which the constants of the rule were chosen
    rng = np.random.default_rng((seed, 23))
    order = rng.permutation(len(weeks))[:WEEKS]
    if near:
        order = rng.integers(len(weeks) - WEEKS + 1) + rng.permutation(WEEKS)
    calm = renumbered(environment.series.take(np.concatenate([np.concatenate(weeks[i]) for i in order])))
    k = calm.x.shape[1]
    both = with_steps(calm, steps, unit)
    family = np.concatenate([environment.family, environment.family[steps.stream]])
    days = [day for week in weeks_of(both) for day in week]
    watch, learner = ShiryaevRoberts(np.full(both.x.shape[1], np.inf)), ShiryaevRoberts(np.full(k, np.inf))
    maxima, over = np.zeros((0, k)), [np.zeros(both.x.shape[1], np.bool_)]
    found = np.full(len(steps.stream), np.inf)
    for age, day in enumerate(days[1:], 1):
        base = nightly(both.take(np.concatenate(days[:age])), family, int(both.groups[day[0]]), k)
        limit = threshold(maxima, budget, DAYS * DAY_MS // both.pane_ms)
        z = base.whiten(both.x[day], both.n[day], both.groups[day], both.slots[day])
        start = int(day[0]) * both.pane_ms
        maxima = np.concatenate([maxima, day_maxima(learner, z[:, :k], both.n[day][:, :k], start, both.pane_ms)[None]])
        watch = watch.at_limit(np.full(both.x.shape[1], limit))
        best = np.zeros(both.x.shape[1])
        for position, pane in enumerate(day.tolist()):
            watch.update(z[position], both.n[pane], (pane + 1) * both.pane_ms)
            np.maximum(best, watch.statistic, out=best)
            alarmed = (watch.statistic[k:] > limit) & np.isinf(found) & (pane >= steps.onset)
            found[alarmed] = (pane + 1 - steps.onset[alarmed]) * both.pane_ms / 3_600_000
        maxima = maxima[-MOST_DAYS:]
        over.append(best > limit)
    return by_age(np.array(over)[:, :k]), judged(found, np.array(over)[:, :k], steps, both.pane_ms)


def with_steps(calm: Series, steps: Steps, unit: NDArray[np.float64]) -> Series:
    """Return the series with the injected ones behind them."""
    x = np.concatenate([calm.x, steps.added_to(calm.x, unit)], axis=1)
    n = np.concatenate([calm.n, calm.n[:, steps.stream]], axis=1)
    return Series(x, n, calm.pane_ms, calm.days, calm.groups, calm.slots)


def by_age(over: NDArray[np.bool_]) -> Ints:
    """Return the openings by age; ``over``: bool[D, K], row 0 is day 1, on which nothing may alarm."""
    opened = (over[1:] & ~over[:-1]).any(axis=1)
    return np.array([opened[first - 2 : last - 1].sum() for first, last in AGES])


def judged(found: NDArray[np.float64], over: NDArray[np.bool_], steps: Steps, pane_ms: int) -> NDArray[np.float64]:
    """Return delays, inf beyond two weeks, nan where the stream without the step was over on that day or the day before."""
    day = steps.onset * pane_ms // DAY_MS
    before = over[day, steps.stream] | over[day - 1, steps.stream]
    return np.where(before, np.nan, np.where(found > 24 * HORIZON_DAYS, np.inf, found))


def drawn(environment: Environment, seed: int, each: int) -> Steps:
    """Draw so many injections of each size, with onsets in days 2 to 28; not into shares of missing values (`steps.drawn`)."""
    rng = np.random.default_rng((seed, 17))
    per_day = DAY_MS // environment.series.pane_ms
    count = each * len(SIZES)
    return Steps(
        rng.choice(np.flatnonzero(environment.family != FAMILIES.index(MISSING)), size=count),
        rng.integers(per_day, 28 * per_day, size=count),
        np.repeat(SIZES, each),
    )


def permutation(case: Case, seed: int) -> dict[str, Any]:
    """Live through six weeks once, at b = 1."""
    world, unit = made(case)
    steps = drawn(world, seed, INJECTIONS)
    opened, hours = life(world, seed, steps, unit, 1.0, case.near)
    age = steps.onset * world.series.pane_ms // DAY_MS + 1
    return {
        "openings": opened.tolist(),
        "steps": {
            f"{first}-{last}": {
                str(size): hours_of(hours[(age >= first) & (age <= last) & (steps.size == size)]) for size in SIZES
            }
            for first, last in AGES
        },
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, by age, false openings with the weeks they were counted in, and the delays by size."""
    told = {}
    for number, (first, last) in enumerate(AGES):
        age = f"{first}-{last}"
        told[age] = {
            "alarms": sum(row["openings"][number] for row in rows),
            "weeks": len(rows) * (last - first + 1) / 7,
            "delay": {str(size): delays(row["steps"][age][str(size)] for row in rows) for size in SIZES},
        }
    return told
