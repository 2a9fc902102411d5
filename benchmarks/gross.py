"""How often the rule on gross change would open when nothing happened: ``python -m benchmarks.gross [flights|power|full]``.

Panes of a minute in time order. Beside what the judge does (twice the largest distance of a coarse pane in four weeks) stands
what was rejected: four standard deviations beyond the mean distance of the first hours, 200 panes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection import panes
from benchmarks.detection.panes import PaneSeries
from detectors import HistogramDrift
from detectors.histogram import distance, distance_sd
from stream.judging.drift import GROSS
from stream.layout import BINS
from stream.learn import MIN_N, MIN_PANES, basis

DAY = 1440
WEEKS, LEARNED = 12, 4
COARSE = 5


def main() -> int:
    """Print the openings of every stream of a source."""
    source = sys.argv[1] if len(sys.argv) > 1 else "flights"
    for stream in panes.series(source, features=20, weeks=WEEKS):
        late = opened(stream, after_weeks(stream), LEARNED * 7)
        early = opened(stream, after_hours(stream), 1)
        print(
            f"{stream.name:<14} {late} in {WEEKS - LEARNED} weeks behind {LEARNED} weeks of reference; "
            f"{early} in {WEEKS} weeks behind {MIN_PANES} panes",
            flush=True,
        )
    return 0


def carried(bins: NDArray[np.uint16]) -> Iterator[NDArray[np.int64]]:
    """Yield int64[F, 36] of each pane; a field with few values hands them on."""
    held = np.zeros(bins.shape[1:], np.int64)
    for pane in bins:
        held = held + pane
        ready = held.sum(axis=1) >= MIN_N
        yield np.where(ready[:, None], held, 0)
        held[ready] = 0


def after_weeks(stream: PaneSeries) -> HistogramDrift:
    """Return the rule as a night arms it."""
    past = stream.bins[: LEARNED * 7 * DAY]
    coarse = past.reshape(-1, COARSE, *past.shape[1:]).sum(axis=1, dtype=np.int64)
    shares, farthest = basis(coarse.sum(axis=0)), np.zeros(past.shape[1])
    for pane in carried(coarse.astype(np.uint16)):
        seen = pane.any(axis=1)
        farthest[seen] = np.maximum(farthest[seen], distance(pane[seen], shares[seen]))
    return HistogramDrift(shares, GROSS * farthest, np.zeros(len(farthest)))


def after_hours(stream: PaneSeries) -> HistogramDrift:
    """Return the rule of thumb, from the first 200 panes in which a field has values enough."""
    first = np.stack(list(carried(stream.bins[: 3 * DAY])))
    fields = first.shape[1]
    shares, mean, sd = np.full((fields, BINS), np.nan), np.full(fields, np.nan), np.full(fields, np.nan)
    for row in range(fields):
        counts = first[first[:, row].any(axis=1), row][:MIN_PANES]
        if len(counts) == MIN_PANES:
            shares[row] = basis(counts.sum(axis=0)[None])[0]
            far = distance(counts, np.broadcast_to(shares[row], counts.shape))
            noise = distance_sd(counts.sum(axis=1), BINS)
            mean[row], sd[row] = far.mean(), np.sqrt(max(far.var() - (noise**2).mean(), 0.0))
    return HistogramDrift(shares, mean, sd)


def opened(stream: PaneSeries, rule: HistogramDrift, begin: int) -> int:
    """Return on how many days from day ``begin`` on the rule found something that it had not found on the day before."""
    found = np.zeros((WEEKS * 7, len(stream.fields)), np.bool_)
    for index, pane in enumerate(carried(stream.bins[: WEEKS * 7 * DAY])):
        if index >= begin * DAY:
            rule.update(pane, pane.sum(axis=1), index * 60_000)
            found[index // DAY] |= rule.drift_detected
    return int((found[1:] & ~found[:-1]).any(axis=1).sum())


if __name__ == "__main__":
    sys.exit(main())
