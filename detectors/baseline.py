r"""What is normal for a contrast: its mean by calendar, its variance by time of day and pane size, and how long its noise lasts.

Fitted from panes, never from records, and all of it vectorised over streams: float32, as references are kept, around each
stream's own mean, and what runs over all panes added up in float64. With a pane's value x over n values at half-hour h
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

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from detectors.base import Floats, Ints, require
from detectors.calendar import GROUPS, SLOTS

CLIP = 4.0
"""A tighter clip makes storms harmless and large steps slow: 2.5 finds steps of 5 sd in twice the time."""

FLOOR = 0.05
"""Of a stream's own variance, added to it; and the least that a time of day may have of what pane sizes make one expect."""

LEAST_SAMPLING = 0.05
"""Least variance of a pane, times n. What is hardly ever there has next to none, and a single one of it would be many sd. With
1/4, steps in flights, whose timetable varies less than chance, were found a fifth later."""

STILL = 1e-12
"""A variance from which on a stream has moved at all. One that never did is judged in units of 1: contrasts are standardised."""

BLOCKS_MS = (900_000, 3_600_000, 14_400_000, 43_200_000, 86_400_000)
"""15 minutes, 1, 4, 12 and 24 hours; each is whole ones of those before, and a pane is the smallest block of all."""

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Baseline:
    """What is normal for K streams.

    Attributes:
        mean: float[3, 48, K]. between, sampling: float[K], a and q. rhythm: float[48, K], r. longrun: float[K], l >= 1.
            float32 where they were fitted.
    """

    mean: NDArray[np.floating]
    between: NDArray[np.floating]
    sampling: NDArray[np.floating]
    rhythm: NDArray[np.floating]
    longrun: NDArray[np.floating]

    @staticmethod
    def beside(parts: Sequence[Baseline]) -> Baseline:
        """Return what is normal for the streams of all parts, one part after the other."""
        names = [part.name for part in fields(Baseline)]
        return Baseline(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))

    def whiten(self, x: Floats, n: NDArray[Any], group: Ints | int, slot: Ints | int) -> Floats:
        """Return z: of one pane (x float64[K], n [K], group and slot numbers), or of many ([T, K], [T, K], [T], [T])."""
        return self.residual(x, n, group, slot) / self.longrun

    def residual(self, x: Floats, n: NDArray[Any], group: Ints | int, slot: Ints | int) -> Floats:
        """Return psi; nan where x is."""
        return np.clip(self.standardised(x, n, group, slot), -CLIP, CLIP)

    def standardised(self, x: Floats, n: NDArray[Any], group: Ints | int, slot: Ints | int) -> Floats:
        """Return psi before it is clipped."""
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = self.variance(n.astype(x.dtype), slot)
            return np.asarray((x - self.mean[group, slot]) / np.sqrt(variance))

    def variance(self, n: NDArray[np.floating], slot: Ints | int) -> NDArray[np.floating]:
        """Return the variance of panes of n values at that time of day, never less than 1/20 of that of n independent ones."""
        return np.asarray(np.maximum(self.rhythm[slot] * (self.between + self.sampling / n), LEAST_SAMPLING / n))

    def take(self, streams: Ints | slice) -> Baseline:
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
    usable = np.isfinite(x)
    require(bool(usable.any(axis=0).all()), "every stream needs a usable pane")
    centre = np.nanmean(x, axis=0)
    value, known = np.where(usable, x - centre, 0.0).astype(np.float32), usable.astype(np.float32)
    sums = _DaySums.of(value, known, days, groups, slots)
    mean = sums.mean()
    expected = mean.astype(np.float32)[groups, slots]
    if held_out and len(sums.days) > 1:
        for day in sums.days:
            rows = days == day
            expected[rows] = sums.without(day).mean()[groups[rows], slots[rows]]
    away = (value - expected) * known
    square, inverse = away**2, known / np.maximum(n, 1).astype(np.float32)
    between, sampling, overall = _two_parts(square, inverse, known)
    between = np.where(overall > STILL, between + FLOOR * overall, np.float32(1.0))
    variance = between + sampling * inverse
    rhythm = _rhythm(square / variance, sums, slots)
    variance = np.maximum(variance * rhythm[slots], LEAST_SAMPLING * inverse)
    longrun = long_run(np.clip(away / np.sqrt(variance), -CLIP, CLIP), known, times_ms)
    return Baseline((centre + mean).astype(np.float32), between, sampling, rhythm, longrun)


def long_run(psi: NDArray[np.floating], known: NDArray[np.floating], times_ms: Ints) -> Singles:
    r"""Return $\ell$ = float32[K], the long-run standard deviation per pane, at least 1.

    $\ell^2$ is the largest over block lengths of the mean of $(\sum\psi)^2/m$, with m usable panes in a block; blocks
    with fewer than half as many as the median block say little and are left out.

    Args:
        psi: float[T, K], 0 where a pane is not usable. known: [T, K], 1 where it is, otherwise 0. times_ms: int64[T].

    >>> rng = np.random.default_rng(1)
    >>> steps = rng.normal(size=(20_000, 1))
    >>> wave = np.convolve(steps[:, 0], np.ones(9) / 3, "same")[:, None]  # nine panes carry the same step: l is about 3
    >>> long_run(np.hstack([steps, wave]), np.ones((20_000, 2)), np.arange(20_000) * 60_000).round(1)
    array([1.1, 3.2], dtype=float32)
    """
    total, m, begins = psi, known, times_ms
    largest = np.fmax(1.0, _added(psi**2) / _added(known))
    for length in BLOCKS_MS:
        starts = np.flatnonzero(np.diff(begins // length, prepend=-1))
        block = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(begins)))
        into = _members(block, len(starts))
        total, m, begins = into @ total, into @ m, begins[starts]
        many = (m > 0) & (m >= np.median(m, axis=0) / 2)
        spread = _added(np.where(many, total**2 / np.maximum(m, 1), 0.0)) / np.maximum(many.sum(axis=0), 1)
        largest = np.fmax(largest, spread)
    return np.sqrt(largest).astype(np.float32)


@dataclass(frozen=True)
class _DaySums:
    """Sums and numbers of values by day and half-hour. days, groups: int64[D]. total, count: float64[D, 48, K]."""

    days: Ints
    groups: Ints
    total: Floats
    count: Floats

    @staticmethod
    def of(value: Singles, known: Singles, days: Ints, groups: Ints, slots: Ints) -> _DaySums:
        found, first, number = np.unique(days, return_index=True, return_inverse=True)
        into = _members(number * SLOTS + slots, len(found) * SLOTS)
        total, count = ((into @ array).astype(np.float64).reshape(len(found), SLOTS, -1) for array in (value, known))
        return _DaySums(found, groups[first], total, count)

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


def _two_parts(square: Singles, inverse: Singles, known: Singles) -> tuple[Singles, Singles, Singles]:
    """Return (a, q), least squares of E e^2 = a + q/n with both at least 0, and the mean of e^2."""
    m = _added(known)
    y, v = _added(square) / m, _added(inverse) / m
    apart = (inverse - v.astype(np.float32)) * known
    spread, common = _added(apart**2) / m, _added((square - y.astype(np.float32)) * apart) / m
    slope = np.where(spread > 1e-12 * v**2, np.maximum(common / np.maximum(spread, 1e-300), 0.0), 0.0)
    rest, through_zero = y - slope * v, (common + y * v) / (spread + v**2)
    sampling = np.where(rest < 0.0, through_zero, slope)
    return np.maximum(rest, 0.0).astype(np.float32), sampling.astype(np.float32), y.astype(np.float32)


def _rhythm(ratio: Singles, sums: _DaySums, slots: Ints) -> Singles:
    """Return float32[48, K]: squared residuals of a time of day (an hour around it) over what pane sizes make one expect."""
    total, count = _members(slots, SLOTS) @ ratio, sums.count.sum(axis=0)
    rhythm = _ratio(_smooth(total, 2), _smooth(count, 2), np.ones(ratio.shape[1]))
    return np.maximum(rhythm, FLOOR).astype(np.float32)


def _members(keys: Ints, size: int) -> csr_array:
    """Return the matrix [size, T] that, times values [T, K], adds up those of each key."""
    return csr_array((np.ones(len(keys), np.float32), (keys, np.arange(len(keys)))), shape=(size, len(keys)))


def _added(x: NDArray[np.floating]) -> Floats:
    """Return the sum over panes: numpy adds them one after the other, and in float32 thousands of them would lose digits."""
    return np.asarray(x.sum(axis=0, dtype=np.float64))


def _smooth(of_day: Floats, width: int) -> Floats:
    """Return sums over each half-hour and so many neighbours on both sides, around midnight too."""
    moved = [np.roll(of_day, step, axis=0) for step in range(-width, width + 1)]
    return np.asarray(np.sum(moved, axis=0))


def _ratio(total: Floats, count: Floats, otherwise: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0.0, total / count, otherwise)
