"""The price of the budget: a pane of 1,000 fields, eight weeks of them to learn from (`python -m benchmarks.detection.cost`)."""

from __future__ import annotations

import resource
import statistics
import sys
import time

import numpy as np

from benchmarks.detection.data import DAY_MS
from detectors.base import Ints
from detectors.baseline import Baseline
from detectors.budget import Series, learn
from detectors.calendar import GROUPS, SLOTS
from detectors.shiryaev_roberts import ShiryaevRoberts
from stream.contrasts import Contrasts
from stream.layout import BINS, Bins

FIELDS, VALUES, PANES = 1000, 2000, 200
PANE_MS = 300_000
WEEKS, CONTRASTS = 8, 5


def pane_ms() -> float:
    """Return ms of CPU (median) from the counts of a pane of 1,000 numbers to the statistics of all its contrasts."""
    rng = np.random.default_rng(1)
    none = np.zeros(0, np.int64)
    contrasts = Contrasts(
        [Bins("number", np.arange(BINS - 1.0), none, none)] * FIELDS, np.full((FIELDS, BINS), 1 / BINS)
    )
    k, missing = len(contrasts), np.zeros(FIELDS, np.int64)
    flat = np.zeros((GROUPS, SLOTS, k))
    base = Baseline(flat, np.full(k, 1e-3), np.ones(k), np.ones((SLOTS, k)), np.full(k, 1.5))
    watch = ShiryaevRoberts(np.full(k, 20.0))
    took = []
    for pane in range(PANES):
        counts = rng.multinomial(VALUES, np.full(BINS, 1 / BINS), size=FIELDS)
        begun = time.process_time()
        x, n = contrasts.values(counts, np.stack([counts.sum(axis=1), missing], axis=1))
        watch.update(base.whiten(x, n, 0, pane % SLOTS), n, (pane + 1) * PANE_MS)
        took.append(1000 * (time.process_time() - begun))
    return statistics.median(took)


def learn_s(fields: int) -> float:
    """Return seconds of CPU to learn from eight weeks of so many fields with five contrasts each, missing values among them."""
    panes, k = WEEKS * 7 * DAY_MS // PANE_MS, CONTRASTS * fields
    per_day = DAY_MS // PANE_MS
    day: Ints = np.arange(panes) // per_day
    x = np.random.default_rng(2).standard_normal((panes, k), np.float32)
    x /= 10
    slots = np.arange(panes) % per_day * SLOTS // per_day
    series = Series(x, np.full((panes, k), 100, np.int32), PANE_MS, day, np.maximum(day % 7 - 4, 0), slots)
    begun = time.process_time()
    learn(series, np.arange(k) % CONTRASTS)
    return time.process_time() - begun


def main(fields: int = FIELDS) -> None:
    """Print all of it. A process of its own: the peak is that of the process."""
    print(f"one pane of {FIELDS:,} fields: {pane_ms():.2f} ms")
    begun, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, learn_s(fields)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun) / 1024
    panes = 8 * WEEKS * 7 * DAY_MS // PANE_MS * CONTRASTS * fields / 2**20
    print(f"learning {fields:,} fields: {seconds:.0f} s, {peak:.0f} MiB, of which the panes are {panes:.0f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
