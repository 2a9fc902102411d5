"""Freshness: how old the newest event is, and how old the values are when they are used."""

from __future__ import annotations

from typing import ClassVar

from detectors.base import require
from detectors.gap import LongestGap
from detectors.share_limit import ShareLimit


class Freshness(LongestGap):
    """The age of a stream's newest event time, tick by tick.

    x is wall time minus the largest event time, in milliseconds. A stream can be fresh in volume and stale in time: a
    producer that replays yesterday sends plenty of records. The rule is `detectors.LongestGap`'s: stated, or the larger of
    5 minutes and 3 times the greatest age before a newer event came.

    Args:
        k: number of streams.
        limit_ms: greatest age that is tolerated; None learns it.
        floor_ms: smallest learned limit. day_ms: length of a day.

    Notes:
        Cost, state and blind spots: as `detectors.LongestGap`. It needs clocks that agree with the producers' to well
        below the floor.

    Examples:
        >>> stream = Freshness(k=1)
        >>> for minute in range(60):
        ...     age = 2 + minute % 2 if minute < 30 else minute - 27
        ...     stream.update([age * 60_000], [1], minute * 60_000)
        ...     if stream.drift_detected[0]:
        ...         print(minute, stream.REASONS[stream.reason[0]], stream.threshold[0] / 60_000)
        ...         break
        37 stale 9.0
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "stale")
    EVERY_TICK: ClassVar[bool] = False
    """It is fed at the ticks with a record: the age of the newest event is known whenever one came."""

    def __init__(
        self, k: int, limit_ms: float | None = None, floor_ms: float = 300_000.0, day_ms: int = 86_400_000
    ) -> None:
        super().__init__(k, limit_ms=limit_ms, floor_ms=floor_ms, day_ms=day_ms)


class Stale(ShareLimit):
    """The share of a field's values that were older than their stated ``max_age`` when the record was made.

    The age of a value (record time minus its own as-of time) is compared with ``max_age`` where records are read; this
    judges the share, so that a single late lookup is no incident.

    Args:
        k: number of fields.
        limit: the largest share that is tolerated.
        min_n: fewest values that make a pane usable.

    Notes:
        Cost and state: as `detectors.ShareLimit`. Blind spots: values without an as-of time; a value that is refreshed
        but never changes, which is `detectors.Stuck`'s.

    Examples:
        >>> field = Stale(k=1)
        >>> for pane, share in enumerate([0.0, 0.01, 0.04]):
        ...     field.update([share], [1000], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, field.REASONS[field.reason[0]])
        2 stale_values
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "stale_values")

    def __init__(self, k: int, limit: float = 0.01, min_n: int = 30) -> None:
        require(limit > 0.0, f"'limit' must be > 0, got {limit}")
        super().__init__(k, limit=limit, min_n=min_n)
