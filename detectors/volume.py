"""Volume: a stream that stopped, dropped or burst."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Bools, Detector, Floats, Ints, require
from detectors.gap import NEVER, LongestGap

SLOTS = 48


class Silence(LongestGap):
    """The time since a stream's last record, on ticks.

    x is the milliseconds since the last record, and NaN while something else explains their absence (nobody reads the
    partition, the reader is behind): a blind monitor must not call the stream silent. The rule is `detectors.LongestGap`'s:
    stated, or the larger of 5 minutes and 3 times the longest gap of the last 7 days; ``week_seen`` says whether 7 days
    have been seen, before which it is a ticket at most.

    Args:
        k: number of streams.
        limit_ms: longest silence that is tolerated; None learns it.
        floor_ms: smallest learned limit. day_ms: length of a day.

    Notes:
        Cost, state and blind spots: as `detectors.LongestGap`.

    Examples:
        >>> stream = Silence(k=1, limit_ms=120_000)
        >>> for second in range(0, 600, 10):
        ...     stream.update([max(0, second - 300) * 1000], [1], second * 1000)
        ...     if stream.drift_detected[0]:
        ...         print(second, stream.REASONS[stream.reason[0]])
        ...         break
        430 silent
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "silent")

    def __init__(
        self, k: int, limit_ms: float | None = None, floor_ms: float = 300_000.0, day_ms: int = 86_400_000
    ) -> None:
        super().__init__(k, limit_ms=limit_ms, floor_ms=floor_ms, day_ms=day_ms)


class Volume(Detector):
    """The number of records per pane, against the same time of the last 7 days.

    * ``dropped``: x below 0.25 times the smallest count at this time of day (this half hour and the ones beside it) on
      earlier days. The minimum of hundreds of panes, quartered, is what no ordinary pane reaches; a mean with a standard
      deviation would need a model of traffic.
    * ``burst``: x above 4 times the largest count of the last 7 days, and above 30.

    Earlier days only: if the present hour taught too, traffic that dies away pane by pane would never alarm. Wrong panes
    do not teach; so a new level is an alarm until the last 7 days hold nothing else, then the rule learns again.
    Zero records are a number here: ``min_n`` is 0, n is not used, and a pane of which nothing is known has x = NaN.

    Args:
        k: number of streams.
        pane_ms: length of a pane. day_ms: length of a day, shorter for a compressed stream.
        days: earlier days that are remembered, so that a Saturday knows the last Saturday.
        low, high: the two factors. fewest: a burst has more records than this.

    Attributes:
        week_seen: bool[K], as many days have been seen. Before, the first weekend may look like a drop.

    Notes:
        Cost: 0.9 ms per update of 1,000 streams (measured). State: 3.2 kB per stream with 48 slots of 30 minutes.
        Days are UTC days: what matters is only that the same time comes back, and a change to summer time stays within
        the neighbouring half hours by half. Blind spots: a stream that is now and then empty at this time of day cannot
        drop; a drop to a third; days that are low for a reason (the first public holiday alarms).

    Examples:
        >>> rng = np.random.default_rng(3)
        >>> stream = Volume(k=1, pane_ms=60_000)
        >>> for minute in range(3 * 1440):
        ...     rate = 300 + 200 * np.sin(minute / 1440 * 2 * np.pi)
        ...     stream.update(rng.poisson([rate if minute < 4000 else rate / 10]), [0], minute * 60_000)
        ...     if stream.drift_detected[0]:
        ...         print(minute, stream.REASONS[stream.reason[0]])
        ...         break
        4000 dropped
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "dropped", "burst")
    STATE: ClassVar[tuple[str, ...]] = ("first", "latest", "least", "most", "day")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self,
        k: int,
        pane_ms: int = 60_000,
        day_ms: int = 86_400_000,
        days: int = 7,
        low: float = 0.25,
        high: float = 4.0,
        fewest: int = 30,
    ) -> None:
        require(0 < pane_ms <= day_ms, f"'pane_ms' must be in (0, day_ms], got {pane_ms} with day_ms={day_ms}")
        require(days >= 1, f"'days' must be >= 1, got {days}")
        require(0.0 < low < 1.0 < high, f"'low' must be in (0, 1) and 'high' > 1, got low={low}, high={high}")
        super().__init__(k, min_n=0)
        self.pane_ms = pane_ms
        self.day_ms = day_ms
        self.days = days
        self.low = low
        self.high = high
        self.fewest = fewest
        self.slots = max(1, min(SLOTS, day_ms // pane_ms))
        self.first = np.full(k, NEVER)
        self.latest = np.zeros(k, np.int64)
        self.least = np.full((k, days + 1, self.slots), np.inf)
        self.most = np.full((k, days + 1), -np.inf)
        self.day = np.full((k, days + 1), -1, np.int64)

    @property
    def week_seen(self) -> Bools:
        span: Ints = self.latest - np.minimum(self.first, self.latest)
        return span >= self.days * self.day_ms

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        today, slot = t // self.day_ms, t % self.day_ms * self.slots // self.day_ms
        first = np.minimum(self.first[rows], t)
        self.first[rows] = first
        self.latest[rows] = t
        near = [(slot - 1) % self.slots, slot, (slot + 1) % self.slots]
        day = self.day[rows]
        recent = day >= today - self.days
        earlier = recent & (day < today)
        least = np.where(earlier[:, :, None], self.least[:, :, near][rows], np.inf).min(axis=(1, 2))
        most = np.where(recent, self.most[rows], -np.inf).max(axis=1)
        old = t - first >= self.day_ms
        floor = np.where(old & np.isfinite(least), self.low * least, -np.inf)
        ceiling = np.where(old & np.isfinite(most), np.maximum(self.high * most, self.fewest), np.inf)
        burst = x > ceiling
        wrong = burst | (x < floor)
        # While nothing is wrong the nearer of the two limits is shown: the lower one, once there is one.
        shown = np.where(burst | ~np.isfinite(floor), ceiling, floor)
        self.conclude(rows, x, shown, wrong, np.isfinite(shown), np.where(burst, 2, 1))
        right = ~wrong
        self._learn(rows[right], x[right], today, slot)

    def _learn(self, rows: Ints, x: Floats, today: int, slot: int) -> None:
        place = today % (self.days + 1)
        new = rows[self.day[rows, place] != today]
        if new.size:
            self.least[new, place] = np.inf
            self.most[new, place] = -np.inf
            self.day[new, place] = today
        self.least[rows, place, slot] = np.minimum(self.least[rows, place, slot], x)
        self.most[rows, place] = np.maximum(self.most[rows, place], x)
