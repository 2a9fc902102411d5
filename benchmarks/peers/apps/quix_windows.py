"""Quix Streams: count, missing, min and max of each feature in tumbling windows of 60 s.

Two ways that the documentation offers: ``reduce`` (one state per window, rewritten with each event) and ``collect`` (the events
are kept and folded when the window closes).
"""

from __future__ import annotations

import sys
import time
from typing import Any

from meter import FEATURES, PANE_MS, Meter, arguments
from quixstreams import Application

Counts = list[list[Any]]
NOTHING = (0, 0, float("inf"), float("-inf"))


def begin(event: dict[str, Any]) -> Counts:
    """Start a window with its first event."""
    return fold([list(NOTHING) for _ in FEATURES], event)


def fold(counts: Counts, event: dict[str, Any]) -> Counts:
    """Add an event."""
    for row, name in zip(counts, FEATURES, strict=True):
        value = event[name]
        if value is None:
            row[1] += 1
            continue
        row[0] += 1
        if value < row[2]:  # noqa: PLR1730 - half the price of min()
            row[2] = value
        if value > row[3]:  # noqa: PLR1730
            row[3] = value
    return counts


def fold_all(events: list[dict[str, Any]]) -> Counts:
    """Fold the events of a closed window."""
    rows = []
    for name in FEATURES:
        values = [value for event in events if (value := event[name]) is not None]
        rows.append([len(values), len(events) - len(values), min(values), max(values)])
    return rows


def main() -> None:
    brokers, topic, total = arguments()
    how = sys.argv[4]
    meter = Meter(total)
    app = Application(
        broker_address=brokers,
        consumer_group=f"quix-{how}-{time.time_ns()}",
        auto_offset_reset="earliest",
        state_dir=sys.argv[5],
        loglevel="WARNING",
    )
    events = app.dataframe(app.topic(topic, value_deserializer="json", key_deserializer="str"))
    done = False

    def count(_: object) -> None:
        nonlocal done
        done = meter.add()

    events = events.update(count)
    tumbling = events.tumbling_window(duration_ms=PANE_MS)
    closed = (tumbling.reduce(fold, begin) if how == "reduce" else tumbling.collect()).final()

    def note(window: dict[str, Any]) -> None:
        counts = window["value"] if how == "reduce" else fold_all(window["value"])
        meter.window(window["start"], [tuple(row) for row in counts])

    closed.update(note)
    events.update(lambda _: meter.finish() if done else None)
    app.run()


if __name__ == "__main__":
    main()
