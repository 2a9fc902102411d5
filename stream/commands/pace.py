"""How many records come: what an estimate of ``streamgauge check`` rests on, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stream.commands.showing import duration, number

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
MIN_LOOKED = 30
"""Fewer records than these say nothing about how many come."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Attributes: per_hour: records an hour; None when it cannot be known. why: the reason then, in words."""

    per_hour: float | None
    why: str = ""

    def of(self, ours: int, seen: int) -> Pace:
        """Return the pace of a stream that ``ours`` of ``seen`` records of the topic belong to."""
        if self.per_hour is None:
            return self
        return Pace(self.per_hour * ours / seen) if ours >= MIN_LOOKED else _too_few(ours)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at in one partition.

    Attributes:
        timestamps: of its newest records, without a gap up to its end. last_hour: records of the last hour.
        older: whether it holds records from before that hour, so that ``last_hour`` is a whole hour's.
    """

    timestamps: tuple[int, ...]
    last_hour: int
    older: bool


def pace(looked: Iterable[Looked], now_ms: int) -> Pace:
    """Return how many records a topic gets.

    Of each partition the longer of two spans up to now is taken: that of the records looked at, and the last hour where
    it was there for a whole one. A partition with 200 records a second shows a second of itself, one with 200 a week a week.

    >>> pace([Looked(tuple(range(0, 600_000, 10_000)), 60, older=False)], 600_000)
    Pace(per_hour=360.0, why='')
    """
    parts = [part for part in looked if part.timestamps]
    stamps = [stamp for part in parts for stamp in part.timestamps]
    if not stamps:
        return Pace(None, "the topic is empty")
    if len(stamps) < MIN_LOOKED:
        return _too_few(len(stamps))
    quiet = now_ms - max(stamps)
    if quiet < -MINUTE_MS:
        return Pace(None, "the newest timestamp lies in the future")
    if quiet > max(HOUR_MS, max(stamps) - min(stamps)):
        return Pace(None, f"the newest record is {duration(quiet)} old")
    per_ms = 0.0
    for part in parts:
        span = now_ms - min(part.timestamps)
        if part.older and span < HOUR_MS:
            per_ms += part.last_hour / HOUR_MS
        else:
            per_ms += len(part.timestamps) / max(span, 1)
    return Pace(per_ms * HOUR_MS)


def _too_few(count: int) -> Pace:
    return Pace(None, f"only {number(count, 'record')} of it could be looked at")
