"""What a deployment needs: CPU per event by payload, end to end on a broker, and memory per feature."""

from __future__ import annotations

import gc
import statistics
from typing import Any

from benchmarks.cluster import configuration, create, fill, prepare, rig, run
from benchmarks.monitor import BEGIN_MS, Learned, Monitor, learn, plan_of
from benchmarks.payloads import STANDARD, Shape, values
from benchmarks.process import resident_mb
from benchmarks.throughput import cost

SHAPES = (
    Shape(10),
    Shape(30),
    Shape(100),
    Shape(30, nested=True),
    Shape(30, "ints"),
    Shape(30, "strings"),
    Shape(30, "mixed"),
)
RECORDS = 100_000
KINDS = 10_007
STREAMS = 40
"""Streams of 32 fields in the measurement of memory."""
WARM = 4
TAPS = 100


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, details)."""
    pool = values(STANDARD, KINDS)
    figures = memory(learn(pool), pool)
    sizes = {}
    with rig() as (brokers, folder):
        for shape in SHAPES:
            pool = values(shape, KINDS)
            learned = learn(pool)
            topic = f"sizing.{shape.name}"
            records = int(RECORDS * scale)
            create(brokers, topic)
            fill(brokers, topic, pool, records)
            file = configuration(folder, brokers, f"sg-{shape.name.replace('_', '-')}", topic)
            prepare(file, learned)
            figures[f"cpu_{shape.name}"] = cost(run("streamgauge", str(file), str(records)))
            sizes[shape.name] = statistics.mean(map(len, pool))
    return figures, {"payload_bytes": sizes}


def memory(learned: Learned, pool: list[bytes]) -> dict[str, float]:
    """Return kB of RSS per feature of the judge, and per feature and partition of a tap with a chunk counted."""
    fields = len(learned.section.fields)
    kept = [_fed(learned, pool, streams=1, partitions=1)]  # what every later one shares: code, tables, caches
    before = _settled()
    kept.append(_fed(learned, pool, STREAMS, 1))
    kept[-1].taps.clear()
    with_judge = _settled()
    kept.append(_fed(learned, pool, 1, TAPS))
    with_taps = _settled()
    assert len(kept) == 3
    return {
        "memory_per_feature_judge": 1000 * (with_judge - before) / (STREAMS * fields),
        "memory_per_feature_tap": 1000 * (with_taps - with_judge) / (TAPS * fields),
    }


def _fed(learned: Learned, pool: list[bytes], streams: int, partitions: int) -> Monitor:
    """Return a monitor that has seen some panes and holds open ones."""
    monitor = Monitor(plan_of(streams, streams), partitions, learned)
    for minute in range(WARM):
        for key in monitor.taps:
            monitor.feed(key, pool[:1000], [BEGIN_MS + minute * 60_000 + 60 * i for i in range(1000)])
            if minute < WARM - 1:
                monitor.cut(key)
        if minute < WARM - 1:
            monitor.tick(60_000, BEGIN_MS + (minute + 1) * 60_000)
        monitor.take()
    return monitor


def _settled() -> float:
    gc.collect()
    return resident_mb()
