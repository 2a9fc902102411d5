"""Records to pane counts by the product's own path: its sketch, its learner, its fold.

A tap sorts records into cells (pane and group) and gives each cell to `SectionFold`. Here a cell is a slice of a `Table`, and the
rest is what happens there: until the product says that there is enough to learn from, a sketch is filled; `learn_section`
chooses kinds, edges and categories. Then all records are counted, those that were learned from too. Only decoding is left out.
A count costs 10 us per pane and field of 60 values, most of it Python's: a quarter of an hour for 200 fields over 26 weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.data import MINUTE_MS, Table
from stream.counts import ABSENT, NONFINITE, NULL, FieldCounts
from stream.layout import BINS, Section
from stream.learn import enough_for_edges, learn_section
from stream.plan import Field, StreamPlan
from stream.reading.columns import Column, Records
from stream.reading.fold import SectionFold
from stream.reading.sketch import Sketch

PANE_MS = MINUTE_MS
KEY = b"benchmarks.detection"
"""Of the hashes of categories and codes."""
_NO_TIMES = np.zeros(0, np.int64)
_MOST = int(np.iinfo(np.uint16).max)

Counts = tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int32]]
"""bins uint16[T, F, 36], records int32[T], missing int32[T, F]; see `benchmarks.detection.panes.PaneSeries`."""


def learned(name: str, fields: tuple[str, ...], tables: Iterable[Table]) -> Section:
    """Return the section that the product learns from the first records: 10,000 of them, or a day with 500.

    Raises:
        ValueError: there are not enough.
    """
    section = Section(
        name, tuple(Field(field, field, show=True) for field in fields), (None,) * len(fields), False, (), (), 1
    )
    sketch = Sketch.empty(section.fields)
    count = _counter(section, sketch)
    first, records = None, 0
    for pane, cell in _cells(tables):
        first = pane if first is None else first
        records += count(cell).records
        if enough_for_edges(records, (pane + 1 - first) * PANE_MS):
            return learn_section(section, sketch)
    raise ValueError(f"{name}: {records} records are too few to learn bins from")


def folded(section: Section, tables: Iterable[Table], span_ms: tuple[int, int]) -> Counts:
    """Count records by pane.

    Args:
        tables: in time order; no pane may be spread over two.
        span_ms: event times [from, to) in which all of them lie, whole panes.
    """
    first, end = (edge // PANE_MS for edge in span_ms)
    shape = (end - first, len(section.fields))
    bins, missing = np.zeros((*shape, BINS), np.uint16), np.zeros(shape, np.int32)
    records = np.zeros(end - first, np.int32)
    count = _counter(section, None)
    for pane, cell in _cells(tables):
        counts, at = count(cell), pane - first
        records[at] = counts.records
        missing[at] = counts.types[:, (ABSENT, NULL, NONFINITE)].sum(axis=1)
        bins[at] = counts.bins
    return bins, records, missing


def _counter(section: Section, sketch: Sketch | None) -> Callable[[_Cell], FieldCounts]:
    """Return the tap's fold of one cell. No field has an age, so no times are looked at; no examples are asked for."""
    fold = SectionFold(StreamPlan(section.stream, "", "features", ""), section, KEY)
    known = np.zeros(len(section.fields), np.int64)
    return lambda cell: fold.count(cell, _NO_TIMES, known, 0, sketch)


class _Cell(Records):
    """The records of one pane, whose columns are there already.

    Args:
        floats: columns that hold finite floats only.
    """

    def __init__(self, size: int, columns: dict[str, Column], floats: Set[str]) -> None:
        super().__init__([None] * size, [], [], [], [])
        self._given = columns
        self._floats = floats

    def all_floats(self, source: str) -> bool:
        return source in self._floats

    def column(self, source: str) -> Column:
        return self._given[source]


def _cells(tables: Iterable[Table]) -> Iterator[tuple[int, _Cell]]:
    """Yield (index of the pane, its records) for each pane that has any."""
    for table in tables:
        panes = table.times_ms // PANE_MS
        starts = np.flatnonzero(np.diff(panes, prepend=panes[:1] - 1)).tolist()
        columns = {name: _with_nulls(column) for name, column in table.columns.items()}
        floats = {name for name, column in columns.items() if column.dtype != object and np.isfinite(column).all()}
        for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
            if end - start > _MOST:
                raise ValueError(f"{end - start} records in one pane do not fit into uint16")
            cell = {name: column[start:end].tolist() for name, column in columns.items()}
            yield int(panes[start]), _Cell(end - start, cell, floats)


def _with_nulls(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column in which a number that is missing is what it would be in JSON: null."""
    if column.dtype == object or not np.isnan(column).any():
        return column
    nullable = column.astype(object)
    nullable[np.isnan(column)] = None
    return nullable
