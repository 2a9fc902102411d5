"""How long until a step is found: added to one series at a time, at a random moment of the first two monitored weeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.data import DAY_MS
from benchmarks.detection.null import Environment, Split
from detectors.base import Ints
from detectors.calendar import SLOTS
from detectors.glr import onset as dated
from detectors.shiryaev_roberts import ShiryaevRoberts
from stream.contrasts import FAMILIES, MISSING

SIZES = (1.0, 2.0, 3.0, 5.0)
HORIZON_DAYS = 14


@dataclass(frozen=True)
class Steps:
    """Injections.

    Attributes:
        stream: int64[I]. onset: int64[I], pane of the monitored weeks. size: float64[I], in standard deviations.
        ramp: panes over which it grows evenly to its size; 1 for a step.
    """

    stream: Ints
    onset: Ints
    size: NDArray[np.float64]
    ramp: int = 1

    def added_to(self, x: NDArray[Any], unit: NDArray[np.float64], before: int = 0) -> NDArray[np.float64]:
        """Return float64[T, I], the series of each injection with its step or ramp.

        Args:
            x: [T, K]. unit: float64[K], of the sizes. before: panes that stand before those in which onsets are counted.
        """
        since = np.arange(1, len(x) + 1)[:, None] - before - self.onset
        share = np.clip(since / self.ramp, 0.0, 1.0)
        return np.asarray(x[:, self.stream] + share * (self.size * unit[self.stream]))


def drawn(environment: Environment, seed: int, each: int, sizes: tuple[float, ...] = SIZES) -> Steps:
    """Draw so many injections of each size; not into shares of missing values, for which `benchmarks.detection.faults` stands."""
    rng = np.random.default_rng((seed, 11))
    fortnight = HORIZON_DAYS * DAY_MS // environment.series.pane_ms
    count = each * len(sizes)
    streams = np.flatnonzero(environment.family != FAMILIES.index(MISSING))
    return Steps(rng.choice(streams, size=count), rng.integers(fortnight, size=count), np.repeat(sizes, each))


def deviations(environment: Environment) -> NDArray[np.float64]:
    """Return float64[K], the standard deviation of each series around its mean at that time of the week: the unit of a step."""
    series = environment.series
    key = series.groups * SLOTS + series.slots
    left = np.array(series.x, np.float64)
    for name in np.unique(key):
        rows = key == name
        left[rows] -= np.nanmean(left[rows], axis=0)
    return np.asarray(np.nanstd(left, axis=0))


@dataclass(frozen=True)
class Found:
    """What became of each injection.

    Attributes:
        hours: float64[I], from the onset to the end of the pane that alarms; inf if none does within two weeks, nan
            where the stream was in alarm on that day or the day before without it.
        dated: bool[I], the interval of `detectors.glr.onset` holds the onset. error: float64[I], hours from the onset
            to the likeliest one; nan where nothing was found. width: float64[I], hours, of the interval.
        rank: int64[I], place of the series among all when ordered by how far they are beyond their limits that day; 0
            where nothing was found.
    """

    hours: NDArray[np.float64]
    dated: NDArray[np.bool_]
    error: NDArray[np.float64]
    width: NDArray[np.float64]
    rank: Ints


def inject(
    environment: Environment,
    part: Split,
    steps: Steps,
    unit: NDArray[np.float64],
    threshold: float,
    maxima: NDArray[np.float64],
) -> Found:
    """Add steps to series, one at a time, and see when they are found, how they are dated, and what the alarm names first.

    Args:
        unit: float64[K], of the sizes. threshold: the one in force, normalised. maxima: float64[1 + D, K], normalised day
            maxima without any step, under the same threshold (`null.monitored_maxima`).
    """
    series, streams = environment.series, steps.stream
    per_day = DAY_MS // series.pane_ms
    fill, panes = part.fill, part.watched
    onset = fill + steps.onset
    n = series.n[panes][:, streams]
    base = part.learned.baseline.take(streams)
    psi = base.residual(steps.added_to(series.x[panes], unit, fill), n, series.groups[panes], series.slots[panes])
    normal = part.learned.normaliser
    limit = normal.limit(threshold)
    watch = ShiryaevRoberts(limit[streams])
    at, beyond = np.full(len(streams), -1), np.zeros(len(streams))
    for pane in range(len(panes)):
        watch.update(psi[pane] / base.longrun, n[pane], (pane + 1) * series.pane_ms)
        new = (pane >= onset) & (at < 0) & watch.drift_detected
        at[new] = pane
        beyond[new] = ((watch.statistic - normal.level[streams]) / normal.scale[streams])[new]
    hours = np.where(at < 0, np.inf, (at + 1 - onset) * series.pane_ms / 3_600_000)
    hours[hours > HORIZON_DAYS * 24] = np.inf
    day = steps.onset // per_day + 1
    over = (maxima > threshold)[:, streams]
    columns = np.arange(len(streams))
    hours[over[day, columns] | over[day - 1, columns]] = np.nan
    rank = np.zeros(len(streams), np.int64)
    spans = np.full((len(streams), 3), np.nan)
    for i in np.flatnonzero(np.isfinite(hours)).tolist():
        today = (at[i] - fill) // per_day + 1
        # what was in alarm yesterday is not news
        beside = np.where(maxima[today - 1] > threshold, -np.inf, maxima[today])
        rank[i] = 1 + (np.delete(beside, streams[i]) > beyond[i]).sum()
        begun = max(0, at[i] + 1 - HORIZON_DAYS * per_day)
        spans[i] = np.array(dated(psi[begun : at[i] + 1, i], base.longrun[i])) + begun - onset[i]
    span_h = spans * series.pane_ms / 3_600_000
    inside = (spans[:, 0] <= 0) & (spans[:, 2] >= 0)
    return Found(hours, inside, span_h[:, 1], span_h[:, 2] - span_h[:, 0], rank)
