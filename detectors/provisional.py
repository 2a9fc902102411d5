r"""The first weeks: a threshold from a few days, provisional and said to be so.

There are not yet weeks to calibrate on (`detectors.risk_control`), but every night there is one day more that was
scored before it taught. Over n such days the openings at a constant threshold u are counted, and a pseudo-count stands
for what so few days cannot have shown:

$$ u = \min\Big\{u : N(u) + \min\big(c, (u_0/u)^2\big) \le b\,(n/7 + 1)\Big\}, \qquad u_0 = 3.5 \log(KT) $$

with T panes a week. It is never below $\log(KT/b)$, which is right for independent values, and $2.5 \log(KT)$ in the first
week. What makes so low a start possible is the noise: a long-run variance of few days is moderated within its family
(`moderated`), and widened for what a mean of few days of one kind does not know. The newest days do not teach (an embargo of
a third of the age, at most a week), or a fault would become normal before anybody saw it.

No guarantee comes with it. Tails pooled over streams, short frozen references and one universal threshold were tried and alarm
several times as often as they say.

References:
    Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments. Statistical Applications in Genetics and Molecular Biology 3(1).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.special import digamma, polygamma

from detectors.base import Floats, Ints, require
from detectors.baseline import Baseline
from detectors.budget import Series, day_maxima, days_of, fitted
from detectors.risk_control import DAYS, cap, openings
from detectors.shiryaev_roberts import ShiryaevRoberts

FACTOR, FIRST_FACTOR = 3.5, 2.5
"""u0 over log(KT), and the threshold of the first week over it: what real streams needed who had only a few days."""

MOST_DAYS = 56
"""Older days do not teach, and their maxima do not count."""

FIRST_LONGRUN = 4.0
"""Long-run sd after one day, from which none can be learned."""

COMMON = 0.25
"""Part of a family that must move for its noise to be expected of the rest."""

WIDENED = 0.5
"""Days of whose missing waves the long-run sd is widened by (1 + WIDENED / days)."""


def taught(age: int) -> int:
    """Return how many of so many days may teach: all but the newest third, at most a week.

    >>> [taught(age) for age in (1, 2, 3, 6, 21, 28)]
    [1, 2, 2, 4, 14, 21]
    """
    return age - min(DAYS, age // 3)


def nightly(series: Series, family: Ints, group: int, own: int | None = None) -> Baseline:
    """Learn what is normal from all days so far, the embargo left out.

    Noise is measured against held-out days, moderated within the family, and widened: few days hold few of the slow waves, and
    a mean of few days of one kind is off by one of them.

    Args:
        series: from the first day on. family: int64[K], kind of each stream. group: of the day that will be judged.
        own: that many streams, the first ones, say what is usual in a family; None for all.
    """
    days = days_of(series)
    kept = days[: taught(len(days))][-MOST_DAYS:]
    base = fitted(series, np.concatenate(kept), held_out=True)
    if len(kept) == 1:
        return replace(base, longrun=np.full_like(base.longrun, FIRST_LONGRUN))
    alike = sum(int(series.groups[day[0]]) == group for day in kept)
    wide = (1.0 + WIDENED / len(kept)) * math.sqrt(1.0 + 1.0 / (alike + 0.5))
    return replace(
        base, longrun=np.sqrt(moderated(np.square(base.longrun, dtype=np.float64), len(kept), family, own)) * wide
    )


def moderated(square: Floats, days: int, family: Ints, own: int | None = None) -> Floats:
    r"""Return variances drawn towards what is usual in their family, at least 1: $(d_0 s_0^2 + d s^2)/(d_0 + d)$.

    d_0 and s_0 come from the spread of log s^2 within the family: as wide as d days alone would make it, and all are the same.
    A family of two tells nothing of its spread and is left as it is. A stream with exactly 1 never moved, or its noise was below
    the floor: nothing was measured, and it does not teach. Else a family of fields that are hardly ever missing would say of the
    few that are missing in bursts that they are calm. It is drawn like the others where at least a quarter of the family moves:
    that it will stay calm nobody knows after a few days. Where few move, their noise is their own; drawn to it, the others would
    find nothing.

    >>> rng = np.random.default_rng(1)
    >>> alike = 4.0 * rng.chisquare(5, 200) / 5
    >>> moderated(alike, 5, np.zeros(200, np.int64))[:3].round(1)  # as good as the same
    array([4., 4., 4.])
    """
    require(bool(np.isfinite(square).all()), "'square' must be finite")
    result = np.array(square, np.float64)
    moves = result != 1.0
    for name in np.unique(family[:own]):
        teach = np.flatnonzero((family[:own] == name) & moves[:own])
        if len(teach) < 3:
            continue
        centred = np.log(square[teach]) - digamma(days / 2) + math.log(days / 2)
        spread = float(centred.var(ddof=1) - polygamma(1, days / 2))
        prior = 2.0 * _inverse_trigamma(spread) if spread > 1e-3 else 1e4
        usual = math.exp(float(centred.mean() + digamma(prior / 2)) - math.log(prior / 2))
        alike = COMMON * (family[:own] == name).sum() <= len(teach)
        rows = (family == name) & (moves | alike)
        result[rows] = (prior * usual + days * square[rows]) / (prior + days)
    return np.maximum(result, 1.0)


def _inverse_trigamma(value: float) -> float:
    x = 0.5 + 1.0 / value
    for _ in range(50):  # Newton's method on its reciprocal converges from here, and from below
        at = float(polygamma(1, x))
        x += (step := at * (1.0 - at / value) / float(polygamma(2, x)))
        if abs(step) < 1e-8 * x:
            break
    return x


def prequential(series: Series, family: Ints) -> Floats:
    """Return float64[D - 1, K], the largest statistic of each day but the first, judged by the days that taught before it.

    A stream is 0 on days that come before it has taught anything.
    """
    days = days_of(series)
    k = series.x.shape[1]
    watch = ShiryaevRoberts(np.full(k, np.inf))
    maxima = np.zeros((len(days) - 1, k))
    for age, day in enumerate(days[1:], 1):
        known = np.flatnonzero(np.isfinite(series.x[np.concatenate(days[: taught(age)][-MOST_DAYS:])]).any(axis=0))
        if not known.size:
            continue
        past, today = series.take(np.concatenate(days[:age]), known), series.take(day, known)
        base = nightly(past, family[known], int(series.groups[day[0]]))
        z = np.full((len(day), k), np.nan)
        z[:, known] = base.whiten(today.x, today.n, today.groups, today.slots)
        maxima[age - 1] = day_maxima(watch, z, series.n[day], int(day[0]) * series.pane_ms, series.pane_ms)
    return maxima


def threshold(maxima: Floats, budget: float, panes_a_week: int) -> float:
    """Return u for the next day, in units of the statistic itself.

    Args:
        maxima: float64[n, K], day maxima of the statistic, each scored before the day taught (`prequential`); n may be 0.
            Streams of different weights come with their `detectors.risk_control.head_start`, which is taken off u again.
        budget: false alarms per week, > 0.

    >>> quiet = np.zeros((20, 10))
    >>> [round(threshold(quiet[:n], 1.0, 672), 1) for n in (0, 7, 20)]
    [22.0, 21.8, 8.8]
    """
    require(budget > 0.0, f"'budget' must be > 0, got {budget}")
    n, k = maxima.shape
    first = FACTOR * math.log(k * panes_a_week)
    if n < DAYS:
        return FIRST_FACTOR * math.log(k * panes_a_week)
    allowed = budget * (n / DAYS + 1)
    days = np.concatenate([np.full((1, k), -np.inf), maxima])
    levels = np.unique(maxima[maxima > days[:-1]])[::-1]
    best, count = math.inf, 0
    for level in (*levels.tolist(), 0.0):
        left = allowed - count
        if left <= 0.0:
            break
        enough = (
            0.0 if left >= cap(budget) else first / math.sqrt(left)
        )  # the pseudo-count, at most c, fits whatever u is
        best = min(best, max(level, enough))
        if enough > level:
            break
        count = max(count, openings(days, np.nextafter(level, -np.inf)))
    return max(best, math.log(k * panes_a_week / budget))
