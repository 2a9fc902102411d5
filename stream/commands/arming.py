"""What watches a stream now, and from when on the rest will: said before the first incident, so that silence is understood."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stream.commands.showing import duration
from stream.config.durations import format_duration
from stream.judging.watch import Watch
from stream.learn import MIN_N, MIN_PANES, MIN_RECORDS, MIN_RECORDS_OF_A_DAY, MIN_VALUES
from stream.plan import StreamPlan

DAY_MS = 86_400_000


def at_once(pane_ms: int) -> str:
    """Return what watches every stream from the start, because it needs no reference."""
    checks = "missing, schema, ranges, freshness, rejected, late, lost, version"
    return (
        f"armed from the first pane ({format_duration(pane_ms)}) on: {checks}; after a day also volume (dropped, burst)"
    )


def lines(plan: StreamPlan, watch: Watch | None, pane_ms: int, per_hour: float, kept: int) -> Iterator[str]:
    """Yield when a stream counts as stopped, and when drift will be watched.

    Args:
        watch: what the monitor knows of the stream; None before it has run.
        per_hour: records of the stream in the last hour. kept: how many the topic holds, if they will be read; otherwise 0.
    """
    yield f"volume (stopped): {_silence(plan)}"
    yield _estimate(pane_ms, per_hour, kept) if watch is None else _progress(watch)


def _silence(plan: StreamPlan) -> str:
    if plan.silence_ms is not None:
        return f"after {format_duration(plan.silence_ms)} of silence, as stated"
    return "after 5m of silence or 3 times the longest gap of 7 days, a ticket until those have been seen"


def _progress(watch: Watch) -> str:
    drift, names = watch.bank.drift, watch.section.names
    if drift.reference:
        ready = [names[row] for row in np.flatnonzero(drift.armed)]
        return f"drift: armed on {len(ready)} of {len(names)} fields" + (f": {', '.join(ready[:8])}" if ready else "")
    if not watch.section.learned:
        return (
            f"drift: {watch.learning.records} of {MIN_RECORDS} records are seen from which the bins are learned; "
            f"then come {MIN_PANES} panes with {MIN_VALUES} values of a field"
        )
    values = [
        int(sum(pane[row].sum() for pane in watch.learning.lesson))
        for row, bins in enumerate(watch.section.bins)
        if bins
    ]
    return (
        f"drift: {len(watch.learning.lesson)} of {MIN_PANES} panes are collected, and {min(values, default=0)} of {MIN_VALUES} "
        "values of the rarest field"
    )


def _estimate(pane_ms: int, per_hour: float, kept: int) -> str:
    need = f"{MIN_RECORDS} records for the bins, then {MIN_PANES} panes and {MIN_VALUES} values of each field"
    if kept >= MIN_RECORDS + MIN_VALUES:
        return f"drift: soon after the start: the topic holds {kept} records to learn from (needed: {need})"
    if per_hour <= 0:
        return f"drift: nobody can say when: no record came in the last hour (needed: {need})"
    return f"drift: about {duration(learning_ms(pane_ms, per_hour))} after the start (needed: {need})"


def learning_ms(pane_ms: int, per_hour: float) -> float:
    """Return how long learning takes at a steady rate.

    Bins come after 10,000 records, or after a day with 500; a pane teaches once it has 30 values of a field.

    >>> learning_ms(60_000, 36_000) / 3_600_000
    3.611111111111111
    """
    per_ms = per_hour / 3_600_000
    bins = MIN_RECORDS / per_ms
    if per_ms * DAY_MS >= MIN_RECORDS_OF_A_DAY:
        bins = min(bins, DAY_MS)
    return bins + max(MIN_PANES * max(pane_ms, MIN_N / per_ms), MIN_VALUES / per_ms)
