"""Pane counts to contrasts: what the judge makes of panes, for whole environments at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.data import DAY_MS
from benchmarks.detection.null import Environment
from benchmarks.detection.panes import PaneSeries
from detectors.budget import Series
from detectors.calendar import place
from detectors.histogram import smoothed
from stream.coarse import Coarse
from stream.contrasts import Contrasts
from stream.learn import MIN_RECORDS, MIN_SHARE


def environment(
    name: str, streams: Sequence[PaneSeries], pane_ms: int, faulty: Sequence[PaneSeries] | None = None
) -> Environment:
    """Return the contrasts of all streams side by side, over panes of a length that their panes divide.

    Their weights come from the first panes with 10,000 values, where the layout's bins come from too. These panes are part of
    a week that will be permuted like the others.

    Args:
        faulty: the same streams with a fault in their records, to be seen with the weights of the healthy ones.
    """
    parts = [_stream(healthy, seen, pane_ms) for healthy, seen in zip(streams, faulty or streams, strict=True)]
    xs, ns, names, families = zip(*parts, strict=True)
    times = (streams[0].first * streams[0].pane_ms // pane_ms + np.arange(len(xs[0]))) * pane_ms
    series = Series(np.concatenate(xs, axis=1), np.concatenate(ns, axis=1), pane_ms, *_calendar(times))
    return Environment(name, series, tuple(item for own in names for item in own), np.concatenate(families))


def _stream(
    healthy: PaneSeries, seen: PaneSeries, pane_ms: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str], NDArray[np.int64]]:
    bins, first = _summed(seen.bins, seen, pane_ms), _summed(healthy.bins, healthy, pane_ms)
    there = np.stack([seen.records[:, None] - seen.missing, seen.missing], axis=2)
    presence = _summed(there, seen, pane_ms)
    shares = np.maximum(smoothed(first[: _enough(first, pane_ms)].sum(axis=0)), MIN_SHARE)
    contrasts = Contrasts(healthy.section.bins, shares)
    x = np.full((len(bins), len(contrasts)), np.nan)
    n = np.zeros((len(bins), len(contrasts)), np.int64)
    coarse = Coarse(healthy.name, healthy.section, 1, pane_ms)
    for pane, counts in enumerate(bins):
        coarse.bins += counts
        coarse.presence += presence[pane]
        taken = coarse.take(pane)
        x[pane], n[pane] = contrasts.values(taken.bins, taken.presence)
    labels = zip(contrasts.rows, contrasts.names, strict=True)
    return x, n, [f"{healthy.name}.{healthy.fields[row]}.{label}" for row, label in labels], contrasts.family


def _summed(counts: NDArray[Any], item: PaneSeries, pane_ms: int) -> NDArray[np.int64]:
    """Return int64[T, F, ...], the counts of panes added up to longer ones."""
    return np.asarray(counts.reshape(-1, pane_ms // item.pane_ms, *counts.shape[1:]).sum(axis=1, dtype=np.int64))


def _enough(bins: NDArray[np.int64], pane_ms: int) -> int:
    """Return the number of panes after which every field has 10,000 values, or all that it ever has; at least a day's."""
    total = np.cumsum(bins.sum(axis=2), axis=0)
    target = np.minimum(MIN_RECORDS, total[-1])
    return max(int((total >= target).all(axis=1).argmax()) + 1, DAY_MS // pane_ms)


def _calendar(times_ms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    half_hours, back = np.unique(times_ms // 1_800_000, return_inverse=True)
    places = np.array([place(int(half) * 1_800_000) for half in half_hours])[back]
    return places[:, 0], places[:, 1], places[:, 2]
