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
from stream.plan import Plan, StreamPlan

DAY_MS = 86_400_000
SHOWN = 8


def _needed(plan: Plan) -> str:
    panes = f"{MIN_PANES} panes of {format_duration(plan.coarse_ms)} over {format_duration(plan.warm_up_ms)}"
    return f"needed: {MIN_RECORDS:,} records for the bins, then {panes} and {MIN_VALUES:,} values of each field"


def at_once(pane_ms: int) -> str:
    """Return what watches every stream from the start, because it needs no reference."""
    checks = "missing, schema, ranges, freshness, rejected, late, lost, version"
    return (
        f"armed from the first pane ({format_duration(pane_ms)}) on: {checks}; after a day also volume (dropped, burst)"
    )


def lines(stream: StreamPlan, plan: Plan, watch: Watch | None, pace: Pace, kept: int) -> Iterator[str]:
    """Yield when a stream counts as stopped, and when drift will be watched.

    Args:
        watch: what the monitor knows of the stream; None before it has run.
        pace: how many records of the stream come. kept: how many the topic holds, if they will be read; otherwise 0.
    """
    yield f"volume (stopped): {_silence(stream)}"
    yield "drift: " + (_estimate(plan, pace, kept) if watch is None else progress(watch, plan, pace))


def _silence(stream: StreamPlan) -> str:
    if stream.silence_ms is not None:
        return f"after {format_duration(stream.silence_ms)} of silence, as stated"
    return "after 5m of silence or 3 times the longest gap of 7 days, a ticket until those have been seen"


def _estimate(plan: Plan, pace: Pace, kept: int) -> str:
    """Say when drift will be watched although nothing has been learned yet."""
    enough = kept >= MIN_RECORDS + MIN_VALUES
    if pace.per_hour is None and enough:
        return f"soon after the start, if the {kept:,} records of the topic fill {MIN_PANES} panes; {pace.why}"
    if pace.per_hour is None:
        return f"it cannot be said when: {pace.why} ({_needed(plan)})"
    left = learning_ms(plan, pace.per_hour) - kept / pace.per_hour * HOUR_MS
    if enough and left <= 0:
        return f"soon after the start: the topic holds {kept:,} records to learn from ({_needed(plan)})"
    return f"about {duration(max(left, plan.pane_ms))} after the start, at {_rate(pace.per_hour)} ({_needed(plan)})"


def progress(watch: Watch, plan: Plan, pace: Pace) -> str:
    """Say how far a monitor that runs has come."""
    drift, names, learning = watch.bank.drift, watch.section.names, watch.learning
    if drift.reference:
        ready = [names[row] for row in np.flatnonzero(drift.armed)]
        armed = f"armed on {len(ready)} of {number(len(names), 'field')}" + (f": {_listed(ready)}" if ready else "")
        return f"{armed}; {promise(drift.status, drift.until, plan.false_alarms)}"
    if not watch.section.learned:
        left = pace.per_hour and learning_ms(plan, pace.per_hour, learning.records)
        return (
            f"{learning.records:,} of {MIN_RECORDS:,} records are seen from which the bins are learned; "
            f"then come {MIN_PANES} panes with {MIN_VALUES:,} values of a field{_to_go(left, pace)}"
        )
    binned = [row for row, bins in enumerate(watch.section.bins) if bins]
    rarest = min((int(sum(pane[row].sum() for pane in learning.lesson)) for row in binned), default=0)
    panes = len(learning.lesson)
    left = pace.per_hour and _reference_ms(plan, pace.per_hour / HOUR_MS, panes, rarest, learning.lesson.spans)
    return (
        f"{panes} of {MIN_PANES} panes are collected, and {rarest:,} of {MIN_VALUES:,} "
        f"values of the rarest field{_to_go(left, pace)}"
    )


def promise(status: str, until: str, per_week: float) -> str:
    """Return what is promised about false alarms, and from when on.

    >>> promise("provisional", "2026-12-20", 1.0)
    'its limits are provisional until 2026-12-20, then at most 1 false alarm a week'
    """
    kept = f"at most {per_week:.3g} false {'alarm' if per_week == 1 else 'alarms'} a week"
    if status == "calibrated":
        return f"calibrated for {kept}"
    if status == "provisional":
        return f"its limits are provisional until {until}, then {kept}"
    return "only gross changes are looked for until a whole day has been seen"


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


def learning_ms(plan: Plan, per_hour: float, seen: int = 0) -> float:
    """Return how long learning takes at a steady rate.

    Bins come after 10,000 records, or after a day with 500; a pane teaches once it has 30 values of a field.

    Args:
        seen: records from which bins are being learned already.
    """
    per_ms = per_hour / HOUR_MS
    bins = max(MIN_RECORDS - seen, 0) / per_ms
    if per_ms * DAY_MS >= MIN_RECORDS_OF_A_DAY:
        bins = min(bins, max(DAY_MS - seen / per_ms, 0))
    return bins + _reference_ms(plan, per_ms, 0, 0, 0)


def _reference_ms(plan: Plan, per_ms: float, panes: int, values: int, spans: int) -> float:
    """Return how long it takes to collect a reference, of which some panes and values are there, over so many panes."""
    collected = (MIN_PANES - panes) * max(plan.coarse_ms, MIN_N / per_ms)
    return max(collected, (MIN_VALUES - values) / per_ms, plan.warm_up_ms - spans * plan.coarse_ms, 0)
