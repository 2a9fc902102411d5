"""What is alarmed when nothing has happened: weeks are permuted whole, so every alarm is false.

Permuting weeks makes them exchangeable by construction and keeps everything inside a week: season, autocorrelation, storms, the
dependence of the streams on each other. Permutations share their weeks, so they are not independent of each other: the
spread over permutations stands beside every mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from detectors.base import Ints
from detectors.budget import Learned, Series, learn, run, weeks_of
from detectors.risk_control import DAYS

REFERENCE, MONITORED = 8, 4


@dataclass(frozen=True)
class Environment:
    """A stream of panes as contrasts. names: of the K series. family: int64[K]. series: whole weeks."""

    name: str
    series: Series
    names: tuple[str, ...]
    family: Ints


@dataclass(frozen=True)
class Split:
    """One permutation. reference, monitored: panes of the environment, in order. learned: from the reference."""

    reference: Ints
    monitored: Ints
    learned: Learned

    @property
    def fill(self) -> int:
        """Return the number of panes of a week: so many are run through before monitoring, so that memories are full."""
        return len(self.reference) // REFERENCE

    @property
    def watched(self) -> Ints:
        """Return the panes of the last reference week and of the monitored ones."""
        return np.concatenate([self.reference[-self.fill :], self.monitored])


def split(environment: Environment, seed: int, keep: Callable[[Callable[[], Learned]], Learned] | None = None) -> Split:
    """Permute the weeks, and learn from the first eight.

    Args:
        keep: returns what was learned from these weeks before, or learns it with what it is given.
    """
    weeks = weeks_of(environment.series)
    order = np.random.default_rng((seed, 7)).permutation(len(weeks))[: REFERENCE + MONITORED]
    panes = [np.concatenate(weeks[i]) for i in order]
    reference, monitored = np.concatenate(panes[:REFERENCE]), np.concatenate(panes[REFERENCE:])

    def learned() -> Learned:
        return learn(renumbered(environment.series.take(reference)), environment.family)

    return Split(reference, monitored, keep(learned) if keep else learned())


def renumbered(series: Series) -> Series:
    """Return the series with days counted on: after a permutation two weeks may meet in any order."""
    days = np.cumsum(np.diff(series.days, prepend=series.days[0]) != 0)
    return Series(series.x, series.n, series.pane_ms, days, series.groups, series.slots)


def monitored_maxima(environment: Environment, part: Split, threshold: float = np.inf) -> NDArray[np.float64]:
    """Return float64[1 + 28, K], normalised day maxima of the monitored weeks behind the last day before them.

    Args:
        threshold: the one in force: what a monitor remembers of an alarm is bounded above it.
    """
    series = renumbered(environment.series.take(part.watched))
    days = [day for item in weeks_of(series) for day in item]
    limit = part.learned.normaliser.limit(threshold)
    maxima = run([part.learned.baseline], series, [days], limit)[0]
    return part.learned.normaliser(maxima)[DAYS - 1 :]


def poisson_interval(alarms: int, weeks: float) -> tuple[float, float]:
    """Return the exact 95 % interval of a rate.

    >>> [round(end, 2) for end in poisson_interval(200, 200)]
    [0.87, 1.15]
    """
    lower = float(chi2.ppf(0.025, 2 * alarms)) / 2 if alarms else 0.0
    return lower / weeks, float(chi2.ppf(0.975, 2 * alarms + 2)) / 2 / weeks
