"""Pathway: count, missing, min and max of each feature in tumbling windows of 60 s, all in its own engine.

The count is that of values: ``n`` counts records, and a missing value is a 1 to be summed. Mode
``streaming`` goes on for ever as in production, ``static`` ends with the topic.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import pathway as pw
from meter import FEATURES, PANE_MS, Meter, arguments


def main() -> None:
    brokers, topic, total = arguments()
    mode = sys.argv[4]
    meter = Meter(total)
    columns = {"ts": int} | dict.fromkeys(FEATURES, float | None)
    schema = pw.schema_from_types(**columns)
    settings = {"bootstrap.servers": brokers, "group.id": f"pathway-{time.time_ns()}", "auto.offset.reset": "earliest"}
    events = pw.io.kafka.read(settings, topic=topic, format="json", schema=schema, mode=mode)
    aggregates: dict[str, Any] = {"start": pw.this._pw_window_start, "n": pw.reducers.count()}
    for name in FEATURES:
        aggregates |= {
            f"missing_{name}": pw.reducers.sum(pw.if_else(pw.this[name].is_none(), 1, 0)),
            f"min_{name}": pw.reducers.min(pw.coalesce(pw.this[name], float("inf"))),
            f"max_{name}": pw.reducers.max(pw.coalesce(pw.this[name], float("-inf"))),
        }
    windows = events.windowby(pw.this.ts, window=pw.temporal.tumbling(duration=PANE_MS)).reduce(**aggregates)
    newest: dict[int, dict[str, Any]] = {}

    def note(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            newest[row["start"]] = row

    def settle(time: int) -> None:
        if sum(row["n"] for row in newest.values()) >= total:
            finish(meter, newest)

    pw.io.subscribe(windows, on_change=note, on_time_end=settle)
    meter.begin()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    finish(meter, newest)


def finish(meter: Meter, windows: dict[int, dict[str, Any]]) -> None:
    """Hand over the windows."""
    for start, row in windows.items():
        meter.add(row["n"])
        features = [
            (row["n"] - row[f"missing_{name}"], row[f"missing_{name}"], row[f"min_{name}"], row[f"max_{name}"])
            for name in FEATURES
        ]
        meter.window(start, features)
    meter.finish()


if __name__ == "__main__":
    main()
