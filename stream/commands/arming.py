"""What watches a stream now, and from when on the rest will: said before the first incident, so that silence is understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stream.commands.pace import HOUR_MS, Pace
from stream.commands.showing import duration, number
from stream.config.durations import format_duration
from stream.config.errors import visible
from stream.judging.watch import Watch
from stream.learn import MIN_N, MIN_PANES, MIN_RECORDS, MIN_RECORDS_OF_A_DAY, MIN_VALUES
from stream.plan import StreamPlan

DAY_MS = 86_400_000
SHOWN = 8
_NEEDED = (
    f"needed: {MIN_RECORDS:,} records for the bins, then {MIN_PANES} panes and {MIN_VALUES:,} values of each field"
)


def at_once(pane_ms: int) -> str:
    """Return what watches every stream from the start, because it needs no reference."""
    checks = "missing, schema, ranges, freshness, rejected, late, lost, version"
    return (
        f"armed from the first pane ({format_duration(pane_ms)}) on: {checks}; after a day also volume (dropped, burst)"
    )


def lines(plan: StreamPlan, watch: Watch | None, pane_ms: int, pace: Pace, kept: int) -> Iterator[str]:
    """Yield when a stream counts as stopped, and when drift will be watched.

    Args:
        watch: what the monitor knows of the stream; None before it has run.
        pace: how many records of the stream come. kept: how many the topic holds, if they will be read; otherwise 0.
    """
    yield f"volume (stopped): {_silence(plan)}"
    yield "drift: " + (_estimate(pane_ms, pace, kept) if watch is None else _progress(watch, pane_ms, pace))


def _silence(plan: StreamPlan) -> str:
    if plan.silence_ms is not None:
        return f"after {format_duration(plan.silence_ms)} of silence, as stated"
    return "after 5m of silence or 3 times the longest gap of 7 days, a ticket until those have been seen"


def _estimate(pane_ms: int, pace: Pace, kept: int) -> str:
    """Say when drift will be watched although nothing has been learned yet."""
    enough = kept >= MIN_RECORDS + MIN_VALUES
    if pace.per_hour is None and enough:
        return f"soon after the start, if the {kept:,} records of the topic fill {MIN_PANES} panes; {pace.why}"
    if pace.per_hour is None:
        return f"it cannot be said when: {pace.why} ({_NEEDED})"
    left = learning_ms(pane_ms, pace.per_hour) - kept / pace.per_hour * HOUR_MS
    if enough and left <= 0:
        return f"soon after the start: the topic holds {kept:,} records to learn from ({_NEEDED})"
    return f"about {duration(max(left, pane_ms))} after the start, at {_rate(pace.per_hour)} ({_NEEDED})"


def _progress(watch: Watch, pane_ms: int, pace: Pace) -> str:
    """Say how far a monitor that runs has come."""
    drift, names, learning = watch.bank.drift, watch.section.names, watch.learning
    if drift.reference:
        ready = [names[row] for row in np.flatnonzero(drift.armed)]
        return f"armed on {len(ready)} of {number(len(names), 'field')}" + (f": {_listed(ready)}" if ready else "")
    if not watch.section.learned:
        left = pace.per_hour and learning_ms(pane_ms, pace.per_hour, learning.records)
        return (
            f"{learning.records:,} of {MIN_RECORDS:,} records are seen from which the bins are learned; "
            f"then come {MIN_PANES} panes with {MIN_VALUES:,} values of a field{_to_go(left, pace)}"
        )
    binned = [row for row, bins in enumerate(watch.section.bins) if bins]
    rarest = min((int(sum(pane[row].sum() for pane in learning.lesson)) for row in binned), default=0)
    panes = len(learning.lesson)
    left = pace.per_hour and _reference_ms(pane_ms, pace.per_hour / HOUR_MS, panes, rarest)
    return (
        f"{panes} of {MIN_PANES} panes are collected, and {rarest:,} of {MIN_VALUES:,} "
        f"values of the rarest field{_to_go(left, pace)}"
    )


def _to_go(left_ms: float | None, pace: Pace) -> str:
    if not left_ms or pace.per_hour is None:
        return ""
    return f"; about {duration(left_ms)} to go at {_rate(pace.per_hour)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(visible, names[:SHOWN])) + more


def _rate(per_hour: float) -> str:
    """Return a rate in the unit that keeps it readable.

    >>> _rate(7_200_000), _rate(5_400), _rate(0.5)
    ('2,000 records a second', '5,400 records an hour', '12 records a day')
    """
    if per_hour >= 36_000:
        return f"{per_hour / 3600:,.0f} records a second"
    return f"{per_hour:,.0f} records an hour" if per_hour >= 2 else f"{per_hour * 24:,.0f} records a day"


def learning_ms(pane_ms: int, per_hour: float, seen: int = 0) -> float:
    """Return how long learning takes at a steady rate.

    Bins come after 10,000 records, or after a day with 500; a pane teaches once it has 30 values of a field.

    Args:
        seen: records from which bins are being learned already.

    >>> learning_ms(60_000, 36_000) / 3_600_000
    3.611111111111111
    """
    per_ms = per_hour / HOUR_MS
    bins = max(MIN_RECORDS - seen, 0) / per_ms
    if per_ms * DAY_MS >= MIN_RECORDS_OF_A_DAY:
        bins = min(bins, max(DAY_MS - seen / per_ms, 0))
    return bins + _reference_ms(pane_ms, per_ms, 0, 0)


def _reference_ms(pane_ms: int, per_ms: float, panes: int, values: int) -> float:
    """Return how long it takes to collect a reference, of which some panes and values are there."""
    return max((MIN_PANES - panes) * max(pane_ms, MIN_N / per_ms), (MIN_VALUES - values) / per_ms, 0)
