"""A day of event time through taps and judge; faults come and go, the judge goes on from checkpoints; does memory stay flat?

Two partitions, 20 records a second of 30 features, entries every twenty seconds, panes of a minute. Every hour a field is
missing for five minutes; in every sixth hour another one has moved. Every ten minutes the judge goes on from its checkpoint.
"""

from __future__ import annotations

import gc
from typing import Any

from benchmarks.figures import growth
from benchmarks.memory import Sample, median_rss, part
from benchmarks.monitor import BEGIN_MS, PANE_MS, Monitor, learn, plan_of
from benchmarks.payloads import STANDARD, values
from benchmarks.process import descriptors, resident_mb

HOURS = 24
PARTITIONS = 2
RATE = 20
STEP_S = 20
KINDS = 20_011
STEPS_PER_HOUR = 3600 // STEP_S
CHECKPOINT = 600 // STEP_S
MISSING = 300 // STEP_S
MOVED_HOURS = 6


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, samples by hour)."""
    hours = max(HOURS * scale, 2.0)
    pool = values(STANDARD, KINDS)
    broken = [value.replace(b'"feature_07"', b'"feature_7x"') for value in pool]
    moved = [value.replace(b'"feature_11": ', b'"feature_11": 9') for value in pool]
    monitor = Monitor(plan_of(1, 1), PARTITIONS, learn(pool))
    samples: list[Sample] = []
    alerts = panes = at = 0
    for step in range(int(hours * STEPS_PER_HOUR)):
        hour, within = divmod(step, STEPS_PER_HOUR)
        source = broken if within < MISSING and hour else moved if hour % MOVED_HOURS == MOVED_HOURS - 1 else pool
        begin = BEGIN_MS + step * STEP_S * 1000
        for key in monitor.taps:
            count = RATE * STEP_S // PARTITIONS
            picked = [source[(at + i) % KINDS] for i in range(count)]
            monitor.feed(key, picked, [begin + i * STEP_S * 1000 // count for i in range(count)])
            monitor.cut(key)
            at += count
        monitor.tick(STEP_S * 1000, begin + STEP_S * 1000)
        for message in monitor.take():
            alerts += message.topic == "alerts"
            panes += message.topic == "panes"
        if step % CHECKPOINT == 0:
            monitor.restart()
            gc.collect()
            samples.append((step / STEPS_PER_HOUR, resident_mb(), descriptors()))
    second, last = part(samples, 0.25, 0.5), part(samples, 0.75, 1.0)
    figures = {
        "day_rss_growth": growth(median_rss(second), median_rss(last)),
        "day_descriptors_growth": float(max(item[2] for item in last) - max(item[2] for item in second)),
        "day_panes": float(panes),
    }
    return figures, {"alerts": alerts, "hours": hours, "records": at, "pane_ms": PANE_MS, "samples": samples}
