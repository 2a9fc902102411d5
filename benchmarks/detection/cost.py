"""What the budget costs: one pane of 1,000 fields, and learning from eight weeks of them."""

from __future__ import annotations

import statistics
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
WEEKS = 8


def pane_ms() -> float:
    """Return ms of CPU (median) from the counts of a pane of 1,000 numbers to the statistics of all its contrasts."""
    rng = np.random.default_rng(1)
    none = np.zeros(0, np.int64)
    contrasts = Contrasts(
        [Bins("number", np.arange(BINS - 1.0), none, none)] * FIELDS, np.full((FIELDS, BINS), 1 / BINS)
    )
    k = len(contrasts)
    flat = np.zeros((GROUPS, SLOTS, k))
    base = Baseline(flat, np.full(k, 1e-3), np.ones(k), np.ones((SLOTS, k)), np.full(k, 1.5))
    watch = ShiryaevRoberts(np.full(k, 20.0))
    took = []
    for pane in range(PANES):
        counts = rng.multinomial(VALUES, np.full(BINS, 1 / BINS), size=FIELDS)
        begun = time.process_time()
        x, n = contrasts.values(counts)
        watch.update(base.whiten(x, n, 0, pane % SLOTS), n, (pane + 1) * PANE_MS)
        took.append(1000 * (time.process_time() - begun))
    return statistics.median(took)


def learn_s(fields: int) -> float:
    """Return seconds of CPU to learn from eight weeks of so many fields with four contrasts each."""
    panes, k = WEEKS * 7 * DAY_MS // PANE_MS, 4 * fields
    per_day = DAY_MS // PANE_MS
    day: Ints = np.arange(panes) // per_day
    x = np.random.default_rng(2).normal(size=(panes, k)).astype(np.float32) / 10
    slots = np.arange(panes) % per_day * SLOTS // per_day
    series = Series(x, np.full((panes, k), 100, np.int32), PANE_MS, day, np.maximum(day % 7 - 4, 0), slots)
    begun = time.process_time()
    learn(series, np.arange(k) % 4)
    return time.process_time() - begun
