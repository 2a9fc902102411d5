"""Bytewax: count, missing, min and max of each feature in tumbling windows of 60 s, by the event time in ``ts``.

``fold``: the window operator folds every event, as the documentation shows. ``batched``: batches are folded in plain
Python before (``flat_map_batch``), and the window operator adds up what is left.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing as w
from bytewax.testing import TestingSink, cluster_main
from meter import FEATURES, PANE_MS, Meter, arguments

Counts = list[list[Any]]
Event = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nothing() -> Counts:
    """Return an empty window."""
    return [[0, 0, float("inf"), float("-inf")] for _ in FEATURES]


def fold(counts: Counts, event: Event) -> Counts:
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


def merge(a: Counts, b: Counts) -> Counts:
    """Add up two parts of a window."""
    return [[p[0] + q[0], p[1] + q[1], min(p[2], q[2]), max(p[3], q[3])] for p, q in zip(a, b, strict=True)]


def moment(ms: int) -> datetime:
    """Return the time of an event."""
    return EPOCH + timedelta(milliseconds=ms)


def main() -> None:
    brokers, topic, total = arguments()
    how = sys.argv[4]
    meter = Meter(total)
    tumbling = w.TumblingWindower(length=timedelta(milliseconds=PANE_MS), align_to=EPOCH)
    patience = timedelta(minutes=5)  # partitions are read a thousand records at a time

    def decode(messages: list[Any]) -> Iterable[Event]:
        meter.add(len(messages))
        return [orjson.loads(message.value) for message in messages]

    def fold_batch(messages: list[Any]) -> Iterable[tuple[int, Counts]]:
        parts: dict[int, list[Event]] = {}
        for event in decode(messages):
            parts.setdefault(event["ts"] // PANE_MS, []).append(event)
        return [(pane * PANE_MS, fold_all(events)) for pane, events in parts.items()]

    flow = Dataflow("peer")
    messages = op.input("in", flow, KafkaSource([brokers], [topic], tail=False, batch_size=1000))
    if how == "fold":
        events = op.key_on("key", op.flat_map_batch("decode", messages, decode), lambda _: "all")
        clock = w.EventClock(lambda event: moment(event["ts"]), wait_for_system_duration=patience)
        closed = w.fold_window("count", events, clock, tumbling, nothing, fold, merge)
    else:
        parts = op.key_on("key", op.flat_map_batch("fold", messages, fold_batch), lambda _: "all")
        clock = w.EventClock(lambda part: moment(part[0]), wait_for_system_duration=patience)
        closed = w.fold_window("add", parts, clock, tumbling, nothing, lambda a, part: merge(a, part[1]), merge)

    def note(_: str, item: tuple[str, tuple[int, Counts]]) -> None:
        window, counts = item[1]
        meter.window(window * PANE_MS, [tuple(row) for row in counts])

    seen = op.inspect("note", closed.down, note)
    op.inspect("late", closed.late, lambda step, item: print(step, item, file=sys.stderr))
    op.output("out", seen, TestingSink([]))
    cluster_main(flow, [], 0)
    meter.finish()


def fold_all(events: list[Event]) -> Counts:
    """Fold the events of a batch, column by column."""
    rows = []
    for name in FEATURES:
        values = [value for event in events if (value := event[name]) is not None]
        extremes = [min(values), max(values)] if values else [float("inf"), float("-inf")]
        rows.append([len(values), len(events) - len(values), *extremes])
    return rows


if __name__ == "__main__":
    main()
