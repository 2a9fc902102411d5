"""Does a worker's memory stay flat over five million records? A real worker on a real broker, everything on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.cluster import configuration, create, fill, prepare, rig, run
from benchmarks.figures import growth
from benchmarks.monitor import learn
from benchmarks.payloads import STANDARD, values
from benchmarks.throughput import KINDS

TOPIC = "memory.features"
RECORDS = 5_000_000
Sample = tuple[float, float, int]
"""(how far: records, seconds or hours; RSS in MB; open descriptors)."""


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, samples)."""
    records = int(RECORDS * scale)
    pool = values(STANDARD, KINDS)
    with rig() as (brokers, folder):
        create(brokers, TOPIC)
        fill(brokers, TOPIC, pool, records)
        file = configuration(folder, brokers, "sg-memory", TOPIC)
        prepare(file, learn(pool))
        samples: list[Sample] = [tuple(item) for item in run("streamgauge", str(file), str(records))["samples"]]
    second, last = part(samples, 0.2, 0.4), part(samples, 0.8, 1.0)
    figures = {
        "rss_growth": growth(median_rss(second), median_rss(last)),
        "rss_slope": slope(part(samples, 0.2, 1.0)) * 1e6,
        "rss_peak": max(rss for _, rss, _ in samples),
        "rss_records": records / 1e6,
    }
    return figures, {"samples": samples}


def part(samples: list[Sample], begin: float, end: float) -> list[Sample]:
    """Return the samples of a part of the way, given as shares of the whole.

    >>> part([(0, 1.0, 1), (50, 2.0, 1), (100, 3.0, 1)], 0.4, 0.6)
    [(50, 2.0, 1)]
    """
    assert all(a[0] <= b[0] for a, b in pairwise(samples)), "samples are in order"
    first, way = samples[0][0], samples[-1][0] - samples[0][0]
    return [item for item in samples if first + begin * way <= item[0] <= first + end * way]


def median_rss(samples: list[Sample]) -> float:
    return float(np.median([rss for _, rss, _ in samples]))


def slope(samples: list[Sample]) -> float:
    """Return MB by which RSS grows per unit of the way, by least squares.

    >>> round(slope([(0, 10.0, 1), (10, 20.0, 1), (20, 30.0, 1)]), 6)
    1.0
    """
    return float(np.polyfit([at for at, _, _ in samples], [rss for _, rss, _ in samples], 1)[0])
