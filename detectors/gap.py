"""A gap that is longer than the longest one of the last week: the rule behind freshness and silence."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Bools, Detector, Floats, Ints, Status, require

NEVER = np.iinfo(np.int64).max


class LongestGap(Detector):
    r"""A time since something happened, on ticks, against a stated or a learned limit.

    $$ x > \max(\text{floor},\; 3 \times \text{longest completed gap of the last 7 days, or tick}) $$

    x grows with time and falls when the thing happens; the value before the fall is a completed gap. Only
    completed gaps teach: if the growing gap itself did, three times it would stay ahead of it and nothing would alarm.
    During the first 7 days every gap teaches, so a nightly pause costs one alarm and not seven; after that a gap that
    alarmed does not, or one outage would dull the rule for a week.

    A gap that fits between two ticks is not seen, so a tick counts as one: on ticks of an hour a learned limit is never below
    three hours. Else a stream that sends something in every hour would be held to the floor, alarm at the first hour without,
    and, since what alarmed does not teach, at every later one. A gap that has alarmed is not measured anew by that: a tick
    that comes late does not end it.

    A learned limit is armed by the first completed gap (the second record). What never happened once is not a gap: such a
    stream stays WARMING_UP. A stated limit is armed at once.

    Args:
        k: number of streams.
        limit_ms: stated limit; None learns it.
        floor_ms: smallest learned limit. factor: multiple of the longest gap.
        days: days that are remembered, besides the present one, so that a weekend remembers the last weekend.
        day_ms: length of a day, shorter for a replayed or compressed stream.

    Attributes:
        week_seen: bool[K], the learned limit has seen ``days`` days. Before that an alarm deserves less trust.

    Notes:
        Feed it x with n = 1 while the tick can tell, NaN while it cannot (nobody reads the partition).
        Cost: 0.4 ms per update of 1,000 streams (measured). State: 153 bytes per stream beside the outputs.
        False alarms: a gap three times longer than any of the week is rare but not impossible: 1.3e-4 per tick with
        exponential gaps of 4 minutes on average during the first 2,000 ticks (measured), none when gaps are far below the floor.
        Blind spots: a pause three times shorter than the longest of the week; the first holiday. After the first week a pause
        that has become longer for good alarms every time: only a stated limit ends that.

    Examples:
        A record every 10 s, then none:

        >>> stream = LongestGap(k=1)
        >>> for second in range(5, 4000, 5):
        ...     stream.update([second % 10 * 1000 if second < 1000 else second * 1000 - 990_000], [1], second * 1000)
        ...     if stream.drift_detected[0]:
        ...         print(second, stream.statistic, stream.threshold)
        ...         break
        1295 [305000.] [300000.]
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "gap")
    STATE: ClassVar[tuple[str, ...]] = ("last", "first", "latest", "heard", "longest", "day")
    EVERY_TICK: ClassVar[bool] = True
    """Whether it is fed at every tick; else the time between two updates says nothing about what was not seen."""

    FALSE_ALARMS: ClassVar[float] = 2e-4

    def __init__(
        self,
        k: int,
        limit_ms: float | None = None,
        floor_ms: float = 300_000.0,
        factor: float = 3.0,
        days: int = 7,
        day_ms: int = 86_400_000,
    ) -> None:
        require(limit_ms is None or limit_ms > 0, f"'limit_ms' must be > 0, got {limit_ms}")
        require(factor >= 1.0, f"'factor' must be >= 1, got {factor}")
        require(days >= 1 and day_ms >= 1, f"'days' and 'day_ms' must be >= 1, got days={days}, day_ms={day_ms}")
        super().__init__(k, min_n=1)
        self.limit_ms = limit_ms
        self.floor_ms = floor_ms
        self.factor = factor
        self.days = days
        self.day_ms = day_ms
        self.last = np.zeros(k)
        self.first = np.full(k, NEVER)
        self.latest = np.zeros(k, np.int64)
        self.heard = np.zeros(k, np.bool_)
        self.longest = np.zeros((k, days + 1))
        self.day = np.full((k, days + 1), -1, np.int64)

    @property
    def week_seen(self) -> Bools:
        span: Ints = self.latest - np.minimum(self.first, self.latest)
        return span >= self.days * self.day_ms

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        ended = self._ended(rows, x, t)
        teaches = ended & ~((self.status[rows] == Status.DRIFT) & self.week_seen[rows])
        self._learn(rows[teaches], t // self.day_ms)
        measured = (self.status[rows] != Status.DRIFT) & self.EVERY_TICK
        unseen = np.where(measured, t - self.latest[rows], 0)
        self.heard[rows] |= ended
        self.last[rows] = x
        self.first[rows] = np.minimum(self.first[rows], t)
        self.latest[rows] = t
        armed, limit = self._limit(rows, t // self.day_ms, unseen)
        self.conclude(rows, x, np.where(armed, limit, np.inf), armed & (x > limit), armed)

    def _ended(self, rows: Ints, x: Floats, t: int) -> Bools:
        """Return where the thing happened since the last tick: x fell, or grew by less than half of the time that passed.

        The second, because a lively stream shows the same small x at every tick. While a stream is wrong only a fall
        counts: two clocks that differ a little must not end a gap that goes on.
        """
        last = self.last[rows]
        slower = x < last + (t - self.latest[rows]) / 2
        ended: Bools = (x < last) | (slower & (self.first[rows] != NEVER) & (self.status[rows] != Status.DRIFT))
        return ended

    def _limit(self, rows: Ints, today: int, unseen: Ints) -> tuple[Bools, Floats]:
        """Return whether the limit holds, and what it is. ``unseen``: the longest gap that no tick has seen, at least."""
        if self.limit_ms is not None:
            return np.ones(len(rows), np.bool_), np.full(len(rows), float(self.limit_ms))
        recent = np.where(self.day[rows] >= today - self.days, self.longest[rows], 0.0)
        longest = np.maximum(recent.max(axis=1), unseen)
        return self.heard[rows], np.maximum(self.floor_ms, self.factor * longest)

    def _learn(self, rows: Ints, today: int) -> None:
        slot = today % (self.days + 1)
        known = np.where(self.day[rows, slot] == today, self.longest[rows, slot], 0.0)
        self.longest[rows, slot] = np.maximum(known, self.last[rows])
        self.day[rows, slot] = today
