r"""What is normal for a contrast: its mean by calendar, its variance by time of day and pane size, and how long its noise lasts.

Fitted from panes, never from records, and all of it vectorised over streams. With a pane's value x over n values at half-hour h
of a day of group g (`detectors.calendar`):

$$ \psi = \operatorname{clip}\!\left(\frac{x-\mu_{g,h}}{\sqrt{r_h\,(a+q/n)}},\; \pm 4\right), \qquad z = \psi/\ell $$

* $\mu_{g,h}$: mean over the half-hour and its neighbours; a group with d days has the weight d/(d+1) against the mean of the time
  of day over all days, and a half-hour without panes takes the mean of the day.
* $a + q/n$: spread between panes, and sampling error of a pane (q = 1 for independent values), by least squares of the
  squared residuals on 1/n, both at least 0; 5 % of the stream's own variance is added, so that it is never 0. $r_h$ is
  how much more or less of it this time of day has: at least 5 %, because a quiet night of the reference is no promise.
* The clip: one stormy pane must not raise an alarm alone.
* $\ell^2$: long-run variance, the largest over block lengths B of the variance of sums over B, per pane.
  Autocorrelation, slow waves and what the calendar left over are all in it. AR(1) prewhitening was rejected: it sees
  one lag, and on streams with several time scales alarms twenty times as often.

References:
    Noufaily, A. et al. (2013). An improved algorithm for outbreak detection in multiple surveillance systems. Statist. Med. 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.base import Floats, Ints, require
from detectors.calendar import GROUPS, SLOTS

CLIP = 4.0
"""A tighter clip makes storms harmless and large steps slow: 2.5 finds steps of 5 sd in twice the time."""

FLOOR = 0.05
"""Of a stream's own variance, added to it; and the least that a time of day may have of what pane sizes make one expect."""

STILL = 1e-12
"""A variance from which on a stream has moved at all. One that never did is judged in units of 1: contrasts are standardised."""

BLOCKS_MS = (0, 900_000, 3_600_000, 14_400_000, 43_200_000, 86_400_000)
"""One pane, 15 minutes, 1, 4, 12 and 24 hours."""


@dataclass(frozen=True)
class Baseline:
    """What is normal for K streams.

    Attributes:
        mean: float64[3, 48, K]. between, sampling: float64[K], a and q. rhythm: float64[48, K], r. longrun: float64[K], l >= 1.
    """

    mean: Floats
    between: Floats
    sampling: Floats
    rhythm: Floats
    longrun: Floats

    def whiten(self, x: Floats, n: NDArray[Any], group: Ints | int, slot: Ints | int) -> Floats:
        """Return z: of one pane (x float64[K], n [K], group and slot numbers), or of many ([T, K], [T, K], [T], [T])."""
        return self.residual(x, n, group, slot) / self.longrun

    def residual(self, x: Floats, n: NDArray[Any], group: Ints | int, slot: Ints | int) -> Floats:
        """Return psi; nan where x is."""
        return np.clip(self.standardised(x, n, group, slot), -CLIP, CLIP)

    def standardised(self, x: Floats, n: NDArray[Any], group: Ints | int, slot: Ints | int) -> Floats:
        """Return psi before it is clipped."""
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = self.rhythm[slot] * (self.between + self.sampling / n)
            return np.asarray((x - self.mean[group, slot]) / np.sqrt(variance))

    def take(self, streams: Ints) -> Baseline:
        """Return what is normal for some streams, in that order; one may occur several times."""
        parts = (self.mean, self.between, self.sampling, self.rhythm, self.longrun)
        return Baseline(*(part[..., streams] for part in parts))


def fit(
    x: Floats, n: NDArray[Any], days: Ints, groups: Ints, slots: Ints, times_ms: Ints, held_out: bool = False
) -> Baseline:
    """Learn what is normal.

    Args:
        x: float64[T, K], contrasts by pane, nan where a pane had too few values. n: [T, K], values behind them.
        days: int64[T], ordinal of the local day. groups, slots: int64[T]. times_ms: int64[T], ascending.
        held_out: take the noise from residuals of each day against the mean of the other days. Over a few days the mean follows
            the noise, and what is left looks calmer than the next day will be; over weeks it makes no difference.

    Raises:
        ValueError: a stream has no usable pane at all.
    """
    require(bool(np.isfinite(x).any(axis=0).all()), "every stream needs a usable pane")
    centre = np.nanmean(x, axis=0)
    sums = _DaySums.of(x - centre, days, groups, slots)
    mean = centre + sums.mean()
    expected = mean[groups, slots]
    if held_out and len(sums.days) > 1:
        for day in sums.days:
            rows = days == day
            expected[rows] = (centre + sums.without(day).mean())[groups[rows], slots[rows]]
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (x - expected) ** 2
        inverse = 1.0 / np.where(np.isfinite(x), n, np.nan)
    between, sampling = _two_parts(square, inverse)
    overall = np.nanmean(square, axis=0)
    between = np.where(overall > STILL, between + FLOOR * overall, 1.0)
    rhythm = _rhythm(square, between + sampling * inverse, slots)
    scale = np.sqrt(rhythm[slots] * (between + sampling * inverse))
    longrun = long_run(np.clip((x - expected) / scale, -CLIP, CLIP), times_ms)
    return Baseline(mean, between, sampling, rhythm, longrun)


def long_run(psi: Floats, times_ms: Ints) -> Floats:
    r"""Return $\ell$ = float64[K], the long-run standard deviation per pane, at least 1.

    $\ell^2$ is the largest over block lengths of the mean of $(\sum\psi)^2/m$, with m usable panes in a block; blocks
    with fewer than half as many as the median block say little and are left out.

    >>> rng = np.random.default_rng(1)
    >>> steps = rng.normal(size=(20_000, 1))
    >>> wave = np.convolve(steps[:, 0], np.ones(9) / 3, "same")[:, None]  # nine panes carry the same step: l is about 3
    >>> long_run(np.hstack([steps, wave]), np.arange(20_000) * 60_000).round(1)
    array([1.1, 3.2])
    """
    value = np.nan_to_num(psi)
    usable = np.isfinite(psi).astype(np.float64)
    largest = np.ones(psi.shape[1])
    for length in BLOCKS_MS:
        starts = np.arange(len(times_ms))
        if length:
            starts = np.flatnonzero(np.diff(times_ms // length, prepend=-1))
        total, m = np.add.reduceat(value, starts, axis=0), np.add.reduceat(usable, starts, axis=0)
        many = (m > 0) & (m >= np.median(m, axis=0) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.where(many, total**2 / m, 0.0).sum(axis=0) / many.sum(axis=0)
        largest = np.fmax(largest, spread)
    return np.sqrt(largest)


@dataclass(frozen=True)
class _DaySums:
    """Sums and numbers of values by day and half-hour. days, groups: int64[D]. total, count: float64[D, 48, K]."""

    days: Ints
    groups: Ints
    total: Floats
    count: Floats

    @staticmethod
    def of(x: Floats, days: Ints, groups: Ints, slots: Ints) -> _DaySums:
        known, first, number = np.unique(days, return_index=True, return_inverse=True)
        total, count = _by(x, number * SLOTS + slots, len(known) * SLOTS)
        shape = (len(known), SLOTS, x.shape[1])
        return _DaySums(known, groups[first], total.reshape(shape), count.reshape(shape))

    def without(self, day: int) -> _DaySums:
        kept = self.days != day
        return _DaySums(self.days[kept], self.groups[kept], self.total[kept], self.count[kept])

    def mean(self) -> Floats:
        """Return float64[3, 48, K]: groups shrunk towards the time of day, which stands on itself and its neighbours."""
        total, count = self.total.sum(axis=0), self.count.sum(axis=0)
        of_day = _ratio(_smooth(total, 1), _smooth(count, 1), np.zeros(total.shape[1]))
        mean = np.empty((GROUPS, *of_day.shape))
        for group in range(GROUPS):
            own = self.groups == group
            weight = own.sum() / (own.sum() + 1.0)
            total, count = self.total[own].sum(axis=0), self.count[own].sum(axis=0)
            mean[group] = weight * _ratio(_smooth(total, 1), _smooth(count, 1), of_day) + (1.0 - weight) * of_day
        return mean


def _two_parts(square: Floats, inverse: Floats) -> tuple[Floats, Floats]:
    """Return (a, q), least squares of E e^2 = a + q/n with both at least 0."""
    y, v = np.nanmean(square, axis=0), np.nanmean(inverse, axis=0)
    spread = np.nanmean((inverse - v) ** 2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.nanmean((square - y) * (inverse - v), axis=0) / spread
        through_zero = np.nanmean(square * inverse, axis=0) / np.nanmean(inverse**2, axis=0)
    slope = np.where(spread > 1e-12 * v**2, np.maximum(slope, 0.0), 0.0)
    rest = y - slope * v
    return np.where(rest < 0.0, 0.0, rest), np.where(rest < 0.0, through_zero, slope)


def _rhythm(square: Floats, expected: Floats, slots: Ints) -> Floats:
    """Return float64[48, K]: squared residuals of a time of day (an hour around it) over what pane sizes make one expect."""
    ratio, count = _by(np.where(np.isfinite(square), square / expected, np.nan), slots, SLOTS)
    rhythm = _ratio(_smooth(ratio, 2), _smooth(count, 2), np.ones(square.shape[1]))
    return np.maximum(rhythm, FLOOR)


def _by(x: Floats, keys: Ints, size: int) -> tuple[Floats, Floats]:
    """Return sums and numbers of the finite values by key: float64[size, K] each."""
    total, count = np.zeros((size, x.shape[1])), np.zeros((size, x.shape[1]))
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    np.add.at(total, keys[starts], np.add.reduceat(np.nan_to_num(x), starts, axis=0))
    np.add.at(count, keys[starts], np.add.reduceat(np.isfinite(x).astype(np.float64), starts, axis=0))
    return total, count


def _smooth(of_day: Floats, width: int) -> Floats:
    """Return sums over each half-hour and so many neighbours on both sides, around midnight too."""
    moved = [np.roll(of_day, step, axis=0) for step in range(-width, width + 1)]
    return np.asarray(np.sum(moved, axis=0))


def _ratio(total: Floats, count: Floats, otherwise: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0.0, total / count, otherwise)
