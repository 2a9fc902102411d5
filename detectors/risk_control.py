r"""Conformal risk control: the threshold under which a clean week opens at most b false alarms on average.

Every stream k has a statistic, and all share one threshold u through a normaliser learned from their own day maxima:

$$ g_k(t) = (\log(1 + \bar R_k(t)) - a_k) / s_k $$

An *opening* is a day on which some stream exceeds u and did not on the day before: an alarm that lasts for a week is
one alarm. Let $N_h(u)$ be the openings of reference week h, capped at c and made monotone in u. With W weeks
exchangeable among themselves and with the one to come,

$$ u = \min\Big\{u : \textstyle\sum_h N_h(u) \le b\,(W+1) - c\Big\} \quad\Rightarrow\quad E[\min(c, N)] \le b $$

whatever the autocorrelation, the season, the tails and the dependence between streams: only weeks need to be
exchangeable. Days are not (incidents last for days), and calibrating on days overshoots. Many streams need no
correction: the openings are those of all streams together. A stream that matters more has a head start on its g
(`head_start`): g is then another score, and the claim holds for any.

The week that is scored must not have taught what scores it: a fit without week h is run over h, for each h. The final
fit has one week more; so the realised rate is close to the claim, not exactly bound by it, and is published beside it.

References:
    Angelopoulos, A. N. et al. (2024). Conformal risk control. ICLR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import Floats, Ints, require

DAYS = 7
SHRINK = 50.0
"""Excesses that the mean excess of the family is worth in a stream's own scale."""

LEAST_SCALE = 0.25
"""Floor of s; independent values have about 1. Maxima that are always the same would make one pane a thousand scales wide."""


@dataclass(frozen=True)
class Normaliser:
    """Attributes: level: float64[K], a, 75 % quantile of the day maxima. scale: float64[K], s, mean excess over it."""

    level: Floats
    scale: Floats

    def __call__(self, statistic: Floats) -> Floats:
        """Return g of statistics [..., K]."""
        return (statistic - self.level) / self.scale

    def limit(self, threshold: Floats | float) -> Floats:
        """Return float64[K], the statistic at which each stream crosses the threshold, one for all or one for each."""
        return self.level + threshold * self.scale


def head_start(weight: Floats) -> Floats:
    r"""Return float64[K], $\log(w_k / \bar w)$, what is added to g of a stream that has a weight.

    Where tails of g fall like $e^{-g}$, each stream then takes a part of the openings in proportion to its weight. If they do
    not, the parts are others and the total is kept all the same. Without the mean the limits would be the same; with it u keeps
    its size, and equal weights change nothing.

    Args:
        weight: float64[K], > 0.

    >>> head_start(np.array([4.0, 1.0, 1.0])).round(2)
    array([ 0.69, -0.69, -0.69])
    """
    require(bool((weight > 0.0).all()), f"weights must be > 0, got {weight.min(initial=np.inf):g}")
    return np.asarray(np.log(weight / weight.mean()))


def normalise(maxima: Floats, family: Ints) -> Normaliser:
    """Learn the normaliser.

    Args:
        maxima: float64[D, K], largest statistic of each day. family: int64[K], streams of one kind share what they
            know of their scale.

    >>> normalise(np.array([[1.0], [2.0], [3.0], [5.0]]), np.array([0])).limit(1.0)
    array([5.])
    """
    level = np.quantile(maxima, 0.75, axis=0)
    over = maxima > level
    n = over.sum(axis=0)
    excess = np.where(over, maxima - level, 0.0).sum(axis=0)
    scale = np.empty(maxima.shape[1])
    for name in np.unique(family):
        own = family == name
        mean = excess[own].sum() / max(n[own].sum(), 1)
        scale[own] = (excess[own] + SHRINK * mean) / (n[own] + SHRINK)
    return Normaliser(level, np.maximum(scale, LEAST_SCALE))


def openings(maxima: Floats, threshold: float) -> int:
    """Return the days on which a stream exceeds the threshold that did not on the day before; day 0 only counts as that.

    Args:
        maxima: float64[1 + D, K], normalised day maxima, the first of the day before; -inf for a quiet one.

    >>> openings(np.array([[-np.inf, -np.inf], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), 1.0)
    2
    """
    over = maxima > threshold
    return int((over[1:] & ~over[:-1]).any(axis=1).sum())


def cap(budget: float) -> int:
    """Return c, the most openings of a week that count.

    >>> cap(0.5), cap(1.0), cap(2.0)
    (2, 3, 5)
    """
    return min(DAYS, math.ceil(2 * budget) + 1)


def weeks_needed(budget: float) -> int:
    """Return the fewest weeks for which there is a threshold at all.

    >>> weeks_needed(0.5), weeks_needed(1.0)
    (3, 2)
    """
    return math.ceil(cap(budget) / budget) - 1


def calibrate(weeks: NDArray[np.float64], budget: float) -> float:
    """Return u, the smallest threshold that keeps the budget on these weeks.

    Args:
        weeks: float64[W, 7, K], normalised day maxima of weeks that taught nothing of what scored them.
        budget: false alarms per week, > 0.

    Raises:
        ValueError: there are fewer weeks than the budget needs (`weeks_needed`).

    >>> quiet, loud = np.zeros((1, 7, 1)), np.zeros((1, 7, 1))
    >>> loud[0, 3, 0] = 9.0
    >>> calibrate(np.concatenate([quiet, loud, quiet, loud + 1]), budget=1.0)
    0.0
    >>> calibrate(np.concatenate([quiet, loud, loud - 1]), budget=1.0)  # one opening may be left
    8.0
    """
    require(budget > 0.0, f"'budget' must be > 0, got {budget}")
    most = cap(budget)
    allowed = budget * (len(weeks) + 1) - most
    require(allowed >= 0.0, f"a budget of {budget:g} needs {weeks_needed(budget)} weeks, got {len(weeks)}")
    before = np.concatenate([np.full((len(weeks), 1, weeks.shape[2]), -np.inf), weeks[:, :-1]], axis=1)
    days = np.concatenate([before[:, :1], weeks], axis=1)
    threshold = float(weeks.max())
    worst = np.zeros(len(weeks), np.int64)
    for level in np.unique(weeks[weeks > before])[::-1]:  # only a value above yesterday's can open anything
        below = np.nextafter(level, -np.inf)
        worst = np.maximum(worst, [min(most, openings(week, below)) for week in days])
        threshold = float(level)
        if worst.sum() > allowed:
            break  # values at the threshold do not exceed it, so the level that must not count is the threshold itself
    return threshold
