"""Pane counts to contrasts: what the judge makes of panes, for whole environments at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.null import Environment
from benchmarks.detection.panes import PaneSeries
from detectors.budget import Series
from detectors.calendar import place
from detectors.histogram import smoothed
from stream.contrasts import Contrasts
from stream.layout import BINS
from stream.learn import MIN_N, MIN_SHARE

MAX_CARRY_DAYS = 7


def environment(name: str, streams: Iterable[PaneSeries], pane_ms: int) -> Environment:
    """Return the contrasts of all streams side by side, over panes of a length that their panes divide.

    Contrasts are weighed by the shares of the first 200 panes of 10,000 values, that is by what was there before the first
    reference week is known, as the learned layout is.
    """
    parts = [_stream(item, pane_ms) for item in streams]
    first = parts[0][0]
    xs, ns, names, families = zip(*(part[1:] for part in parts), strict=True)
    panes = len(xs[0])
    times = (first + np.arange(panes)) * pane_ms
    days, groups, slots = _calendar(times)
    series = Series(np.concatenate(xs, axis=1), np.concatenate(ns, axis=1), pane_ms, days, groups, slots)
    return Environment(name, series, tuple(item for own in names for item in own), np.concatenate(families))


def _stream(
    item: PaneSeries, pane_ms: int
) -> tuple[int, NDArray[np.float64], NDArray[np.int64], list[str], NDArray[np.int64]]:
    step = pane_ms // item.pane_ms
    fields = len(item.fields)
    bins = item.bins.reshape(-1, step, fields, BINS).sum(axis=1, dtype=np.int64)
    contrasts = Contrasts(item.section.bins, np.maximum(smoothed(bins[: _enough(bins)].sum(axis=0)), MIN_SHARE))
    x = np.full((len(bins), len(contrasts)), np.nan)
    n = np.zeros((len(bins), len(contrasts)), np.int64)
    held = np.zeros((fields, BINS), np.int64)
    for pane, counts in enumerate(bins):
        held += counts
        ready = held.sum(axis=1) >= MIN_N
        if ready.any():
            value, size = contrasts.values(np.where(ready[:, None], held, 0))
            x[pane], n[pane] = value, size
            held[ready] = 0
    names = [
        f"{item.name}.{item.fields[row]}.{label}" for row, label in zip(contrasts.rows, contrasts.names, strict=True)
    ]
    return item.first // step, x, n, names, contrasts.family


def _enough(bins: NDArray[np.int64]) -> int:
    """Return the number of panes after which every field that ever has values has 10,000, at least a day's."""
    total = np.cumsum(bins.sum(axis=2), axis=0)
    target = np.minimum(10_000, total[-1])
    return max(int((total >= target).all(axis=1).argmax()) + 1, 96)


def _calendar(times_ms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    half_hours, back = np.unique(times_ms // 1_800_000, return_inverse=True)
    places = np.array([place(int(half) * 1_800_000) for half in half_hours])[back]
    return places[:, 0], places[:, 1], places[:, 2]
