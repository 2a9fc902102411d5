"""From panes to a threshold that keeps a false-alarm budget: baseline, Shiryaev-Roberts and risk control put together.

`learn` is what a nightly recalibration runs, on weeks that nobody called bad. It fits W + 1 times: once without each
week, to see how that week would have been judged by the others, and once with all of them, for use. All fits run side
by side, as so many more streams of one detector. What is in work at a time is a block of streams: memory stays at a fraction
of the panes themselves, and R in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.base import Floats, Ints, require
from detectors.baseline import Baseline, fit
from detectors.risk_control import DAYS, Normaliser, calibrate, head_start, normalise
from detectors.shiryaev_roberts import ShiryaevRoberts, evidence, total

FITTED, WATCHED = 256, 8192
"""Streams of a block: of a fit over all panes, and of a day that is judged."""


@dataclass(frozen=True)
class Series:
    """Contrasts of K streams over T panes of equal length.

    Attributes:
        x: float[T, K], nan where a pane had too few values. n: int[T, K], values behind them. pane_ms: length of a pane.
        days, groups, slots: int64[T], where each pane stands in the local calendar (`detectors.calendar.place`).
    """

    x: NDArray[Any]
    n: NDArray[Any]
    pane_ms: int
    days: Ints
    groups: Ints
    slots: Ints

    def take(self, panes: Ints, streams: Ints | slice = slice(None)) -> Series:
        """Return some panes of some streams, in that order."""
        at = (panes, streams) if isinstance(streams, slice) else np.ix_(panes, streams)
        return Series(self.x[at], self.n[at], self.pane_ms, self.days[panes], self.groups[panes], self.slots[panes])


@dataclass(frozen=True)
class Learned:
    """What normal weeks have taught.

    Attributes:
        baseline, normaliser: of all weeks together. scored: float64[W, 7, K], the normalised day maxima of each week,
            as judged by the others.
    """

    baseline: Baseline
    normaliser: Normaliser
    scored: Floats

    def limit(self, budget: float, weight: Floats | None = None) -> Floats:
        r"""Return float64[K], the statistic above which each stream has drifted, at so many false alarms per week.

        $$ a_k + (u - \log(w_k / \bar w))\,s_k $$ with u calibrated on $g_k + \log(w_k / \bar w)$.

        Args:
            budget: of all streams together. weight: float64[K], the part of it that each stream may take; equal parts if None.

        >>> nothing = np.zeros((49, 48, 2)), np.ones(2), np.ones(2), np.ones((48, 2)), np.ones(2)
        >>> calm = Learned(Baseline(*nothing), Normaliser(np.zeros(2), np.ones(2)), np.zeros((8, 7, 2)))
        >>> calm.limit(1.0, np.array([3.0, 1.0])).round(2)  # apart by log 3
        array([0. , 1.1])

        Raises:
            ValueError: there are too few weeks for this budget (`detectors.risk_control.weeks_needed`).
        """
        ahead = head_start(np.ones(self.scored.shape[2]) if weight is None else weight)
        return self.normaliser.limit(calibrate(self.scored + ahead, budget) - ahead)


def learn(series: Series, family: Ints) -> Learned:
    """Learn from whole weeks.

    Args:
        series: W weeks of seven local days each, in order. family: int64[K], kind of each stream.

    Raises:
        ValueError: these are no whole weeks, or fewer than two; or a stream has values in fewer than two of them, so that it
            cannot be judged by the others. Such a stream is left out by whoever calls, until it is older.
    """
    weeks = weeks_of(series)
    require(len(weeks) >= 2, f"two weeks are needed, got {len(weeks)}")
    seen = [np.isfinite(series.x[np.concatenate(week)]).any(axis=0) for week in weeks]
    young = np.flatnonzero(np.sum(seen, axis=0) < 2)
    require(young.size == 0, f"streams {young[:5].tolist()} have values in fewer than two weeks")
    every = list(range(len(weeks)))
    rest = [[*every[:h], *every[h + 1 :]] for h in every]
    fits = [_fit(series, [weeks[i] for i in kept]) for kept in rest]
    inside = run(fits, series, [[day for i in kept for day in weeks[i]] for kept in rest])
    ready = [normalise(maxima, family) for maxima in inside]
    # the week before fills the memory; it is one of those that taught, as the week before monitoring is
    outside = run(fits, series, [[*weeks[h - 1 if h else 1], *weeks[h]] for h in every])
    scored = np.stack([normal(maxima[DAYS:]) for normal, maxima in zip(ready, outside, strict=True)])
    baseline = _fit(series, weeks)
    maxima = run([baseline], series, [[day for week in weeks for day in week]])[0]
    return Learned(baseline, normalise(maxima, family), scored)


def days_of(series: Series) -> list[Ints]:
    """Return the panes of each day that has any."""
    starts = np.flatnonzero(np.diff(series.days, prepend=series.days[0] - 1))
    return np.split(np.arange(len(series.days)), starts[1:])


def weeks_of(series: Series) -> list[list[Ints]]:
    """Return, for each week, the panes of each of its days. Every day must have panes, empty ones where nothing came.

    Raises:
        ValueError: the days are not whole weeks.
    """
    days = days_of(series)
    require(len(days) % DAYS == 0, f"whole weeks are needed, got {len(days)} days")
    return [days[i : i + DAYS] for i in range(0, len(days), DAYS)]


def run(
    baselines: Sequence[Baseline], series: Series, orders: Sequence[Sequence[Ints]], limit: Floats | float = np.inf
) -> Floats:
    """Run several fits over as many orders of days, side by side.

    Args:
        baselines: M fits. orders: for each the days to run over, as panes of ``series``; all of the same number D.
        limit: float64[K], those of a monitor that is watching; learning has none.

    Returns:
        float64[M, D, K], the largest statistic of each day.
    """
    k = series.x.shape[1]
    limit = np.broadcast_to(limit, k)
    maxima = np.empty((len(baselines), len(orders[0]), k))
    for streams in blocks(k, max(WATCHED // len(baselines), 1)):
        parts = [baseline.take(streams) for baseline in baselines]
        watch = ShiryaevRoberts(np.tile(limit[streams], len(parts)))
        t = 0
        for number in range(len(orders[0])):
            days = [series.take(order[number], streams) for order in orders]
            z, n = _whitened(parts, days)
            maxima[:, number, streams] = day_maxima(watch, z, n, t, series.pane_ms).reshape(len(parts), -1)
            t += len(z) * series.pane_ms
    return maxima


def blocks(k: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` of k streams."""
    for begin in range(0, k, size):
        yield slice(begin, begin + size)


def day_maxima(watch: ShiryaevRoberts, z: NDArray[np.floating], n: NDArray[Any], start_ms: int, pane_ms: int) -> Floats:
    """Take the panes of a day, z [P, K] and n [P, K], and return float64[K], the largest statistic.

    The detector is moved on, without its outputs: learning asks for the largest R of a day alone, and they cost as much as R.
    """
    usable = np.isfinite(z) & (n >= watch.min_n)
    whole = usable.all(axis=1)
    best = np.zeros(watch.k, np.float32)
    for pane, complete in enumerate(whole.tolist()):
        at = slice(None) if complete else np.flatnonzero(usable[pane])
        watch.move(at, z[pane, at], start_ms + (pane + 1) * pane_ms)
        np.maximum(best, total(watch.ratio.T), out=best)
    return evidence(best)


def _whitened(baselines: Sequence[Baseline], days: Sequence[Series]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return z [P, M * K] and n of one day of each fit; a day that is an hour short has nothing in its last panes."""
    shape = (max(len(day.x) for day in days), len(days), days[0].x.shape[1])
    z, n = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int32)
    for m, (baseline, day) in enumerate(zip(baselines, days, strict=True)):
        z[: len(day.x), m] = baseline.whiten(day.x, day.n, day.groups, day.slots)
        n[: len(day.x), m] = day.n
    return z.reshape(len(z), -1), n.reshape(len(n), -1)


def fitted(series: Series, panes: Ints | None = None, streams: Ints | None = None, held_out: bool = False) -> Baseline:
    """Learn what is normal from the panes of a series, or some of them, for all streams or some (`detectors.baseline.fit`)."""
    panes = np.arange(series.x.shape[0]) if panes is None else panes
    times, parts = np.arange(len(panes)) * series.pane_ms, []
    for block in blocks(series.x.shape[1] if streams is None else len(streams), FITTED):
        part = series.take(panes, block if streams is None else streams[block])
        parts.append(fit(part.x, part.n, part.days, part.groups, part.slots, times, held_out))
    return Baseline.beside(parts)


def _fit(series: Series, weeks: Sequence[Sequence[Ints]]) -> Baseline:
    return fitted(series, np.concatenate([day for week in weeks for day in week]))
