r"""KSWIN: the last values against a sample of those before them, by the two-sample test of Kolmogorov and Smirnov."""

from __future__ import annotations

from math import comb
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.base import Detector, Floats, Ints, Status, require

STEP, FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class KSWIN(Detector):
    r"""A change of the distribution of a series, found by comparing two samples of r values.

    Of a window of ``window`` values the last r are compared with r of the older ones, drawn without replacement. With the
    empirical distribution functions F and G of the two samples, the distribution has changed when

    $$ D = \max_v |F(v) - G(v)| \ge d(\alpha) \quad\text{and}\quad D > 0.1 $$

    where d is the smallest multiple of 1/r that two equal distributions reach with a probability of at most alpha. The
    second condition is river's and stands in no paper; it only matters for ``recent`` above about 190. ``statistic`` is D;
    ``threshold`` is d less half a step of D, so that an alarm exceeds it. An alarm lasts one update; then the window
    is filled anew.

    Args:
        k: number of streams.
        alpha: probability of a false alarm of one comparison of independent values. river's default of 0.005 gives 1.3
            alarms in 1,000 panes (measured), two a day at panes of a minute.
        window: values kept. recent: r, at most half of them.
        seed: chooses the drawn values, together with the number of values seen since the last alarm: a replay draws the
            same, and nothing needs to be stored. Streams that have seen as many values draw the same places.
        min_n: fewest values behind a usable number.

    Notes:
        Only ranks count, so it needs no units and no clip, but it needs values without a season: feed it whitened ones.
        Apart from what is drawn it is river's KSWIN alarm for alarm (tests/detectors/test_river.py): D of two samples of r
        values decides the exact p-value, so d is computed once and no p-value per update.
        Cost: 5 to 11 us per stream and update, most of it sorting. State: 8 bytes per value of the window, 800 as it stands,
        and 8. A step of 2/3 sd is found after 23/20 panes, with 5 false alarms in a million updates (measured on independent
        normal values). A step must be found before the older values are full of it: one of 1 sd is missed in two cases of
        three.
        Blind spots: small steps; a spread three times as wide, missed in 99 of 100; a ramp that is slow against the window;
        whatever is shorter than half of ``recent``; the first ``window`` values after a start or an alarm.

    Examples:
        >>> rng = np.random.default_rng(6)
        >>> watch = KSWIN(k=1)
        >>> for pane in range(600):
        ...     x = rng.normal(0.0 if pane < 400 else 2.0, size=1)
        ...     watch.update(x, [100], pane * 60_000)
        ...     if watch.drift_detected[0]:
        ...         print(pane, watch.statistic.round(3), watch.threshold.round(3))
        427 [0.733] [0.617]

    References:
        Raab, C., Heusinger, M. and Schleif, F.-M. (2020). Reactive soft prototype computing for concept drift streams.
        Neurocomputing 416.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "distribution")
    STATE: ClassVar[tuple[str, ...]] = ("values", "seen")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self, k: int, alpha: float = 1e-5, window: int = 100, recent: int = 30, seed: int = 1, min_n: int = 30
    ) -> None:
        require(0.0 < alpha < 1.0, f"'alpha' must be in (0, 1), got {alpha}")
        require(1 <= recent <= window // 2, f"'recent' must be between 1 and half of {window}, got {recent}")
        require(0 <= seed < 2**63, f"'seed' must be in [0, 2^63), got {seed}")
        super().__init__(k, min_n)
        self.alpha = alpha
        self.window = window
        self.recent = recent
        self.seed = seed
        self.critical = critical_steps(recent, alpha)
        self.values = np.zeros((k, window))
        self.seen = np.zeros(k, np.int64)

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        self.seen[rows[self.status[rows] == Status.DRIFT]] = 0
        self.values[rows, self.seen[rows] % self.window] = x
        self.seen[rows] += 1
        armed = self.seen[rows] >= self.window
        steps = np.zeros(len(rows), np.int64)
        if armed.any():
            steps[armed] = self._compare(rows[armed])
        threshold = np.where(armed, (self.critical - 0.5) / self.recent, np.inf)
        self.conclude(rows, steps / self.recent, threshold, armed & (steps >= self.critical), armed)

    def _compare(self, rows: Ints) -> Ints:
        """Return D in multiples of 1/r; the values lie in a ring, and the oldest stands where the next one will go."""
        seen = self.seen[rows]
        keys = shuffled(self.seed, seen, self.window - self.recent)
        drawn = np.argsort(keys, axis=1, kind="stable")[:, : self.recent]
        last = np.broadcast_to(np.arange(self.window - self.recent, self.window), drawn.shape)
        places = (seen[:, None] + np.concatenate([drawn, last], axis=1)) % self.window
        values = self.values[rows[:, None], places]
        order = np.argsort(values, axis=1, kind="stable")
        ahead = np.cumsum(np.where(order < self.recent, 1, -1), axis=1)
        ordered = np.take_along_axis(values, order, axis=1)
        ahead[:, :-1][ordered[:, :-1] == ordered[:, 1:]] = 0  # among equal values neither is ahead yet
        steps: Ints = np.abs(ahead).max(axis=1)
        return steps


def critical_steps(size: int, alpha: float) -> int:
    """Return the smallest D, in multiples of 1/size, that is both above 0.1 and unlikely enough; size + 1 where none is.

    >>> critical_steps(30, 0.005), critical_steps(30, 1e-5), critical_steps(3, 1e-6)
    (14, 19, 4)
    """
    return next((h for h in range(1, size + 1) if h / size > 0.1 and p_value(size, h) <= alpha), size + 1)


def p_value(size: int, steps: int) -> float:
    """Return the probability of D >= steps/size for two samples of one continuous distribution, by reflection of paths."""
    turns = range(1, size // steps + 1)
    paths = [comb(2 * size, size - turn * steps) for turn in turns]
    return 2 * (sum(paths[::2]) - sum(paths[1::2])) / comb(2 * size, size)


def shuffled(seed: int, seen: Ints, count: int) -> NDArray[np.uint64]:
    """Return uint64[len(seen), count], numbers without a pattern (splitmix64): numpy may change its generators, these stay."""
    start = _mixed(np.array([seed], np.uint64) * FIRST + seen.astype(np.uint64))
    return _mixed(start[:, None] + np.arange(1, count + 1, dtype=np.uint64) * STEP)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed
