r"""Page-Hinkley: the sum of deviations from the running mean has left its lowest, or its highest, point by too much."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Detector, Floats, Ints, Status, require


class PageHinkley(Detector):
    r"""A change of the mean of a whitened series, found by two cumulative sums.

    With the running mean $\bar x_t$, which counts the newest value, and both sums starting at 0,

    $$ U_t = \alpha U_{t-1} + (x_t - \bar x_t) - \delta, \qquad D_t = \alpha D_{t-1} + (x_t - \bar x_t) + \delta $$

    the mean has risen when $U_t - \min U > \lambda$, and fallen when $\max D - D_t > \lambda$. ``statistic`` is the larger
    of the two differences, ``threshold`` is $\lambda$. An alarm lasts one update; then everything starts again, so that a
    lasting shift is one alarm and the new level is learned.

    delta and lambda are in the units of x: river's defaults raise 6.6 alarms in 10,000 values of unit noise, 298 on the same
    values times ten, and find nothing at all on a hundredth of them (measured). Feed it one whitened number per pane.

    Args:
        k: number of streams.
        delta: half the smallest shift worth finding, in standard deviations. river's 0.005 lets the sums wander.
        lam: the threshold lambda. river's 50 fits its delta of 0.005.
        alpha: forgetting of the sums, per update.
        grace: values before the first decision, river's ``min_instances``.
        clip: larger values, in standard deviations, are cut to this: one of 1e200 would spoil the mean for ever.
        min_n: fewest values behind a usable number.

    Notes:
        The arithmetic is river's, so the alarms are river's as well (tests/detectors/test_river.py), without its object per
        stream and without its version in the state.
        Cost: 0.1 to 0.2 us per stream and update at 500 streams. State: 48 bytes per stream beside the outputs.
        A step of 1/2/3 sd is found after 32/14/9 panes, with 5.5 false alarms in a million updates (measured on
        independent normal values); with river's delta and lambda it takes 43/21/14, with 560. Half a sd takes 109, and one
        step in ten of that size is learned instead.
        Blind spots: a smaller spread, and a larger one but by chance; a shift below delta; a slow ramp, which the running mean
        follows; a shift within ``grace`` values of an alarm. It fires on improvement as well.

    Examples:
        >>> rng = np.random.default_rng(6)
        >>> watch = PageHinkley(k=1)
        >>> for pane in range(600):
        ...     x = rng.normal(0.0 if pane < 400 else 2.0, size=1)
        ...     watch.update(np.full(1, np.nan) if pane == 300 else x, [100], pane * 60_000)
        ...     if watch.drift_detected[0]:
        ...         print(pane, watch.REASONS[watch.reason[0]], watch.ignored)
        414 mean_rose [1]

    References:
        Page, E. S. (1954). Continuous inspection schemes. Biometrika 41. Hinkley, D. V. (1971). Inference about the
        change-point from cumulative sum tests. Biometrika 58.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "mean_rose", "mean_fell")
    STATE: ClassVar[tuple[str, ...]] = ("seen", "mean", "up", "lowest", "down", "highest")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self,
        k: int,
        delta: float = 0.25,
        lam: float = 25.0,
        alpha: float = 0.9999,
        grace: int = 30,
        clip: float = 10.0,
        min_n: int = 30,
    ) -> None:
        require(delta >= 0.0, f"'delta' must be >= 0, got {delta}")
        require(lam > 0.0, f"'lam' must be > 0, got {lam}")
        require(0.0 < alpha <= 1.0, f"'alpha' must be in (0, 1], got {alpha}")
        require(grace >= 1, f"'grace' must be >= 1, got {grace}")
        require(clip > 0.0, f"'clip' must be > 0, got {clip}")
        super().__init__(k, min_n)
        self.delta = delta
        self.lam = lam
        self.alpha = alpha
        self.grace = grace
        self.clip = clip
        self.seen = np.zeros(k, np.int64)
        self.mean = np.zeros(k)
        self.up = np.zeros(k)
        self.lowest = np.full(k, np.inf)
        self.down = np.zeros(k)
        self.highest = np.full(k, -np.inf)

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        self._forget(rows[self.status[rows] == Status.DRIFT])
        at = self.at(rows)
        x = np.minimum(np.maximum(x, -self.clip), self.clip)
        self.seen[at] += 1
        self.mean[at] += (1.0 / self.seen[at]) * (x - self.mean[at])
        apart = x - self.mean[at]
        self.up[at] = self.alpha * self.up[at] + apart - self.delta
        self.down[at] = self.alpha * self.down[at] + apart + self.delta
        self.lowest[at] = np.minimum(self.lowest[at], self.up[at])
        self.highest[at] = np.maximum(self.highest[at], self.down[at])
        rise, fall = self.up[at] - self.lowest[at], self.highest[at] - self.down[at]
        armed = self.seen[at] >= self.grace
        statistic = np.where(armed, np.maximum(rise, fall), 0.0)
        threshold = np.where(armed, self.lam, np.inf)
        self.conclude(rows, statistic, threshold, statistic > threshold, armed, np.where(rise >= fall, 1, 2))

    def _forget(self, rows: Ints) -> None:
        """Start again where the last update raised an alarm."""
        self.seen[rows] = 0
        self.mean[rows] = self.up[rows] = self.down[rows] = 0.0
        self.lowest[rows] = np.inf
        self.highest[rows] = -np.inf
