"""Laney's p' chart: a share against its own past, with the spread that its past really had."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Detector, Floats, Ints, require
from detectors.share_limit import limit_threshold, require_shares


class PChart(Detector):
    r"""A share that rose above its own running baseline, or above a stated limit.

    With the baseline share $p$ (faded sum of what was seen so far, half a case added so that it is never 0), the
    binomial error $s = \sqrt{p(1-p)/n}$ and the overdispersion $\sigma_z$ (root mean square of $(x-p)/s$ over earlier
    panes, at least 1), a pane is wrong when

    $$ x - p > \max\left(\text{effect},\; z\,\sigma_z s + \frac{(z^2-1)(1-2p)}{6n} + \frac{1}{2n}\right) $$

    The middle term is the skewness of the binomial (Cornish and Fisher): without it 3 missing of 30 at a base of 1 %
    would be a 4 sd event that happens in one pane of 300. With ``limit`` the pane is also wrong when Wilson's lower end
    exceeds it (`detectors.share_limit`), which needs no baseline.

    Laney takes the spread from moving ranges. Those do not see a daily season, and the chart then alarms at every peak;
    the mean square around the baseline counts the season as spread.

    Wrong panes do not teach: a level that stays high stays an alarm, it is not absorbed. One-sided, because fewer
    missing values are no incident.

    Args:
        k: number of streams.
        effect: smallest rise worth an alarm, in share; None switches the chart off (the baseline is still learned).
        limit: share that is too much whatever the past was; None for no limit.
        z: standard errors of the chart. grace: panes, and least: values that must have taught before the chart is armed.
        memory: panes after which the past has faded to 1/e (10,000 are a week of minutes).
        min_n: fewest values that make a pane usable.

    Notes:
        Cost: 0.4 ms per update of 1,000 streams (measured). State: 40 bytes per stream beside the outputs.
        Blind spots: a rise smaller than ``effect``; a slow ramp, which teaches on its way; what was wrong from the
        beginning and below the limit is the normal state; the first peak of a season is not known yet. The overdispersion
        is a factor on the binomial error: a stream whose panes grow tenfold has less of it at first than it needs.

    Examples:
        >>> rng = np.random.default_rng(7)
        >>> chart = PChart(k=1, effect=0.05)
        >>> for pane in range(200):
        ...     share = 0.02 if pane < 150 else 0.12
        ...     chart.update(rng.binomial(500, [share]) / 500, [500], pane * 60_000)
        ...     if chart.drift_detected[0]:
        ...         print(pane)
        ...         break
        150

    References:
        Laney, D. B. (2002). Improved control charts for attributes. Quality Engineering 14(4), 531-537.
        Cornish, E. A. and Fisher, R. A. (1938). Moments and cumulants in the specification of distributions.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "share")
    RISEN: ClassVar[int] = 1
    """The reason of a share that rose, as an index into `REASONS`."""
    STATE: ClassVar[tuple[str, ...]] = ("cases", "values", "squares", "weight", "panes")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self,
        k: int,
        effect: float | None = 0.05,
        limit: float | None = None,
        z: float = 5.0,
        grace: int = 20,
        least: int = 1000,
        memory: int = 10_000,
        min_n: int = 30,
    ) -> None:
        require(effect is None or effect >= 0.0, f"'effect' must be >= 0, got {effect}")
        require(limit is None or 0.0 <= limit < 1.0, f"'limit' must be in [0, 1), got {limit}")
        require(z > 0.0, f"'z' must be > 0, got {z}")
        require(memory > grace >= 1, f"'memory' must be > 'grace' >= 1, got memory={memory}, grace={grace}")
        require(min_n >= 1, f"'min_n' must be >= 1, got {min_n}")
        super().__init__(k, min_n)
        self.effect = effect
        self.limit = limit
        self.z = z
        self.grace = grace
        self.least = least
        self.memory = memory
        self.cases = np.zeros(k)
        self.values = np.zeros(k)
        self.squares = np.zeros(k)
        self.weight = np.zeros(k)
        self.panes = np.zeros(k, np.int64)

    def baseline(self, rows: Ints) -> Floats:
        """Return the running share of some streams, smoothed by half a case, so that it is neither 0 nor 1."""
        at = self.at(rows)
        return (self.cases[at] + 0.5) / (self.values[at] + 1.0)

    def overdispersion(self, rows: Ints) -> Floats:
        """Return Laney's sigma_z: how much wider than the binomial the panes have been, at least 1."""
        at = self.at(rows)
        return np.sqrt(np.maximum(1.0, self.squares[at] / np.maximum(1.0, self.weight[at])))

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        require_shares(x)
        at, p = self.at(rows), self.baseline(rows)
        values = n.astype(np.float64)
        error = np.sqrt(p * (1.0 - p) / values)
        armed = (self.panes[at] >= self.grace) & (self.values[at] >= self.least)
        threshold = np.full(len(rows), np.inf)
        if self.effect is not None:
            skew = ((self.z**2 - 1.0) * (1.0 - 2.0 * p) / 6.0 + 0.5) / values
            noise = self.z * self.overdispersion(rows) * error + skew
            threshold = np.where(armed, p + np.maximum(self.effect, noise), np.inf)
        if self.limit is not None:
            threshold = np.minimum(threshold, limit_threshold(self.limit, n))
        wrong = x > threshold
        self.conclude(rows, x, threshold, wrong, armed, self.RISEN)
        z = (x - p) / error
        if np.count_nonzero(wrong):
            right = ~wrong
            rows, x, values, z = rows[right], x[right], values[right], z[right]
        self._learn(rows, x, values, z)

    def _learn(self, rows: Ints, x: Floats, values: Floats, z: Floats) -> None:
        at, fade = self.at(rows), 1.0 - 1.0 / self.memory
        known = self.panes[at] > 0
        self.squares[at] = fade * self.squares[at] + np.where(known, z**2, 0.0)
        self.weight[at] = fade * self.weight[at] + known
        self.cases[at] = fade * self.cases[at] + x * values
        self.values[at] = fade * self.values[at] + values
        self.panes[at] += 1
