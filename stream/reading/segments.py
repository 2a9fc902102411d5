"""Counts of fields by segment: the values of some records in the bins in force, for each value of a segment field.

The fold of the tap does the counting, on the records of one segment at a time, so what `streamgauge explain` compares is what was
counted when the incident opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.judging.view import missing
from stream.layout import BINS, UNSEEN, Bins, Layout
from stream.plan import StreamPlan
from stream.reading.columns import Records
from stream.reading.fold import SectionFold, category_hash, number_hash
from stream.reading.sorting import Sorter

NOWHERE = BINS
"""Row of the records that have no usable value in the segment field."""
NEVER_MS = 1 << 60
"""As the wall clock: what lies in the future is outside of the stretch that is asked for."""
MAX_PLACES = 10_000
"""Values whose place is remembered: a field of names must not make it grow."""

Table = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Bins int64[37, F, 36] and presence int64[37, F, 2] of F fields, by bin of the segment field; the last row is `NOWHERE`."""


class Counting:
    """Counts F fields by each of some segment fields, over the records of a stretch of event time.

    Attributes: records: that belong to the stream and the stretch. tables: by name of the segment field.
    """

    def __init__(
        self,
        layout: Layout,
        plan: StreamPlan,
        key: bytes,
        fields: Sequence[str],
        segments: Sequence[str],
        stretch: tuple[int, int],
    ) -> None:
        section = layout.sections[plan.name]
        rows = [section.names.index(name) for name in fields]
        only = section.replace(
            fields=tuple(section.fields[row] for row in rows), bins=tuple(section.bins[row] for row in rows)
        )
        self._sorter, self._fold = Sorter(layout, plan), SectionFold(plan, only, key)
        self._stretch = stretch
        self._places = {name: _Places(section.bins[section.names.index(name)], key) for name in segments}
        self._sources = {name: section.fields[section.names.index(name)].source for name in segments}
        self.records = 0
        shape = (BINS + 1, len(rows))
        self.tables: dict[str, Table] = {
            name: (np.zeros((*shape, BINS), np.int64), np.zeros((*shape, 2), np.int64)) for name in segments
        }

    def add(self, chunk: Records) -> None:
        """Take decoded records of one partition, in offset order."""
        result = self._sorter.sort(chunk, (None, None), NEVER_MS)
        inside = np.flatnonzero((result.times >= self._stretch[0]) & (result.times < self._stretch[1]))
        records, times = result.applied.take(inside.tolist()), result.times[inside]
        self.records += len(records)
        for name, (bins, presence) in self.tables.items():
            place = self._places[name]
            places = np.array([place.of(value) for value in records.column(self._sources[name])], np.int64)
            for row in np.unique(places).tolist():
                mine = np.flatnonzero(places == row)
                known = np.zeros(bins.shape[1], np.int64)  # examples of bad values: none is looked for
                counts = self._fold.count(records.take(mine.tolist()), times[mine], known, 0, None)
                gone = missing(counts)
                bins[row] += counts.bins
                presence[row] += np.stack([counts.types.sum(axis=1) - gone, gone], axis=1)


class _Places:
    """In which bin a single value of a segment field lies, as `stream.reading.fold` counts it."""

    def __init__(self, bins: Bins | None, key: bytes) -> None:
        assert bins is not None
        self._kind, self._key = bins.kind, key
        self._known = dict(zip(bins.known.tolist(), bins.bin.tolist(), strict=True))
        self._seen: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        if self._kind == "bool":
            return int(value) if type(value) is bool else NOWHERE
        if type(value) not in ((str,) if self._kind == "category" else (int, float)):
            return NOWHERE
        place = self._seen.get(value)
        if place is None:
            hashed = category_hash(value, self._key) if self._kind == "category" else number_hash(value, self._key)
            place = self._known.get(hashed, UNSEEN)
            if len(self._seen) < MAX_PLACES:
                self._seen[value] = place
        return place
