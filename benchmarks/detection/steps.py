"""How long until a step is found: added to one series at a time, at a random moment of the first two monitored weeks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.null import REFERENCE, Environment, Split
from detectors.base import Ints
from detectors.baseline import Baseline
from detectors.shiryaev_roberts import ShiryaevRoberts

SIZES = (1.0, 2.0, 3.0, 5.0)
HORIZON_DAYS = 14


@dataclass(frozen=True)
class Steps:
    """Injections. stream: int64[I]. onset: int64[I], pane of the monitored weeks. size: float64[I], in standard deviations."""

    stream: Ints
    onset: Ints
    size: NDArray[np.float64]


def drawn(environment: Environment, seed: int, each: int) -> Steps:
    """Draw so many injections of each size."""
    rng = np.random.default_rng((seed, 11))
    fortnight = HORIZON_DAYS * 86_400_000 // environment.series.pane_ms
    count = each * len(SIZES)
    return Steps(
        rng.integers(len(environment.names), size=count), rng.integers(fortnight, size=count), np.repeat(SIZES, each)
    )


def deviations(environment: Environment) -> NDArray[np.float64]:
    """Return float64[K], the standard deviation of each series around its mean at that time of the week: the unit of a step."""
    series = environment.series
    key = series.groups * 48 + series.slots
    left = np.array(series.x, np.float64)
    for name in np.unique(key):
        rows = key == name
        left[rows] -= np.nanmean(left[rows], axis=0)
    return np.asarray(np.nanstd(left, axis=0))


def delays(
    environment: Environment, part: Split, steps: Steps, unit: NDArray[np.float64], limit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return float64[I], hours from the onset to the end of the pane that alarms; inf if none does within two weeks.

    nan where the stream was in alarm already on that day or the day before.
    """
    series = environment.series
    per_day = 86_400_000 // series.pane_ms
    fill = len(part.reference) // REFERENCE
    panes = np.concatenate([part.reference[-fill:], part.monitored])
    streams, groups, slots = steps.stream, series.groups[panes], series.slots[panes]
    onset = fill + steps.onset
    x = np.array(series.x[panes][:, streams], np.float64)
    base = of_streams(part.learned.baseline, streams)
    n = series.n[panes][:, streams]
    late = np.arange(len(panes))[:, None] >= onset
    shifted = base.whiten(x + late * (steps.size * unit[streams]), n, groups, slots)
    calm = base.whiten(x, n, groups, slots)
    watch, quiet = (ShiryaevRoberts(limit[streams]) for _ in range(2))
    found = np.full(len(streams), np.inf)
    before = np.zeros(len(streams), np.bool_)
    for pane in range(len(panes)):
        time = (pane + 1) * series.pane_ms
        watch.update(shifted[pane], n[pane], time)
        near = (pane >= onset - per_day) & (pane < onset)
        if near.any() or pane < onset.max():
            quiet.update(calm[pane], n[pane], time)
            before |= near & (quiet.statistic > quiet.limit)
        new = (pane >= onset) & np.isinf(found) & watch.drift_detected
        found[new] = (pane + 1 - onset[new]) * series.pane_ms / 3_600_000
    found[found > HORIZON_DAYS * 24] = np.inf
    found[before] = np.nan
    return found


def of_streams(baseline: Baseline, streams: Ints) -> Baseline:
    """Return the baseline of some streams; one may occur several times."""
    return Baseline(
        baseline.mean[:, :, streams],
        baseline.between[streams],
        baseline.sampling[streams],
        baseline.rhythm[:, streams],
        baseline.longrun[streams],
    )
