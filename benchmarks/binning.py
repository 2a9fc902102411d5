"""``python -m benchmarks.binning``: what it costs to count the values of a chunk by bin, four ways, in one process.

* sorted: each column is sorted, and its edges are looked up in it; this is what `stream.reading.fold` does.
* search: each value is looked up in the edges of its field, then ``np.bincount``.
* cells: a grid of 1024 cells says the bin; a cell with an edge in it compares, which makes it exact.
* flat: the same, for all fields of a chunk at once.

All begin with floats and also find the smallest and the largest value of each field, which the fold needs and the sorted column
has at its ends. All give the same counts: that is checked first. Times are the best of many rounds that take turns. A grid
cannot tell two edges in one cell apart; where a field has such edges, ``no grid`` is printed.

numpy sorts with what the processor has. ``NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL"`` before the command measures without
AVX-512, and with ``X86_V3`` added without AVX2 (numpy 2.4; other versions have other names and warn).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stream.layout import BINS
from stream.learn import numeric_edges

CELLS = 1024
SHAPES = ((1_000, 30), (1_000, 200), (100, 30))
ROUNDS = 40

Floats = NDArray[np.float64]
Counts = tuple[Floats, Floats, NDArray[np.int64]]
"""By field: smallest value, largest value, bins."""


class Grid:
    """Cells of some fields: of equal width, or (``ratio``) cut from the bits of the floats, so of nearly equal ratio.

    A cell never gets smaller as the value grows, however the steps on the way are rounded. So an edge in an earlier cell is
    below the value, one in a later cell above it, and only an edge in the same cell must be compared with it.
    """

    def __init__(self, edges: list[Floats], ratio: bool) -> None:
        self.ratio = ratio
        self.low = np.array([[item[0]] for item in edges])
        self.high = np.array([[item[-1]] for item in edges])
        with np.errstate(over="ignore"):
            self.scale = (CELLS - 1) / (self.high - self.low)
        self.first = self.low.view(np.int64)
        span = (self.high.view(np.int64) - self.first).ravel().tolist()
        self.shift = np.array([[max(int(item).bit_length() - CELLS.bit_length() + 1, 0)] for item in span])
        self.base = np.zeros((len(edges), CELLS), np.int64)
        self.edge = np.full((len(edges), CELLS), np.inf)
        able = self.low > 0 if ratio else (self.scale > 0) & (self.scale < np.inf)
        self.fits = bool(able.all())
        for k, item in enumerate(edges if self.fits else []):
            places = self.cells(np.broadcast_to(item, (len(edges), len(item))))[k]
            self.base[k] = places.searchsorted(np.arange(CELLS), "left")
            self.edge[k, places] = item
            self.fits &= len(set(places.tolist())) == len(places)

    def cells(self, values: Floats) -> NDArray[np.int64]:
        at = np.clip(values, self.low, self.high)
        if self.ratio:
            bits = at.view(np.int64)
            bits -= self.first
            bits >>= self.shift
            return bits
        at -= self.low
        at *= self.scale
        return np.minimum(at, CELLS - 1, out=at).astype(np.int64)

    def count(self, values: Floats) -> Counts:
        fields = len(values)
        at = self.cells(values)
        at += np.arange(0, fields * CELLS, CELLS)[:, None]
        bins = self.base.take(at)
        bins += values >= self.edge.take(at)
        bins += np.arange(0, fields * BINS, BINS)[:, None]
        counts = np.bincount(bins.ravel(), minlength=fields * BINS)
        return values.min(1), values.max(1), counts.reshape(fields, BINS)


def grid_of(edges: list[Floats]) -> Grid | None:
    """Return a grid in which no two edges of a field share a cell."""
    return next((grid for grid in (Grid(edges, ratio=False), Grid(edges, ratio=True)) if grid.fits), None)


def by_sorting(values: Floats, edges: list[Floats]) -> Counts:
    low, high, bins = empty(len(values))
    for k, item in enumerate(edges):
        ordered = np.sort(values[k])
        low[k], high[k] = ordered[0], ordered[-1]
        bins[k, : len(item)] = ordered.searchsorted(item, "left")
        bins[k, len(item) :] = len(ordered)
    bins[:, 1:] -= bins[:, :-1].copy()
    return low, high, bins


def by_searching(values: Floats, edges: list[Floats]) -> Counts:
    low, high, bins = empty(len(values))
    for k, item in enumerate(edges):
        low[k], high[k] = values[k].min(), values[k].max()
        bins[k] = np.bincount(item.searchsorted(values[k], "right"), minlength=BINS)
    return low, high, bins


def by_cells(values: Floats, grids: list[Grid]) -> Counts:
    low, high, bins = empty(len(values))
    for k, grid in enumerate(grids):
        low[k : k + 1], high[k : k + 1], bins[k : k + 1] = grid.count(values[k : k + 1])
    return low, high, bins


def empty(fields: int) -> Counts:
    return np.empty(fields), np.empty(fields), np.empty((fields, BINS), np.int64)


def drawn(kind: str, fields: int, rows: int, rng: np.random.Generator) -> Floats:
    if kind == "integers":
        return rng.poisson(20, (fields, rows)).astype(float)
    return rng.normal(50, 9, (fields, rows)) if kind == "normal" else rng.lognormal(3, 2, (fields, rows))


def ways(kind: str, rows: int, fields: int) -> dict[str, Callable[[], Counts] | None]:
    """Return each way over the same values; None where the edges do not fit into a grid."""
    rng = np.random.default_rng(7)
    values = drawn(kind, fields, rows, rng)
    edges = [numeric_edges(*np.unique(sample, return_counts=True)) for sample in drawn(kind, fields, 10_000, rng)]
    grid, grids = grid_of(edges), [grid_of([item]) for item in edges]
    return {
        "sorted": lambda: by_sorting(values, edges),
        "search": lambda: by_searching(values, edges),
        "cells": (lambda: by_cells(values, grids)) if None not in grids else None,
        "flat": (lambda: grid.count(values)) if grid is not None else None,
    }


def best(counts: dict[str, Callable[[], Counts]]) -> dict[str, float]:
    """Return the shortest time in s of each, called in turn."""
    found = dict.fromkeys(counts, float("inf"))
    for _ in range(ROUNDS):
        for name, count in counts.items():
            begun = time.perf_counter()
            count()
            found[name] = min(found[name], time.perf_counter() - begun)
    return found


def main() -> None:
    print("ns per value   rows x fields   sorted   search    cells     flat")
    for kind in ("normal", "lognormal", "integers"):
        for rows, fields in SHAPES:
            every = ways(kind, rows, fields)
            able = {name: way for name, way in every.items() if way is not None}
            expected = able["sorted"]()
            for way in able.values():
                assert all(np.array_equal(one, other) for one, other in zip(way(), expected, strict=True))
            found = {name: f"{s / rows / fields * 1e9:8.1f}" for name, s in best(able).items()}
            print(f"{kind:<12} {rows:>8,} x {fields:<5}", *(found.get(name, " no grid") for name in every))


if __name__ == "__main__":
    main()
