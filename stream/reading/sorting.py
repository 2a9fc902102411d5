"""Sorting: which class each record of a chunk belongs to, for one stream.

Each record falls into exactly one class, in this order: tombstone, unreadable (rejected), not of this stream (filtered),
without a usable event time (rejected), late, applied. Sorting reads the frontier and changes nothing, so a tap can see
whether a chunk fits into its entry before any of it is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.counts import Group
from stream.layout import OTHER, Layout
from stream.ledger import Frontier
from stream.plan import StreamPlan
from stream.reading.columns import Column, Records
from stream.reading.eventtime import BAD, milliseconds
from stream.reading.frontier import NEVER, advance
from stream.reading.records import printable

Cell = tuple[int, Group]
"""(pane index, group)."""


@dataclass(slots=True)
class Sorted:
    """A chunk sorted into classes.

    Attributes:
        tombstones, filtered: how many.
        rejected: (position in the chunk, offset, reason, frontier then).
        late: (offset, frontier then, ms beyond the lateness).
        applied: the records that count. at: their positions in the chunk. times: their event times.
        origins: (version, producer) of each, as text; None where the record has none.
        cells: positions in ``applied`` by cell, in order of first appearance.
        frontier: after the chunk.
    """

    tombstones: int
    filtered: int
    rejected: list[tuple[int, int, str, int]]
    late: list[tuple[int, int, int]]
    applied: Records
    at: Sequence[int]
    times: NDArray[np.int64]
    origins: Sequence[tuple[str | None, str | None]]
    cells: dict[Cell, Sequence[int]]
    frontier: Frontier


class Sorter:
    """Sorts the records of one stream by what the layout says."""

    def __init__(self, layout: Layout, plan: StreamPlan) -> None:
        self._plan = plan
        self._section = layout.sections[plan.name]
        self._pane_ms = layout.plan.pane_ms
        self._max_future_ms = layout.plan.max_future_ms

    def sort(self, chunk: Records, state: Frontier, now_ms: int) -> Sorted:
        """Sort a chunk into classes; nothing is counted yet.

        Args:
            chunk: records of the partition that continue what was counted.
            state: frontier and candidate before them.
            now_ms: wall clock. It decides about ``future`` only.
        """
        at: Sequence[int] = range(len(chunk))
        refused: list[tuple[int, str]] = []
        if not {str, type(None)}.isdisjoint(map(type, chunk.rows)):
            at = [i for i, row in enumerate(chunk.rows) if row is not None and type(row) is not str]
            refused = [(i, row) for i, row in enumerate(chunk.rows) if type(row) is str]
        tombstones = len(chunk) - len(at) - len(refused)
        records = chunk.take(at)
        for source, wanted in self._plan.where:
            keep = _matching(records.column(source), wanted)
            records, at = records.take(keep), [at[i] for i in keep]
        filtered = len(chunk) - tombstones - len(refused) - len(records)

        times = self.times(records)
        future = times > now_ms + self._max_future_ms
        unusable = future | (times == BAD)
        if unusable.any():
            refused += [(at[i], "future" if future[i] else "bad_time") for i in np.flatnonzero(unusable).tolist()]
            usable = np.flatnonzero(~unusable).tolist()
            records, at, times = records.take(usable), [at[i] for i in usable], times[usable]

        before, frontier = advance(state, times)
        rejected = self._placed(chunk, refused, at, before, frontier)
        behind = before - self._plan.lateness_ms - times
        late = []
        if (behind > 0).any():
            late = [(records.offsets[i], int(before[i]), int(behind[i])) for i in np.flatnonzero(behind > 0).tolist()]
            kept = np.flatnonzero(behind <= 0).tolist()
            records, at, times = records.take(kept), [at[i] for i in kept], times[kept]
        origins = self._origins(records)
        cells = self._cells(times, origins)
        return Sorted(tombstones, filtered, rejected, late, records, at, times, origins, cells, frontier)

    def times(self, records: Records) -> NDArray[np.int64]:
        """Return int64[n], the event time of each record in ms, `BAD` where it has none."""
        source = self._plan.time
        if source is None:
            return milliseconds([BAD if time < 0 else time for time in records.timestamps], "ms")
        values = records.column(source)
        if self._plan.time_unit != "rfc3339" and (source == "key" or source.startswith("header:")):
            values = [_number(value) for value in values]
        return milliseconds(values, self._plan.time_unit)

    def _placed(
        self,
        chunk: Records,
        refused: list[tuple[int, str]],
        at: Sequence[int],
        before: NDArray[np.int64],
        frontier: Frontier,
    ) -> list[tuple[int, int, str, int]]:
        """Give each refused record the frontier at its place: it has no event time of its own."""
        if not refused:
            return []
        reached = [*before.tolist(), NEVER if frontier[0] is None else frontier[0]]
        refused.sort()
        usable_before = np.searchsorted(np.asarray(at, np.int64), [i for i, _ in refused])
        return [
            (i, chunk.offsets[i], reason, reached[k])
            for (i, reason), k in zip(refused, usable_before.tolist(), strict=True)
        ]

    def _origins(self, records: Records) -> Sequence[tuple[str | None, str | None]]:
        if self._plan.version is None and self._plan.producer is None:
            return [(None, None)] * len(records)
        sources = (self._plan.version, self._plan.producer)
        version, producer = ([None] * len(records) if s is None else _labels(records.column(s)) for s in sources)
        return list(zip(version, producer, strict=True))

    def _cells(
        self, times: NDArray[np.int64], origins: Sequence[tuple[str | None, str | None]]
    ) -> dict[Cell, Sequence[int]]:
        groups = {origin: self._group(*origin) for origin in set(origins)}
        panes = times // self._pane_ms
        if len(groups) == 1 and panes.min() == panes.max():
            return {(int(panes[0]), groups[origins[0]]): range(len(times))}
        cells: dict[Cell, list[int]] = {}
        for i, (pane, origin) in enumerate(zip(panes.tolist(), origins, strict=True)):
            cells.setdefault((pane, groups[origin]), []).append(i)
        return dict(cells)

    def _group(self, version: str | None, producer: str | None) -> Group:
        return (
            version if version is not None and version in self._section.versions else OTHER,
            producer if producer is not None and producer in self._section.producers else OTHER,
        )


def _matching(column: Column, wanted: str | float | bool) -> list[int]:
    """Return the positions of equal values; ``true`` is not 1."""
    if isinstance(wanted, bool):
        return [i for i, value in enumerate(column) if value is wanted]
    return [i for i, value in enumerate(column) if value == wanted and type(value) is not bool]


def _labels(column: Column) -> list[str | None]:
    """Return values as names, fit to be shown: text and numbers; anything else is no name."""
    if set(map(type, column)) == {str}:
        names = {value: printable(value) for value in set(column)}
        return [names[value] for value in column]
    return [printable(str(value)) if type(value) in (str, int, float) else None for value in column]


def _number(value: Any) -> Any:
    """Return the number that a text (a key or a header has no other type) spells, or the value itself."""
    try:
        return float(value) if "." in value else int(value)
    except (TypeError, ValueError):
        return value
